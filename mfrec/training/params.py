"""`ALSParams`: the parameters of a fit."""

from dataclasses import dataclass

import numpy as np

from mfrec.errors import ParameterError, check_integer, check_number
from mfrec.model.weighting import TRANSFORMS


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
        rescaled; 0 turns it off. See `mfrec.model.weighting`.
    user_scale, item_scale
        After the fit each vector is multiplied by ``(degree / mean degree)**scale``; above 0 favours the popular
        (or active), below 0 the rare.
    whitening
        How far the spread of the user vectors is moved to the item vectors, from 0 to 1. It changes no score, but
        cosines: at 1 two items are as alike as their scores over all users, and over what these agree on. See
        `mfrec.training.whitening`.
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
            check_integer(name, getattr(self, name), low)
        for name in ("regularization", "threshold", "half_life"):
            check_number(name, getattr(self, name), 0)
        # with an alpha of 0 nothing that was observed would count
        check_number("alpha", self.alpha, 0, low_open=True)
        for name in ("user_exponent", "item_exponent", "user_scale", "item_scale"):
            check_number(name, getattr(self, name), -2, 2)
        check_number("whitening", self.whitening, 0, 1)
        if self.transform not in TRANSFORMS:
            raise ParameterError(f"unknown transform {self.transform!r}: choose one of {', '.join(TRANSFORMS)}")
