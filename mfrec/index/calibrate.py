"""Calibration: how far an index has to search, by its recall on real queries against their exact answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import NOTHING, Candidates, Matrix, Numbers, Scores, Vector, lengths, near_top, without
from mfrec.index.base import CLOSEST, Index, Level
from mfrec.index.params import IndexParams

# how many queries to calibrate on: where candidates are few, an index is quick however it is set
FEW_QUERIES, MANY_QUERIES, MANY_CANDIDATES = 200, 600, 10_000
MARGIN = 0.003
# the sizes of head to try, as quantiles of where the true best lie; the last two only where a scan would be long
QUANTILES, FURTHER = (0.8, 0.9, 0.95, 0.97, 0.98, 0.99), (0.997, 0.999)
# up to so many candidates the finder answers wherever it reaches the target; above, only where it takes less work
# than a scan
SMALL = 10_000
# how many queries give a first look at an effort, and how far below the target it is given up
GLANCE, FAR = 80, 0.015
# so much work, in scanned rows, at most for one effort, so that calibration takes no longer than growing the trees
ROWS = 12_000_000
# exact scores of so many values are computed at once
_BLOCK = 4_000_000


@dataclass(frozen=True, eq=False)
class Queries:
    """Real queries of one index.

    Parameters
    ----------
    vectors
        float32 of shape ``(m, factors)``.
    own
        On the same side, the number of each query among the candidates, which is never returned; else None.
    """

    vectors: Matrix
    own: Numbers | None = None

    def __len__(self) -> int:
        """Return how many queries there are."""
        return len(self.vectors)

    def excluded(self, place: int) -> Numbers:
        """Return what one query rules out."""
        return NOTHING if self.own is None else self.own[place : place + 1]


def sample_size(n_candidates: int) -> int:
    """Return how many queries to calibrate an index on."""
    return MANY_QUERIES if n_candidates > MANY_CANDIDATES else FEW_QUERIES


def draw(vectors: Matrix, same_side: bool, size: int, seed: int) -> Queries:
    """Draw a seeded sample of the vectors that will be queried; those of length zero have no answer to miss."""
    numbers = np.flatnonzero(vectors.any(axis=1))
    chosen = np.random.default_rng(seed).permutation(numbers)[:size]
    return Queries(np.ascontiguousarray(vectors[chosen]), chosen if same_side else None)


@dataclass(frozen=True, eq=False)
class Answered:
    """Queries with their exact answers, and the recall to reach at every k, ascending.

    An answer holds all candidates that score as high as the best of the largest k, best first: at least k of them
    where so many are eligible, more where scores tie.
    """

    queries: Queries
    answers: list[Numbers]
    scores: list[Scores]
    ks: tuple[int, ...]
    target: float

    @classmethod
    def of(cls, candidates: Candidates, queries: Queries, params: IndexParams) -> "Answered":
        """Answer the queries exactly, block by block."""
        ks = tuple(sorted({min(k, len(candidates)) for k in params.at_k}))
        rows = max(1, _BLOCK // len(candidates))
        found = [
            _best_with_ties(candidates, queries.vectors[start + i], row, ks[-1], queries.excluded(start + i))
            for start in range(0, len(queries), rows)
            for i, row in enumerate(candidates.fast_score_rows(queries.vectors[start : start + rows]))
        ]
        return cls(queries, [f[0] for f in found], [f[1] for f in found], ks, params.target_recall)

    def floors(self, k: int) -> Scores:
        """Return the exact k-th score of each query; -inf where fewer than k are eligible."""
        return np.array([s[k - 1] if len(s) >= k else -np.inf for s in self.scores], np.float32)


def _best_with_ties(
    candidates: Candidates, query: Vector, row: Scores, k: int, excluded: Numbers
) -> tuple[Numbers, Scores]:
    """Return every candidate that scores as high as the k-th best, best first, given all scores in float32."""
    row[excluded] = -np.inf
    near = without(near_top(row, min(k, len(row) - len(excluded)), candidates.margin(query)), excluded)
    numbers, scores = candidates.best(query, near, len(near))
    kept = scores >= scores[k - 1] if len(scores) >= k else slice(None)
    return numbers[kept], scores[kept]


def heads_by_rank(index: Index, sample: Answered) -> dict[int, list[int]]:
    """Return by k the sizes of head to try, ascending: quantiles of where the true best lie in the order by length."""
    heads, quantiles = {}, QUANTILES if len(index.candidates) <= SMALL else QUANTILES + FURTHER
    for k in sample.ks:
        places = [index.places[numbers[:k]] for numbers in sample.answers if len(numbers) >= k]
        pooled = np.concatenate(places) if places else np.array([k - 1])
        heads[k] = [int(place) + 1 for place in np.quantile(pooled, quantiles)]
    return heads


def calibrated(index: Index, sample: Answered, heads: Mapping[int, Sequence[int]]) -> Index:
    """Return the index with the cheapest levels that reach the target.

    Work is counted, never timed, so that the same seed gives the same index on a busy machine.

    Parameters
    ----------
    heads
        By k, the sizes of head to try; 0 is none.
    """
    levels, shares, effort = [], {}, 0
    for k in sample.ks:
        level, share, _ = _cheapest(index, sample, k, heads[k], effort)
        shares[str(k)] = round(share, 4)
        if level is not None:
            levels.append(level)
            # without a head a longer list takes no less
            effort = 0 if level.head else level.effort
    order = index.order if index.order is not None else NOTHING
    longest = index.candidates.vectors[order[: max((level.head for level in levels), default=0)]]
    measured = {"queries": len(sample.queries), "recall": shares}
    return replace(index, longest=np.ascontiguousarray(longest), levels=tuple(levels), measured=measured)


class _Choice(NamedTuple):
    """A level, its recall, and its work in scanned rows."""

    level: Level | None
    share: float
    work: float


def _cheapest(index: Index, sample: Answered, k: int, heads: Sequence[int], least_effort: int) -> _Choice:
    """Return the level with the least work that reaches the target; None where a scan is better."""
    n = len(index.candidates)
    best = _Choice(None, 1.0, float(n) if n > SMALL else np.inf)
    if index.finder is None or not len(sample.queries):
        return best
    for effort in index.finder.efforts:
        if effort >= least_effort:
            best = _cheaper(index, sample, [Level(k, effort, head) for head in heads], best)
    # these efforts lie far apart: where that matters, two more are tried between the best one and the one before it
    for part in (0.71, 0.84):
        if best.level is not None and n > SMALL:
            effort = round(part * best.level.effort)
            best = _cheaper(index, sample, [Level(k, effort, head) for head in heads], best)
    return best


def _cheaper(index: Index, sample: Answered, levels: Sequence[Level], best: _Choice) -> _Choice:
    """Return the cheapest of levels that differ in their heads alone and reach the target, or the best so far."""
    level, beyond = levels[0], _beyond(index, sample, levels)
    cost = index.finder.cost(level.effort, level.asked) if index.finder else 0.0
    work = np.array([level.head for level in levels]) + beyond.mean(axis=0) * cost
    if work.min() >= best.work:
        return best
    # a few queries are enough to see that an effort is far too small
    shares = _recalls(index, sample, levels, beyond, slice(GLANCE))
    if shares.mean(axis=0).max() < sample.target - FAR:
        return best
    rest = slice(GLANCE, max(GLANCE, int(ROWS / cost)))
    shares = np.concatenate([shares, _recalls(index, sample, levels, beyond, rest)]).mean(axis=0)
    choices = map(_Choice, levels, shares.tolist(), work.tolist())
    # with a margin, since what is chosen on a sample must also hold on fresh queries
    enough = min(1.0, sample.target + MARGIN)
    return min([best, *(choice for choice in choices if choice.share >= enough)], key=lambda choice: choice.work)


def _beyond(index: Index, sample: Answered, levels: Sequence[Level]) -> NDArray[np.bool_]:
    """Return for which queries (rows) and levels (columns) the finder is asked."""
    if index.order is None:
        return np.ones((len(sample.queries), len(levels)), bool)
    shortest = -index.shortness[np.array([level.head for level in levels]) - 1]
    most = np.outer(lengths(sample.queries.vectors), shortest)
    return sample.floors(levels[0].k)[:, None] <= CLOSEST * most


def _recalls(
    index: Index, sample: Answered, levels: Sequence[Level], beyond: NDArray[np.bool_], part: slice
) -> NDArray[np.float64]:
    """Return the recall of some queries (rows) at levels that differ in their heads alone; a tie is no miss.

    Each query is sample once, for all heads. A query with fewer than k answers misses nothing.
    """
    k, effort, _ = levels[0]
    heads = [level.head for level in levels]
    found = np.ones((len(sample.queries.vectors[part]), len(levels)))
    proposed = np.zeros(len(index.candidates), bool)
    queries = zip(sample.queries.vectors[part], sample.answers[part], sample.scores[part], beyond[part], strict=True)
    for row, (query, numbers, scores, asked) in enumerate(queries):
        if index.finder is None or len(numbers) < k:
            continue
        truth = np.sort(index.places[numbers[scores >= scores[k - 1]]])
        count = np.searchsorted(truth, heads)
        if asked.any():
            places = index.finder.neighbours(query, effort, levels[0].asked)
            proposed[places] = True
            missed = truth[~proposed[truth]]
            proposed[places] = False
            count = np.where(asked, len(truth) - len(missed) + np.searchsorted(missed, heads), count)
        found[row] = np.minimum(count, k) / k
    return found
