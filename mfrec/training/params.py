"""`ALSParams`: the parameters of a fit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfrec.errors import ParameterError, check_integer, check_number
from mfrec.model.weighting import TRANSFORMS

# what None stands for a value derived from the data
DERIVED = (
    "factors",
    "regularization",
    "user_exponent",
    "item_exponent",
    "user_scale",
    "item_scale",
    "half_life",
    "recency_half_life",
    "user_recency",
    "item_recency",
)


@dataclass(frozen=True)
class ALSParams:
    """Parameters of the fit. What is None is derived from the data; see `mfrec.training.regularization` and `.recency`.

    Parameters
    ----------
    factors
        Length of every vector; None for as many as the data carry, from 64 to 256 and
        no more than there are users or items.
    regularization
        Weight of the penalty on the vectors' squared lengths; higher is smoother. None for what suits the data.
    alpha
        Confidence is ``alpha`` times the weight; higher trusts what was observed more against what was not. Weights
        are rescaled to mean 1 before, except with ``transform="value"`` where both exponents and the half-life are
        0: those are taken as they are.
    iterations
        Alternations of the two half-steps.
    user_exponent, item_exponent
        An interaction's weight is divided by ``degree**exponent`` of its user and of its item, before it is
        rescaled; 0 turns it off, None chooses. See `mfrec.model.weighting`.
    user_scale, item_scale
        After the fit each vector is multiplied by ``(degree / mean degree)**scale``; above 0 favours the popular
        (or active), below 0 the rare. None chooses. A user scale changes item2user alone.
    transform
        What a weight becomes: ``"value"`` (as it is), ``"log"`` (``log(1 + w)``) or ``"binary"``.
    threshold
        For ``"binary"``: an interaction counts, as 1, where its weight is at least this; others are left out.
    half_life
        Days after which an interaction counts half in the fit, measured back from the latest; 0 turns it off, None
        chooses where there are times.
    recency_half_life
        Days after which an interaction counts half in the recent degree, which says what is popular and who is active
        of late; 0 turns that off, None chooses.
    user_recency, item_recency
        After the fit each vector is also multiplied by ``(recent degree / mean recent degree)**recency``; above 0
        favours what is popular (or who is active) of late. 0 turns it off, None chooses where there are times. A user
        recency changes item2user alone.
    seed
        Of the starting vectors; the same seed gives the same factors for any number of threads.
    threads
        CPU threads; 0 takes all cores.
    """

    factors: int | None = None
    regularization: float | None = None
    alpha: float = 3.0
    iterations: int = 8
    user_exponent: float | None = None
    item_exponent: float | None = None
    user_scale: float | None = None
    item_scale: float | None = None
    transform: str = "log"
    threshold: float = 0.0
    half_life: float | None = None
    recency_half_life: float | None = None
    user_recency: float | None = None
    item_recency: float | None = None
    seed: int = 42
    threads: int = 0

    def __post_init__(self) -> None:
        """Check types and ranges; numpy's numbers become Python's, which every file can hold."""
        for name, value in vars(self).items():
            if isinstance(value, np.integer | np.floating):
                object.__setattr__(self, name, value.item())
        for name, low in (("factors", 1), ("iterations", 1), ("seed", 0), ("threads", 0)):
            self._check(check_integer, name, low)
        for name in ("regularization", "threshold", "half_life", "recency_half_life"):
            self._check(check_number, name, 0)
        # with an alpha of 0 nothing that was observed would count
        check_number("alpha", self.alpha, 0, low_open=True)
        for name in ("user_exponent", "item_exponent", "user_scale", "item_scale"):
            self._check(check_number, name, -2, 2)
        for name in ("user_recency", "item_recency"):
            self._check(check_number, name, 0, 2)
            if getattr(self, name) and self.recency_half_life == 0:
                raise ParameterError(f"{name} {getattr(self, name):g} needs a recency_half_life above 0, got 0")
        if self.transform not in TRANSFORMS:
            raise ParameterError(f"unknown transform {self.transform!r}: choose one of {', '.join(TRANSFORMS)}")

    def _check(self, check: Callable[..., object], name: str, *limits: float) -> None:
        value = getattr(self, name)
        if value is not None or name not in DERIVED:
            check(name, value, *limits)


def given(params: ALSParams, name: str) -> Any:
    """Return a parameter; ParameterError where it is still to be derived."""
    value = getattr(params, name)
    if value is None:
        raise ParameterError(f"{name} is None: derive it from the data first (mfrec.fit and mfrec.fit_als do)")
    return value
