"""`IndexParams`: what a user can choose about the indexes."""

from dataclasses import dataclass

from mfrec.errors import ParameterError

TAILS = ("auto", "none", "trees", "sketch", "cells")


@dataclass(frozen=True)
class IndexParams:
    """How to build the indexes of a model.

    Parameters
    ----------
    index
        Backend by name: ``"annoy"``, ``"exact"``, ``"faiss"`` (extra ``faiss``), or ``"auto"`` for whichever of
        the first two is measured faster here.
    target_recall
        The share of the true best that an index must find, above 0 to 1, at every k of ``at_k``.
    at_k
        The list lengths that the target holds for.
    tail
        How the ``"annoy"`` backend searches what it does not scan: ``"trees"`` (Annoy's), ``"sketch"`` (inner
        product), ``"cells"`` (cosine), ``"none"`` (it scans everything), or ``"auto"`` for the cheapest of them.
        An index that a tail does not fit takes the cheapest that does.
    trees
        Annoy trees per index; more are slower to build, larger, and find more.
    seed
        Of trees, cells and calibration queries; the same seed gives the same index.
    """

    index: str = "annoy"
    target_recall: float = 0.99
    at_k: tuple[int, ...] = (10, 100)
    tail: str = "auto"
    trees: int = 50
    seed: int = 42

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low in (("trees", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value < 2**31:
                raise ParameterError(f"{name} must be an integer from {low} to {2**31 - 1}, got {value!r}")
        if not isinstance(self.target_recall, int | float) or not 0 < self.target_recall <= 1:
            raise ParameterError(f"target_recall must be above 0 and at most 1, got {self.target_recall!r}")
        ks = self.at_k
        if not isinstance(ks, tuple) or not ks or any(not isinstance(k, int) or k is True or k < 1 for k in ks):
            raise ParameterError(f"at_k must be a tuple of integers above 0, got {ks!r}")
        if self.tail not in TAILS:
            raise ParameterError(f"unknown tail {self.tail!r}: choose one of {', '.join(TAILS)}")
