"""Whitening: it changes no score, but every cosine.

For any invertible A, users ``X A^-T`` and items ``Y A`` score as X and Y do, so a fit is free to choose. Cosines of
the fit's own item vectors treat a direction in which users hardly differ like one in which they differ most. The
cosine of what two items *score*, over all users, does not: it is the cosine of the rows of ``Y G^(1/2)`` for ``G =
X'X``, whose counterpart are whitened users. Between the fit's basis and that one lie ``A = G^(p/2)``.

What all users agree on deserves more than the share that it has of that: what people take after an item is like it,
and liked. So ``G = X'X + c n m m'``, as if the mean user ``m`` of the ``n`` were there ``c n`` times more. Among users
the effect is the opposite and as welcome: they are compared by what sets them apart.
"""

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Matrix
from mfrec.directions import Pair

# c above: on validation parts of ML-100K and ml-latest-small item2item gains much up to 4 and little beyond 8
CONSENSUS = 8.0
# below this part of the largest eigenvalue lies a direction that the fit gave up, where whitening finds noise
_FLOOR = 1e-4
_TINY = float(np.finfo(np.float32).tiny)


def whitened(solved: Pair[Matrix], strength: float) -> tuple[Pair[Matrix], Pair[NDArray[np.float64]]]:
    """Move the spread of the user vectors to the item vectors.

    Parameters
    ----------
    solved
        Both sides as the fit left them, float32 of shape ``(n, factors)``.
    strength
        ``p`` above: 0 changes nothing; at 1 the cosine of two items is that of their scores over all users and the
        further copies of the mean user.

    Returns
    -------
    tuple
        Both sides in the new basis, float32, with every inner product between them as it was; and what a squared
        length in the fit's basis is in the new one, per side: ``x A^T A x`` for users, ``y (A^T A)^-1 y`` for items.
    """
    users = solved.user.astype(np.float64)
    # users without interactions lie at 0 and agree on nothing
    total, n_users = users.sum(axis=0), max(int(users.any(axis=1).sum()), 1)
    values, axes = np.linalg.eigh(users.T @ users + CONSENSUS / n_users * np.outer(total, total))
    kept = np.maximum(values, max(float(values[-1]) * _FLOOR, _TINY))
    # the unit is free; with a geometric mean of 1 neither side outgrows the other
    spread = (kept / np.exp(np.log(kept).mean())) ** (strength / 2)
    forth, back = (axes * spread) @ axes.T, (axes / spread) @ axes.T
    turned = Pair((solved.user @ back).astype(np.float32), (solved.item @ forth).astype(np.float32))
    return turned, Pair(forth @ forth, back @ back)
