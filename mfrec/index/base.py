"""What an index is: candidates, the hits of a search, and the `Index` protocol."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import Similarity
from mfrec.factors import Matrix, Vector

Numbers = NDArray[np.int64]
Scores = NDArray[np.float32]
Settings = dict[str, Any]

NOTHING: Numbers = np.zeros(0, np.int64)

# a float32 dot product is off by less than this part of |query| * |vector|; near ties are settled in float64
ROUNDING = 4e-6
# cost of a search, in float32 values read in a row: a value of a row somewhere else, and one more numpy call
RANDOM_READ = 5.0
STEP = 12_000.0
# with more numbers than so many times k, float32 sorts most of them out first
_MANY = 4
# squares outside of this range may have lost digits in float32
_TINY, _HUGE = 1e-30, 1e30


@dataclass(frozen=True)
class Hits:
    """What a search found.

    Parameters
    ----------
    numbers
        int64, best first.
    scores
        float32, descending.
    exact
        Whether this is provably the answer of an exhaustive search.
    work
        What it took, counted in float32 values read (see `RANDOM_READ` and `STEP`).
    """

    numbers: Numbers
    scores: Scores
    exact: bool
    work: float = 0.0


@dataclass(frozen=True, eq=False)
class Candidates:
    """The vectors to search, and the one definition of their scores.

    Parameters
    ----------
    vectors
        float32 of shape ``(n, factors)``, by number.
    similarity
        ``"dot"`` or ``"cosine"``; higher is better for both. The cosine with a zero vector is 0.
    norms
        float32 of shape ``(n,)``, the length of each vector; computed where not given.
    """

    vectors: Matrix
    similarity: Similarity
    norms: Scores = field(default_factory=lambda: np.zeros(0, np.float32))

    def __post_init__(self) -> None:
        """Compute the lengths where they were not given."""
        if len(self.norms) != len(self.vectors):
            object.__setattr__(self, "norms", lengths(self.vectors))

    @cached_property
    def longest(self) -> float:
        """The length of the longest vector."""
        return float(self.norms.max(initial=0))

    def __len__(self) -> int:
        """Return how many candidates there are."""
        return len(self.vectors)

    def fast_scores(self, query: Vector) -> Scores:
        """Score every candidate in float32: quick, but off by rounding that depends on the machine."""
        scores = self.vectors @ query
        return scores if self.similarity == "dot" else _divide(scores, self.norms * np.float32(length_of(query)))

    def scores(self, query: Vector, numbers: Numbers) -> Scores:
        """Score some candidates in float64 and round: the same on every machine, in a batch or alone."""
        rows = self.vectors[numbers].astype(np.float64)
        wide = query.astype(np.float64)
        scores = rows @ wide
        if self.similarity == "cosine":
            scores = _divide(scores, np.sqrt(np.einsum("ij,ij->i", rows, rows) * (wide @ wide)))
        # -0.0 equals 0.0 but prints differently
        scores += 0.0
        return scores.astype(np.float32)

    def quick(self, query: Vector, numbers: Numbers) -> Scores:
        """Score some candidates in float32, good enough to sort out all but the near ties."""
        scores = self.vectors[numbers] @ query
        return (
            scores if self.similarity == "dot" else _divide(scores, self.norms[numbers] * np.float32(length_of(query)))
        )

    def margin(self, length: float) -> float:
        """Return how far `fast_scores` can be off for a query of this length."""
        return ROUNDING * (1.0 if self.similarity == "cosine" else length * self.longest)

    def best(self, query: Vector, numbers: Numbers, k: int, length: float | None = None) -> tuple[Numbers, Scores]:
        """Score the numbers and return the best k, best first; ties by number."""
        if len(numbers) > _MANY * k:
            margin = self.margin(length_of(query) if length is None else length)
            numbers = numbers[near_top(self.quick(query, numbers), k, margin)]
        scores = self.scores(query, numbers)
        order = np.lexsort((numbers, -scores))[:k]
        return numbers[order], scores[order]


def lengths(vectors: NDArray[np.float32]) -> Scores:
    """Return the Euclidean length of a vector or of each row, summed in float64."""
    squares: NDArray[np.float64] = np.einsum("...i,...i->...", vectors, vectors, dtype=np.float64)
    return np.sqrt(squares).astype(np.float32)


def length_of(query: Vector) -> float:
    """Return the Euclidean length of one vector: the quick form of `lengths`."""
    square = float(query @ query)
    # float32 loses what is very short or very long
    return math.sqrt(square) if _TINY < square < _HUGE else float(lengths(query))


def _divide(scores: NDArray[Any], by: NDArray[Any]) -> NDArray[Any]:
    quotient: NDArray[Any] = np.divide(scores, by, out=np.zeros_like(scores), where=by > 0)
    return quotient


def near_top(scores: Scores, k: int, margin: float) -> Numbers:
    """Return the positions of the k highest scores and of all that rounding could have kept from them."""
    if len(scores) <= k:
        return np.arange(len(scores))
    kth = np.partition(scores, len(scores) - k)[len(scores) - k]
    return np.flatnonzero(scores >= kth - 2 * margin)


def without(numbers: Numbers, excluded: Numbers) -> Numbers:
    """Return the numbers that are not among the excluded, which are ascending."""
    if not len(excluded) or not len(numbers):
        return numbers
    places = np.minimum(np.searchsorted(excluded, numbers), len(excluded) - 1)
    kept: Numbers = numbers[excluded[places] != numbers]
    return kept


def exact_search(candidates: Candidates, query: Vector, k: int, excluded: Numbers) -> Hits:
    """Score everything and return the best k that are not excluded."""
    scores = candidates.fast_scores(query)
    scores[excluded] = -np.inf
    k = min(k, len(candidates) - len(excluded))
    if k <= 0:
        return Hits(NOTHING, np.zeros(0, np.float32), True)
    near = without(near_top(scores, k, candidates.margin(length_of(query))), excluded)
    return Hits(*candidates.best(query, near, k), exact=True, work=candidates.vectors.size)


class Index(Protocol):
    """Something that finds the best candidates of a query.

    A search returns exactly ``min(k, n - len(excluded))`` distinct numbers, none of them excluded, best first,
    with the scores of `Candidates.scores`; an index may miss a candidate, never misjudge one.
    """

    @property
    def backend(self) -> str:
        """Its key in `BACKENDS`."""
        ...

    @property
    def candidates(self) -> Candidates:
        """The vectors searched."""
        ...

    def search(self, query: Vector, k: int, excluded: Numbers = ...) -> Hits:
        """Return the best k for a query; ``excluded`` is ascending and distinct."""
        ...

    @property
    def measured(self) -> Mapping[str, Any]:
        """What calibration found: recall, microseconds, share of proven answers."""
        ...

    @property
    def library(self) -> str | None:
        """The distribution that `write` needs and its file depends on; None where there is no file."""
        ...

    def settings(self) -> Settings:
        """Return what it was built with, as JSON values; enough to build it again."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to keep with it."""
        ...

    def write(self, path: Path) -> None:
        """Write the file of the library underneath, where it has one."""
        ...
