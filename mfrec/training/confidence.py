"""From interactions to the confidences that a fit is given."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from mfrec.arrays import Vector
from mfrec.data.interactions import Interactions
from mfrec.directions import Pair
from mfrec.errors import DataError, ParameterError
from mfrec.model.factors import Degree
from mfrec.model.weighting import Weighting
from mfrec.training.params import ALSParams, given


@dataclass(frozen=True, eq=False)
class Weighed:
    """What a fit is given.

    Parameters
    ----------
    confidences
        Before alpha, float32 CSR. They have mean 1, but for ``transform="value"`` without exponents and half-life:
        there a weight is its own confidence, in whatever unit it is.
    weighting
        The constants that folding in needs.
    degree, recent
        How many interactions each side's rows have, and the recent degrees (None without times); they count what is
        learnt from: what stays below a threshold is no interaction.
    """

    confidences: csr_matrix
    weighting: Weighting
    degree: Pair[Degree]
    recent: Pair[Vector] | None


def weigh(interactions: Interactions, params: ALSParams) -> Weighed:
    """Return the confidences of interactions and what they are made with.

    Raises
    ------
    DataError
        When nothing is left to learn from.
    ParameterError
        When a half-life or recency is asked for and the interactions have no times.
    """
    interactions = counted(interactions, params)
    if not len(interactions):
        raise DataError(f"{interactions!r}: there is nothing to learn from with threshold {params.threshold:g}")
    degree, recent = interactions.degree, interactions.recent_degree(float(given(params, "recency_half_life")))
    recency = Pair(float(given(params, "user_recency")), float(given(params, "item_recency")))
    if recent is None and any(recency):
        raise ParameterError("recency needs times: name the time column, or leave user_recency and item_recency out")
    weighting = Weighting(
        regularization=float(given(params, "regularization")),
        alpha=float(params.alpha),
        transform=params.transform,
        threshold=float(params.threshold),
        exponents=Pair(float(given(params, "user_exponent")), float(given(params, "item_exponent"))),
        scales=Pair(float(given(params, "user_scale")), float(given(params, "item_scale"))),
        mean_degree=Pair.of(lambda side: max(1.0, float(degree[side].mean()))),
        recency_half_life=0.0 if recent is None else float(given(params, "recency_half_life")),
        recency=recency,
        mean_recent=Pair(1.0, 1.0) if recent is None else Pair.of(lambda side: _mean_of_known(recent[side])),
    )
    weights = weighting.value(interactions.weights) * interactions.decay(given(params, "half_life"))
    weights *= weighting.balance("user", degree.user)[interactions.users]
    weights *= weighting.balance("item", degree.item)[interactions.items]
    weighting = replace(weighting, mean=_mean(weights, params))
    # a weight that decays below float32 must not become an explicit zero
    values = np.maximum((weights / weighting.mean).astype(np.float32), np.finfo(np.float32).tiny)
    parts = values, interactions.matrix.indices, interactions.matrix.indptr
    return Weighed(csr_matrix(parts, shape=interactions.shape), weighting, degree, recent)


def _mean_of_known(recent: Vector) -> float:
    known = recent[recent > 0]
    return float(known.mean(dtype=np.float64)) if len(known) else 1.0


def counted(interactions: Interactions, params: ALSParams) -> Interactions:
    """Return what is learnt from; what stays below a threshold would, as an explicit zero, count as dislike."""
    if params.transform == "binary" and params.threshold > 0:
        return replace(interactions.take(interactions.weights >= params.threshold), thinned=interactions.thinned)
    return interactions


def _mean(weights: NDArray[np.float64], params: ALSParams) -> float:
    """Return what makes the mean 1; weights that are used as they are keep their unit."""
    plain = params.transform == "value" and not (params.user_exponent or params.item_exponent or params.half_life)
    return 1.0 if plain else float(weights.mean())
