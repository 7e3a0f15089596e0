"""The queries and the relevant targets of each direction, all from one split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Numbers
from mfrec.data.interactions import Interactions
from mfrec.directions import DIRECTIONS, SIDES, Pair
from mfrec.errors import DataError, UnmeasurableError
from mfrec.evaluation.ranking import Task
from mfrec.model.adjacency import Adjacency
from mfrec.model.ids import IdMap

SEGMENTS = ("tail", "mid", "head")


@dataclass(frozen=True, eq=False)
class HeldOutEvents:
    """The held-out events by the model's numbers (-1 where it does not know the id), and what went in.

    Parameters
    ----------
    numbers
        int64, one per event and side.
    adjacency
        The training data.
    recent
        Per event, the training item its user interacted with last before it; -1 where there is none.
    recent_is
        How that item was chosen, for people to read.
    max_queries
        A direction with more queries than this is measured on a random sample of them.
    seed
        Of that sample.
    notes
        What was left out.
    """

    numbers: Pair[Numbers]
    adjacency: Pair[Adjacency]
    recent: Numbers
    recent_is: str
    notes: tuple[str, ...]
    max_queries: int
    seed: int


def match(
    ids: Pair[IdMap],
    adjacency: Pair[Adjacency],
    test: Interactions,
    train: Interactions | None = None,
    *,
    warm: bool = False,
    max_queries: int = 20_000,
    seed: int = 42,
) -> HeldOutEvents:
    """Match the test part to a model by external ids.

    Raises
    ------
    DataError
        When nothing of the test part can be evaluated.
    """
    numbers = Pair(
        _translate(test.ids.user, ids.user)[test.users],
        _translate(test.ids.item, ids.item)[test.items],
    )
    trained = _is_known(adjacency.user, numbers, len(ids.item))
    if trained.all():
        raise DataError(f"nothing of {test!r} is new to the model: fit it on the training part alone")
    cold = _is_cold(adjacency, numbers) & ~trained
    taken = ~trained & ~(cold & warm)
    if not taken.any():
        raise DataError(
            f"every event of {test!r} is of a user or an item without training data, and warm leaves those out: "
            f"leave out warm (--warm) to measure them"
        )
    kept = Pair.of(lambda side: numbers[side][taken])
    rng = np.random.default_rng(seed)
    if train is None or train.times is None or test.times is None:
        recent, how = _any_item(adjacency.user, kept.user, rng), "a random training item of a user"
    else:
        recent = _latest_item(ids, train, train.times, kept.user, test.times[taken], rng)
        how = "the training item a user interacted with last"
    return HeldOutEvents(kept, adjacency, recent, how, _notes(trained, cold & warm, kept, adjacency), max_queries, seed)


def _translate(test_ids: IdMap, ids: IdMap) -> Numbers:
    """Return the model's number of each of the test part's numbers, -1 where it knows none."""
    if test_ids.kind != ids.kind:
        raise DataError(
            f"{test_ids.side} ids of the test part are of type {test_ids.kind}, the model's of type {ids.kind}"
        )
    keys = test_ids.values if isinstance(test_ids.values, np.ndarray) else list(test_ids)
    return ids.find(keys)


def _is_known(by_user: Adjacency, numbers: Pair[Numbers], n_items: int) -> NDArray[np.bool_]:
    users = np.repeat(np.arange(len(by_user)), by_user.degree)
    known = users * n_items + by_user.numbers
    both = (numbers.user >= 0) & (numbers.item >= 0)
    found: NDArray[np.bool_] = both & np.isin(numbers.user * n_items + numbers.item, known)
    return found


def _is_cold(adjacency: Pair[Adjacency], numbers: Pair[Numbers]) -> NDArray[np.bool_]:
    """Mark the events whose user or item the model does not know, or knows without training data."""
    cold = np.zeros(len(numbers.user), bool)
    for side in SIDES:
        empty = np.append(adjacency[side].degree == 0, True)  # number -1 takes the last
        cold |= empty[numbers[side]]
    return cold


def _notes(
    trained: NDArray[np.bool_], cold: NDArray[np.bool_], kept: Pair[Numbers], adjacency: Pair[Adjacency]
) -> tuple[str, ...]:
    counted = [
        (trained, "are in the training data and were left out"),
        (cold, "are of users or items without training data and were left out"),
    ]
    for side in SIDES:
        empty = np.append(adjacency[side].degree == 0, False)  # number -1 takes the last
        counted += [
            (
                kept[side] < 0,
                f"are of {side}s the model has never seen: missed where they are ranked, left out where they are "
                f"asked for",
            ),
            (
                empty[kept[side]],
                f"are of {side}s without training data: asked and ranked like the rest; warm leaves them out",
            ),
        ]
    return tuple(f"{int(mask.sum())} of {len(mask)} test events {what}" for mask, what in counted if mask.any())


def _any_item(by_user: Adjacency, users: Numbers, rng: np.random.Generator) -> Numbers:
    """Return, per event, one training item of its user, always the same for one user."""
    sizes = by_user.degree
    places = by_user.starts[:-1] + (rng.random(len(by_user)) * sizes).astype(np.int64)
    items = np.append(by_user.numbers, 0)[places].astype(np.int64)
    chosen: Numbers = np.where((users >= 0) & (sizes[users] > 0), items[users], -1)
    return chosen


def _latest_item(
    ids: Pair[IdMap],
    train: Interactions,
    train_times: Numbers,
    users: Numbers,
    times: Numbers,
    rng: np.random.Generator,
) -> Numbers:
    """Return, per event, the user's training item at the latest time not after it; ties in time at random."""
    owner = _translate(train.ids.user, ids.user)[train.users]
    items = np.append(_translate(train.ids.item, ids.item)[train.items], np.full(len(users), -1))
    owner = np.append(owner, users)
    is_event = np.arange(len(owner)) >= len(train)
    chance = rng.permutation(len(owner))
    order = np.lexsort((chance, is_event, np.append(train_times, times), owner))
    # walking in time, the last training interaction passed is the recent one, if it is of the same user
    last = np.maximum.accumulate(np.where(is_event[order], 0, np.arange(len(order))))
    recent = np.where(owner[order[last]] == owner[order], items[order[last]], -1)
    found = np.empty_like(recent)
    found[order] = recent
    return np.where(users >= 0, found[len(train) :], -1)


def _across(name: str) -> Callable[[HeldOutEvents], Task]:
    direction = DIRECTIONS[name]

    def make(events: HeldOutEvents) -> Task:
        queries, relevant, notes = _group(
            events,
            events.numbers[direction.query],
            events.numbers[direction.target],
            f"whose {direction.query} the model knows",
        )
        masks = {"plain": Adjacency.empty(len(queries)), "unseen": events.adjacency[direction.query].take(queries)}
        segments = _segments(events.adjacency[direction.query], queries) if name in SEGMENTED else np.zeros(0, np.str_)
        return Task(queries, relevant, masks, len(events.adjacency[direction.target]), segments, notes)

    return make


def _item2item(events: HeldOutEvents) -> Task:
    n_items = len(events.adjacency.item)
    # one query per user and recent item: what the user took next, before the next training item
    keys = np.where(events.recent >= 0, events.numbers.user * n_items + events.recent, -1)
    queries, relevant, notes = _group(events, keys, events.numbers.item, "whose user has a training item before it")
    left_out = int((keys < 0).sum())
    if left_out:
        note = f"{left_out} of {len(keys)} events are left out: their user has no training item, or none before them"
        notes = (note, *notes)
    users, items = queries // n_items, queries % n_items
    masks = {"plain": Adjacency(np.arange(len(items) + 1), items), "unseen": events.adjacency.user.take(users)}
    return Task(items, relevant, masks, n_items, notes=notes)


def _user2user(events: HeldOutEvents) -> Task:
    """Neighbours are users, who are all scored, but what is judged is the items they vote for."""
    return replace(_across("user2item")(events), width=len(events.adjacency.user))


SEGMENTED = frozenset({"item2user"})

QUESTIONS: Mapping[str, str] = {
    "user2item": "does a user's list hold the items held out for that user",
    "item2item": "do the neighbours of {recent} hold what that user takes next",
    "user2user": "do the votes of the {neighbours} nearest users find the items held out for a user",
    "item2user": "does an item's list hold the users held out for that item",
}

TASKS: Mapping[str, Callable[[HeldOutEvents], Task]] = {
    "user2item": _across("user2item"),
    "item2item": _item2item,
    "user2user": _user2user,
    "item2user": _across("item2user"),
}


def _group(
    events: HeldOutEvents, keys: Numbers, values: Numbers, measurable: str
) -> tuple[Numbers, Adjacency, tuple[str, ...]]:
    """Return the distinct known keys in ascending order, or a sample of them, the values of each, and what is said.

    ``measurable`` says of which events a key is known.
    """
    known = keys >= 0
    if not known.any():
        raise UnmeasurableError(f"there is no held-out event {measurable}")
    queries = np.unique(keys[known])
    notes: tuple[str, ...] = ()
    if len(queries) > events.max_queries:
        notes = (f"a random {events.max_queries} of {len(queries)} queries are asked",)
        rng = np.random.default_rng(events.seed)
        queries = np.sort(rng.choice(queries, events.max_queries, replace=False))
        known &= np.isin(keys, queries)
    keys, values = keys[known], values[known]
    order = np.argsort(keys, kind="stable")
    counts = np.unique(keys, return_counts=True)[1]
    return queries, Adjacency(np.concatenate([[0], np.cumsum(counts)]), values[order]), notes


def _segments(adjacency: Adjacency, queries: Numbers) -> NDArray[np.str_]:
    """Name the third of the queries, by training degree, that each one belongs to; equal degrees stay together."""
    degree = adjacency.degree[queries]
    limits = np.quantile(degree, [1 / 3, 2 / 3])
    return np.array(SEGMENTS)[np.searchsorted(limits, degree, "left")]


def match_parts(
    train: Interactions, test: Interactions, *, max_queries: int, seed: int = 42, warm: bool = False
) -> HeldOutEvents:
    """Match two parts of a split, without a model; `TASKS` makes of it what a direction is judged by."""
    return match(train.ids, train.adjacency, test, warm=warm, max_queries=max_queries, seed=seed)
