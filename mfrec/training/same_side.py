"""Maps for the vectors that are compared on one side: item with item, user with user.

Scores across sides are inner products, and any basis of the factors gives the same ones. Cosines on one side are
another matter, and those of the fit's own vectors are good at neither of two things: they miss what is alike, and they
miss what is taken next. Three steps mend that for items, each a linear map of the factors in closed form.

1. *Undo some of the shrinkage.* At its optimum a fit has ``X'X = Y'Y``, with eigenvalues ``s``: the singular values of
   the data less about the penalty. A direction of length ``sqrt(s)`` gets the length ``sqrt(s + c * penalty)``, so
   that weak directions, where niches lie, count for more beside the strong ones.
2. *Even out how item directions are spread.* Unit vectors crowd along a few directions, and everything in a crowd is
   alike. The inverse square root of their second moments, with a ridge of ``r`` times the mean eigenvalue against
   noise, pulls crowds apart.
3. *Let popularity in, as a direction.* What people take next is like the item, and popular. A cosine knows no lengths,
   but one direction can tell: the one along which least squares read off the square root of an item's mean score. It is
   stretched by ``g``.

Users are compared by what sets them apart: a little of their spread is evened out, ``(X'X)^(-p/2)``, and the direction
of the mean user is shortened.

The constants were found by a search over some four hundred maps, on next-item hits of validation parts of ML-100K and
ml-latest-small, and on how many sequels of an ML-100K film are among the ten nearest; docs/accuracy.md has the front.
"""

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Matrix
from mfrec.directions import Pair

Map = NDArray[np.float64]

# c, r and g above
UNDONE, EVENED, POPULARITY = 0.02, 1.25, 4.5
# p above, and what is left of the mean user's direction
USER_POWER, MEAN_USER = 0.25, 0.3
# below this part of the largest eigenvalue lies a direction that the fit gave up, where a map would find noise
_GIVEN_UP = 1e-5
# of the least squares, as a part of the mean eigenvalue
_RIDGE = 1e-2


def same_side_maps(solved: Pair[Matrix], penalty: float) -> Pair[Matrix]:
    """Return what to multiply vectors by before they are compared by cosine.

    Parameters
    ----------
    solved
        Both sides as the fit left them, before any scale: float32 of shape ``(n, factors)``.
    penalty
        The regularization of the fit.

    Returns
    -------
    Pair
        float32 of shape ``(factors, factors)`` per side: users are compared by cosines of ``x @ maps.user``, items of
        ``y @ maps.item``.
    """
    users, items = (matrix.astype(np.float64) for matrix in (solved.user, solved.item))
    gram = users.T @ users
    if not np.isfinite(gram).all() or not gram.any() or not items.any():
        # there is nothing to compare; what is not finite is refused later
        return Pair.of(lambda side: np.eye(gram.shape[0], dtype=np.float32))
    return Pair(_scaled(_user_map(users, gram), users), _scaled(_item_map(users, gram, items, penalty), items))


def _user_map(users: Map, gram: Map) -> Map:
    spread, axes = _eigen(gram)
    back = (axes * spread ** (-USER_POWER / 2)) @ axes.T
    found: Map = back @ _stretched(users.sum(axis=0) @ back, MEAN_USER)
    return found


def _item_map(users: Map, gram: Map, items: Map, penalty: float) -> Map:
    spread, axes = _eigen(gram)
    forth = (axes * np.sqrt((spread + UNDONE * penalty) / spread)) @ axes.T
    unit = _unit(items @ forth)
    spread, axes = _eigen(unit.T @ unit)
    forth = forth @ (axes / np.sqrt(spread + EVENED * spread.mean())) @ axes.T
    unit = _unit(items @ forth)
    system = unit.T @ unit
    system[np.diag_indices_from(system)] += _RIDGE * np.trace(system) / len(system)
    popular = np.sqrt(np.maximum(items @ users.mean(axis=0), 0))
    found: Map = forth @ _stretched(np.linalg.solve(system, unit.T @ popular), POPULARITY)
    return found


def _eigen(gram: Map) -> tuple[Map, Map]:
    values, axes = np.linalg.eigh(gram)
    return np.maximum(values, float(values[-1]) * _GIVEN_UP), axes


def _unit(rows: Map) -> Map:
    """Return unit rows; zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Map = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit


def _stretched(direction: Map, by: float) -> Map:
    """Return the map that stretches one direction and leaves what is orthogonal to it."""
    square = float(direction @ direction)
    along = np.outer(direction, direction) * ((by - 1) / square) if square else 0.0
    stretched: Map = np.eye(len(direction)) + along
    return stretched


def _scaled(by: Map, vectors: Map) -> Matrix:
    """Return a map as float32, scaled so that vectors are as long on average as they were; no cosine changes."""
    before, after = (float(np.square(v).sum()) for v in (vectors, vectors @ by))
    scaled: Matrix = (by * np.sqrt(before / after)).astype(np.float32)
    return scaled
