"""`Weighting`: how an interaction becomes a confidence, and a solution a served vector.

Two ideas lift plain ALS. *Degree-normalised confidence* weights an interaction by
``degree(user)**-a * degree(item)**-b``, so that very active users and very popular items do not drown the rest;
with one constant regularisation it plays the part of the frequency-scaled one of Rendle et al., "Revisiting the
Performance of iALS on Item Recommendation Benchmarks" (2022). A *scale* multiplies each fitted vector by
``degree**g``: some popularity back on the item side, or less activity on the user side. Both keep the plain dot
product. Fitting and folding in share these formulas, so that a new user is treated as an old one.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mfrec.arrays import Values
from mfrec.directions import SIDES, Pair, Side

_PAIRS = ("exponents", "scales", "mean_degree")
_NUMBERS = ("regularization", "alpha", "threshold", "mean")

# what a weight (a rating, a count) becomes before anything else
TRANSFORMS: dict[str, Callable[[Values, float], Values]] = {
    "value": lambda weights, threshold: weights,
    "log": lambda weights, threshold: np.log1p(weights),
    "binary": lambda weights, threshold: (weights >= threshold).astype(np.float64),
}


@dataclass(frozen=True)
class Weighting:
    """The constants of a fit that folding in needs.

    Parameters
    ----------
    regularization, alpha
        Weight of the penalty on squared lengths; factor of every confidence.
    transform, threshold
        A key of `TRANSFORMS`; below the threshold ``"binary"`` makes 0, which is no interaction.
    exponents
        ``a`` of the user side and ``b`` of the item side: confidence falls with ``degree**-exponent``.
    scales
        ``g`` of each side: a fitted vector is multiplied by ``(degree / mean degree)**g``.
    mean
        What unscaled confidences are divided by, so that the training data has mean 1 before alpha; 1 where weights
        are taken as they are.
    mean_degree
        Of each side, in the training data.
    """

    regularization: float = 0.0
    alpha: float = 1.0
    transform: str = "value"
    threshold: float = 0.0
    exponents: Pair[float] = field(default_factory=lambda: Pair(0.0, 0.0))
    scales: Pair[float] = field(default_factory=lambda: Pair(0.0, 0.0))
    mean: float = 1.0
    mean_degree: Pair[float] = field(default_factory=lambda: Pair(1.0, 1.0))

    def value(self, weights: ArrayLike) -> Values:
        """Return transformed weights, float64."""
        return TRANSFORMS[self.transform](np.asarray(weights, np.float64), self.threshold)

    def balance(self, side: Side, degree: ArrayLike) -> Values:
        """Return the part that a side's degree plays in the confidence; a degree of 0 counts as 1."""
        return np.maximum(np.asarray(degree, np.float64), 1.0) ** -self.exponents[side]

    def scale(self, side: Side, degree: ArrayLike) -> Values:
        """Return what a side's fitted vectors are multiplied by; a degree of 0 counts as 1."""
        return (np.maximum(np.asarray(degree, np.float64), 1.0) / self.mean_degree[side]) ** self.scales[side]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Weighting":
        """Restore from `to_json`."""
        pairs: dict[str, Any] = {name: Pair(*(float(values[name][side]) for side in SIDES)) for name in _PAIRS}
        numbers: dict[str, Any] = {name: float(values[name]) for name in _NUMBERS}
        if values["transform"] not in TRANSFORMS:
            raise ValueError(f"unknown transform {values['transform']!r}")
        return cls(transform=values["transform"], **numbers, **pairs)
