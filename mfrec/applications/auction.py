"""Users and items of limited units: the assignment of highest total score by auction, and greedy.

Users bid for the items that are worth most to them at the present prices, an item with more bids than units keeps the
highest, and its price is the lowest bid that it keeps (Bertsekas' auction for transportation problems). Prices start at
0 and only rise. So a user needs but a short list of items, and a new one only when everything on it has become dearer
than what was left out: never the whole matrix of scores. In the end nobody is more than one step of the auction away
from the best that the prices allow, and by duality the prices bound what any assignment could reach.

Greedy is the same with scores for bids: it takes pairs by descending score.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import NOTHING, Matrix, Numbers, Values, Vector
from mfrec.model.adjacency import Adjacency

# items on a user's list, at least
LISTED = 32
# lists are made for so many users at once; float32 scores of one block: 16 MiB
BLOCK = 4096
BLOCK_VALUES = 4 * 2**20
# a step of the auction, as a part of the mean score of an assignment: what the total may lose per pair
STEP = 0.005
# a round waits until one of so many users bids, as long as there are some
CROWD = 16
# after so many rounds the step doubles, so that equal users who outbid each other come to an end
PATIENCE = 5000
# values of one step of the scores of pairs, float64: 16 MiB
PAIR_VALUES = 2 * 2**20
# so many passes over a row cost less than sorting it
_FEW = 6


@dataclass(frozen=True, eq=False)
class Market:
    """Who may be assigned what; users and items are numbered by their rows here.

    Parameters
    ----------
    users, items
        float32 vectors; the score of a pair is their inner product.
    offsets
        float32, what is subtracted from every score of an item.
    excluded
        Per user, the items that must not be assigned.
    units
        How many users an item may be assigned to, at least 1.
    per_user
        How many items a user may get.
    min_score
        What a pair must reach; it must be above 0 in any case.
    """

    users: Matrix
    items: Matrix
    offsets: Vector
    excluded: Adjacency
    units: Numbers
    per_user: int
    min_score: float = 0.0

    def scores(self, rows: Numbers) -> Matrix:
        """Return the scores of some users for every item, -inf where a pair must not be assigned."""
        scores = self.users[rows] @ self.items.T
        scores -= self.offsets
        scores[(scores <= 0) | (scores < self.min_score)] = -np.inf
        own = self.excluded.take(rows)
        scores[np.repeat(np.arange(len(rows)), own.degree), own.numbers] = -np.inf
        return scores

    def pair_scores(self, users: Numbers, items: Numbers) -> Values:
        """Return the scores of some pairs, as sums in float64."""
        scores, step = np.empty(len(users)), max(1, PAIR_VALUES // max(1, self.items.shape[1]))
        for first in range(0, len(users), step):
            part = slice(first, first + step)
            rows = self.users[users[part]].astype(np.float64)
            scores[part] = np.einsum("ij,ij->i", rows, self.items[items[part]].astype(np.float64))
        scores -= self.offsets[items]
        return scores

    def blocks(self) -> Iterator[Numbers]:
        """Yield the rows of all users, block after block."""
        step = self.block
        for first in range(0, len(self.users), step):
            yield np.arange(first, min(first + step, len(self.users)))

    @property
    def block(self) -> int:
        """How many users are scored at once."""
        return max(1, min(BLOCK, BLOCK_VALUES // max(1, len(self.items))))


@dataclass(frozen=True, eq=False)
class Match:
    """Pairs of rows of a market with their scores, ascending by user, then item.

    ``prices`` are what the last unit of each item went for, 0 where units are left.
    """

    users: Numbers
    items: Numbers
    scores: Values
    prices: Values

    @property
    def total(self) -> float:
        """The sum of the scores."""
        return float(self.scores.sum())


def greedy(market: Market) -> Match:
    """Take pairs by descending score, as far as units and users allow."""
    return _Matching(market, None).run()


def auction(market: Market, step: float) -> Match:
    """Return an assignment whose total is at most two steps per pair below the highest there is."""
    return _Matching(market, step).run()


def bound(market: Market, prices: Values) -> float:
    """Return what no assignment exceeds, given prices of at least 0: every pair is looked at.

    Whoever is assigned a pair of score s gains s minus the price; no user gains more than by the best items at these
    prices, and no item brings more than its price for every unit.
    """
    dear, best = prices.astype(np.float32), market.per_user
    # of what was rounded for the gains, so that any rounding leaves a bound; a user takes one unit at most
    total = float(np.minimum(market.units, len(market.users)) @ dear.astype(np.float64))
    for rows in market.blocks():
        gains = market.scores(rows)
        gains -= dear
        np.maximum(gains, 0, out=gains)
        if best < gains.shape[1]:
            gains = np.partition(gains, -best, axis=1)[:, -best:] if best > 1 else gains.max(axis=1, keepdims=True)
        total += float(gains.sum(dtype=np.float64))
    return total


class _Matching:
    """The state of an auction, or of greedy where there is no step.

    Every user has a list of items (``items``, ``scores``, ``held``: what is assigned), and ``guard`` is at least what
    any item that is not on it is worth. What is assigned stands in the flat arrays ``users``, ``taken`` and ``bids``.
    """

    def __init__(self, market: Market, step: float | None) -> None:
        n, m = len(market.users), len(market.items)
        self.market, self.step = market, step
        self.units = np.minimum(market.units, n)
        self.per_user = min(market.per_user, m)
        width = min(m, max(LISTED, 4 * self.per_user))
        self.items = np.zeros((n, width), np.int32)
        self.scores = np.full((n, width), -np.inf)
        self.held = np.zeros((n, width), bool)
        self.guard = np.full(n, np.inf)
        self.need = np.full(n, self.per_user)
        self.prices = np.zeros(m)
        self.users, self.taken, self.bids = NOTHING, NOTHING, np.zeros(0)
        self.random = np.random.default_rng(0)

    def run(self) -> Match:
        """Let users bid until nobody wants more at the prices."""
        market, rounds = self.market, 0
        # the prices rise early where the first users are like all
        waiting = self.random.permutation(len(market.users))
        # a round costs something for everybody who holds an item, so that many should bid
        enough = max(market.block // 4, len(market.users) // CROWD)
        active, waits = NOTHING, np.ones(len(waiting), bool)
        while len(active) or len(waiting):
            while len(active) < enough and len(waiting):
                fresh, waiting = waiting[: market.block], waiting[market.block :]
                self._list(fresh)
                waits[fresh] = False
                active = np.concatenate([active, fresh])
            active, stale = self._round(active)
            waits[stale] = True
            waiting = np.concatenate([waiting, stale])
            # who lost a unit while waiting bids with the new list
            active = active[~waits[active]]
            rounds += 1
            if self.step is not None and rounds % PATIENCE == 0:
                self.step *= 2
        row, place = np.nonzero(self.held)
        items = self.items[row, place].astype(np.int64)
        order = np.lexsort((items, row))
        row, items = row[order], items[order]
        return Match(row, items, market.pair_scores(row, items), self.prices)

    def _worth(self, scores: NDArray[np.floating], prices: Values) -> NDArray[np.floating]:
        """Return what items are worth to users at their prices; greedy asks only whether a score beats the last."""
        return np.where(scores > prices, scores, -np.inf) if self.step is None else scores - prices

    def _list(self, rows: Numbers) -> None:
        """Give users new lists: what they hold, and the items that are worth most to them now."""
        scores = self.market.scores(rows)
        if self.step is not None:
            # users who are equal would all bid for the same item, round after round
            scores += np.float32(self.step / 2) * self.random.random(scores.shape, np.float32)
        width, m = self.items.shape[1], scores.shape[1]
        worth = self._worth(scores, self.prices.astype(np.float32))
        holder, place = np.nonzero(self.held[rows])
        own = self.items[rows[holder], place]
        worth[holder, own] = np.inf
        self.guard[rows] = 0.0
        if width < m:
            order = np.argpartition(-worth, width, axis=1)
            self.guard[rows] = np.maximum(0.0, worth[np.arange(len(rows)), order[:, width]])
            listed = np.sort(order[:, :width], axis=1)
        else:
            listed = np.tile(np.arange(m), (len(rows), 1))
        self.items[rows] = listed
        self.scores[rows] = np.take_along_axis(scores, listed, axis=1)
        held = np.zeros_like(worth, bool)
        held[holder, own] = True
        self.held[rows] = np.take_along_axis(held, listed, axis=1)

    def _round(self, active: Numbers) -> tuple[Numbers, Numbers]:
        """Let the active users bid; return who is active next, and who needs a new list."""
        listed = self.items[active]
        worth = self._worth(self.scores[active], self.prices[listed])
        worth[self.held[active]] = -np.inf
        places, worth = _highest(worth, self.per_user + 1)
        need, guard = self.need[active], self.guard[active]
        wanted = np.arange(places.shape[1]) < need[:, None]
        # next after what is wanted; with everything wanted, or no items at all, nothing is next
        after = np.where(wanted, -np.inf, worth).max(axis=1, initial=-np.inf)
        bidding = wanted & (worth > 0) & (worth >= guard[:, None])
        idle = ~bidding.any(axis=1)
        stale = active[idle & (guard > 0)]
        row, column = np.nonzero(bidding)
        users, places, worth = active[row], places[row, column], worth[row, column]
        items = listed[row, places].astype(np.int64)
        if self.step is None:
            bids = worth.astype(np.float64)
        else:
            bids = self.prices[items] + worth - np.maximum(np.maximum(after, guard), 0.0)[row] + self.step
        self.held[users, places] = True
        np.subtract.at(self.need, users, 1)
        evicted = self._accept(users, items, bids)
        candidates = np.concatenate([active[~idle], evicted])
        return np.unique(candidates[self.need[candidates] > 0]), stale

    def _accept(self, users: Numbers, items: Numbers, bids: Values) -> Numbers:
        """Add bids, keep the highest of every item, raise its price; return who lost a unit."""
        self.users, self.taken = np.concatenate([self.users, users]), np.concatenate([self.taken, items])
        self.bids = np.concatenate([self.bids, bids])
        count = np.bincount(self.taken, minlength=len(self.units))
        full = count >= self.units
        full &= np.bincount(items, minlength=len(self.units)) > 0
        among = np.flatnonzero(full[self.taken])
        if not len(among):
            return NOTHING
        among = among[np.argsort(-self.bids[among], kind="stable")]
        # small integers are sorted in linear time
        small = np.uint16 if len(self.units) <= 2**16 else np.int64
        among = among[np.argsort(self.taken[among].astype(small), kind="stable")]
        taken = self.taken[among]
        place = np.arange(len(among)) - np.searchsorted(taken, taken)
        last = place == self.units[taken] - 1
        self.prices[taken[last]] = self.bids[among[last]]
        out = among[place >= self.units[taken]]
        losers, lost = self.users[out], self.taken[out]
        # a user may lose several at once
        self.held[losers, (self.items[losers] == lost[:, None]).argmax(axis=1)] = False
        np.add.at(self.need, losers, 1)
        keep = np.ones(len(self.users), bool)
        keep[out] = False
        self.users, self.taken, self.bids = self.users[keep], self.taken[keep], self.bids[keep]
        return losers


def _highest(values: NDArray[np.floating], k: int) -> tuple[Numbers, NDArray[np.floating]]:
    """Return columns and values of the k highest of each row, highest first, ties by column."""
    if k > _FEW:
        columns = np.argsort(-values, axis=1, kind="stable")[:, :k]
        return columns, np.take_along_axis(values, columns, axis=1)
    rows, left = np.arange(len(values)), values.copy()
    columns = np.empty((len(values), min(k, values.shape[1])), np.int64)
    best = np.empty(columns.shape, values.dtype)
    for place in range(columns.shape[1]):
        columns[:, place] = left.argmax(axis=1)
        # where all of a row is taken, a column comes again, but with -inf
        best[:, place] = left[rows, columns[:, place]]
        left[rows, columns[:, place]] = -np.inf
    return columns, best
