"""An index in two parts: a head that is scanned densely, and a tail that is probed.

Vectors of a factor model differ greatly in length, and a short list by inner product is mostly made of long
ones. Scanning the longest first also gives a *floor*, the k-th score so far, below which nothing of the tail
matters. After Yan et al., "Norm-Ranging LSH for Maximum Inner Product Search" (2018). By cosine all vectors
count alike: the head is empty and everything is tail.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mfrec.factors import Vector
from mfrec.index.base import (
    NOTHING,
    ROUNDING,
    STEP,
    Candidates,
    Hits,
    Numbers,
    Scores,
    Settings,
    exact_search,
    length_of,
    near_top,
    without,
)

# with more exclusions in the tail than this share of it, a probe mostly finds what must not be returned
MOST_EXCLUDED = 1 / 16


# (k, how far to search for lists up to that length), ascending in k
Effort = tuple[tuple[int, int], ...]


def effort_for(effort: Effort, k: int) -> int:
    """Return how far to search for the best k: in proportion beyond a step, at most what the next one takes."""
    below_k, below = 0, 0
    for limit, enough in effort:
        if k <= limit:
            return min(enough, -(-below * k // below_k)) if below_k else enough
        below_k, below = limit, enough
    return -(-below * k // below_k)


class Probe(NamedTuple):
    """What a tail proposes, whether nothing else in it can score above the floor, and the work it took."""

    numbers: Numbers
    certain: bool
    work: float


class Floor(NamedTuple):
    """The k-th score so far (-inf where there is none), the query's length, and how far scores can be off."""

    score: float
    length: float
    margin: float

    def least_length(self) -> float:
        """Return the length below which no vector can reach the floor."""
        if self.score <= 0 or self.length <= 0:
            return 0.0
        return self.score / self.length * (1 - ROUNDING)


class Tail(Protocol):
    """A way to search the candidates outside the head."""

    @property
    def kind(self) -> str:
        """Its name among the settings."""
        ...

    @property
    def library(self) -> str | None:
        """The distribution whose file `write` writes; None where there is no file."""
        ...

    def probe(self, query: Vector, k: int, extra: int, floor: Floor) -> Probe | None:
        """Propose candidates that may be among the best k, and ``extra`` more that will be thrown away.

        None where only a full scan helps.
        """
        ...

    def settings(self) -> Settings:
        """Return what it was built with and how far it is searched, as JSON values."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to keep with it."""
        ...

    def write(self, path: Path) -> None:
        """Write the file of the library underneath, where it has one."""
        ...


@dataclass(frozen=True, eq=False)
class Head:
    """The longest vectors: their numbers, ascending, and a contiguous copy of them."""

    numbers: Numbers
    vectors: NDArray[np.float32]

    def split(self, excluded: Numbers) -> tuple[Numbers, Numbers]:
        """Return the positions of the excluded in the head, and those that are outside."""
        if not len(excluded) or not len(self.numbers):
            return NOTHING, excluded
        places = np.minimum(np.searchsorted(self.numbers, excluded), len(self.numbers) - 1)
        hit = self.numbers[places] == excluded
        return places[hit], excluded[~hit]

    def scan(self, query: Vector, k: int, out: Numbers, margin: float) -> tuple[Numbers, float]:
        """Return the best of the head and the k-th score, -inf where it has fewer than k to give."""
        eligible = len(self.numbers) - len(out)
        if eligible <= 0:
            return NOTHING, -np.inf
        scores: Scores = self.vectors @ query
        scores[out] = -np.inf
        if eligible < k:
            return self.numbers[scores > -np.inf], -np.inf
        near = near_top(scores, k, margin)
        return self.numbers[near], float(np.partition(scores[near], len(near) - k)[len(near) - k]) - margin


@dataclass(frozen=True, eq=False)
class RangedIndex:
    """A dense scan of the head, a probe of the tail, and one exact ranking of what both found.

    Parameters
    ----------
    candidates
        The vectors searched.
    head
        The part that is scanned; empty for cosine.
    tail
        How the rest is searched; None where the head is everything.
    measured
        What calibration found: recall, time, and how it was measured.
    """

    candidates: Candidates
    head: Head
    tail: Tail | None
    measured: Mapping[str, Any] = field(default_factory=dict)
    backend: str = "annoy"

    def search(self, query: Vector, k: int, excluded: Numbers = NOTHING) -> Hits:
        """Return the best k candidates that are not excluded."""
        k = min(k, len(self.candidates) - len(excluded))
        if k <= 0:
            return Hits(NOTHING, np.zeros(0, np.float32), True)
        out, in_tail = self.head.split(excluded)
        if self.tail is None or len(in_tail) > MOST_EXCLUDED * (len(self.candidates) - len(self.head.numbers)):
            return exact_search(self.candidates, query, k, excluded)
        length = length_of(query)
        margin = self.candidates.margin(length)
        found, floor = self.head.scan(query, k, out, margin)
        probe = self.tail.probe(query, k, len(in_tail), Floor(floor, length, margin))
        if probe is None:
            # a full scan after a probe in vain: calibration must see that it was paid for twice
            hits = exact_search(self.candidates, query, k, excluded)
            return replace(hits, work=2 * hits.work)
        found = np.concatenate([found, without(probe.numbers, in_tail)])
        if len(found) < k:
            return exact_search(self.candidates, query, k, excluded)
        work = self.head.vectors.size + probe.work + STEP
        return Hits(*self.candidates.best(query, found, k, length), probe.certain, work)

    @property
    def library(self) -> str | None:
        """That of the tail, where it has one."""
        return None if self.tail is None else self.tail.library

    def settings(self) -> Settings:
        """Return the size of the head, and the tail's kind and settings."""
        tail = {"tail": "none"} if self.tail is None else {"tail": self.tail.kind, **self.tail.settings()}
        return {"head": len(self.head.numbers), **tail}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the head's numbers and vectors, where there are any, and the tail's arrays."""
        arrays = {} if self.tail is None else {f"tail.{name}": a for name, a in self.tail.arrays().items()}
        if len(self.head.numbers) and self.tail is not None:
            arrays |= {"head": self.head.numbers, "head_vectors": self.head.vectors}
        return arrays

    def write(self, path: Path) -> None:
        """Write the tail's file, where it has one."""
        if self.tail is not None:
            self.tail.write(path)


NO_HEAD = Head(NOTHING, np.zeros((0, 0), np.float32))


def by_length(candidates: Candidates) -> Numbers:
    """Return all numbers, longest vector first; ties by number."""
    return np.argsort(-candidates.norms, kind="stable")


def head_of(candidates: Candidates, numbers: Numbers) -> Head:
    """Make a head of these numbers."""
    ordered = np.sort(numbers)
    return Head(ordered, np.ascontiguousarray(candidates.vectors[ordered]))
