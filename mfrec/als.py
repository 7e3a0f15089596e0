"""Fitting: alternating least squares on implicit feedback; the only importer of ``implicit``.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008), with the conjugate
gradient solver of Takács, Pilászy and Tikk (2011), as implemented by ``implicit``.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.recommender_base import ModelFitError
from threadpoolctl import threadpool_limits

from mfrec.arrays import Matrix
from mfrec.basis import whitened
from mfrec.confidence import weigh
from mfrec.directions import SIDES, Pair, other
from mfrec.errors import DivergedError, ParameterError
from mfrec.factors import Degree, Factors
from mfrec.interactions import Interactions
from mfrec.solver import TRANSFORMS, Solver

log = logging.getLogger("mfrec")


@dataclass(frozen=True)
class ALSParams:
    """Parameters of the fit; the defaults do well on MovieLens 100K and ml-latest-small.

    Parameters
    ----------
    factors
        Length of every vector.
    regularization
        Weight of the penalty on the vectors' squared lengths; higher is smoother.
    alpha
        Confidence is ``alpha`` times the weight; higher trusts what was observed more against what was not. Weights
        are rescaled to mean 1 before, except with ``transform="value"`` where both exponents and the half-life are
        0: those are taken as they are.
    iterations
        Alternations of the two half-steps.
    user_exponent, item_exponent
        An interaction's weight is divided by ``degree**exponent`` of its user and of its item, before it is
        rescaled; 0 turns it off. See `mfrec.solver`.
    user_scale, item_scale
        After the fit each vector is multiplied by ``(degree / mean degree)**scale``; above 0 favours the popular
        (or active), below 0 the rare.
    whitening
        How far the spread of the user vectors is moved to the item vectors, from 0 to 1. It changes no score, but
        cosines: at 1 two items are as alike as their scores over all users, and over what these agree on. See
        `mfrec.basis`.
    transform
        What a weight becomes: ``"value"`` (as it is), ``"log"`` (``log(1 + w)``) or ``"binary"``.
    threshold
        For ``"binary"``: an interaction counts, as 1, where its weight is at least this; others are left out.
    half_life
        Days after which an interaction counts half, measured back from the latest; 0 turns it off.
    seed
        Of the starting vectors; the same seed gives the same factors for any number of threads.
    threads
        CPU threads; 0 takes all cores.
    """

    factors: int = 48
    regularization: float = 25.0
    alpha: float = 3.0
    iterations: int = 8
    user_exponent: float = 0.5
    item_exponent: float = 0.25
    user_scale: float = 0.0
    item_scale: float = 0.0
    whitening: float = 0.75
    transform: str = "log"
    threshold: float = 0.0
    half_life: float = 0.0
    seed: int = 42
    threads: int = 0

    def __post_init__(self) -> None:
        """Check types and ranges; numpy's numbers become Python's, which every file can hold."""
        for name, value in vars(self).items():
            if isinstance(value, np.integer | np.floating):
                object.__setattr__(self, name, value.item())
        for name, low in (("factors", 1), ("iterations", 1), ("seed", 0), ("threads", 0)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or not low <= value < 2**31:
                raise ParameterError(f"{name} must be an integer of at least {low}, got {value!r}")
        for name in ("regularization", "alpha", "threshold", "half_life"):
            self._check_number(name, 0, np.inf)
        for name in ("user_exponent", "item_exponent", "user_scale", "item_scale"):
            self._check_number(name, -2, 2)
        self._check_number("whitening", 0, 1)
        if self.alpha == 0:
            raise ParameterError("alpha must be above 0: with 0 nothing that was observed counts")
        if self.transform not in TRANSFORMS:
            raise ParameterError(f"unknown transform {self.transform!r}: choose one of {', '.join(TRANSFORMS)}")

    def _check_number(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
            raise ParameterError(f"{name} must be a finite number, got {value!r}")
        if not low <= value <= high:
            limits = f"at least {low}" if high == np.inf else f"from {low} to {high}"
            raise ParameterError(f"{name} must be {limits}, got {value!r}")


class StopFit(Exception):  # noqa: N818 - not an error: a callback raises it to end a fit early
    """Raised by a callback of `fit_als`; it comes back to the caller."""


def fit_als(
    interactions: Interactions,
    params: ALSParams | None = None,
    *,
    progress: bool = False,
    callback: Callable[[int, Callable[[], Factors]], None] | None = None,
) -> Factors:
    """Fit the factor matrices of a set of interactions.

    Parameters
    ----------
    interactions
        At least one interaction; users and items without any get a zero vector, which scores 0 everywhere.
    params
        See `ALSParams`.
    progress
        Show a progress bar on stderr, or in the notebook.
    callback
        Called after every iteration with its number, from 0, and a function that returns the factors so far; it may
        raise `StopFit`.

    Raises
    ------
    DataError
        When there is nothing to learn from; `DivergedError` where the fit did not stay finite.
    """
    params = params or ALSParams()
    confidences, solver, degree = weigh(interactions, params)
    for side in SIDES:
        empty = int((degree[side] == 0).sum())
        if empty:
            log.info("%d of %d %ss have no interaction and get a zero vector", empty, len(degree[side]), side)

    def served() -> Factors:
        solved = Pair(np.ascontiguousarray(model.user_factors), np.ascontiguousarray(model.item_factors))
        return _served(solved, solver, degree, params.whitening)

    # implicit parallelises over rows itself: BLAS threads below it fight for the same cores
    with threadpool_limits(1, user_api="blas"):
        model = _new_model(params)
        _run(model, confidences, params.iterations, progress, callback and (lambda i: callback(i, served)))
        factors = served()
    factors.check_finite()
    return factors


def _served(solved: Pair[Matrix], solver: Solver, degree: Pair[Degree], whitening: float) -> Factors:
    """Return what is served: the solved vectors in the basis asked for, then scaled."""
    penalty = None
    if whitening and all(np.isfinite(matrix).all() for matrix in solved):
        solved, penalty = whitened(solved, whitening)
    gram = Pair.of(lambda side: solved[side].T @ solved[side])
    if penalty is not None:
        # folding in adds the regularization to the diagonal, as if lengths were still those of the fit
        excess = Pair.of(lambda side: solver.regularization * (penalty[other(side)] - np.eye(len(gram[side]))))
        gram = Pair.of(lambda side: (gram[side] + excess[side]).astype(np.float32))
    scaled = Pair.of(lambda side: solved[side] * solver.scale(side, degree[side])[:, None].astype(np.float32))
    return Factors(scaled.user, scaled.item, solver, degree, gram)


def _new_model(params: ALSParams) -> Any:
    return AlternatingLeastSquares(
        factors=params.factors,
        regularization=params.regularization,
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
