"""Metrics of ranked lists: plain functions over the ranks of what was held out.

A *query* is a user or an item that is asked for; its *relevant* targets are those held out for it, each one an
*event*. Relevance is binary. Every function takes `Ranks` and a cut-off ``k`` and returns one value per query, or
per event for `hit_rate`; the mean over them is the figure that is reported.

**Ties.** Where several targets have the same score, a list could show them in any order. Each function returns the
expectation over all those orders, so that neither the order of the numbers nor chance helps anybody: McSherry and
Najork, "Computing Information Retrieval Performance Measures Efficiently in the Presence of Tied Scores" (2008).
Without ties these are the textbook definitions: Manning, Raghavan and Schütze, "Introduction to Information
Retrieval" (2008), chapter 8; Järvelin and Kekäläinen (2002) for NDCG.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from mfrec.arrays import Values
from mfrec.errors import DataError, ParameterError, check_integer

Counts = NDArray[np.int64]

# rank of an event whose target is not in the list at all; beyond every cut-off
MISSED = 2**31


@dataclass(frozen=True, eq=False)
class Ranks:
    """Where the held-out events of all queries stand in their lists.

    Parameters
    ----------
    query
        int64 of shape ``(n_events,)``: the position 0..n-1 of each event's query; every query has an event.
    above
        int64 of shape ``(n_events,)``: how many candidates score strictly higher; `MISSED` where the target is
        no candidate.
    tied
        int64 of shape ``(n_events,)``: how many candidates have the same score, the target itself included.
    """

    query: Counts
    above: Counts
    tied: Counts

    def __post_init__(self) -> None:
        """Check that there is an event for every query."""
        if not len(self.query):
            raise DataError("there is no held-out event to evaluate")
        if not (np.bincount(self.query) > 0).all():
            raise DataError("a query without held-out events has no recall: leave it out")

    @classmethod
    def of(cls, query: ArrayLike, rank: ArrayLike) -> "Ranks":
        """Return the ranks of events without ties; the best rank is 1."""
        above = np.asarray(rank, np.int64) - 1
        return cls(np.asarray(query, np.int64), above, np.ones_like(above))

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.query)

    @cached_property
    def relevant(self) -> Counts:
        """How many events each query has."""
        counts: Counts = np.bincount(self.query)
        return counts

    @cached_property
    def _order(self) -> Counts:
        """The events by query and rank."""
        return np.lexsort((self.above, self.query)).astype(np.int64, copy=False)

    @cached_property
    def before(self) -> Counts:
        """How many of the query's events stand strictly above each event."""
        query, above = self.query[self._order], self.above[self._order]
        first_of_query = np.cumsum(self.relevant) - self.relevant
        starts = _run_starts(query, above)
        place_in_query = starts - first_of_query[query[starts]]
        return self._unsorted(np.repeat(place_in_query, np.diff(np.append(starts, len(query)))))

    @cached_property
    def together(self) -> Counts:
        """How many of the query's events share each event's score, itself included."""
        starts = _run_starts(self.query[self._order], self.above[self._order])
        sizes = np.diff(np.append(starts, len(self)))
        return self._unsorted(np.repeat(sizes, sizes))

    @cached_property
    def first(self) -> Counts:
        """The position of each query's best event."""
        positions: Counts = self._order[np.cumsum(self.relevant) - self.relevant]
        return positions

    def take(self, queries: NDArray[np.bool_]) -> "Ranks":
        """Return the ranks of some queries, given as a mask; they are numbered anew."""
        kept = queries[self.query]
        number = np.cumsum(queries) - 1
        return Ranks(number[self.query[kept]], self.above[kept], self.tied[kept])

    def _unsorted(self, values: Counts) -> Counts:
        result = np.empty_like(values)
        result[self._order] = values
        return result


def _run_starts(query: Counts, above: Counts) -> Counts:
    changes = (np.diff(query, prepend=-1) != 0) | (np.diff(above, prepend=-1) != 0)
    # the first event always opens a run, even at query 0 and rank 0
    changes[0] = True
    return np.flatnonzero(changes)


def cutoffs(k: int | Iterable[int]) -> tuple[int, ...]:
    """Return one or many list lengths, checked, distinct and ascending."""
    given = list(k) if isinstance(k, Iterable) else [k]
    if not given:
        raise ParameterError("name at least one cut-off k")
    return tuple(sorted({check_integer("k", each, 1) for each in given}))


def _within(ranks: Ranks, k: int) -> Counts:
    """Return how many of each event's tied places lie within the first k."""
    k = check_integer("k", k, 1)
    within: Counts = np.minimum(np.maximum(k - ranks.above, 0), ranks.tied)
    return within


def _depth(ranks: Ranks, k: int) -> int:
    """Return how many of the first k places can matter: no deeper than any event, or than its query has events."""
    deepest = (ranks.above + ranks.tied)[ranks.above < k].max(initial=1)
    return int(min(k, max(deepest, ranks.relevant.max())))


def _gain(ranks: Ranks, k: int, per_place: Values) -> Values:
    """Return each event's sum of a value over the places it can take within the first k, per tied candidate.

    ``per_place`` has a value for each of the first `_depth` places.
    """
    total = np.concatenate([[0.0], np.cumsum(per_place)])
    start = np.minimum(ranks.above, len(per_place))
    gain: Values = total[start + _within(ranks, k)] - total[start]
    return gain


def _per_query(ranks: Ranks, values: Values) -> Values:
    return np.bincount(ranks.query, values).astype(np.float64)


def hit_rate(ranks: Ranks, k: int) -> Values:
    """Per *event*: whether its target is among the first k; its mean is the top-k categorical accuracy.

    Higher is better. Each held-out event counts the same, so queries with many weigh more.
    """
    return _within(ranks, k) / ranks.tied


def query_hit_rate(ranks: Ranks, k: int) -> Values:
    """Per query: whether at least one of its held-out targets is among the first k; higher is better."""
    best = ranks.first
    slots, tied, relevant = _within(ranks, k)[best], ranks.tied[best], ranks.together[best]
    misses = np.maximum(tied - relevant, 0)
    # the chance that none of the tied relevant ones gets one of the slots: C(misses, slots) / C(tied, slots)
    possible = misses >= slots
    log_none = _log_choose(np.where(possible, misses, slots), slots) - _log_choose(tied, slots)
    return 1.0 - np.where(possible, np.exp(log_none), 0.0)


def _log_choose(n: Counts, k: Counts) -> Values:
    chosen: Values = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return chosen


def precision(ranks: Ranks, k: int) -> Values:
    """Per query: the share of the first k places that hold a held-out target; higher is better.

    The divisor is always k, also where fewer were held out.
    """
    return _per_query(ranks, hit_rate(ranks, k)) / k


def recall(ranks: Ranks, k: int) -> Values:
    """Per query: the share of its held-out targets that are among the first k; higher is better.

    The divisor is the number held out, also where that is more than k.
    """
    return _per_query(ranks, hit_rate(ranks, k)) / ranks.relevant


def ndcg(ranks: Ranks, k: int) -> Values:
    """Per query: discounted cumulative gain over that of the best list possible; higher is better.

    The gain is 1 and the discount ``1 / log2(rank + 1)``; the ideal list has ``min(k, held out)`` hits on top.
    """
    discount = 1.0 / np.log2(np.arange(2.0, _depth(ranks, k) + 2.0))
    gained = _per_query(ranks, _gain(ranks, k, discount) / ranks.tied)
    ideal: Values = np.cumsum(discount)[np.minimum(ranks.relevant, k) - 1]
    return gained / ideal


def average_precision(ranks: Ranks, k: int) -> Values:
    """Per query: the mean over its held-out targets of the precision at each one's rank; higher is better.

    Targets beyond rank k add 0, and the divisor is the number held out, as in ``map_cut`` of trec_eval.
    The mean over queries is MAP@k.
    """
    # at tied place j the expected number of hits so far is before + 1 + (j - 1) * slope
    slope = (ranks.together - 1) / np.maximum(ranks.tied - 1, 1)
    constant = ranks.before + 1 - slope - slope * ranks.above
    harmonic = _gain(ranks, k, 1.0 / np.arange(1.0, _depth(ranks, k) + 1.0))
    summed = slope * _within(ranks, k) + constant * harmonic
    return _per_query(ranks, summed / ranks.tied) / ranks.relevant


def reciprocal_rank(ranks: Ranks, k: int) -> Values:
    """Per query: one over the rank of its first held-out target, 0 beyond k; higher is better.

    The mean over queries is MRR@k.
    """
    best = ranks.first
    start, tied, relevant = ranks.above[best], ranks.tied[best], ranks.together[best]
    places = np.minimum(_within(ranks, k)[best], tied - relevant + 1)
    result = np.zeros(len(best))
    open_ = np.flatnonzero(places > 0)
    # the chance that the tied places before this one hold no relevant target
    none_yet = np.ones(len(best))
    place = 1
    while len(open_):
        chance = relevant[open_] / (tied[open_] - place + 1)
        result[open_] += none_yet[open_] * chance / (start[open_] + place)
        none_yet[open_] *= 1 - chance
        place += 1
        open_ = open_[places[open_] >= place]
    return result


def coverage(shown: Counts) -> float:
    """Return the share of all targets that are in at least one list; higher is better.

    ``shown`` says how many lists each target of the catalogue is in.
    """
    return float((shown > 0).mean())


def gini(shown: Counts) -> float:
    """Return the Gini coefficient of how often each target is shown: 0 all alike, near 1 always the same few.

    Lower is more even. ``sum((2 i - n - 1) x_i) / (n sum(x))`` over the ascending counts ``x_i``; 0 where
    nothing is shown (Gini, "Variabilità e mutabilità", 1912).
    """
    ordered = np.sort(shown.astype(np.float64))
    total, n = float(ordered.sum()), len(ordered)
    if total == 0:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))


# what is computed from the ranks, and what from the lists as they are shown
RANK_METRICS: Mapping[str, Callable[[Ranks, int], Values]] = {
    "hit_rate": hit_rate,
    "query_hit_rate": query_hit_rate,
    "recall": recall,
    "ndcg": ndcg,
    "precision": precision,
    "map": average_precision,
    "mrr": reciprocal_rank,
}
LIST_METRICS: Mapping[str, Callable[[Counts], float]] = {"coverage": coverage, "gini": gini}
