"""`Factors`: the two matrices that everything is computed from."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Matrix, Similarity, Vector
from mfrec.directions import SIDES, Pair, Side
from mfrec.errors import DataError, DivergedError
from mfrec.model.weighting import Weighting

Degree = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Factors(Pair[Matrix]):
    """The factor matrices of a fitted model, and what is needed to fold in.

    Parameters
    ----------
    user, item
        float32, C-contiguous, of shape ``(n_users, factors)`` and ``(n_items, factors)``, as they are served:
        after scaling. The score of a user for an item is the dot product of their rows; higher is
        better.
    weighting
        The constants of the fit.
    given_degree
        int64 of shape ``(n,)`` per side: how many interactions each had in training; ones where not given.
    given_gram
        What `gram` returns, where it is known already.
    maps
        float32 of shape ``(factors, factors)`` per side: what vectors are multiplied by before they are compared on
        their own side (see `mfrec.training.same_side`); None where they are compared as they are.
    given_same_side
        What `same_side` returns, where it is known already.
    recent
        float32 of shape ``(n,)`` per side: the recent degree, in which an interaction counts half for every half-life
        of its age; 0 where there is no interaction. None where interactions have no times.
    """

    weighting: Weighting = field(default_factory=Weighting)
    given_degree: Pair[Degree] | None = None
    given_gram: Pair[Matrix] | None = None
    maps: Pair[Matrix] | None = None
    given_same_side: Pair[Matrix] | None = None
    recent: Pair[Vector] | None = None

    def __post_init__(self) -> None:
        """Check shapes and types."""
        for side in SIDES:
            matrix = self[side]
            if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or matrix.dtype != np.float32:
                shape = f"{getattr(matrix, 'dtype', type(matrix).__name__)} of shape {np.shape(matrix)}"
                raise DataError(f"{side} factors must be a float32 matrix, got {shape}")
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
    def degree(self) -> Pair[Degree]:
        """How many interactions each had in training."""
        return self.given_degree or Pair.of(lambda side: np.ones(len(self[side]), np.int64))

    @cached_property
    def gram(self) -> Pair[Matrix]:
        """``matrix.T @ matrix`` per side, before its scale: float32 of shape ``(factors, factors)``."""
        return self.given_gram or Pair.of(self._gram)

    @cached_property
    def same_side(self) -> Pair[Matrix]:
        """What is compared by cosine, float32 of the shape of the factors."""
        return self.given_same_side or Pair.of(lambda side: self.mapped(side, "cosine", self[side]))

    def vectors(self, side: Side, similarity: Similarity) -> Matrix:
        """Return one side's vectors for scores across sides (dot) or on one side (cosine)."""
        return self.same_side[side] if similarity == "cosine" else self[side]

    def mapped(self, side: Side, similarity: Similarity, vectors: Matrix) -> Matrix:
        """Return further vectors of a side, such as `fold_in` gives, as `vectors` has those of the model."""
        if similarity == "dot" or self.maps is None:
            return vectors
        return np.ascontiguousarray(vectors @ self.maps[side])

    def solved(self, side: Side, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return some rows as ALS left them, before the scale; float64."""
        rows = self[side][numbers].astype(np.float64)
        return rows / self.scale(side, numbers)[:, None]

    def scale(self, side: Side, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what some rows were multiplied by after the fit; float64."""
        recent = None if self.recent is None else self.recent[side][numbers]
        return self.weighting.scale(side, self.degree[side][numbers], recent)

    def _gram(self, side: Side) -> Matrix:
        matrix = self[side]
        if self.weighting.scales[side] or self.weighting.recency[side]:
            matrix = self.solved(side, np.arange(len(matrix))).astype(np.float32)
        return np.ascontiguousarray(matrix.T @ matrix)

    def check_finite(self) -> None:
        """Raise DivergedError when a factor is NaN or infinite; a pass over all values."""
        for side in SIDES:
            bad = np.flatnonzero(~np.isfinite(self[side]).all(axis=1))
            if len(bad):
                raise DivergedError(
                    f"{len(bad)} of {len(self[side])} {side} vectors are not finite: the fit diverged; "
                    f"raise the regularization or lower alpha"
                )
