"""The exact index: one matrix-vector product over every candidate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mfrec.factors import Vector
from mfrec.index.base import NOTHING, Candidates, Hits, Numbers, Settings, exact_search
from mfrec.index.calibrate import Queries, Trial, measure
from mfrec.index.params import IndexParams


@dataclass(frozen=True, eq=False)
class ExactIndex:
    """Scores every candidate; as fast as any index up to a few thousand of them."""

    candidates: Candidates
    measured: Mapping[str, Any] = field(default_factory=dict)
    backend: str = "exact"
    library: str | None = None

    def search(self, query: Vector, k: int, excluded: Numbers = NOTHING) -> Hits:
        """Return the best k candidates that are not excluded."""
        return exact_search(self.candidates, query, k, excluded)

    def settings(self) -> Settings:
        """Nothing can be set."""
        return {}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Nothing beside the vectors is kept."""
        return {}

    def write(self, path: Path) -> None:
        """There is no library underneath, hence no file."""


def build(candidates: Candidates, queries: Queries, params: IndexParams) -> ExactIndex:
    """Build an exact index; it only has to be timed."""
    return ExactIndex(candidates, measure(ExactIndex(candidates), Trial.of(candidates, queries, params)))


def restore(
    candidates: Candidates, settings: Settings, arrays: Mapping[str, NDArray[Any]], path: Path | None
) -> ExactIndex:
    """Restore an exact index."""
    return ExactIndex(candidates)
