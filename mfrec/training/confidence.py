"""From interactions to the confidences that a fit is given."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from mfrec.data.interactions import Interactions
from mfrec.directions import Pair
from mfrec.errors import DataError, ParameterError
from mfrec.model.factors import Degree
from mfrec.model.weighting import Weighting
from mfrec.training.params import ALSParams, given

DAY = 24 * 3600


def weigh(interactions: Interactions, params: ALSParams) -> tuple[csr_matrix, Weighting, Pair[Degree]]:
    """Return the confidences before alpha, float32 CSR, the constants that folding in needs, and the degrees.

    Degrees count what is learnt from: what stays below a threshold is no interaction.

    They have mean 1, but for ``transform="value"`` without exponents and half-life: there a weight is its own
    confidence, in whatever unit it is.

    Raises
    ------
    DataError
        When nothing is left to learn from.
    ParameterError
        When a half-life is asked for and the interactions have no times.
    """
    interactions = counted(interactions, params)
    if not len(interactions):
        raise DataError(f"{interactions!r}: there is nothing to learn from with threshold {params.threshold:g}")
    degree = interactions.degree
    weighting = Weighting(
        regularization=float(given(params, "regularization")),
        alpha=float(params.alpha),
        transform=params.transform,
        threshold=float(params.threshold),
        exponents=Pair(float(given(params, "user_exponent")), float(given(params, "item_exponent"))),
        scales=Pair(float(given(params, "user_scale")), float(given(params, "item_scale"))),
        mean_degree=Pair.of(lambda side: max(1.0, float(degree[side].mean()))),
    )
    weights = weighting.value(interactions.weights) * _decay(interactions, params.half_life)
    weights *= weighting.balance("user", degree.user)[interactions.users]
    weights *= weighting.balance("item", degree.item)[interactions.items]
    weighting = replace(weighting, mean=_mean(weights, params))
    # a weight that decays below float32 must not become an explicit zero
    values = np.maximum((weights / weighting.mean).astype(np.float32), np.finfo(np.float32).tiny)
    parts = values, interactions.matrix.indices, interactions.matrix.indptr
    return csr_matrix(parts, shape=interactions.shape), weighting, degree


def counted(interactions: Interactions, params: ALSParams) -> Interactions:
    """Return what is learnt from; what stays below a threshold would, as an explicit zero, count as dislike."""
    if params.transform == "binary" and params.threshold > 0:
        return interactions.take(interactions.weights >= params.threshold)
    return interactions


def _mean(weights: NDArray[np.float64], params: ALSParams) -> float:
    """Return what makes the mean 1; weights that are used as they are keep their unit."""
    plain = params.transform == "value" and not (params.user_exponent or params.item_exponent or params.half_life)
    return 1.0 if plain else float(weights.mean())


def _decay(interactions: Interactions, half_life: float) -> NDArray[np.float64]:
    if not half_life:
        return np.ones(len(interactions))
    if interactions.times is None:
        raise ParameterError("half_life needs times: name the time column, or leave the half-life out")
    age = (interactions.times.max() - interactions.times) / DAY
    decayed: NDArray[np.float64] = 0.5 ** (age / half_life)
    return decayed
