"""Limited stock: who is offered what, so that no item exceeds its units and the total score is highest."""

from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mfrec.applications import auction as market_side
from mfrec.applications.auction import Market, Match
from mfrec.applications.exchange import improve
from mfrec.arrays import ROUNDING, Matrix, Numbers, Vector
from mfrec.errors import DataError, ParameterError, check_integer
from mfrec.model.adjacency import Adjacency
from mfrec.model.allocation import Allocation, Outcome, Stock
from mfrec.model.ids import Id, IdMap
from mfrec.model.recommender import Recommender, check_min_score

Score = Literal["dot", "lift"]

# up to so many items, and pairs of a user and an item, the optimum itself is looked for
EXACT_ITEMS = 50
EXACT_PAIRS = 250_000
# a larger gap is tried again with smaller steps; three times in all
GAP = 0.01
_TRIES = 3


def allocate(
    model: Recommender,
    stock: Stock,
    *,
    per_user: int = 1,
    users: Iterable[Id] | None = None,
    exclude_seen: bool = True,
    min_score: float | None = None,
    score: Score = "dot",
) -> Allocation:
    """Offer items of limited stock to users, so that the total score is highest.

    The gap to the highest total is proved: it is 0 up to 50 items and 250,000 pairs of a user and an item, and
    otherwise some thousandths; above 1 % the steps of the auction are made smaller. Pairs that score 0 or less are
    never offered, and items of 0 units play no part but stand in ``left``.

    Parameters
    ----------
    model
        A fitted model.
    stock
        Units per item, 0 or more: a dict, a pandas Series or whatever else has ``items()``, or pairs of an item and its
        units.
    per_user
        How many items a user gets at most.
    users
        Who may be offered something; everybody where not given.
    exclude_seen
        Never offer a user what they have interacted with.
    min_score
        Offer only what scores at least this.
    score
        ``"dot"``, the score of user2item and item2user, or ``"lift"``, that minus the item's mean over all users. A
        score says which user an item suits better, but compares different items only roughly: much of it is their
        popularity, which the lift takes away.

    Raises
    ------
    DataError
        For a stock that is neither, a stock or users without entries, and for a repeated item.
    UnknownIdError
        For an item or a user that the model does not know.
    ParameterError
        For units that are no integers of at least 0, and other parameters out of their range.
    """
    check_integer("per_user", per_user, 1)
    check_min_score(min_score)
    if not isinstance(exclude_seen, bool | np.bool_):
        raise ParameterError(f"exclude_seen must be True or False, got {exclude_seen!r}")
    if score not in get_args(Score):
        raise ParameterError(f"unknown score {score!r}: choose {' or '.join(get_args(Score))}")
    items, units = _stock(model.ids.item, stock)
    rows = np.arange(len(model.ids.user)) if users is None else np.unique(model.ids.user.numbers(users))
    if not len(rows):
        raise DataError("there are no users to allocate to")
    # what nobody can have must not count for the bound
    given = np.flatnonzero(units)
    vectors = model.factors.item[items[given]]
    market = Market(
        users=model.factors.user if users is None else model.factors.user[rows],
        items=vectors,
        offsets=_means(model.factors.user, vectors) if score == "lift" else np.zeros(len(given), np.float32),
        excluded=_seen(model.adjacency.item, items[given], rows) if exclude_seen else Adjacency.empty(len(rows)),
        units=units[given],
        per_user=min(per_user, len(given)),
        min_score=0.0 if min_score is None else min_score,
    )
    greedy, best, bound = _solved(market)
    scores, taken = best.scores.astype(np.float32), given[best.items]
    order = np.lexsort((taken, -scores, best.users))
    total = best.total
    names = model.ids.item.ids(items)
    left = units - np.bincount(taken, minlength=len(items))
    return Allocation(
        users=_ids(model.ids.user, rows[best.users[order]]),
        items=_ids(model.ids.item, items[taken[order]]),
        scores=scores[order],
        total=total,
        bound=max(bound, total),
        # scores are float32: what is nearer than their rounding is the highest
        gap=0.0 if bound - total <= ROUNDING * bound else (bound - total) / bound,
        left=dict(zip(names, left.tolist(), strict=True)),
        reached=len(np.unique(best.users)),
        greedy=Outcome(
            greedy.total,
            len(np.unique(greedy.users)),
            int(units.sum()) - len(greedy.users),
        ),
    )


def _solved(market: Market) -> tuple[Match, Match, float]:
    """Return greedy's assignment, the best one found, and the bound on the total."""
    greedy = market_side.greedy(market)
    if not len(greedy.users):
        return greedy, greedy, 0.0
    n, m = len(market.users), len(market.items)
    step = market_side.STEP * greedy.total / len(greedy.users)
    for _ in range(_TRIES):
        found = market_side.auction(market, step)
        if m <= EXACT_ITEMS and n * m <= EXACT_PAIRS:
            found = _improved(market, found)
        bound = market_side.bound(market, found.prices)
        best = max(found, greedy, key=lambda match: match.total)
        if bound - best.total <= GAP * bound:
            break
        step /= 4
    return greedy, best, bound


def _improved(market: Market, near: Match) -> Match:
    """Return the best assignment of a small market, from one near it."""
    scores = market.scores(np.arange(len(market.users)))
    given = np.zeros(scores.shape, bool)
    given[near.users, near.items] = True
    held, prices = improve(scores, market.units, market.per_user, given, near.prices)
    users, items = np.nonzero(held)
    return Match(users, items, market.pair_scores(users, items), prices)


def _stock(ids: IdMap, stock: Stock) -> tuple[Numbers, Numbers]:
    """Return the items of a stock, ascending, and their units."""
    pairs = _pairs(stock)
    if not pairs:
        raise DataError("the stock has no items: give units per item, as {item: units}")
    items = ids.numbers([item for item, _ in pairs])
    units = np.array([check_integer(f"the units of item {item!r}", count, 0) for item, count in pairs], np.int64)
    order = np.argsort(items, kind="stable")
    twice = np.flatnonzero(np.diff(items[order]) == 0)
    if len(twice):
        item = ids.id(int(items[order][twice[0]]))
        first, second = units[order][twice[0] : twice[0] + 2].tolist()
        raise DataError(f"the stock has item {item!r} twice, with {first} and {second} units: give it once")
    return items[order], units[order]


def _pairs(stock: Any) -> list[tuple[Id, Any]]:
    """Return pairs of an item and its units; DataError for what holds none."""
    if hasattr(stock, "columns"):
        raise DataError("the stock is a table: give two of its columns, as in zip(table['item'], table['units'])")
    items = getattr(stock, "items", None)
    entries = items() if callable(items) else stock
    got = type(stock).__name__
    if isinstance(entries, Iterable) and not isinstance(entries, str | bytes):
        pairs = list(entries)
        odd = [one for one in pairs if isinstance(one, str | bytes) or not hasattr(one, "__len__") or len(one) != 2]
        if not odd:
            return [(item, units) for item, units in pairs]
        got += f" with an entry of type {type(odd[0]).__name__}"
    raise DataError(f"the stock must be {{item: units}}, or pairs of an item and its units, got {got}")


def _seen(adjacency: Adjacency, items: Numbers, rows: Numbers) -> Adjacency:
    """Return, per row of the users, the columns of the items that they have interacted with."""
    own = adjacency.take(items)
    columns, users = np.repeat(np.arange(len(items)), own.degree), own.numbers.astype(np.int64)
    place = np.minimum(np.searchsorted(rows, users), len(rows) - 1)
    known = rows[place] == users
    place, columns = place[known], columns[known]
    starts = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(rows)))])
    return Adjacency(starts, columns[np.argsort(place, kind="stable")])


def _means(users: Matrix, items: Matrix) -> Vector:
    """Return each item's mean score over all users."""
    means: Vector = (items.astype(np.float64) @ users.mean(axis=0, dtype=np.float64)).astype(np.float32)
    return means


def _ids(ids: IdMap, numbers: Numbers) -> NDArray[Any]:
    return np.array(ids.ids(numbers), np.int64 if ids.kind == "int" else object)
