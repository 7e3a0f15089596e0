"""How soon a search is done: the best value over time, by `mfrec.tune` and by scikit-learn's random sampler.

Usage: accuracy.run search_budget [ml-100k | sample:700000] [--seconds 300] [--seeds 3] [--out FILE]

Both search the same space on the same validation parts for the same time, from the same first trial (the defaults).
The sampler of scikit-learn (`ParameterSampler`, what `RandomizedSearchCV` draws from) fits every draw to its end;
`mfrec.tune` draws by Optuna's TPE, starts around the defaults, and gives hopeless trials up. Shown are the best
validation value after 15, 30, 60, ... seconds as a share of the best that either search reached, and what the best
parameters of each are worth on a test part that neither has seen.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import loguniform, randint, uniform
from sklearn.model_selection import ParameterSampler
from tabulate import tabulate

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.errors import DivergedError
from mfrec.evaluation import measure
from mfrec.evaluation.splits import random_split
from mfrec.training.fit import fit_als
from mfrec.training.params import ALSParams
from mfrec.training.regularization import derive
from mfrec.tuning.folds import folds_of
from mfrec.tuning.space import Space
from mfrec.tuning.trials import Trial
from mfrec.tuning.tune import tune

METRIC, K = "ndcg@20", 20
MARKS = (15, 30, 60, 120, 300, 600)

DISTRIBUTIONS: Mapping[str, Callable[[float, float], Any]] = {
    "log": loguniform,
    "times alpha": loguniform,
    "int": lambda low, high: randint(int(low), int(high) + 1),
    "float": lambda low, high: uniform(low, high - low),
}


@dataclass(frozen=True)
class Search:
    """One search on one split: when each trial was done, what it scored, and what the best is worth on test."""

    sampler: str
    seed: int
    seconds: list[float]
    scores: list[float]
    test: float
    params: ALSParams

    def best_after(self, seconds: float) -> float:
        """Return the best score so far; 0 before the first trial is done."""
        return max((score for at, score in zip(self.seconds, self.scores, strict=True) if at <= seconds), default=0.0)


def by_tune(rest: Interactions, seconds: float, seed: int) -> Iterator[Trial]:
    """Yield the trials of `mfrec.tune`; one that was given up scores 0."""
    for trial in tune(rest, metric=METRIC, minutes=seconds / 60, seed=seed).trials:
        yield replace(trial, score=0.0) if trial.stopped else trial


def by_random(rest: Interactions, seconds: float, seed: int) -> Iterator[Trial]:
    """Yield the trials of scikit-learn's random sampler."""
    folds = folds_of(rest, None, None, seed)
    end, drawn = time.monotonic() + seconds, draws(folds[0][0], seed)
    while time.monotonic() < end:
        params, began = next(drawn), time.perf_counter()
        try:
            score = float(np.mean([measure(fit_als(fold[0], params), *fold, k=K)[METRIC] for fold in folds]))
        except DivergedError:
            score = 0.0
        yield Trial(params, score, time.perf_counter() - began)


def draws(train: Interactions, seed: int) -> Iterator[ALSParams]:
    """Yield the defaults, then what scikit-learn's sampler draws, without end."""
    space = Space.of(train, plain=False)
    drawn_from = {name: DISTRIBUTIONS[kind](low, high) for name, (kind, low, high) in space.rows.items()}
    drawn_from["factors"] = randint(0, len(space.factors))
    base = derive(train).params
    yield base
    for drawn in ParameterSampler(drawn_from, n_iter=1_000_000, random_state=seed):
        yield space.params(base, {name: _plain(value) for name, value in drawn.items()})


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


SAMPLERS = {"mfrec tune (TPE)": by_tune, "scikit-learn's random": by_random}


def searches(ratings: Interactions, seconds: float, seed: int) -> Iterator[Search]:
    """Run both searches, one after the other, and ask each once for the test part."""
    rest, test = random_split(ratings, 0.2, seed)
    for name, sampler in SAMPLERS.items():
        began = time.perf_counter()
        trials = list(sampler(rest, seconds, seed))
        wall = time.perf_counter() - began
        # what a search spends between its trials counts, too
        times = np.cumsum([trial.seconds for trial in trials])
        best = max(trials, key=lambda trial: trial.score)
        value = measure(fit_als(rest, best.params), rest, test, k=K)[METRIC]
        scores = [trial.score for trial in trials]
        yield Search(name, seed, (times * wall / times[-1]).tolist(), scores, float(value), best.params)


def rows(found: list[Search], seconds: float) -> Iterator[list[str]]:
    """Yield a row per search."""
    for search in found:
        top = max(max(other.scores) for other in found if other.seed == search.seed)
        shares = [f"{search.best_after(mark) / top:.3f}" for mark in MARKS if mark < seconds]
        row = [search.sampler, str(search.seed), str(len(search.scores)), *shares]
        yield [*row, f"{max(search.scores):.4f}", f"{search.test:.4f}"]


def table(found: list[Search], seconds: float) -> str:
    """Return a row per search, as Markdown."""
    marks = [f"{mark} s" for mark in MARKS if mark < seconds]
    head = ["sampler", "seed", "trials", *marks, f"best {METRIC}, validation", "test"]
    return tabulate(rows(found, seconds), head, "github", disable_numparse=True)


def read(path: Path) -> list[Search]:
    """Read what ``--out`` wrote."""
    return [Search(**{**row, "params": ALSParams(**row["params"])}) for row in json.loads(path.read_text())]


def load(name: str) -> Interactions:
    """Load a MovieLens release, or generate ``sample:N`` interactions."""
    if not name.startswith("sample:"):
        return mfrec.load_movielens(name)
    count = int(name.removeprefix("sample:"))
    return mfrec.sample(max(600, count // 70), max(400, count // 140), count).interactions


def main() -> None:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="ml-100k")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    ratings, found = load(options.data), []
    for seed in range(1, options.seeds + 1):
        for search in searches(ratings, options.seconds, seed):
            found.append(search)
            print(f"seed {seed}, {search.sampler}: {max(search.scores):.4f}", flush=True)
            if options.out is not None:
                options.out.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    print(repr(ratings))
    print(table(found, options.seconds))


if __name__ == "__main__":
    main()
