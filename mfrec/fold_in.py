"""The vector of somebody the model has never seen, in closed form.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008), equation 4: with the
other side's matrix Y fixed, the minimiser of the weighted squared error is
``(Y'Y + Y'(C - I)Y + regularization * I)^-1 Y'C p``, where C holds the confidences and p is 1 where there is
an interaction. Only rows of Y that occur in the history matter beside the Gram matrix ``Y'Y``.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfrec.directions import Side, other
from mfrec.errors import DataError
from mfrec.factors import Factors, Vector


def fold_in(factors: Factors, side: Side, numbers: NDArray[np.int64], weights: ArrayLike | None = None) -> Vector:
    """Return the vector of a new user (or item) from what it is linked to.

    Parameters
    ----------
    factors
        A fitted model.
    side
        The side of the *new* vector: ``"user"`` takes item numbers, ``"item"`` takes user numbers.
    numbers
        Numbers on the other side, distinct, at least one.
    weights
        One weight above zero per number, in the unit the model was fitted on; 1 each where not given.

    Returns
    -------
    Vector
        float32 of shape ``(factors,)``, to be used as if it were a row of the side's matrix.

    Raises
    ------
    DataError
        For an empty history or weights that do not fit it.
    """
    solver, across = factors.solver, other(side)
    confidence = _confidence(factors, side, numbers, weights)
    linked = factors.solved(across, numbers)
    system = factors.gram[across].astype(np.float64)
    system += (linked.T * (confidence - 1.0)) @ linked
    system[np.diag_indices_from(system)] += solver.regularization
    try:
        solution = np.linalg.solve(system, linked.T @ confidence)
    except np.linalg.LinAlgError:
        # without regularization the system can be singular; the shortest solution is the natural one
        solution = np.linalg.lstsq(system, linked.T @ confidence, rcond=None)[0]
    return (solution * solver.scale(side, [len(numbers)])).astype(np.float32)


def _confidence(
    factors: Factors, side: Side, numbers: NDArray[np.int64], weights: ArrayLike | None
) -> NDArray[np.float64]:
    """Weigh a history as the fit weighed those of its users; it is as recent as can be, so nothing decays."""
    solver, across = factors.solver, other(side)
    values = solver.value(_weights(numbers, weights)) * solver.balance(side, [len(numbers)])
    return solver.alpha * values * solver.balance(across, factors.degree[across][numbers]) / solver.mean


def _weights(numbers: NDArray[np.int64], weights: ArrayLike | None) -> NDArray[np.float64]:
    if not len(numbers):
        raise DataError("cannot fold in an empty history: give at least one id")
    return np.ones(len(numbers)) if weights is None else check_weights(numbers, weights)


def check_weights(numbers: NDArray[np.int64], weights: ArrayLike) -> NDArray[np.float64]:
    """Return weights as float64; DataError unless there is one finite number above 0 for each id."""
    try:
        values = np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"weights must be numbers, got {weights!r}") from None
    if values.shape != numbers.shape:
        raise DataError(f"{values.size} weights for {len(numbers)} ids: give one each")
    if not (np.isfinite(values) & (values > 0)).all():
        raise DataError("weights must be finite numbers above 0")
    return values
