"""`IndexParams`: how the indexes of a model are built."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mfrec.errors import ParameterError, check_integer, check_number


@dataclass(frozen=True)
class IndexParams:
    """How to build the indexes of a model.

    Parameters
    ----------
    index
        Backend by name: ``"annoy"``, ``"exact"``, ``"faiss"`` (extra ``faiss``), or ``"auto"``, which builds all that
        are installed and keeps, per index, the one that is fastest on this machine at the target recall.
    target_recall
        The share of the true best that an index must find, above 0 to 1, at every k of ``at_k``.
    at_k
        The list lengths that the target holds for.
    trees
        Annoy trees per index; more take longer to build, need more space, and find more. None takes 20 for inner
        products, where the head does half of the work, and 30 for cosine.
    seed
        Of the trees and of the calibration queries; the same seed gives the same index.
    """

    index: str = "annoy"
    target_recall: float = 0.99
    at_k: tuple[int, ...] = (10, 100)
    trees: int | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.trees is not None:
            check_integer("trees", self.trees, 1)
        check_integer("seed", self.seed, 0)
        check_number("target_recall", self.target_recall, 0, 1, low_open=True)
        if not isinstance(self.at_k, tuple) or not self.at_k:
            raise ParameterError(f"at_k must be a tuple of integers above 0, got {self.at_k!r}")
        for k in self.at_k:
            check_integer("every value of at_k", k, 1)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "IndexParams":
        """Restore from JSON values; what is missing is the default, and what an older version had is ignored."""
        known: dict[str, Any] = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        # JSON knows lists alone
        if "at_k" in known:
            known["at_k"] = tuple(known["at_k"])
        return cls(**known)
