"""Tuned mfrec against plain ALS tuned under the same budget: NDCG@20 on held-out data, with its spread over seeds.

Usage: python benchmarks/accuracy.py [--data ml-100k ml-latest-small] [--seeds 5] [--seconds 60] [--out FILE]

For each seed, a random 20 % is the test part. Both contenders search for the same time on a validation part of the
rest, chosen by the same seed, are fitted on the whole rest with what they found, and are asked for the test part once:
user2item, over unseen items. Plain ALS leaves exponents and scales at 0 and searches factors, regularization, alpha
and iterations; both start from the defaults of `ALSParams`, so far as they may use them.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

import mfrec
from mfrec.als import ALSParams, fit_als
from mfrec.evaluation import measure
from mfrec.evaluation.splits import random_split
from mfrec.tuning import tune

METRIC = "ndcg@20"


@dataclass(frozen=True)
class Run:
    """One contender on one split."""

    data: str
    seed: int
    contender: str
    trials: int
    validation: float
    test: float
    params: ALSParams


def runs(data: str, seed: int, seconds: float, trials: int | None = None) -> list[Run]:
    """Tune, fit and ask both contenders, and the defaults as they are."""
    rest, test = random_split(mfrec.load_movielens(data), 0.2, seed)
    found = []
    for contender, plain in (("mfrec, tuned", False), ("plain ALS, tuned", True)):
        tuned = tune(rest, metric=METRIC, minutes=seconds / 60, trials=trials, plain=plain, seed=seed)
        best = tuned.best
        value = measure(fit_als(rest, best.params), rest, test)[METRIC]
        found.append(Run(data, seed, contender, len(tuned.trials), best.score, value, best.params))
    value = measure(fit_als(rest, ALSParams()), rest, test)[METRIC]
    return [*found, Run(data, seed, "mfrec, defaults", 0, float("nan"), value, ALSParams())]


def summary(found: list[Run]) -> str:
    """Return a table: mean and standard deviation over seeds, and the gain over plain ALS seed by seed."""
    rows = []
    for data, contender in dict.fromkeys((r.data, r.contender) for r in found):
        own = {r.seed: r.test for r in found if (r.data, r.contender) == (data, contender)}
        plain = {r.seed: r.test for r in found if (r.data, r.contender) == (data, "plain ALS, tuned")}
        gains = np.array([own[seed] / plain[seed] - 1 for seed in own])
        values = np.array(list(own.values()))
        row = (data, contender, f"{values.mean():.4f}", f"{_spread(values):.4f}")
        rows.append((*row, f"{gains.mean():+.1%}", f"{gains.min():+.1%} to {gains.max():+.1%}", len(own)))
    head = ["data", "model", METRIC, "std", "gain", "gain, least to most", "seeds"]
    return tabulate(rows, head, disable_numparse=True)


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
        for seed in range(1, options.seeds + 1):
            found += runs(data, seed, options.seconds, options.trials)
            print("\n".join(f"{r.data} seed {r.seed} {r.contender}: {r.test:.4f}" for r in found[-3:]), flush=True)
            if options.out is not None:
                options.out.write_text(json.dumps([asdict(r) for r in found], indent=1) + "\n")
    print(summary(found))


if __name__ == "__main__":
    main()
