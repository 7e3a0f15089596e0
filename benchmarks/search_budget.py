"""How far a search gets in a given time: the best value so far, and what the best is worth on a test part.

Usage: python -m benchmarks.search_budget run LABEL [ml-100k sample:100000 ...] [--seconds 90] [--seeds 3]
       python -m benchmarks.search_budget page

``run`` calls `mfrec.tune` and adds a line per data set and seed to ``tuning_results/search.jsonl``, under a label that
says which search that was: two versions of it are compared by running this file in a checkout of each, for the same
time on the same idle core. A search never sees the test part. ``page`` writes the table to docs/accuracy.md.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

import mfrec
from benchmarks import page
from mfrec.data.interactions import Interactions
from mfrec.evaluation import measure
from mfrec.evaluation.splits import random_split
from mfrec.training.fit import fit_als
from mfrec.tuning.tune import tune

RESULTS = Path(__file__).parent / "tuning_results" / "search.jsonl"
DATA = ("ml-100k", "ml-latest-small", "sample:100000")
METRIC, K = "ndcg@20", 20
MARKS = (15, 30, 60, 90)


@dataclass(frozen=True)
class Search:
    """One search on one split: how many trials it made, when each new best was found, and what the last is worth.

    ``wall`` are the seconds that the whole search took, ``test`` is the value of ``params`` on the test part.
    """

    data: str
    label: str
    seed: int
    wall: float
    trials: int
    seconds: list[float]
    scores: list[float]
    test: float
    params: dict[str, Any]

    def best_after(self, seconds: float) -> float:
        """Return the best score so far; 0 before the first trial is done."""
        return max((score for at, score in zip(self.seconds, self.scores, strict=True) if at <= seconds), default=0.0)


def search(data: str, label: str, seed: int, seconds: float) -> Search:
    """Search on four fifths of a data set, and ask once for the last fifth."""
    rest, test = random_split(load(data), 0.2, seed)
    began = time.perf_counter()
    found = tune(rest, metric=METRIC, minutes=seconds / 60, seed=seed)
    wall = time.perf_counter() - began
    scores = np.array([0.0 if trial.stopped else trial.score for trial in found.trials])
    # what a search spends between its trials counts, too
    times = np.cumsum([trial.seconds for trial in found.trials])
    best = np.flatnonzero(np.diff(np.maximum.accumulate(scores), prepend=0.0))
    value = float(measure(fit_als(rest, found.params), rest, test, k=K)[METRIC])
    at = (times * wall / times[-1])[best]
    rounded = at.round(2).tolist(), scores[best].round(5).tolist(), round(value, 5)
    return Search(data, label, seed, round(wall, 2), len(scores), *rounded, asdict(found.params))


def read(path: Path = RESULTS) -> list[Search]:
    """Read what ``run`` wrote."""
    return [Search(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def rows(found: list[Search]) -> Iterator[list[str]]:
    """Yield a row per data set and search: means over the seeds, and how sure the mean on test is."""
    for data, label in dict.fromkeys((one.data, one.label) for one in sorted(found, key=lambda one: one.data)):
        own = [one for one in found if (one.data, one.label) == (data, label)]
        marks = [f"{np.mean([one.best_after(mark) for one in own]):.4f}" for mark in MARKS]
        tests = [one.test for one in own]
        error = np.std(tests, ddof=1) / len(tests) ** 0.5 if len(tests) > 1 else np.nan
        trials = f"{np.mean([one.trials for one in own]):.0f}"
        yield [data, label, trials, *marks, f"{np.mean(tests):.4f} ± {error:.4f}"]


def table(found: list[Search]) -> str:
    """Return the rows as Markdown."""
    head = ["data", "search", "trials", *(f"{mark} s" for mark in MARKS), f"{METRIC} on test"]
    return tabulate(rows(found), head, "github", disable_numparse=True) + "\n"


def load(name: str) -> Interactions:
    """Load a MovieLens release, or generate ``sample:N`` interactions."""
    if not name.startswith("sample:"):
        return mfrec.load_movielens(name)
    count = int(name.removeprefix("sample:"))
    return mfrec.sample(max(600, count // 70), max(400, count // 140), count).interactions


def main() -> None:
    """Run, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("page")
    run = commands.add_parser("run")
    run.add_argument("label")
    run.add_argument("data", nargs="*", default=DATA)
    run.add_argument("--seconds", type=float, default=90.0)
    run.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if options.command == "page":
        page.put("search", table(read()))
        return
    for seed in range(1, options.seeds + 1):
        for data in options.data:
            line = json.dumps(asdict(search(data, options.label, seed, options.seconds)))
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


if __name__ == "__main__":
    main()
