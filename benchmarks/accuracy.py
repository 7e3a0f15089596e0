"""Tuned mfrec against plain ALS tuned under the same budget: NDCG@20 on held-out data, with its spread over seeds.

Usage: python benchmarks/accuracy.py [--data ml-100k ml-latest-small] [--seeds 5] [--seconds 60] [--out FILE]

For each seed, a random 20 % is the test part. Both contenders search for the same time, or with ``--trials`` for as
many trials however long they take, on held-out parts of the rest, chosen by the same seed, are fitted on the whole rest
with what they found, and are asked for the test part once: user2item, over unseen items. Plain ALS leaves exponents and
scales at 0 and searches factors, regularization, alpha and iterations; both start from the defaults of `ALSParams`, so
far as they may use them. The defaults were chosen without the test part of seed 42; those of other seeds overlap with
what they were chosen on, which is the same for both contenders but in the exponents.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.evaluation import measure
from mfrec.evaluation.splits import random_split
from mfrec.training.als import fit_als
from mfrec.training.params import ALSParams
from mfrec.tuning.tune import tune

METRIC = "ndcg@20"
FIRST_SEED = 42
NO_LIMIT = 1e6


@dataclass(frozen=True)
class Run:
    """One contender on one split."""

    data: str
    seed: int
    contender: str
    trials: int
    validation: float
    test: float
    hits: tuple[float, float]
    params: ALSParams


def runs(data: str, seed: int, seconds: float, trials: int | None = None) -> list[Run]:
    """Tune, fit and ask both contenders, and the defaults as they are."""
    rest, test = random_split(mfrec.load_movielens(data), 0.2, seed)
    minutes = seconds / 60 if trials is None else NO_LIMIT
    found = []
    for contender, plain in (("mfrec, tuned", False), ("plain ALS, tuned", True)):
        tuned = tune(rest, metric=METRIC, minutes=minutes, trials=trials, plain=plain, seed=seed)
        best = tuned.best
        found.append(Run(data, seed, contender, len(tuned.trials), best.score, *judge(rest, test, best.params)))
    return [*found, Run(data, seed, "mfrec, defaults", 0, float("nan"), *judge(rest, test, ALSParams()))]


def judge(rest: Interactions, test: Interactions, params: ALSParams) -> tuple[float, tuple[float, float], ALSParams]:
    """Fit on all but the test part and ask for it once: NDCG@20, and the hit rates per event @10 and @100."""
    factors = fit_als(rest, params)
    found = measure(factors, rest, test, (10, 20, 100))
    return found[METRIC], (found["hit_rate@10"], found["hit_rate@100"]), params


def summary(found: list[Run]) -> str:
    """Return a table: mean and standard deviation over seeds, and the gain over plain ALS seed by seed."""
    rows = []
    for data, contender in dict.fromkeys((r.data, r.contender) for r in found):
        own = {r.seed: r.test for r in found if (r.data, r.contender) == (data, contender)}
        plain = {r.seed: r.test for r in found if (r.data, r.contender) == (data, "plain ALS, tuned")}
        gains = np.array([own[seed] / plain[seed] - 1 for seed in own])
        values = np.array(list(own.values()))
        row = [data, contender, f"{values.mean():.4f}", f"{_spread(values):.4f}"]
        hits = np.array([r.hits for r in found if (r.data, r.contender) == (data, contender)]).mean(axis=0)
        row += [f"{gains.mean():+.1%}", f"{gains.min():+.1%} to {gains.max():+.1%}", str(len(own))]
        trials = sorted({r.trials for r in found if (r.data, r.contender) == (data, contender)})
        rows.append([*row, " to ".join(map(str, dict.fromkeys((trials[0], trials[-1])))), *(f"{h:.4f}" for h in hits)])
    head = ["data", "model", METRIC, "std", "gain", "gain, least to most", "seeds", "trials"]
    head += ["hit rate@10", "hit rate@100"]
    return tabulate(rows, head, "github", disable_numparse=True)


def read(path: Path) -> list[Run]:
    """Read what ``--out`` wrote."""
    rows = json.loads(path.read_text())
    return [Run(**{**row, "params": ALSParams(**row["params"]), "hits": tuple(row["hits"])}) for row in rows]


def _line(run: Run) -> str:
    figures = f"{METRIC} {run.test:.4f}, hit rate {run.hits[0]:.4f} @10, {run.hits[1]:.4f} @100"
    return f"{run.data} seed {run.seed} {run.contender}: {figures}"


def _spread(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def main() -> None:
    """Run every data set and seed; results are written as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["ml-100k", "ml-latest-small"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--trials", type=int, help="the same number for both, in place of the same time")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: list[Run] = []
    for data in options.data:
        for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
            found += runs(data, seed, options.seconds, options.trials)
            print("\n".join(map(_line, found[-3:])), flush=True)
            if options.out is not None:
                options.out.write_text(json.dumps([asdict(r) for r in found], indent=1) + "\n")
    print(summary(found))


if __name__ == "__main__":
    main()
