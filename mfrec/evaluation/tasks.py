"""What each direction is asked and judged by, from one split."""

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
class Held:
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


def hold(
    ids: Pair[IdMap],
    adjacency: Pair[Adjacency],
    test: Interactions,
    train: Interactions | None = None,
    *,
    warm: bool = False,
    max_queries: int = 20_000,
    seed: int = 42,
) -> Held:
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
    return Held(kept, adjacency, recent, how, _notes(trained, cold & warm, kept, adjacency), max_queries, seed)


def _translate(given: IdMap, ids: IdMap) -> Numbers:
    """Return the model's number of each of the test part's numbers, -1 where it knows none."""
    if given.kind != ids.kind:
        raise DataError(f"{given.side} ids of the test part are of type {given.kind}, the model's of type {ids.kind}")
    keys = given.values if isinstance(given.values, np.ndarray) else list(given)
    return ids.find(keys)


def _is_known(by_user: Adjacency, numbers: Pair[Numbers], n_items: int) -> NDArray[np.bool_]:
    users = np.repeat(np.arange(len(by_user)), np.diff(by_user.starts))
    known = users * n_items + by_user.numbers
    both = (numbers.user >= 0) & (numbers.item >= 0)
    found: NDArray[np.bool_] = both & np.isin(numbers.user * n_items + numbers.item, known)
    return found


def _is_cold(adjacency: Pair[Adjacency], numbers: Pair[Numbers]) -> NDArray[np.bool_]:
    """Mark the events whose user or item the model does not know, or knows without training data."""
    cold = np.zeros(len(numbers.user), bool)
    for side in SIDES:
        empty = np.append(np.diff(adjacency[side].starts) == 0, True)  # number -1 takes the last
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
        empty = np.append(np.diff(adjacency[side].starts) == 0, False)  # number -1 takes the last
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
    sizes = np.diff(by_user.starts)
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


def _across(name: str) -> Callable[[Held], Task]:
    direction = DIRECTIONS[name]

    def make(held: Held) -> Task:
        queries, relevant, notes = _group(
            held,
            held.numbers[direction.query],
            held.numbers[direction.target],
            f"whose {direction.query} the model knows",
        )
        masks = {"plain": _no_rows(len(queries)), "unseen": _rows(held.adjacency[direction.query], queries)}
        segments = _segments(held.adjacency[direction.query], queries) if name in SEGMENTED else np.zeros(0, np.str_)
        return Task(queries, relevant, masks, len(held.adjacency[direction.target]), segments, notes)

    return make


def _item2item(held: Held) -> Task:
    n_items = len(held.adjacency.item)
    # one query per user and recent item: what the user took next, before the next training item
    keys = np.where(held.recent >= 0, held.numbers.user * n_items + held.recent, -1)
    asked, relevant, notes = _group(held, keys, held.numbers.item, "whose user has a training item before it")
    left_out = int((keys < 0).sum())
    if left_out:
        told = f"{left_out} of {len(keys)} events are left out: their user has no training item, or none before them"
        notes = (told, *notes)
    users, items = asked // n_items, asked % n_items
    masks = {"plain": Adjacency(np.arange(len(items) + 1), items), "unseen": _rows(held.adjacency.user, users)}
    return Task(items, relevant, masks, n_items, notes=notes)


def _user2user(held: Held) -> Task:
    """Neighbours are users, who are all scored, but what is judged is the items they vote for."""
    return replace(_across("user2item")(held), width=len(held.adjacency.user))


SEGMENTED = frozenset({"item2user"})

QUESTIONS: Mapping[str, str] = {
    "user2item": "does a user's list hold the items held out for that user",
    "item2item": "do the neighbours of {recent} hold what that user takes next",
    "user2user": "do the votes of the {neighbours} nearest users find the items held out for a user",
    "item2user": "does an item's list hold the users held out for that item",
}

TASKS: Mapping[str, Callable[[Held], Task]] = {
    "user2item": _across("user2item"),
    "item2item": _item2item,
    "user2user": _user2user,
    "item2user": _across("item2user"),
}


def _group(held: Held, keys: Numbers, values: Numbers, measurable: str) -> tuple[Numbers, Adjacency, tuple[str, ...]]:
    """Return the distinct known keys in ascending order, or a sample of them, the values of each, and what is said.

    ``measurable`` says of which events a key is known.
    """
    known = keys >= 0
    if not known.any():
        raise UnmeasurableError(f"there is no held-out event {measurable}")
    queries = np.unique(keys[known])
    notes: tuple[str, ...] = ()
    if len(queries) > held.max_queries:
        notes = (f"a random {held.max_queries} of {len(queries)} queries are asked",)
        rng = np.random.default_rng(held.seed)
        queries = np.sort(rng.choice(queries, held.max_queries, replace=False))
        known &= np.isin(keys, queries)
    keys, values = keys[known], values[known]
    order = np.argsort(keys, kind="stable")
    counts = np.unique(keys, return_counts=True)[1]
    return queries, Adjacency(np.concatenate([[0], np.cumsum(counts)]), values[order]), notes


def _no_rows(count: int) -> Adjacency:
    return Adjacency(np.zeros(count + 1, np.int64), np.zeros(0, np.int64))


def _rows(adjacency: Adjacency, numbers: Numbers) -> Adjacency:
    """Return the rows of some numbers as an adjacency of their own."""
    sizes = np.diff(adjacency.starts)[numbers]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    places = np.arange(starts[-1]) + np.repeat(adjacency.starts[numbers] - starts[:-1], sizes)
    return Adjacency(starts, adjacency.numbers[places])


def _segments(adjacency: Adjacency, queries: Numbers) -> NDArray[np.str_]:
    """Name the third of the queries, by training degree, that each one belongs to; equal degrees stay together."""
    degree = np.diff(adjacency.starts)[queries]
    limits = np.quantile(degree, [1 / 3, 2 / 3])
    return np.array(SEGMENTS)[np.searchsorted(limits, degree, "left")]
