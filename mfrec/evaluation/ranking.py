"""From scores to ranks: every candidate of every query, in blocks, by counting."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mfrec.arrays import Numbers, Scores
from mfrec.evaluation.metrics import MISSED, Counts, Ranks
from mfrec.model.adjacency import Adjacency
from mfrec.model.best import Best, best_of

# scores every target for some queries: query numbers -> a fresh float32 array of shape (queries, targets), which
# the caller may overwrite; higher is better. It is called from several threads at once
Scorer = Callable[[Numbers], Scores]

# the best k targets of one query, best first: (place of the query in the task, protocol, k) -> numbers
Lister = Callable[[int, str, int], Numbers]

# what a list may not contain, from least to most; the numbers are of the ranked side
PROTOCOLS: Mapping[str, str] = {
    "plain": "every candidate, seen or not, but never the query itself",
    "unseen": "what the query interacted with in training is taken out first",
}

# scores of about 8 MB stay in a core's reach
BLOCK_CELLS = 2**21


@dataclass(frozen=True, eq=False)
class Task:
    """What is asked, and what should come first.

    Parameters
    ----------
    queries
        int64: the numbers of the users or items that are asked for.
    relevant
        The held-out targets of each query, by place; -1 for a target that the model does not know.
    masks
        Per protocol, the targets that no list of that query may contain.
    n_targets
        How many targets there are.
    segments
        A name per place for a breakdown of the figures, or nothing.
    notes
        What is not asked.
    width
        How many values a scorer needs per query, where they are more than the targets.
    """

    queries: Numbers
    relevant: Adjacency
    masks: Mapping[str, Adjacency]
    n_targets: int
    segments: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, np.str_))
    notes: tuple[str, ...] = ()
    width: int = 0

    @property
    def event_query(self) -> Numbers:
        """The place of each held-out event's query."""
        return np.repeat(np.arange(len(self.queries)), self.relevant.degree)


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a contender did on a task: ranks, and per k in how many lists each target stands."""

    ranks: Ranks
    shown: Mapping[int, Counts]


def by_scores(task: Task, scorer: Scorer, protocols: tuple[str, ...], ks: tuple[int, ...]) -> dict[str, Outcome]:
    """Rank every candidate by its score; a target beyond the deepest cut-off counts as missed.

    Blocks of queries are ranked side by side, one thread per core: the scorer is called from all of them.
    """
    counts: dict[str, list[tuple[Counts, Counts]]] = {p: [] for p in protocols}
    shown = {p: {k: np.zeros(task.n_targets, np.int64) for k in ks} for p in protocols}
    # BLAS threads below those of the blocks fight for the same cores
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda places: dict(_ranked(task, scorer, protocols, max(ks), places)), _blocks(task)):
            for protocol, (counted, best) in found.items():
                counts[protocol].append(counted)
                for k in ks:
                    shown[protocol][k] += np.bincount(best.columns[best.place < k], minlength=task.n_targets)
    return {p: Outcome(_ranks(task, counts[p]), shown[p]) for p in protocols}


def _ranked(
    task: Task, scorer: Scorer, protocols: tuple[str, ...], k: int, places: Numbers
) -> Iterator[tuple[str, tuple[tuple[Counts, Counts], Best]]]:
    scores = scorer(task.queries[places])
    # each protocol takes out what the one before it does, so one array serves them all
    for protocol in PROTOCOLS:
        _mask(scores, task.masks[protocol], places)
        if protocol in protocols:
            best = best_of(scores, k)
            yield protocol, (_count(scores, best, k, task.relevant, places), best)


def by_lists(task: Task, lister: Lister, protocols: tuple[str, ...], ks: tuple[int, ...]) -> dict[str, Outcome]:
    """Rank by lists of the longest k asked for; a target beyond the end of its list counts as missed."""
    outcomes = {}
    for protocol in protocols:
        shown = {k: np.zeros(task.n_targets, np.int64) for k in ks}
        found = []
        for place in range(len(task.queries)):
            best = lister(place, protocol, min(max(ks), task.n_targets))
            rank = np.full(task.n_targets, MISSED, np.int64)
            rank[best] = np.arange(len(best))
            above = rank[task.relevant.of(place)]
            found.append((above, np.ones_like(above)))
            for k in ks:
                shown[k][best[:k]] += 1
        outcomes[protocol] = Outcome(_ranks(task, found), shown)
    return outcomes


def _blocks(task: Task) -> Iterator[Numbers]:
    size = max(1, BLOCK_CELLS // max(task.n_targets, task.width))
    for start in range(0, len(task.queries), size):
        yield np.arange(start, min(start + size, len(task.queries)))


def _mask(scores: Scores, mask: Adjacency, places: Numbers) -> None:
    starts = mask.starts[places[0] : places[-1] + 2]
    rows = np.repeat(np.arange(len(places)), np.diff(starts))
    scores[rows, mask.numbers[starts[0] : starts[-1]]] = -np.inf


def _count(scores: Scores, best: Best, k: int, relevant: Adjacency, places: Numbers) -> tuple[Counts, Counts]:
    """Return, per event of the block, how many candidates score higher and how many the same."""
    starts = relevant.starts[places[0] : places[-1] + 2]
    numbers = relevant.numbers[starts[0] : starts[-1]]
    rows = np.repeat(np.arange(len(places)), np.diff(starts))
    above, tied = np.full(len(rows), MISSED, np.int64), np.ones(len(rows), np.int64)
    wanted = np.where(numbers >= 0, scores[rows, numbers], -np.inf)
    # above the bound every candidate is an entry: rank and ties are read off there
    hits = np.flatnonzero(wanted > best.bound[rows])
    first, size = best.ties()
    entries = best.rows * scores.shape[1] + best.columns
    order = np.argsort(entries)
    found = order[np.searchsorted(entries, rows[hits] * scores.shape[1] + numbers[hits], sorter=order)]
    above[hits], tied[hits] = best.place[first[found]], size[found]
    # what equals a bound that is the k-th best may tie with others that are no entries
    border = np.flatnonzero((wanted == best.bound[rows]) & (best.higher[rows] < k) & (wanted > -np.inf))
    distinct, which = np.unique(rows[border], return_inverse=True)
    above[border] = best.higher[rows[border]]
    tied[border] = np.count_nonzero(scores[distinct] == best.bound[distinct, None], axis=1)[which]
    return above, tied


def _ranks(task: Task, parts: list[tuple[Counts, Counts]]) -> Ranks:
    above = np.concatenate([a for a, _ in parts]).astype(np.int64)
    tied = np.concatenate([t for _, t in parts]).astype(np.int64)
    # a target that the model does not know can never be shown
    unknown = task.relevant.numbers < 0
    return Ranks(task.event_query, np.where(unknown, MISSED, above), np.where(unknown, 1, tied))
