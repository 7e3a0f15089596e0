"""The vectors to search, and the fresh queries with their exact answers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import mfrec
from mfrec.directions import DIRECTIONS, SIDES, Direction, Pair
from mfrec.index import Candidates, Queries
from mfrec.index.calibrate import draw, sample_size

KS = (10, 100)
FRESH = 300
# the seed of the indexes and their calibration, and the one of the fresh queries
SEED, FRESH_SEED = 42, 7
# scores are compared in float64; the vectors themselves are float32
SLACK = 1e-6
WARM_UP = 10

Search = Callable[[int, int], Any]
Vectors = Pair[Any]


class LeftOut(Exception):  # noqa: N818 - nothing went wrong
    """Why a workload or a contender does not take part."""


@dataclass(frozen=True)
class Workload:
    """One set of user and item vectors."""

    name: str
    title: str
    load: Callable[[Path], Vectors]
    directions: tuple[str, ...] = tuple(DIRECTIONS)
    only: tuple[str, ...] = ()
    # seconds per contender and direction after which no other index is built
    budget: float = 15.0


def _real(folder: Path) -> Vectors:
    if not all((folder / f"{side}.npy").exists() for side in SIDES):
        raise LeftOut(f"there is no user.npy and item.npy in {folder.name!r}: name their folder with --vectors")
    return Pair.of(lambda side: np.load(folder / f"{side}.npy", allow_pickle=False).astype(np.float32))


def _movielens(name: str) -> Callable[[Path], Vectors]:
    def load(_: Path) -> Vectors:
        try:
            return mfrec.fit_als(mfrec.load_movielens(name), mfrec.ALSParams())
        except mfrec.MfrecError as error:
            raise LeftOut(str(error)) from None

    return load


def _sample(users: int, items: int, interactions: int, iterations: int) -> Callable[[Path], Vectors]:
    def load(_: Path) -> Vectors:
        found = mfrec.sample(users, items, interactions, n_genres=60, seed=1).interactions
        return mfrec.fit_als(found, mfrec.ALSParams(factors=64, iterations=iterations))

    return load


MILLION = ("exact", "annoy", "faiss IVF", "faiss HNSW")
WORKLOADS = (
    Workload("real", "vectors of a real ALS model", _real, budget=30.0),
    Workload("ml-100k", "MovieLens 100K, mfrec's defaults", _movielens("ml-100k")),
    Workload("ml-latest-small", "MovieLens latest-small, mfrec's defaults", _movielens("ml-latest-small")),
    Workload("sample-10k", "the built-in sample", _sample(10_000, 10_000, 400_000, 6)),
    Workload("sample-100k", "the built-in sample", _sample(100_000, 100_000, 3_000_000, 5)),
    Workload(
        "sample-1m", "the built-in sample", _sample(50_000, 1_000_000, 3_000_000, 2), ("user2item",), MILLION, 60.0
    ),
)


@dataclass(frozen=True, eq=False)
class Problem:
    """One direction of a workload: what to search, what to calibrate on, and what to ask.

    Parameters
    ----------
    vectors
        Of both sides, as the model has them.
    numbers
        The fresh queries, as rows of the query side; none of them is among the calibration's.
    base, asked
        Candidates and fresh queries as a library for inner products takes them: for cosine of length 1.
    floors
        The exact k-th score of every fresh query, for each k.
    """

    direction: Direction
    vectors: Vectors
    candidates: Candidates
    calibration: Queries
    numbers: Any
    base: Any
    asked: Any
    floors: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, vectors: Vectors, direction: Direction, count: int = FRESH) -> "Problem":
        """Draw calibration queries and fresh ones, and answer the latter exactly."""
        candidates = Candidates(vectors[direction.target], direction.similarity)
        asking = vectors[direction.query]
        calibration = draw(asking, not direction.across, sample_size(len(candidates)), SEED)
        used: Any = draw(asking, True, sample_size(len(candidates)), SEED).own
        numbers = np.setdiff1d(np.flatnonzero(asking.any(axis=1)), used)
        numbers = np.random.default_rng(FRESH_SEED).permutation(numbers)[:count]
        base, asked = np.ascontiguousarray(candidates.vectors), np.ascontiguousarray(asking[numbers])
        if direction.similarity == "cosine":
            base, asked = unit(base), unit(asked)
        problem = cls(direction, vectors, candidates, calibration, numbers, base, asked)
        problem.floors.update(problem.exact())
        return problem

    @property
    def extra(self) -> int:
        """How many answers more to ask for: on the same side the query itself comes back, and is not counted."""
        return 0 if self.direction.across else 1

    def own(self, place: int) -> Any:
        """Return what is excluded for one query: itself on the same side."""
        return self.numbers[place : place + 1] if self.extra else self.numbers[:0]

    def exact(self) -> dict[int, Any]:
        """Return the k-th best score of every query."""
        found: dict[int, list[float]] = {k: [] for k in KS}
        for place in range(len(self.asked)):
            rough = self.base @ self.asked[place]
            rough[self.own(place)] = -np.inf
            most = min(max(KS) + 50, len(rough))
            scores = np.sort(self.scores(place, np.argpartition(-rough, most - 1)[:most]))[::-1]
            for k in KS:
                found[k].append(scores[k - 1])
        return {k: np.array(values) for k, values in found.items()}

    def scores(self, place: int, numbers: Any) -> Any:
        """Return float64 scores of some candidates."""
        return self.base[numbers].astype(np.float64) @ self.asked[place].astype(np.float64)

    def recall(self, place: int, answers: Any, k: int) -> float:
        """Return the share of k answers that score at least what the exact k-th does."""
        answers = np.asarray(answers, np.int64)
        answers = answers[(answers >= 0) & (answers < len(self.base)) & ~np.isin(answers, self.own(place))]
        answers = np.unique(answers[:k])
        floor = self.floors[k][place]
        return float(np.count_nonzero(self.scores(place, answers) >= floor - SLACK * abs(floor)) / k)

    def measure(self, search: Search, k: int, count: int) -> dict[str, float]:
        """Ask every query once, one after the other, and return recall, median and 99th percentile."""
        for place in range(min(WARM_UP, len(self.asked))):
            search(place, count)
        times, recalls = [], []
        for place in range(len(self.asked)):
            started = time.perf_counter_ns()
            answers = search(place, count)
            times.append((time.perf_counter_ns() - started) / 1000)
            recalls.append(self.recall(place, answers, k))
        median, p99 = np.quantile(times, (0.5, 0.99))
        return {"recall": round(float(np.mean(recalls)), 4), "us": round(float(median), 1), "p99": round(float(p99), 1)}

    def spaces(self) -> Iterator[tuple[str, Any, Any]]:
        """Yield candidates and queries for libraries that search by inner product, in more than one form.

        Graphs and trees are made for vectors of one length; one more dimension gives them that (Bachrach et al.,
        "Speeding Up the Xbox Recommender System Using a Euclidean Transformation", 2014) and keeps every order.
        """
        yield "", self.base, self.asked
        if self.direction.similarity == "dot":
            yield "equal norms, ", *self.equal_norms()

    def equal_norms(self) -> tuple[Any, Any]:
        """Return candidates of equal length, and queries with a zero in the new dimension."""
        squares = np.einsum("ij,ij->i", self.base, self.base, dtype=np.float64)
        last = np.sqrt(squares.max() - squares)
        zeros = np.zeros(len(self.asked))
        return _append(self.base, last), _append(self.asked, zeros)


def _append(vectors: Any, column: Any) -> Any:
    return np.column_stack([vectors, column]).astype(np.float32)


def unit(vectors: Any) -> Any:
    """Return rows of length 1; zeros stay."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, np.maximum(norms, 1e-30), dtype=np.float32)
