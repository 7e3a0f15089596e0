"""`IndexParams`: what a user can choose about the indexes."""

from dataclasses import dataclass

from mfrec.errors import ParameterError


@dataclass(frozen=True)
class IndexParams:
    """How to build the indexes of a model.

    Parameters
    ----------
    index
        Backend by name: ``"annoy"`` or ``"exact"``.
    trees
        Annoy trees per index; more are slower to build, larger, and find more.
    search_k
        Tree nodes that Annoy inspects per query; more are slower and find more.
    head
        Share of the longest vectors that an inner-product index scans densely, 0 to 1.
    seed
        Seed of the trees; the same seed gives the same bytes.
    """

    index: str = "annoy"
    trees: int = 50
    search_k: int = 1000
    head: float = 0.1
    seed: int = 42

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low in (("trees", 1), ("search_k", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value < 2**31:
                raise ParameterError(f"{name} must be an integer from {low} to {2**31 - 1}, got {value!r}")
        if not 0 <= self.head <= 1:
            raise ParameterError(f"head must be a share from 0 to 1, got {self.head!r}")
