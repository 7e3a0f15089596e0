"""`Factors`: the two matrices that everything is computed from."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import SIDES, Pair, Side
from mfrec.errors import DataError

Matrix = NDArray[np.float32]
Vector = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Factors(Pair[Matrix]):
    """The factor matrices of a fitted model, and what is needed to fold in.

    Parameters
    ----------
    user, item
        float32, C-contiguous, of shape ``(n_users, factors)`` and ``(n_items, factors)``. The score of a
        user for an item is the dot product of their rows; higher is better.
    regularization, alpha
        Those of the fit: `mfrec.fold_in` solves the same least-squares problem with them.
    gram
        ``matrix.T @ matrix`` of each side, float32 of shape ``(factors, factors)``; computed where not given.
    """

    regularization: float = 0.0
    alpha: float = 1.0
    given_gram: Pair[Matrix] | None = None

    def __post_init__(self) -> None:
        """Check shapes, types and finiteness of what cannot be checked later."""
        for side in SIDES:
            matrix = self[side]
            if matrix.ndim != 2 or matrix.dtype != np.float32:
                raise DataError(f"{side} factors must be a float32 matrix, got {matrix.dtype} of shape {matrix.shape}")
        if self.user.shape[1] != self.item.shape[1]:
            raise DataError(f"user factors have {self.user.shape[1]} columns, item factors {self.item.shape[1]}")

    def __repr__(self) -> str:
        """Say how large the matrices are."""
        return f"Factors({len(self.user)} users x {len(self.item)} items x {self.size})"

    @property
    def size(self) -> int:
        """How many factors a vector has."""
        return int(self.user.shape[1])

    @cached_property
    def gram(self) -> Pair[Matrix]:
        """``matrix.T @ matrix`` of each side."""
        return self.given_gram or Pair.of(self._gram)

    def _gram(self, side: Side) -> Matrix:
        matrix = self[side]
        return np.ascontiguousarray(matrix.T @ matrix)

    def check_finite(self) -> None:
        """Raise DataError when a factor is NaN or infinite; a pass over all values."""
        for side in SIDES:
            bad = np.flatnonzero(~np.isfinite(self[side]).all(axis=1))
            if len(bad):
                raise DataError(
                    f"{len(bad)} of {len(self[side])} {side} vectors are not finite: the fit diverged; "
                    f"raise the regularization or lower alpha"
                )
