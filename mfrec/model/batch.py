"""Whole catalogues at once: exact, in blocks of bounded memory.

Each block of queries takes one matrix product. Its columns are dealt to groups; the k-th largest of the groups'
maxima is a bound that at least k scores reach, so that only the few groups above it have to be looked into. What
is left is ranked in float64, like every answer of mfrec.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfrec.arrays import NOTHING, Candidates, Matrix, Numbers, Scores, unit_rows
from mfrec.directions import Direction, find_direction
from mfrec.errors import check_integer
from mfrec.index.base import exact_search
from mfrec.model.best import places_in
from mfrec.model.rankings import Rankings
from mfrec.model.recommender import Recommender, check_min_score

# scores of one block, float32: 64 MiB
BLOCK_VALUES = 16 * 2**20
# at most so many columns per group, and at least so many groups per wanted hit, or the bound gets loose
WIDTH = 64
GROUPS_PER_HIT = 4
# with more proposals per query than this many times k (many ties), a search of its own is cheaper
MOST_PROPOSALS = 8
# vectors of one step of the float64 ranking: 16 MiB
RANKED_VALUES = 2 * 2**20


def recommend_all(
    model: Recommender,
    name: str,
    k: int = 10,
    *,
    exclude_seen: bool = True,
    min_score: float | None = None,
    progress: bool = False,
) -> Iterator[Rankings]:
    """Answer one direction for every id of its query side, exactly; yields block after block.

    Parameters
    ----------
    model
        A fitted model.
    name
        A key of `mfrec.DIRECTIONS`.
    k, exclude_seen, min_score
        As in `Recommender.recommend`.
    progress
        Show a progress bar on stderr, or in the notebook.
    """
    direction = find_direction(name)
    check_integer("k", k, 1)
    check_min_score(min_score)
    job = _Job.of(model, direction, k, exclude_seen, -np.inf if min_score is None else min_score)
    count, rows = len(job.queries), len(job.buffer)
    for first in _bar(range(0, count, rows), progress):
        yield job.block(first, min(first + rows, count))


@dataclass(frozen=True, eq=False)
class _Job:
    """All that the blocks of one catalogue share.

    Parameters
    ----------
    targets
        What is multiplied: the vectors, of unit length for cosine.
    queries
        Of unit length for cosine, too.
    width
        How many columns a group has: column ``c`` is in group ``c % (columns // width)``.
    buffer
        float32 of shape ``(rows, columns)``, -inf in the columns beyond the last target.
    """

    model: Recommender
    direction: Direction
    k: int
    exclude_seen: bool
    min_score: float
    candidates: Candidates
    targets: Matrix
    queries: Matrix
    width: int
    buffer: Matrix

    @classmethod
    def of(cls, model: Recommender, direction: Direction, k: int, exclude_seen: bool, min_score: float) -> "_Job":
        """Lay out the buffer."""
        candidates = model.indexes[direction.index].candidates
        targets, queries = candidates.vectors, model.factors.vectors(direction.query, direction.similarity)
        if direction.similarity == "cosine":
            targets, queries = unit_rows(targets), unit_rows(queries)
        n = max(1, len(candidates))
        width = max(1, min(WIDTH, n // (GROUPS_PER_HIT * min(k, n))))
        columns = -(-n // width) * width
        rows = max(1, min(len(queries), BLOCK_VALUES // columns))
        buffer = np.full((rows, columns), -np.inf, np.float32)
        return cls(model, direction, k, exclude_seen, min_score, candidates, targets, queries, width, buffer)

    def block(self, first: int, end: int) -> Rankings:
        """Answer the queries of one block."""
        queries = self.queries[first:end]
        scores = self.buffer[: end - first]
        np.matmul(queries, self.targets.T, out=scores[:, : len(self.targets)])
        scores[self._excluded(first, end)] = -np.inf
        margins = self.candidates.margins(queries)
        places, numbers, loose = _proposals(scores, self.width, self.k, margins)
        ranked = self._score(first + places, numbers)
        parts = [(first + places, numbers, ranked), *(self._alone(first + place) for place in loose.tolist())]
        asked, numbers, ranked = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.lexsort((numbers, -ranked, asked))
        ranks = places_in(asked[order] - first, end - first) + 1
        kept = (ranks <= self.k) & (ranked[order] >= self.min_score)
        order, ranks = order[kept], ranks[kept]
        direction, ids = self.direction, self.model.ids
        names = (direction.query, direction.target if direction.across else f"similar_{direction.target}")
        maps = (ids[direction.query], ids[direction.target])
        return Rankings(asked[order], numbers[order], ranks, ranked[order], names, maps)

    @property
    def _vectors(self) -> Matrix:
        """The queries as they are, not of unit length."""
        return self.model.factors.vectors(self.direction.query, self.direction.similarity)

    def _excluded(self, first: int, end: int) -> tuple[Numbers, Numbers]:
        """Return rows and columns of what must not be returned."""
        places = np.arange(end - first)
        if not self.direction.across:
            return places, places + first
        if not self.exclude_seen:
            return places[:0], places[:0]
        adjacency = self.model.adjacency[self.direction.query]
        starts = adjacency.starts[first : end + 1]
        return np.repeat(places, np.diff(starts)), adjacency.numbers[starts[0] : starts[-1]].astype(np.int64)

    def _score(self, asked: Numbers, numbers: Numbers) -> Scores:
        """Score pairs of a query and a candidate, a few at a time."""
        step = max(1, RANKED_VALUES // max(1, self.targets.shape[1]))
        queries, scores = self._vectors, np.empty(len(numbers), np.float32)
        for first in range(0, len(numbers), step):
            part = slice(first, first + step)
            scores[part] = self.candidates.scores(queries[asked[part]], numbers[part])
        return scores

    def _alone(self, number: int) -> tuple[Numbers, Numbers, Scores]:
        """Answer one query by a search of its own."""
        hits = exact_search(self.candidates, self._vectors[number], self.k, self._excluded(number, number + 1)[1])
        return np.full(len(hits.numbers), number), hits.numbers, hits.scores


def _proposals(scores: Scores, width: int, k: int, margins: Scores) -> tuple[Numbers, Numbers, Numbers]:
    """Return rows and columns of all that may be among the best k of a row, and the rows left out of that.

    Left out are rows that have fewer than k to give, or so many near ties that a search of its own is better.
    """
    groups = scores.shape[1] // width
    dealt = scores.reshape(len(scores), width, groups)
    highest = dealt.max(axis=1)
    if k > groups:
        return NOTHING, NOTHING, np.arange(len(scores))
    bound = np.partition(highest, groups - k, axis=1)[:, groups - k] - 2 * margins
    reached = highest >= bound[:, None]
    most = MOST_PROPOSALS * k
    loose = ~(bound > -np.inf) | (reached.sum(axis=1) > most)
    reached[loose] = False
    places, group = np.nonzero(reached)
    pair, member = np.nonzero(dealt[places, :, group] >= bound[places, None])
    found, columns = places[pair], member * groups + group[pair]
    loose |= np.bincount(found, minlength=len(scores)) > most
    kept = ~loose[found]
    return found[kept], columns[kept], np.flatnonzero(loose)


def _bar(blocks: range, progress: bool) -> Any:
    if not progress:
        return blocks
    from tqdm.auto import tqdm

    return tqdm(blocks, desc="recommend_all", unit="block")
