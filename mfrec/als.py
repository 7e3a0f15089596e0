"""Fitting: alternating least squares on implicit feedback; the only importer of ``implicit``.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008), with the conjugate
gradient solver of Takács, Pilászy and Tikk (2011), as implemented by ``implicit``.
"""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.recommender_base import ModelFitError
from threadpoolctl import threadpool_limits

from mfrec.directions import SIDES
from mfrec.errors import DataError, ParameterError
from mfrec.factors import Factors
from mfrec.interactions import Interactions

log = logging.getLogger("mfrec")


@dataclass(frozen=True)
class ALSParams:
    """Parameters of the fit; the defaults do well on MovieLens 100K.

    Parameters
    ----------
    factors
        Length of every vector.
    regularization
        Weight of the penalty on the vectors' squared lengths; higher is smoother.
    alpha
        Confidence is ``alpha * weight``; higher trusts what was observed more against what was not.
    iterations
        Alternations of the two half-steps.
    seed
        Of the starting vectors; the same seed gives the same factors for any number of threads.
    threads
        CPU threads; 0 takes all cores.
    """

    factors: int = 16
    regularization: float = 10.0
    alpha: float = 5.0
    iterations: int = 15
    seed: int = 42
    threads: int = 0

    def __post_init__(self) -> None:
        """Check types and ranges."""
        for name, low in (("factors", 1), ("iterations", 1), ("seed", 0), ("threads", 0)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or not low <= value < 2**31:
                raise ParameterError(f"{name} must be an integer of at least {low}, got {value!r}")
        for name in ("regularization", "alpha"):
            value = getattr(self, name)
            if not isinstance(value, int | float | np.number) or not np.isfinite(value) or value < 0:
                raise ParameterError(f"{name} must be a finite number of at least 0, got {value!r}")
        if self.alpha == 0:
            raise ParameterError("alpha must be above 0: with 0 nothing that was observed counts")


def fit_als(interactions: Interactions, params: ALSParams | None = None, *, progress: bool = False) -> Factors:
    """Fit the factor matrices of a set of interactions.

    Parameters
    ----------
    interactions
        At least one interaction; users and items without any get a zero vector, which scores 0 everywhere.
    params
        See `ALSParams`.
    progress
        Show a progress bar on stderr, or in the notebook.

    Raises
    ------
    DataError
        When there is nothing to learn from, or the fit did not stay finite.
    """
    params = params or ALSParams()
    if not len(interactions):
        raise DataError(f"{interactions!r}: there is nothing to learn from")
    degree = interactions.degree
    for side in SIDES:
        empty = int((degree[side] == 0).sum())
        if empty:
            log.info("%d of %d %ss have no interaction and get a zero vector", empty, len(degree[side]), side)
    # implicit parallelises over rows itself: BLAS threads below it fight for the same cores
    with threadpool_limits(1, user_api="blas"):
        model = _new_model(params)
        _run(model, interactions, params.iterations, progress)
    factors = Factors(
        np.ascontiguousarray(model.user_factors),
        np.ascontiguousarray(model.item_factors),
        regularization=float(params.regularization),
        alpha=float(params.alpha),
    )
    factors.check_finite()
    return factors


def _new_model(params: ALSParams) -> Any:
    return AlternatingLeastSquares(
        factors=params.factors,
        regularization=params.regularization,
        alpha=params.alpha,
        iterations=params.iterations,
        num_threads=params.threads,
        random_state=int(params.seed),
    )


def _run(model: Any, interactions: Interactions, iterations: int, progress: bool) -> None:
    from tqdm.auto import tqdm

    with tqdm(total=iterations, desc="als", unit="iteration", disable=not progress) as bar:
        try:
            model.fit(interactions.matrix, show_progress=False, callback=lambda *_: bar.update(1))
        except ModelFitError as error:
            raise DataError(f"the fit diverged ({error}): raise the regularization or lower alpha") from None
