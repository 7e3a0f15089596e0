"""The basis that factors are served in: no score depends on it, every cosine does.

For any invertible A, users ``X A^-T`` and items ``Y A`` score as X and Y do, so a fit is free to choose. Cosines of
the fit's own item vectors treat a direction in which users hardly differ like one in which they differ most. The
cosine of what two items *score*, over all users, does not: it is the cosine of the rows of ``Y (X'X)^(1/2)``, whose
counterpart are whitened users. Between the fit's basis and that one lie ``A = (X'X)^(p/2)``.
"""

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import Pair
from mfrec.factors import Matrix

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
        ``p`` above: 0 changes nothing; at 1 users spread evenly in all directions, and the cosine of two items is
        that of their scores over all users.

    Returns
    -------
    tuple
        Both sides in the new basis, float32, with every inner product between them as it was; and what a squared
        length in the fit's basis is in the new one, per side: ``x A^T A x`` for users, ``y (A^T A)^-1 y`` for items.
    """
    values, axes = np.linalg.eigh(solved.user.T.astype(np.float64) @ solved.user)
    kept = np.maximum(values, max(float(values[-1]) * _FLOOR, _TINY))
    # the unit is free; with a geometric mean of 1 neither side outgrows the other
    spread = (kept / np.exp(np.log(kept).mean())) ** (strength / 2)
    forth, back = (axes * spread) @ axes.T, (axes / spread) @ axes.T
    turned = Pair((solved.user @ back).astype(np.float32), (solved.item @ forth).astype(np.float32))
    return turned, Pair(forth @ forth, back @ back)
