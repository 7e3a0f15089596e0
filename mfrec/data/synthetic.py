"""A sample with a known answer: users of a taste, items of a genre, and likes withheld on purpose.

Popularity and activity follow power laws, so that factor vectors get the skewed lengths of real data; that is
what makes the sample fit for tests of quality and for benchmarks of scale alike. `drifting` generates a world that
changes while one looks.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from mfrec.arrays import Numbers, Values
from mfrec.data.interactions import Interactions
from mfrec.directions import Pair
from mfrec.errors import ParameterError, check_integer
from mfrec.model.ids import IdMap
from mfrec.model.string_array import StringArray

GENRES = ("Action", "Comedy", "Crime", "Drama", "Fantasy", "Horror", "Musical", "Romance", "Thriller", "Western")

# the share of a user's interactions that are of the user's own taste
LOYALTY = 0.85
START = 1_500_000_000
YEAR = 365 * 24 * 3600
WEEK = 7 * 24 * 3600

# of a world that drifts: the share of users and items that are older than it, and the weeks until demand has halved
OLD, IN_DEMAND = 1 / 3, 6.0


@dataclass(frozen=True, eq=False)
class Sample:
    """Generated interactions and the truth behind them.

    Parameters
    ----------
    interactions
        What a model may see; ids are 1..n on both sides, labels name the genre.
    genre
        int64, by number: the taste of each user and the genre of each item, as positions in `GENRES`
        (modulo its length).
    withheld
        int64 of shape ``(m, 2)``: user and item numbers of likes that were taken out, one per user who has
        more than one like of the own taste. A good model ranks them high.
    """

    interactions: Interactions
    genre: Pair[Numbers]
    withheld: Numbers


def sample(
    n_users: int = 1000,
    n_items: int = 1500,
    n_interactions: int = 50_000,
    *,
    n_genres: int = 8,
    seed: int = 42,
) -> Sample:
    """Generate a sample; ten million interactions take seconds.

    Parameters
    ----------
    n_users, n_items
        How many of each; every user and every item gets at least one interaction.
    n_interactions
        How many distinct pairs, withheld ones not counted.
    n_genres
        How many groups of taste; at most ``n_items``.
    seed
        The same seed gives the same sample.

    Raises
    ------
    ParameterError
        When the sizes are not positive, or so many interactions do not fit the matrix.
    """
    _check(n_users, n_items, n_interactions, n_genres)
    rng = np.random.default_rng(seed)
    genre = Pair(rng.permutation(np.arange(n_users) % n_genres), rng.permutation(np.arange(n_items) % n_genres))
    keys = _draw_pairs(rng, genre, n_interactions + n_users)
    users, items = keys // n_items, keys % n_items
    withheld = _withhold(rng, users, items, genre)
    kept = _keep(rng, keys, withheld, n_interactions, n_items)
    return Sample(
        _interactions(rng, kept // n_items, kept % n_items, genre),
        genre,
        np.stack([users[withheld], items[withheld]], axis=1),
    )


def _check(n_users: int, n_items: int, n_interactions: int, n_genres: int) -> None:
    for name, value in (("n_users", n_users), ("n_items", n_items), ("n_genres", n_genres)):
        check_integer(name, value, 1)
    if n_genres > n_items:
        raise ParameterError(f"{n_genres} genres for {n_items} items: n_genres must be at most n_items")
    least, most = n_users + n_items, n_users * n_items // 4
    if not least <= n_interactions <= most:
        raise ParameterError(
            f"n_interactions must be from {least} (one per user and item) to {most} "
            f"(a quarter of the matrix), got {n_interactions}"
        )


def _draw_pairs(rng: np.random.Generator, genre: Pair[Numbers], count: int) -> Numbers:
    """Return ``count`` distinct pairs as ``user * n_items + item``, ascending; every user and item occurs."""
    n_users, n_items = len(genre.user), len(genre.item)
    every_user = np.arange(n_users) * n_items + _items_for(rng, genre, np.arange(n_users))
    every_item = rng.integers(n_users, size=n_items) * n_items + np.arange(n_items)
    keys = _distinct(np.concatenate([every_user, every_item]))
    activity = _power_law(rng, n_users, 0.7)
    while len(keys) < count:
        # popular pairs are drawn again and again, so ask for more than is missing
        users = np.repeat(np.arange(n_users), rng.multinomial(2 * (count - len(keys)) + 16, activity))
        keys = _distinct(np.concatenate([keys, users * n_items + _items_for(rng, genre, users)]))
    return keys


def _distinct(keys: Numbers) -> Numbers:
    ordered = np.sort(keys)
    distinct: Numbers = ordered[np.diff(ordered, prepend=-1) > 0]
    return distinct


def _items_for(rng: np.random.Generator, genre: Pair[Numbers], users: Numbers) -> Numbers:
    """Draw one item per user: mostly of the user's taste, within it by popularity."""
    n_genres = int(genre.item.max()) + 1
    loyal = rng.random(len(users)) < LOYALTY
    wanted = np.where(loyal, genre.user[users], rng.integers(n_genres, size=len(users)))
    by_genre = np.argsort(genre.item, kind="stable")
    starts = np.searchsorted(genre.item[by_genre], np.arange(n_genres + 1))
    sizes = np.diff(starts)[wanted]
    # inverse of a power law's distribution function: small places, the popular items, come up most
    places = (sizes * rng.random(len(users)) ** 2.5).astype(np.int64)
    items: Numbers = by_genre[starts[wanted] + np.minimum(places, sizes - 1)]
    return items


def _power_law(rng: np.random.Generator, count: int, exponent: float) -> Values:
    weights = (np.arange(count) + 5.0) ** -exponent
    return rng.permutation(weights / weights.sum())


def _withhold(rng: np.random.Generator, users: Numbers, items: Numbers, genre: Pair[Numbers]) -> Numbers:
    """Return the positions of one own-taste like per user, of users and items that keep another."""
    n_of_user, n_of_item = np.bincount(users), np.bincount(items)
    own = np.flatnonzero((genre.user[users] == genre.item[items]) & (n_of_user[users] > 1) & (n_of_item[items] > 1))
    starts = np.searchsorted(users[own], np.arange(len(n_of_user) + 1))
    sizes = np.diff(starts)
    chosen = own[(starts[:-1] + (sizes * rng.random(len(sizes))).astype(np.int64))[sizes > 0]]
    # an item may be withheld from several users as long as one like of it stays
    left = n_of_item - np.bincount(items[chosen], minlength=len(n_of_item))
    spared: Numbers = chosen[left[items[chosen]] > 0]
    return spared


def _keep(rng: np.random.Generator, keys: Numbers, withheld: Numbers, count: int, n_items: int) -> Numbers:
    """Drop the withheld pairs, and of the rest at random what is over ``count``; no row or column runs empty."""
    kept = np.delete(keys, withheld)
    places = np.arange(len(kept))
    needed = np.zeros(len(kept), bool)
    for numbers in (kept // n_items, kept % n_items):
        # of several writes to one place the last stands: some pair of every user and of every item
        keeper = np.full(int(numbers.max()) + 1, -1)
        keeper[numbers] = places
        needed[keeper[keeper >= 0]] = True
    spare = np.flatnonzero(~needed)
    surplus = min(len(kept) - count, len(spare))
    if surplus <= 0:
        return kept
    return np.delete(kept, rng.choice(spare, surplus, replace=False, shuffle=False))


def _interactions(
    rng: np.random.Generator,
    users: Numbers,
    items: Numbers,
    genre: Pair[Numbers],
) -> Interactions:
    shape = len(genre.user), len(genre.item)
    starts = np.searchsorted(users, np.arange(shape[0] + 1))
    matrix = csr_matrix((np.ones(len(users), np.float32), items.astype(np.int32), starts.astype(np.int32)), shape)
    ids = Pair(IdMap("user", np.arange(1, shape[0] + 1)), IdMap("item", np.arange(1, shape[1] + 1)))
    labels: Pair[StringArray | None] = Pair(
        StringArray.pack(f"{_name(g)} fan {i + 1}" for i, g in enumerate(genre.user.tolist())),
        StringArray.pack(f"{_name(g)} {i + 1}" for i, g in enumerate(genre.item.tolist())),
    )
    return Interactions(matrix, ids, labels, START + rng.integers(YEAR, size=len(users)))


def _name(genre: int) -> str:
    return GENRES[genre % len(GENRES)]


def drifting(
    n_users: int = 5000,
    n_items: int = 2500,
    n_interactions: int = 200_000,
    *,
    n_genres: int = 12,
    weeks: int = 52,
    seed: int = 42,
) -> Interactions:
    """Generate interactions of a world that drifts, with times.

    Items appear, are in demand for some weeks and fade; users join, are active for some months and leave; and
    every user changes taste once. What is popular, who is active and who likes what therefore depends on when.

    Parameters
    ----------
    n_users, n_items
        How many of each at most; those that nothing happens to are left out.
    n_interactions
        How many distinct pairs at most.
    n_genres
        How many groups of taste; at most ``n_items``.
    weeks
        How long it goes on.
    seed
        The same seed gives the same interactions.
    """
    for name, value in (("n_users", n_users), ("n_items", n_items), ("n_genres", n_genres), ("weeks", weeks)):
        check_integer(name, value, 1)
    check_integer("n_interactions", n_interactions, 1)
    if n_genres > n_items:
        raise ParameterError(f"{n_genres} genres for {n_items} items: n_genres must be at most n_items")
    rng = np.random.default_rng(seed)
    world = _World.drawn(rng, n_users, n_items, n_genres, weeks)
    # what is drawn twice counts once, so more is drawn than asked for
    drawn = [world.week(rng, week, 2 * n_interactions // weeks + 1) for week in range(weeks)]
    users, items, times = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    first = np.unique(users * n_items + items, return_index=True)[1]
    kept = np.sort(rng.permutation(first)[:n_interactions])
    frame = pd.DataFrame({"user": users[kept] + 1, "item": items[kept] + 1, "time": times[kept]})
    return Interactions.from_frame(frame, time="time")


@dataclass(frozen=True, eq=False)
class _World:
    """Who likes what, and when users and items are there; times in weeks."""

    genre: Numbers
    tastes: Numbers
    turn: Values
    born: Values
    appeal: Values
    joined: Values
    left: Values
    activity: Values

    @classmethod
    def drawn(cls, rng: np.random.Generator, n_users: int, n_items: int, n_genres: int, weeks: int) -> "_World":
        old_users, old_items = rng.random(n_users) < OLD, rng.random(n_items) < OLD
        joined = np.where(old_users, 0.0, rng.uniform(0, weeks, n_users))
        return cls(
            genre=rng.permutation(np.arange(n_items) % n_genres),
            tastes=rng.integers(n_genres, size=(2, n_users)),
            turn=rng.uniform(0, weeks, n_users),
            born=rng.uniform(0, weeks, n_items) - np.where(old_items, weeks, 0),
            appeal=rng.pareto(1.2, n_items) + 0.2,
            joined=joined,
            left=joined + rng.exponential(weeks, n_users),
            activity=rng.pareto(1.5, n_users) + 0.3,
        )

    def week(self, rng: np.random.Generator, week: int, count: int) -> tuple[Numbers, Numbers, Numbers]:
        """Return users, items and times of so many interactions of one week."""
        # nobody and nothing is ever wholly out of the world, so that there is always something to draw
        there = np.where((self.joined <= week) & (week < self.left), self.activity, 1e-9)
        users = rng.choice(len(there), count, p=there / there.sum())
        age = week - self.born
        demand = self.appeal * np.where(age >= 0, 0.1 + 0.5 ** (age / IN_DEMAND), 1e-9)
        liked = np.where(week < self.turn[users], self.tastes[0, users], self.tastes[1, users])
        liked[rng.random(count) >= LOYALTY] = -1
        items = np.empty(count, np.int64)
        for genre in range(-1, int(self.genre.max()) + 1):
            rows = np.flatnonzero(liked == genre)
            chances = demand if genre < 0 else np.where(self.genre == genre, demand, 0)
            items[rows] = rng.choice(len(demand), len(rows), p=chances / chances.sum())
        return users, items, START + week * WEEK + rng.integers(WEEK, size=count)
