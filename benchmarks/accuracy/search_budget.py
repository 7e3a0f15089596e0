"""How far a search gets in a given time: the best value so far, and what the best is worth on a test part.

Usage: accuracy.run search_budget [--label LABEL] [--data ml-100k sample:100000 ...] [--seconds 90] [--seeds 3]

With a label that says which search it is, `mfrec.tune` is called, and each data set and seed is a line of
``results.jsonl``: two versions are compared by running this file in a checkout of each, for the same time on the same
idle core. A search never sees the test part. Without a label, what is there is put into docs/accuracy.md as a table.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

import mfrec
from benchmarks.tools import command, put
from mfrec.data.interactions import Interactions
from mfrec.evaluation import measure
from mfrec.evaluation.splits import random_split
from mfrec.training.fit import fit_als
from mfrec.tuning.tune import tune

RESULTS = Path(__file__).with_name("results.jsonl")
# of the lines there
KIND = "budget"
PAGE = "docs/accuracy.md"
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
    """Read the lines of searches."""
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [Search(**{k: v for k, v in line.items() if k != "kind"}) for line in found if line["kind"] == KIND]


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


@command
def main(label: str = "", data: tuple[str, ...] = DATA, seconds: float = 90.0, seeds: int = 3) -> None:
    """Run, or write the table."""
    if not label:
        put(PAGE, "search", table(read()))
        return
    for seed in range(1, seeds + 1):
        for name in data:
            line = json.dumps({"kind": KIND, **asdict(search(name, label, seed, seconds))})
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
