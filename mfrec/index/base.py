"""`Index`: a norm-ranged search. The longest vectors are scanned, a library finds the rest, one ranking settles both.

Vectors of a factor model differ greatly in length, and by inner product a short list is mostly made of long ones.
So candidates are ordered by length, and the longest, the *head*, are scanned. Outside of it lengths are alike and the
angle decides, which is what a library finds well. After Yan et al., "Norm-Ranging LSH for Maximum Inner Product
Search" (2018). By cosine all vectors count alike: there is no head.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import (
    NOTHING,
    Candidates,
    Matrix,
    Numbers,
    Scores,
    Vector,
    floor_of,
    length_of,
    near_top,
    products,
    without,
)

Settings = dict[str, Any]

# a row that is looked up somewhere costs as much as so many rows that are scanned one after the other
LOOKED_UP = 5
# the cosine that queries hardly ever have with anything outside of a head that belongs into their list: where the
# list of the head alone is out of reach with it, the finder is not asked
CLOSEST = 0.9


@dataclass(frozen=True)
class Hits:
    """What a search found: int64 numbers, best first, their float32 scores, and whether this is provably the best."""

    numbers: Numbers
    scores: Scores
    exact: bool


NO_HITS = Hits(NOTHING, np.zeros(0, np.float32), True)


class Level(NamedTuple):
    """How far to search for lists of up to k: Annoy's ``search_k`` or faiss's ``nprobe``, and the size of the head."""

    k: int
    effort: int
    head: int

    @property
    def reach(self) -> int:
        """How many places of the unfiltered list it covers: a little more than k, so that one exclusion is for free."""
        return self.k + max(2, self.k // 10)

    @property
    def asked(self) -> int:
        """How many neighbours to ask for: more than k where there is a head, as their order is not that of scores."""
        return self.reach + (50 if self.head else 10)


class Finder(Protocol):
    """A library's index over ``order[first:]``, all of the candidates that not every head covers.

    ``backend`` is its key in `BACKENDS`, ``library`` the distribution its file depends on, ``effort`` what the effort
    is called among the settings.
    """

    backend: ClassVar[str]
    library: ClassVar[str]
    effort: ClassVar[str]

    @property
    def efforts(self) -> Sequence[int]:
        """The efforts to try, ascending."""
        ...

    def neighbours(self, query: Vector, effort: int, asked: int) -> Numbers:
        """Return places in the order, the nearest first."""
        ...

    def cost(self, effort: int, asked: int) -> float:
        """Return what `neighbours` costs, in scanned rows."""
        ...

    def settings(self) -> Settings:
        """Return what it was built with, as JSON values; enough to build it again."""
        ...

    def write(self, path: Path) -> None:
        """Write the library's file."""
        ...


@dataclass(frozen=True, eq=False)
class Index:
    """Finds the best candidates of a query.

    A search returns exactly ``min(k, n - len(excluded))`` distinct numbers, none of them excluded, best first,
    with the scores of `Candidates.scores`; an index may miss a candidate, never misjudge one.

    Parameters
    ----------
    candidates
        The vectors searched.
    finder
        Finds those outside of the head; None where everything is scanned.
    order
        All numbers, the longest vector first; None where there is no head.
    longest
        float32, the vectors of the longest head, in that order.
    levels
        How far to search, ascending in k; beyond the last everything is scanned.
    measured
        What calibration found: the number of queries, and the recall by k.
    """

    candidates: Candidates
    finder: Finder | None = None
    order: Numbers | None = None
    longest: Matrix = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    levels: tuple[Level, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)

    def __copy__(self) -> "Index":
        """Return itself: an index never changes."""
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> "Index":
        """Return itself: an index never changes."""
        return self

    @property
    def backend(self) -> str:
        """Its key in `BACKENDS`."""
        return "exact" if self.finder is None else self.finder.backend

    @cached_property
    def places(self) -> Numbers:
        """The place of every number in the order."""
        places = np.arange(len(self.candidates))
        if self.order is not None:
            places[self.order] = np.arange(len(self.order))
        return places

    @cached_property
    def shortness(self) -> Scores:
        """Minus the lengths of the candidates in the order, ascending."""
        return -self.candidates.norms if self.order is None else -self.candidates.norms[self.order]

    def search(self, query: Vector, k: int, excluded: Numbers = NOTHING) -> Hits:
        """Return the best k that are not excluded; ``excluded`` is ascending and distinct.

        Excluded candidates that would have been in the list make it reach further down the unfiltered one. How far
        decides the level, so that filters cost no recall.
        """
        k = min(k, len(self.candidates) - len(excluded))
        if k <= 0:
            return NO_HITS
        depth = k
        many = LOOKED_UP * len(excluded) >= len(self.candidates)
        for level in () if many else self.levels:
            if level.reach < depth:
                continue
            found, certain = self._find(query, k, level, excluded)
            if len(found) < k:
                continue
            numbers, scores = self.candidates.best(query, found, k)
            if len(excluded) and not certain:
                above = int(np.count_nonzero(self.candidates.fast_scores(query, excluded) >= scores[-1]))
                # what is missed lies near the end of the unfiltered list, just where an eligible one is looked for
                depth = k + 2 * above
            if certain or depth <= level.reach:
                return Hits(numbers, scores, exact=certain)
        return exact_search(self.candidates, query, k, excluded)

    def _find(self, query: Vector, k: int, level: Level, excluded: Numbers) -> tuple[Numbers, bool]:
        """Return candidates to rank, none excluded, and whether no other can be among the best."""
        if self.finder is None or self.order is None:
            found = NOTHING if self.finder is None else self.finder.neighbours(query, level.effort, level.asked)
            return without(found, excluded), False
        scores = products(self.longest[: level.head], query)
        if len(excluded):
            places = self.places[excluded]
            scores[places[places < level.head]] = -np.inf
        floor = floor_of(scores, k, self.candidates.margin(query))
        head = self.order[(scores >= floor).nonzero()[0]]
        # no vector outside of the head is longer than its last one, and hardly any is closer to the query
        length = length_of(query)
        most = -self.shortness[level.head - 1] * length
        if floor > CLOSEST * most:
            return without(head, excluded), bool(floor > most)
        places = self.finder.neighbours(query, level.effort, level.asked)
        long_enough = self.shortness.searchsorted(np.float32(-floor / length)) if length else len(self.order)
        tail = without(self.order[places[(places >= level.head) & (places <= long_enough)]], excluded)
        tail = tail[self.candidates.fast_scores(query, tail) >= floor]
        return np.concatenate([without(head, excluded), tail]), False

    def settings(self) -> Settings:
        """Return what it was built with and how far it searches by k, as JSON values."""
        scan_from = self.levels[-1].k + 1 if self.levels else 1
        if self.finder is None:
            return {"scan_from_k": scan_from}
        names = {"heads": "head", self.finder.effort: "effort"}
        by_k = {name: {str(lv.k): getattr(lv, part) for lv in self.levels} for name, part in names.items()}
        return {**self.finder.settings(), **by_k, "scan_from_k": scan_from}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to keep with it."""
        return {} if self.order is None else {"order": self.order, "longest": self.longest}


# an index on its way: what grows it inside its library, without the interpreter's lock, so that several may grow at
# once; and what calibrates and returns it
Growing = tuple[Callable[[], object], Callable[[], Index]]


def exact_search(candidates: Candidates, query: Vector, k: int, excluded: Numbers) -> Hits:
    """Score everything and return the best k that are not excluded."""
    k = min(k, len(candidates) - len(excluded))
    if k <= 0:
        return NO_HITS
    scores = candidates.fast_scores(query)
    scores[excluded] = -np.inf
    near = without(near_top(scores, k, candidates.margin(query)), excluded)
    return Hits(*candidates.best(query, near, k), exact=True)
