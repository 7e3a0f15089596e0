"""The last step to the optimum, where it is small: exchanges that raise the total, until there is none.

An exchange is a cycle over items: a user moves from one item to the next, somebody else from that one on, and so on.
"Nothing" is one more place: users with room come from there, and units that are left are there. Without a cycle that
gains, the assignment is the best there is, and the longest paths are prices that prove it (Klein's cycle cancelling on
the items alone).
"""

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Matrix, Numbers, Values

# more exchanges than this are left to the bound on the gap; each looks at the square of the items
MOST = 5_000
# a gain below this part of the highest score is rounding
_RESOLUTION = 1e-9


def improve(
    scores: Matrix, units: Numbers, per_user: int, given: NDArray[np.bool_], prices: Values
) -> tuple[NDArray[np.bool_], Values]:
    """Return the best assignment of a small market, and the prices that prove it.

    Parameters
    ----------
    scores
        Per user and item, -inf where a pair must not be assigned.
    units, per_user
        The limits of items and of users.
    given
        An assignment within them; the nearer to the best, the sooner this ends.
    prices
        Of the items, near those that are looked for.
    """
    held, wide = given.copy(), scores.astype(np.float64)
    m = wide.shape[1]
    least = _RESOLUTION * float(wide.max(initial=0))
    gains, movers = np.full((m + 1, m + 1), -np.inf), np.full((m + 1, m + 1), -1)
    changed, paths = list(range(m)), np.append(prices, 0.0)
    for _ in range(MOST):
        for item in changed:
            gains[item], movers[item] = _moves(wide, held, item)
        _nothing(wide, held, units, per_user, gains, movers)
        cycle, paths = _cycle(gains, paths, least)
        if not cycle:
            break
        for here, there in zip(cycle, cycle[1:] + cycle[:1], strict=True):
            user = movers[here, there]
            if user >= 0:
                held[user, [i for i in (here, there) if i < m]] ^= True
        changed = [place for place in cycle if place < m]
    return held, np.maximum(0.0, paths[:m] - paths[m])


def _moves(scores: Values, held: NDArray[np.bool_], item: int) -> tuple[Values, Numbers]:
    """Return, per place, the most that one user gains who moves there from the item, and who that is."""
    m = scores.shape[1]
    best, who = np.full(m + 1, -np.inf), np.full(m + 1, -1)
    users = np.flatnonzero(held[:, item])
    if len(users):
        own = scores[users, item]
        differences = np.where(held[users], -np.inf, scores[users] - own[:, None])
        first = differences.argmax(axis=0)
        best[:m], who[:m] = differences[first, np.arange(m)], users[first]
        best[m], who[m] = -own.min(), users[own.argmin()]
    return best, who


def _nothing(
    scores: Values, held: NDArray[np.bool_], units: Numbers, per_user: int, gains: Values, movers: Numbers
) -> None:
    """Fill in what leads from nothing, and the units that are left, which lead there."""
    m, load = scores.shape[1], held.sum(axis=0)
    gains[m], movers[m] = np.where(np.append(load, 0) > 0, 0.0, -np.inf), -1
    users = np.flatnonzero(held.sum(axis=1) < per_user)
    if len(users):
        worth = np.where(held[users], -np.inf, scores[users])
        first = worth.argmax(axis=0)
        best = worth[first, np.arange(m)]
        better = best > 0
        gains[m, :m][better], movers[m, :m][better] = best[better], users[first][better]
    spare = load < units
    gains[:m, m][spare], movers[:m, m][spare] = 0.0, -1


def _cycle(gains: Values, start: Values, least: float) -> tuple[list[int], Values]:
    """Return the places of a cycle that gains, or none and the longest paths (Bellman and Ford)."""
    paths, before = start.copy(), np.full(len(gains), -1)
    while True:
        reached = paths[:, None] + gains
        source = reached.argmax(axis=0)
        longest = reached[source, np.arange(len(gains))]
        better = longest > paths + least
        if not better.any():
            return [], paths
        paths[better], before[better] = longest[better], source[better]
        cycle = _circle(before)
        if cycle:
            return cycle, start


def _circle(before: Numbers) -> list[int]:
    """Return the places of a circle of predecessors, in walking order; an empty list where there is none."""
    seen: dict[int, int] = {}
    links = before.tolist()
    for origin in range(len(links)):
        place = origin
        while place >= 0 and place not in seen:
            seen[place] = origin
            place = links[place]
        if place >= 0 and seen[place] == origin:
            circle = [place]
            while links[circle[-1]] != place:
                circle.append(links[circle[-1]])
            return circle[::-1]
    return []
