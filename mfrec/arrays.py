"""The arrays that everything is computed with: types, lengths, products, and the one definition of a score."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Similarity = Literal["dot", "cosine"]
Matrix = NDArray[np.float32]
Vector = NDArray[np.float32]
Scores = NDArray[np.float32]
Numbers = NDArray[np.int64]
Values = NDArray[np.float64]
Float = TypeVar("Float", np.float32, np.float64)

NOTHING: Numbers = np.zeros(0, np.int64)

# a float32 dot product is off by less than this part of |a| * |b|; near ties are settled in float64
ROUNDING = 4e-6
# BLAS computes a product of fewer values than this on one thread
_ONE_THREAD = 8192
# squares outside of this range may have lost digits in float32
_TINY, _HUGE = 1e-30, 1e30
# with more numbers than so many times k, float32 sorts most of them out first
_MANY = 4
# one over a shorter length is no float32: such a vector counts as zero
_SHORTEST = 1e-37


def lengths(vectors: NDArray[np.float32]) -> Scores:
    """Return the Euclidean length of a vector or of each row, summed in float64."""
    squares: NDArray[np.float64] = np.einsum("...i,...i->...", vectors, vectors, dtype=np.float64)
    return np.sqrt(squares).astype(np.float32)


def length_of(query: Vector) -> float:
    """Return the Euclidean length of one vector: the quick form of `lengths`."""
    square = float(query @ query)
    # float32 loses what is very short or very long
    return math.sqrt(square) if _TINY < square < _HUGE else float(lengths(query))


def unit(vector: Vector) -> Vector:
    """Return a vector at length 1; a zero vector as it is."""
    length = length_of(vector)
    return vector / np.float32(length) if length > 0 else vector


def unit_rows(vectors: Matrix, norms: Scores | None = None) -> Matrix:
    """Return every row at length 1; zero rows as they are."""
    norms = lengths(vectors) if norms is None else norms
    return np.divide(vectors, np.where(norms > 0, norms, np.float32(1))[:, None], dtype=np.float32)


def products(vectors: NDArray[Float], query: NDArray[Float]) -> NDArray[Float]:
    """Return ``vectors @ query`` on the calling thread alone.

    BLAS spreads a large product over threads of its own, which fight with other workers for the same cores: on a
    busy machine such a query took thirty times as long. A stack of products, each too small for that, costs no more
    than the large one.
    """
    n, size = vectors.shape
    rows = max(1, _ONE_THREAD // max(size, 1))
    even = n - n % rows
    scores = np.empty(n, vectors.dtype)
    np.matmul(vectors[:even].reshape(-1, rows, size), query, out=scores[:even].reshape(-1, rows))
    np.matmul(vectors[even:], query, out=scores[even:])
    return scores


def floor_of(scores: Scores, k: int, margin: float) -> float:
    """Return the score below which, given rounding, nothing is among the k highest; -inf where there are fewer."""
    if not 0 < k <= len(scores):
        return -math.inf if k > 0 else math.inf
    return float(np.partition(scores, len(scores) - k)[len(scores) - k]) - 2 * margin


def near_top(scores: Scores, k: int, margin: float) -> Numbers:
    """Return the positions of the k highest scores and of all that rounding could have kept from them."""
    return (scores >= floor_of(scores, k, margin)).nonzero()[0]


def without(numbers: Numbers, excluded: Numbers) -> Numbers:
    """Return the numbers that are not among the excluded, which are ascending."""
    if not len(excluded) or not len(numbers):
        return numbers
    places = np.minimum(np.searchsorted(excluded, numbers), len(excluded) - 1)
    kept: Numbers = numbers[excluded[places] != numbers]
    return kept


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

    @cached_property
    def inverse_norms(self) -> Scores:
        """One over each length, which is quicker to multiply by; 0 for a zero vector."""
        inverse: Scores = np.zeros_like(self.norms)
        return np.divide(np.float32(1), self.norms, out=inverse, where=self.norms > _SHORTEST)

    def __len__(self) -> int:
        """Return how many candidates there are."""
        return len(self.vectors)

    def fast_scores(self, query: Vector, numbers: Numbers | None = None) -> Scores:
        """Score some or all candidates in float32: quick, but off by rounding that depends on the machine."""
        if numbers is None:
            return self._fast(self.vectors, query, self.inverse_norms)
        return self._fast(self.vectors[numbers], query, self.inverse_norms[numbers])

    def fast_score_rows(self, queries: Matrix) -> Matrix:
        """Score every candidate for many queries in float32, one row per query; off by rounding like `fast_scores`."""
        if self.similarity == "dot":
            return queries @ self.vectors.T
        rows: Matrix = unit_rows(queries) @ self.vectors.T
        rows *= self.inverse_norms
        return rows

    def _fast(self, vectors: Matrix, query: Vector, inverse_norms: Scores) -> Scores:
        if self.similarity == "dot":
            return products(vectors, query)
        # at length 1: products of very short vectors vanish in float32
        scores = products(vectors, unit(query))
        scores *= inverse_norms
        return scores

    def scores(self, query: Vector | Matrix, numbers: Numbers) -> Scores:
        """Score some candidates in float64 and round: the same on every machine, in a batch or alone.

        The query is one vector for all of them, or a row for each.
        """
        rows = self.vectors[numbers].astype(np.float64)
        wide = query.astype(np.float64)
        scores = rows @ wide if wide.ndim == 1 else np.einsum("ij,ij->i", rows, wide)
        if self.similarity == "cosine":
            by = np.sqrt(np.einsum("ij,ij->i", rows, rows) * np.einsum("...i,...i->...", wide, wide))
            scores = np.divide(scores, by, out=np.zeros_like(scores), where=by > 0)
        # -0.0 equals 0.0 but prints differently
        scores += 0.0
        return scores.astype(np.float32)

    def margin(self, query: Vector) -> float:
        """Return how far `fast_scores` can be off for a query."""
        return ROUNDING * (1.0 if self.similarity == "cosine" else length_of(query) * self.longest)

    def margins(self, queries: Matrix) -> Scores:
        """Return how far `fast_score_rows` can be off for each query."""
        if self.similarity == "cosine":
            return np.full(len(queries), ROUNDING, np.float32)
        return (ROUNDING * self.longest * lengths(queries)).astype(np.float32)

    def best(self, query: Vector, numbers: Numbers, k: int) -> tuple[Numbers, Scores]:
        """Score the numbers and return the best k, best first; ties by number."""
        if len(numbers) > _MANY * k:
            numbers = numbers[near_top(self.fast_scores(query, numbers), k, self.margin(query))]
        scores = self.scores(query, numbers)
        order = np.lexsort((numbers, -scores))[:k]
        return numbers[order], scores[order]
