"""Parameters that follow from the data: how strong the penalty, how many factors, which exponents.

The penalty of ALS shrinks singular values, so what survives depends on how large those of the data are. The scale that
works is the edge of the noise, ``sqrt(interactions per user) + sqrt(interactions per item)``: the largest singular
value of a random 0/1 matrix of that density (after Marchenko and Pastur, "Distribution of Eigenvalues for Some Sets of
Random Matrices", 1967). A penalty of twice the edge, at alpha 3, lets through what stands out of the noise. The number
of singular values that do says how many factors there are to fit.

Where the formula is unsure a held-out look decides (`mfrec.training.look`): tables that hold little but popularity need
a stronger penalty, and some tables other exponents.
"""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from mfrec.data.interactions import Interactions
from mfrec.errors import DataError
from mfrec.training import recency
from mfrec.training.confidence import counted, weigh
from mfrec.training.held_out import TOO_MANY
from mfrec.training.look import USER_SCALES, Candidate, Found, Look
from mfrec.training.memory import check_memory
from mfrec.training.params import DERIVED, ALSParams

log = logging.getLogger("mfrec")

# the penalty as a multiple of the edge at this alpha, the exponents per side, and the scales
MULTIPLE, ALPHA, EXPONENTS, SCALE, USER_SCALE = 2.0, 3.0, (0.5, 0.25), 0.0, 0.1
# factors: so many per singular value that stands out, within these limits; so many singular values are looked at
PER_SIGNAL, FEWEST, MOST, LOOKED_AT = 6, 64, 256, 48


@dataclass(frozen=True)
class Derived:
    """Parameters without None, one sentence for each that was derived, and the lift that a look found.

    The lift is NDCG@20 on held-out interactions divided by popularity's, at least 0; higher is better. None without a
    look.
    """

    params: ALSParams
    reasons: tuple[str, ...] = ()
    lift: float | None = None


def derive(interactions: Interactions, params: ALSParams | None = None) -> Derived:
    """Derive from the data what is None; numbers that are given are taken.

    A look is taken where the regularization is None and there are at most five million interactions. It chooses the
    multiple of the edge and, where they are None too, the scales and both exponents. It is seeded, and bounded: on a
    sample of users where there are many interactions.
    """
    params = params or ALSParams()
    if params.factors is not None:
        check_memory(interactions.shape, params.factors)
    recency.require_times(interactions, params)
    if all(getattr(params, name) is not None for name in DERIVED):
        return Derived(params)
    by_time: dict[str, Any] = {name: getattr(params, name) for name in recency.NAMES}
    params = _undated(params)
    usual = _filled(params)
    interactions = counted(interactions, params)
    size = f"{len(interactions):,} interactions of {interactions.shape[0]:,} x {interactions.shape[1]:,}"
    factors, of_factors = _factors(interactions, params, usual)
    sized = replace(params, factors=factors)
    found = _look(interactions, sized, usual) if params.regularization is None else None
    chosen = usual if found is None else found.best
    how = "by formula" if found is None else f"the best of {found.tried} on {found.events:,} held-out interactions"
    reasons = []
    filled = chosen.params(sized, edge(interactions, params) if params.regularization is None else 1.0)
    if params.user_scale is None:
        filled = replace(filled, user_scale=USER_SCALE if found is None else found.user_scale)
    if params.regularization is None:
        times = f"{chosen.multiple:.1f} times the edge of the noise"
        reasons.append(f"regularization {filled.regularization:.1f}: {size}; {times}, {how}")
    else:
        filled = replace(filled, regularization=params.regularization)
    exponents = tuple(name for name in DERIVED if name.endswith("exponent") and getattr(params, name) is None)
    scales = tuple(name for name in DERIVED if name.endswith("scale") and getattr(params, name) is None)
    # a look tries other exponents only where neither is given
    parts = [(exponents, how if len(exponents) == 2 else "by formula"), (scales, how)]
    for names, why in parts:
        if names:
            reasons.append(", ".join(f"{name} {getattr(filled, name):g}" for name in names) + f": {why}")
    timed, why_timed = recency.choose(interactions, replace(filled, **by_time), lambda part: edge(part, params))
    lift = None if found is None else found.lift
    return Derived(timed, (*reasons, *of_factors, *why_timed), lift)


def _factors(interactions: Interactions, params: ALSParams, usual: Candidate) -> tuple[int, tuple[str, ...]]:
    """Return how many factors there are to fit, and a sentence that says why; or those that are given."""
    if params.factors is not None:
        return params.factors, ()
    base = replace(params, factors=1, user_scale=0.0)
    found = signals(weigh(interactions, usual.params(base, 1.0)).confidences)
    wanted = int(np.clip(-(-PER_SIGNAL * found // 16) * 16, FEWEST, MOST))
    factors = max(1, min(wanted, *interactions.shape))
    more = " or more" if found == LOOKED_AT else ""
    values = "singular value stands" if found == 1 else f"singular values{more} stand"
    return factors, (f"factors {factors}: {found} {values} out of the noise",)


def edge(interactions: Interactions, params: ALSParams) -> float:
    """Return the edge of the noise in the unit of the regularization: at this alpha, for the mean confidence."""
    params = _undated(params)
    weighed = weigh(interactions, _filled(params).params(replace(params, factors=1, user_scale=0.0), 1.0))
    confidences = weighed.confidences
    users, items = (max(1, int((side > 0).sum())) for side in weighed.degree)
    unit = float(confidences.data.mean(dtype=np.float64)) * params.alpha / ALPHA
    return unit * float(np.sqrt(confidences.nnz / users) + np.sqrt(confidences.nnz / items))


def signals(confidences: csr_matrix, most: int = LOOKED_AT, seed: int = 0) -> int:
    """Return how many singular values of some confidences stand out of the noise, at most so many.

    The noise is the edge of a random matrix with entries as large. The singular values are found by randomized
    subspace iteration: Halko, Martinsson and Tropp, "Finding Structure with Randomness" (2011).
    """
    rows, columns = (max(1, len(np.unique(part))) for part in confidences.nonzero())
    squares = float(np.square(confidences.data, dtype=np.float64).sum())
    noise = np.sqrt(squares / rows) + np.sqrt(squares / columns)
    size = (confidences.shape[1], min(most, *confidences.shape))
    basis = np.random.default_rng(seed).standard_normal(size, np.float32)
    for _ in range(2):
        basis = np.linalg.qr(confidences @ basis)[0]
        basis = np.linalg.qr(confidences.T @ basis)[0]
    return int((np.linalg.svd(confidences @ basis, compute_uv=False) > noise).sum())


def _undated(params: ALSParams) -> ALSParams:
    """Return the parameters with 0 where half-lives and recencies are still to be chosen."""
    filled: dict[str, Any] = {name: getattr(params, name) or 0.0 for name in recency.NAMES}
    return replace(params, **filled)


def _filled(params: ALSParams) -> Candidate:
    """Return the usual values, or those that are given."""
    user = EXPONENTS[0] if params.user_exponent is None else params.user_exponent
    item = EXPONENTS[1] if params.item_exponent is None else params.item_exponent
    return Candidate(MULTIPLE, (user, item), SCALE if params.item_scale is None else params.item_scale)


def _look(interactions: Interactions, params: ALSParams, start: Candidate) -> Found | None:
    if len(interactions) > TOO_MANY:
        return None
    exponents = params.user_exponent is None and params.item_exponent is None
    user_scales = USER_SCALES if params.user_scale is None else (params.user_scale,)
    try:
        look = Look(interactions, params, lambda part: edge(part, params))
        return look.run(start, exponents, params.item_scale is None, user_scales)
    except DataError as error:
        # there is too little to hold anything out, or a fit diverged: the formula alone decides
        log.info("no parameters were tried on a held-out part: %s", error)
        return None
