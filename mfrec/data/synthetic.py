"""A sample with a known answer: users of a taste, items of a genre, and likes withheld on purpose.

Popularity and activity follow power laws, so that factor vectors get the skewed lengths of real data; that is
what makes the sample fit for tests of quality and for benchmarks of scale alike.
"""

from dataclasses import dataclass

import numpy as np
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
