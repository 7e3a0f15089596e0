"""From scores to ranks: every candidate of every query, in blocks, by counting."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Numbers, Scores
from mfrec.evaluation.metrics import MISSED, Counts, Ranks
from mfrec.model.adjacency import Adjacency

# scores every target for some queries: query numbers -> a fresh float32 array of shape (queries, targets), which
# the caller may overwrite; higher is better
Scorer = Callable[[Numbers], Scores]

# the best k targets of one query, best first: (place of the query in the task, protocol, k) -> numbers
Lister = Callable[[int, str, int], Numbers]

# what a list may not contain, from least to most; the numbers are of the ranked side
PROTOCOLS: Mapping[str, str] = {
    "plain": "every candidate, seen or not, but never the query itself",
    "unseen": "what the query interacted with in training is taken out first",
}

# scores of about 16 MB stay in a core's reach
BLOCK_CELLS = 2**22


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
    """Rank every candidate by its score; a target beyond the deepest cut-off counts as missed."""
    ranks: dict[str, list[tuple[Counts, Counts]]] = {p: [] for p in protocols}
    shown = {p: {k: np.zeros(task.n_targets, np.int64) for k in ks} for p in protocols}
    for places in _blocks(task):
        scores = scorer(task.queries[places])
        # each protocol takes out what the one before it does, so one array serves them all
        for protocol in PROTOCOLS:
            _mask(scores, task.masks[protocol], places)
            if protocol not in protocols:
                continue
            top = best_scores(scores, max(ks))
            ranks[protocol].append(_count(scores, top, task.relevant, places))
            listed, columns = _lists(scores, top)
            for k in ks:
                shown[protocol][k] += np.bincount(columns[best_k(listed, top, k)], minlength=task.n_targets)
    return {p: Outcome(_ranks(task, ranks[p]), shown[p]) for p in protocols}


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


def best_scores(scores: Scores, k: int) -> Scores:
    """Return the best k scores of each row (all, where there are fewer), ascending; what is below is never sorted."""
    beyond = max(0, scores.shape[1] - k)
    top: Scores = np.partition(scores, beyond, axis=1)[:, beyond:] if beyond else scores.copy()
    top.sort(axis=1)
    return top


def _count(scores: Scores, top: Scores, relevant: Adjacency, places: Numbers) -> tuple[Counts, Counts]:
    """Return, per event of the block, how many candidates score higher and how many the same."""
    starts = relevant.starts[places[0] : places[-1] + 2]
    numbers = relevant.numbers[starts[0] : starts[-1]]
    rows = np.repeat(np.arange(len(places)), np.diff(starts))
    wanted = scores[rows, numbers]
    above, tied = np.full(len(rows), MISSED, np.int64), np.ones(len(rows), np.int64)
    # most events are far down, and cost no more than this comparison
    hits = np.flatnonzero(wanted >= top[rows, 0])
    for group in np.split(hits, np.flatnonzero(np.diff(rows[hits])) + 1):
        if not len(group):
            continue
        row, values = rows[group[0]], wanted[group]
        higher = np.searchsorted(top[row], values, "right")
        above[group] = top.shape[1] - higher
        tied[group] = higher - np.searchsorted(top[row], values, "left")
        last = values == top[row, 0]
        if last.any():
            # what ties with the last of the best may tie with others behind it
            tied[group[last]] = np.count_nonzero(scores[row] == top[row, 0])
    return above, tied


def _lists(scores: Scores, top: Scores) -> tuple[Scores, Numbers]:
    """Return the scores and columns of the lists as long as ``top``, in the order of the columns.

    A row that has fewer candidates ends in scores of -inf.
    """
    # one flat look at the mask is several times faster than one by row and column
    rows, chosen = np.divmod(np.flatnonzero(best_k(scores, top, top.shape[1])), scores.shape[1])
    counts = np.bincount(rows, minlength=len(scores))
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    listed, columns = np.full(top.shape, -np.inf, np.float32), np.zeros(top.shape, np.int64)
    listed[rows, place], columns[rows, place] = scores[rows, chosen], chosen
    return listed, columns


def best_k(scores: Scores, top: Scores, k: int) -> NDArray[np.bool_]:
    """Mark the best k of each row; ties go to the lower number, as they are served, and -inf never counts.

    ``top`` holds the best k or more scores of each row, ascending.
    """
    k = min(k, top.shape[1])
    kth = top[:, top.shape[1] - k][:, None]
    chosen: NDArray[np.bool_] = (scores >= kth) & (scores > -np.inf)
    crowded = np.flatnonzero(chosen.sum(axis=1) > k)
    if len(crowded):
        higher = scores[crowded] > kth[crowded]
        same = scores[crowded] == kth[crowded]
        same &= np.cumsum(same, axis=1) <= k - higher.sum(axis=1, keepdims=True)
        chosen[crowded] = higher | same
    return chosen


def _ranks(task: Task, parts: list[tuple[Counts, Counts]]) -> Ranks:
    above = np.concatenate([a for a, _ in parts]).astype(np.int64)
    tied = np.concatenate([t for _, t in parts]).astype(np.int64)
    # a target that the model does not know can never be shown
    unknown = task.relevant.numbers < 0
    return Ranks(task.event_query, np.where(unknown, MISSED, above), np.where(unknown, 1, tied))
