"""What each direction is asked and judged by, from one split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import DIRECTIONS, SIDES, Pair
from mfrec.errors import DataError
from mfrec.evaluation.ranking import Numbers, Task
from mfrec.ids import IdMap
from mfrec.interactions import Interactions
from mfrec.links import Links

SEGMENTS = ("tail", "mid", "head")


@dataclass(frozen=True, eq=False)
class Held:
    """The held-out events by the model's numbers (-1 where it does not know the id), and what went in.

    Parameters
    ----------
    numbers
        int64, one per event and side.
    links
        The training data.
    recent
        Per user, the number of the item it touched last in training; -1 where it touched none.
    recent_is
        How that item was chosen, for people to read.
    notes
        What was left out.
    """

    numbers: Pair[Numbers]
    links: Pair[Links]
    recent: Numbers
    recent_is: str
    notes: tuple[str, ...]


def hold(
    ids: Pair[IdMap], links: Pair[Links], test: Interactions, train: Interactions | None = None, seed: int = 42
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
    trained = _is_linked(links.user, numbers, len(ids.item))
    if trained.all():
        raise DataError(f"nothing of {test!r} is new to the model: fit it on the training part alone")
    kept = Pair.of(lambda side: numbers[side][~trained])
    recent, how = _recent(ids, links.user, train, seed)
    return Held(kept, links, recent, how, _notes(trained, kept))


def _translate(given: IdMap, ids: IdMap) -> Numbers:
    """Return the model's number of each of the test part's numbers, -1 where it knows none."""
    if given.kind != ids.kind:
        raise DataError(f"{given.side} ids of the test part are of type {given.kind}, the model's of type {ids.kind}")
    keys = given.values if isinstance(given.values, np.ndarray) else list(given)
    return ids.find(keys)


def _is_linked(by_user: Links, numbers: Pair[Numbers], n_items: int) -> NDArray[np.bool_]:
    users = np.repeat(np.arange(len(by_user)), np.diff(by_user.starts))
    linked = users * n_items + by_user.numbers
    both = (numbers.user >= 0) & (numbers.item >= 0)
    found: NDArray[np.bool_] = both & np.isin(numbers.user * n_items + numbers.item, linked)
    return found


def _notes(trained: NDArray[np.bool_], kept: Pair[Numbers]) -> tuple[str, ...]:
    notes = [f"{int(trained.sum())} of {len(trained)} test events are in the training data and were left out"]
    for side in SIDES:
        unknown = int((kept[side] < 0).sum())
        notes.append(
            f"{unknown} of {len(kept[side])} test events are of {side}s the model has never seen: missed where "
            f"they are ranked, left out where they are asked for"
        )
    return tuple(note for note in notes if not note.startswith("0 "))


def _recent(ids: Pair[IdMap], by_user: Links, train: Interactions | None, seed: int) -> tuple[Numbers, str]:
    """Return each user's last training item by time, or a random one where no times are known."""
    users = np.repeat(np.arange(len(by_user), dtype=np.int64), np.diff(by_user.starts))
    items = by_user.numbers.astype(np.int64)
    when, how = np.zeros(len(users), np.int64), "a random training item of the user (no times are known)"
    if train is not None and train.times is not None:
        users = _translate(train.ids.user, ids.user)[train.users]
        items = _translate(train.ids.item, ids.item)[train.items]
        known = (users >= 0) & (items >= 0)
        users, items, when = users[known], items[known], train.times[known]
        how = "the user's last training item by time"
    chance = np.random.default_rng(seed).permutation(len(users))
    # the last one written stays
    order = np.lexsort((chance, when))
    recent = np.full(len(by_user), -1, np.int64)
    recent[users[order]] = items[order]
    return recent, how


def _across(name: str) -> Callable[[Held], Task]:
    row = DIRECTIONS[name]

    def make(held: Held) -> Task:
        queries, relevant = _group(held.numbers[row.query], held.numbers[row.target])
        nothing = _rows(held.links[row.query], np.zeros(0, np.int64), len(queries))
        masks = {"plain": nothing, "unseen": _rows(held.links[row.query], queries)}
        segments = _segments(held.links[row.query], queries) if name in SEGMENTED else np.zeros(0, np.str_)
        return Task(queries, relevant, masks, row.target, len(held.links[row.target]), segments)

    return make


def _item2item(held: Held) -> Task:
    asked = np.where(held.numbers.user >= 0, held.recent[held.numbers.user], -1) >= 0
    users, relevant = _group(held.numbers.user[asked], held.numbers.item[asked])
    own = Links(np.arange(len(users) + 1), held.recent[users])
    masks = {"plain": own, "unseen": _rows(held.links.user, users)}
    return Task(held.recent[users], relevant, masks, "item", len(held.links.item))


SEGMENTED = frozenset({"item2user"})

QUESTIONS: Mapping[str, str] = {
    "user2item": "does a user's list hold the items held out for that user",
    "item2item": "do the neighbours of {recent} hold the items held out for that user",
    "user2user": "do the votes of the {neighbours} nearest users find the items held out for a user",
    "item2user": "does an item's list hold the users held out for that item",
}

TASKS: Mapping[str, Callable[[Held], Task]] = {
    "user2item": _across("user2item"),
    "item2item": _item2item,
    # neighbours are users, but what is judged is the items they vote for
    "user2user": _across("user2item"),
    "item2user": _across("item2user"),
}


def _group(keys: Numbers, values: Numbers) -> tuple[Numbers, Links]:
    """Return the distinct known keys in ascending order, and the values of each."""
    known = keys >= 0
    keys, values = keys[known], values[known]
    if not len(keys):
        raise DataError("no held-out event is of a user and an item that the model knows")
    order = np.argsort(keys, kind="stable")
    queries, counts = np.unique(keys, return_counts=True)
    return queries, Links(np.concatenate([[0], np.cumsum(counts)]), values[order])


def _rows(links: Links, numbers: Numbers, empty: int = 0) -> Links:
    """Return the rows of some numbers as links of their own, or so many empty rows."""
    if not len(numbers):
        return Links(np.zeros(empty + 1, np.int64), np.zeros(0, np.int64))
    sizes = np.diff(links.starts)[numbers]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    places = np.arange(starts[-1]) + np.repeat(links.starts[numbers] - starts[:-1], sizes)
    return Links(starts, links.numbers[places])


def _segments(links: Links, queries: Numbers) -> NDArray[np.str_]:
    """Name the third of the queries, by training degree, that each one belongs to; equal degrees stay together."""
    degree = np.diff(links.starts)[queries]
    limits = np.quantile(degree, [1 / 3, 2 / 3])
    return np.array(SEGMENTS)[np.searchsorted(limits, degree, "left")]
