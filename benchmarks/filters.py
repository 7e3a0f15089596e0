"""Random queries with random filters, against an exact filtered search written out in plain numpy.

Usage: python benchmarks/filters.py MODEL|sample [--queries 10000] [--seed 0]

``sample`` fits a model of the built-in sample that is large enough for indexes to matter (9,000 users x 12,000
items). Every answer must have as many ids as are eligible, up to k, none of them excluded and none twice. Recall
is counted by score, per answer. Exit code 1 when one answer is wrong, or recall up to k 100 is below 0.98.
"""

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mfrec
from mfrec.directions import DIRECTIONS, Direction

# the target, less the 0.01 that a recall may differ on fresh queries
LEAST_RECALL = 0.98
# recall is promised up to the second; beyond, it is only reported
BANDS = (10, 100, 200)
MOST_K = BANDS[-1]


@dataclass(frozen=True)
class Filters:
    """What one query is asked with; allow and deny hold numbers, in any order."""

    k: int
    exclude_seen: bool
    allow: NDArray[np.int64] | None
    deny: NDArray[np.int64] | None


@dataclass
class Tally:
    """What was counted: wrong answers by fault, and the recall of each answer by the band of its k."""

    wrong: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    slowest_ms: float = 0.0
    recalls: dict[int, list[float]] = field(default_factory=lambda: {band: [] for band in BANDS})

    def recall(self, band: int) -> float:
        """Return the mean recall of the answers of a band."""
        return float(np.mean(self.recalls[band] or [1.0]))

    def failed(self) -> bool:
        """Whether an answer was wrong, or recall is below what is promised."""
        return any(self.wrong.values()) or any(self.recall(band) < LEAST_RECALL for band in BANDS[:-1])


def draw(rng: np.random.Generator, n: int, scores: NDArray[np.float64]) -> Filters:
    """Draw filters; half of the lists hold what would have come first, which is harder."""

    def numbers(most: int) -> NDArray[np.int64]:
        size = min(n, int(np.exp(rng.uniform(0, np.log(most)))))
        if rng.random() < 0.5:
            best = np.argpartition(scores, n - size)[n - size :]
            return rng.permutation(best)
        return rng.choice(n, size, replace=False)

    k = int(np.exp(rng.uniform(0, np.log(MOST_K + 1))))
    allow = numbers(2000) if rng.random() < 0.25 else None
    deny = numbers(8000) if rng.random() < 0.6 else None
    return Filters(k, bool(rng.random() < 0.7), allow, deny)


def eligible(model: mfrec.Recommender, row: Direction, number: int, asked: Filters) -> NDArray[np.bool_]:
    """Return which targets a query may get."""
    allowed = np.full(len(model.ids[row.target]), asked.allow is None)
    if asked.allow is not None:
        allowed[asked.allow] = True
    if asked.deny is not None:
        allowed[asked.deny] = False
    if not row.across:
        allowed[number] = False
    elif asked.exclude_seen:
        adjacency = model.adjacency[row.query]
        allowed[adjacency.numbers[adjacency.starts[number] : adjacency.starts[number + 1]]] = False
    return allowed


def ask(model: mfrec.Recommender, row: Direction, number: int, asked: Filters) -> mfrec.Ranking:
    """Ask the model, in external ids."""
    ids = model.ids[row.target]
    lists = {
        name: None if given is None else ids.ids(given)
        for name, given in (("allow", asked.allow), ("deny", asked.deny))
    }
    key = model.ids[row.query].id(number)
    return model.recommend(row.name, [key], asked.k, exclude_seen=asked.exclude_seen, **lists)[0]


class Truth:
    """All scores of a direction in float64."""

    def __init__(self, model: mfrec.Recommender, row: Direction) -> None:
        """Take the vectors; by cosine, divide them by their lengths."""
        self.queries, self.targets = (model.factors[side].astype(np.float64) for side in (row.query, row.target))
        if row.similarity == "cosine":
            self.queries, self.targets = _unit(self.queries), _unit(self.targets)

    def scores(self, number: int) -> NDArray[np.float64]:
        """Return the score of every target."""
        scores: NDArray[np.float64] = self.targets @ self.queries[number]
        return scores


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return unit


def check(model: mfrec.Recommender, row: Direction, truth: Truth, tally: Tally, rng: np.random.Generator) -> None:
    """Ask one random query, and count what is wrong with the answer."""
    number = int(rng.integers(len(model.ids[row.query])))
    scores = truth.scores(number)
    asked = draw(rng, len(scores), scores)
    allowed = eligible(model, row, number, asked)
    started = time.perf_counter()
    ranking = ask(model, row, number, asked)
    tally.slowest_ms = max(tally.slowest_ms, 1000 * (time.perf_counter() - started))
    found = model.ids[row.target].numbers(ranking.ids)
    expected = min(asked.k, int(allowed.sum()))
    tally.asked += 1
    tally.wrong["short"] += len(found) < expected
    tally.wrong["long"] += len(found) > expected
    tally.wrong["excluded"] += not allowed[found].all()
    tally.wrong["repeated"] += len(np.unique(found)) != len(found)
    tally.wrong["unsorted"] += bool((np.diff(ranking.scores) > 0).any())
    tally.wrong["scores"] += not np.allclose(ranking.scores, scores[found], rtol=1e-5, atol=1e-6)
    if expected:
        # answers are ranked by scores rounded to float32: what ties then is no miss
        rounded = scores.astype(np.float32)
        floor = np.partition(rounded[allowed], -expected)[-expected]
        hits = int(np.count_nonzero(rounded[found] >= floor))
        tally.recalls[next(band for band in BANDS if asked.k <= band)].append(hits / expected)
        if ranking.exact:
            tally.wrong["proof"] += hits < expected


def sample_model() -> mfrec.Recommender:
    """Fit a sample of more candidates than are always answered by a forest."""
    interactions = mfrec.sample(9_000, 12_000, 400_000, n_genres=40, seed=3).interactions
    params = mfrec.ALSParams(factors=48, regularization=15.0, alpha=10.0, iterations=5)
    return mfrec.fit(interactions, params, mfrec.IndexParams())


def main() -> None:
    """Check all four directions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a folder, or 'sample'")
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model: Any = sample_model() if options.model == "sample" else mfrec.load(options.model)
    print(model)
    failed = False
    for row in DIRECTIONS.values():
        rng, truth, tally = np.random.default_rng(options.seed), Truth(model, row), Tally()
        for _ in range(-(-options.queries // len(DIRECTIONS))):
            check(model, row, truth, tally, rng)
        wrong = ", ".join(f"{count} {name}" for name, count in tally.wrong.items())
        print(f"{row.name} ({model.indexes[row.index].settings()}): {tally.asked} asked: {wrong};", end=" ")
        recalls = ", ".join(f"{tally.recall(band):.4f} to k {band}" for band in BANDS)
        print(f"recall {recalls}; slowest {tally.slowest_ms:.1f} ms", flush=True)
        failed |= tally.failed()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
