"""`Weighting`: how an interaction becomes a confidence, and a solution a served vector.

Two ideas lift plain ALS. *Degree-normalised confidence* weights an interaction by
``degree(user)**-a * degree(item)**-b``, so that very active users and very popular items do not drown the rest;
with one constant regularisation it plays the part of the frequency-scaled one of Rendle et al., "Revisiting the
Performance of iALS on Item Recommendation Benchmarks" (2022). A *scale* multiplies each fitted vector by
``degree**g``: some popularity back on the item side, or less activity on the user side. *Recency* does the same with
the recent degree, in which an interaction counts less the older it is: the world drifts, and what was popular long ago
is not what people will want. All keep the plain dot product. Fitting and folding in share these formulas, so that a new
user is treated as an old one.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mfrec.arrays import Values
from mfrec.directions import SIDES, Pair, Side

_PAIRS = ("exponents", "scales", "mean_degree", "recency", "mean_recent")
_NUMBERS = ("regularization", "alpha", "threshold", "mean", "recency_half_life")
# of folders from before there was recency
_DEFAULTS: dict[str, Any] = {
    "recency": {"user": 0, "item": 0},
    "mean_recent": {"user": 1, "item": 1},
    "recency_half_life": 0,
}

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
    recency_half_life
        Days after which an interaction counts half in the recent degree, measured back from the latest; 0 where there
        is no recent degree.
    recency
        Of each side: a fitted vector is also multiplied by ``(recent degree / mean recent degree)**recency``.
    mean_recent
        Mean recent degree of each side, in the training data.
    """

    regularization: float = 0.0
    alpha: float = 1.0
    transform: str = "value"
    threshold: float = 0.0
    exponents: Pair[float] = field(default_factory=lambda: Pair(0.0, 0.0))
    scales: Pair[float] = field(default_factory=lambda: Pair(0.0, 0.0))
    mean: float = 1.0
    mean_degree: Pair[float] = field(default_factory=lambda: Pair(1.0, 1.0))
    recency_half_life: float = 0.0
    recency: Pair[float] = field(default_factory=lambda: Pair(0.0, 0.0))
    mean_recent: Pair[float] = field(default_factory=lambda: Pair(1.0, 1.0))

    def value(self, weights: ArrayLike) -> Values:
        """Return transformed weights, float64."""
        return TRANSFORMS[self.transform](np.asarray(weights, np.float64), self.threshold)

    def balance(self, side: Side, degree: ArrayLike) -> Values:
        """Return the part that a side's degree plays in the confidence; a degree of 0 counts as 1."""
        return np.maximum(np.asarray(degree, np.float64), 1.0) ** -self.exponents[side]

    def scale(self, side: Side, degree: ArrayLike, recent: ArrayLike | None = None) -> Values:
        """Return what a side's fitted vectors are multiplied by.

        A degree of 0 counts as 1; a recent degree of 0, and of a side without recency any, as the mean.
        """
        scale: Values = (np.maximum(np.asarray(degree, np.float64), 1.0) / self.mean_degree[side]) ** self.scales[side]
        if recent is None or not self.recency[side]:
            return scale
        relative = np.asarray(recent, np.float64) / self.mean_recent[side]
        return scale * np.where(relative > 0, relative, 1.0) ** self.recency[side]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Weighting":
        """Restore from `to_json`."""
        values = {**_DEFAULTS, **values}
        pairs: dict[str, Any] = {name: Pair(*(float(values[name][side]) for side in SIDES)) for name in _PAIRS}
        numbers: dict[str, Any] = {name: float(values[name]) for name in _NUMBERS}
        if values["transform"] not in TRANSFORMS:
            raise ValueError(f"unknown transform {values['transform']!r}")
        return cls(transform=values["transform"], **numbers, **pairs)
