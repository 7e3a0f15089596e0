"""The vector of somebody the model has never seen, in closed form.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008), equation 4: with the
other side's matrix Y fixed, the minimiser of the weighted squared error is
``(Y'Y + Y'(C - I)Y + regularization * I)^-1 Y'C p``, where C holds the confidences and p is 1 where there is
an interaction. Only rows of Y that occur in the history matter beside the Gram matrix ``Y'Y``.
"""

import numpy as np
from numpy.typing import ArrayLike

from mfrec.arrays import Numbers, Values, Vector
from mfrec.directions import Side, other
from mfrec.errors import DataError
from mfrec.model.factors import Factors


def fold_in(
    factors: Factors,
    side: Side,
    numbers: Numbers,
    weights: ArrayLike | None = None,
    decay: ArrayLike | None = None,
) -> Vector:
    """Return the vector of a new user (or item) from its interactions.

    Parameters
    ----------
    factors
        A fitted model.
    side
        The side of the *new* vector: ``"user"`` takes item numbers, ``"item"`` takes user numbers.
    numbers
        Numbers on the other side, distinct, at least one.
    weights
        One weight above zero per number, in the unit the model was fitted on. What the fit would have left out, below
        its threshold, is left out here. Where not given, each is 1, or what the threshold asks for.
    decay
        One factor above zero per number, which its confidence is multiplied by, as a half-life does in the fit.

    Returns
    -------
    Vector
        float32 of shape ``(factors,)``, to be used as if it were a row of the side's matrix.

    Raises
    ------
    DataError
        For an empty history, one that is all below the threshold, or weights or a decay that do not fit it.
    """
    weighting, across = factors.weighting, other(side)
    if not len(numbers):
        raise DataError("cannot fold in an empty history: give at least one id")
    given = _ones(factors, numbers) if weights is None else check_weights(numbers, weights)
    fading = np.ones(len(numbers)) if decay is None else check_weights(numbers, decay, "decay")
    counted = weighting.value(given) > 0
    if not counted.any():
        raise DataError(
            f"cannot fold in: no weight reaches the model's threshold of {weighting.threshold:g}, the highest is "
            f"{given.max():g}"
        )
    numbers = numbers[counted]
    found = fading[counted] * confidence(factors, side, numbers, given[counted])
    rows = factors.solved(across, numbers)
    solution = solve(factors, across, rows, found, rows.T @ found)
    return (solution * weighting.scale(side, [len(numbers)], [fading[counted].sum()])).astype(np.float32)


def solve(factors: Factors, side: Side, rows: Values, found: Values, right: Values) -> Values:
    """Return ``(Y'Y + Y'(C - I)Y + regularization * I)^-1 right``.

    Parameters
    ----------
    factors
        A fitted model.
    side
        The side of Y.
    rows, found
        The rows of Y that occur in a history, as `Factors.solved` returns them, and their confidences.
    right
        A vector, float64.
    """
    system = factors.gram[side].astype(np.float64)
    system += (rows.T * (found - 1.0)) @ rows
    system[np.diag_indices_from(system)] += factors.weighting.regularization
    try:
        return np.asarray(np.linalg.solve(system, right), np.float64)
    except np.linalg.LinAlgError:
        # without regularization the system can be singular; the shortest solution is the natural one
        return np.asarray(np.linalg.lstsq(system, right, rcond=None)[0], np.float64)


def confidence(factors: Factors, side: Side, numbers: Numbers, weights: Values | None = None) -> Values:
    """Weigh a history as the fit weighed those of its users; it is as recent as can be, so nothing decays."""
    weighting, across = factors.weighting, other(side)
    given = _ones(factors, numbers) if weights is None else weights
    values = weighting.value(given) * weighting.balance(side, [len(numbers)])
    return weighting.alpha * values * weighting.balance(across, factors.degree[across][numbers]) / weighting.mean


def _ones(factors: Factors, numbers: Numbers) -> Values:
    """Return the weights of ids that come without: each counts as one interaction above the threshold."""
    return np.full(len(numbers), max(1.0, factors.weighting.threshold))


def check_weights(numbers: Numbers, weights: ArrayLike, name: str = "weights") -> Values:
    """Return weights as float64; DataError unless there is one finite number above 0 for each id."""
    try:
        values = np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be numbers, got {weights!r}") from None
    if values.shape != numbers.shape:
        raise DataError(f"{values.size} {name} for {len(numbers)} ids: give one each")
    if not (np.isfinite(values) & (values > 0)).all():
        raise DataError(f"{name} must be finite numbers above 0")
    return values
