"""Fitting: alternating least squares on implicit feedback.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008), with the conjugate
gradient solver of Takács, Pilászy and Tikk (2011), as implemented by ``implicit``.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.recommender_base import ModelFitError
from threadpoolctl import threadpool_limits

from mfrec.arrays import Matrix, Values
from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES, Pair, Side
from mfrec.errors import DivergedError
from mfrec.model.factors import Degree, Factors
from mfrec.training.confidence import weigh
from mfrec.training.memory import check_memory
from mfrec.training.params import ALSParams, given
from mfrec.training.same_side import same_side_maps

log = logging.getLogger("mfrec")


class StopFit(Exception):  # noqa: N818 - not an error: a callback raises it to end a fit early
    """Raised by a callback of `solve`; it comes back to the caller."""


def solve(
    interactions: Interactions,
    params: ALSParams,
    *,
    progress: bool = False,
    callback: Callable[[int, Callable[[], Factors]], None] | None = None,
) -> Factors:
    """Fit the factor matrices of a set of interactions, with parameters that are all given.

    Parameters
    ----------
    interactions
        At least one interaction. Users without any get the mean of the others' vectors, items a zero vector, which
        scores 0 everywhere.
    params
        See `ALSParams`; none is None.
    progress
        Show a progress bar on stderr, or in the notebook.
    callback
        Called after every iteration with its number, from 0, and a function that returns the factors so far; it may
        raise `StopFit`.

    Raises
    ------
    DataError
        When there is nothing to learn from; `DivergedError` where the fit did not stay finite.
    ParameterError
        When the factors cannot be held in memory.
    """
    check_memory(interactions.shape, given(params, "factors"))
    weighed = weigh(interactions, params)
    weighting, degree, recent = weighed.weighting, weighed.degree, weighed.recent
    for side in SIDES:
        empty = int((degree[side] == 0).sum())
        if empty:
            what = {"user": "the mean vector", "item": "a zero vector"}[side]
            log.info("%d of %d %ss have no interaction and get %s", empty, len(degree[side]), side, what)

    def served() -> Factors:
        # a copy, since rows are filled in that the fit must not see
        solved = Pair(np.array(model.user_factors, order="C"), np.ascontiguousarray(model.item_factors))
        gram = Pair.of(lambda side: solved[side].T @ solved[side])
        scaled = Pair.of(lambda side: solved[side] * scale(side)[:, None].astype(np.float32))
        _fill(scaled.user, degree.user)
        return Factors(scaled.user, scaled.item, weighting, degree, gram, recent=recent)

    def scale(side: Side) -> Values:
        return weighting.scale(side, degree[side], None if recent is None else recent[side])

    # implicit parallelises over rows itself: BLAS threads below it fight for the same cores
    with threadpool_limits(1, user_api="blas"):
        model = _new_model(params)
        _run(model, weighed.confidences, params.iterations, progress, callback and (lambda i: callback(i, served)))
        factors = served()
    factors.check_finite()
    return factors


def _fill(users: Matrix, degree: Degree) -> None:
    """Give users without interactions the mean vector: of an unknown user, the best guess is what most people like."""
    unknown = degree == 0
    if unknown.any():
        users[unknown] = users[~unknown].mean(axis=0)


def with_same_side(factors: Factors) -> Factors:
    """Return the factors with what they are compared by on their own side."""
    # what has no interactions tells nothing
    known = Pair.of(lambda side: np.flatnonzero(factors.degree[side]))
    solved = Pair.of(lambda side: factors.solved(side, known[side]).astype(np.float32))
    with threadpool_limits(1, user_api="blas"):
        return replace(factors, maps=same_side_maps(solved, factors.weighting.regularization), given_same_side=None)


def _new_model(params: ALSParams) -> Any:
    return AlternatingLeastSquares(
        factors=given(params, "factors"),
        regularization=given(params, "regularization"),
        alpha=params.alpha,
        iterations=params.iterations,
        num_threads=params.threads,
        random_state=int(params.seed),
    )


def _run(model: Any, confidences: Any, iterations: int, progress: bool, look: Callable[[int], None] | None) -> None:
    from tqdm.auto import tqdm

    def after(iteration: int, *_: Any) -> None:
        bar.update(1)
        if look is not None:
            look(iteration)

    with tqdm(total=iterations, desc="als", unit="iteration", disable=not progress) as bar:
        try:
            model.fit(confidences, show_progress=False, callback=after)
        except ModelFitError as error:
            raise DivergedError(f"the fit diverged ({error}): raise the regularization or lower alpha") from None
