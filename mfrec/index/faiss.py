"""An optional backend for many million candidates: faiss's inverted file (extra ``faiss``).

Douze et al., "The Faiss library" (2024). The number of lists it scans is calibrated like everything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.errors import BackendError
from mfrec.factors import Matrix, Vector
from mfrec.index.base import RANDOM_READ, Candidates, Numbers, Settings
from mfrec.index.calibrate import Queries, Trial, choose, least_effort
from mfrec.index.params import IndexParams
from mfrec.index.ranged import NO_HEAD, Effort, Floor, Probe, RangedIndex, effort_for

PROBES = (2, 4, 8, 16, 32, 64, 128, 256, 512)
# faiss warns below this many training vectors per list
POINTS_PER_LIST = 39
SLACK = 4


@dataclass(frozen=True, eq=False)
class Lists:
    """faiss's inverted file over all candidates."""

    searcher: Any
    probes: Effort
    size: int
    seed: int
    kind: str = "faiss"
    library: str | None = "faiss-cpu"

    def probe(self, query: Vector, k: int, extra: int, floor: Floor) -> Probe:
        """Propose what faiss finds."""
        faiss = _faiss()
        probes = min(effort_for(self.probes, k + extra), self.searcher.nlist)
        params = faiss.SearchParametersIVF(nprobe=probes)
        count = min(k + extra + SLACK, self.searcher.ntotal)
        found: Numbers = self.searcher.search(query[None], count, params=params)[1][0]
        share = probes / self.searcher.nlist
        return Probe(found[found >= 0], False, share * self.searcher.ntotal * self.size * RANDOM_READ)

    def settings(self) -> Settings:
        """Return the number of lists, and how many are scanned."""
        return {"lists": self.searcher.nlist, "seed": self.seed, "probes": [list(step) for step in self.probes]}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return nothing: all is in the file."""
        return {}

    def write(self, path: Path) -> None:
        """Write faiss's file."""
        _faiss().write_index(self.searcher, str(path))


def build(candidates: Candidates, queries: Queries, params: IndexParams) -> RangedIndex:
    """Build a calibrated inverted file.

    Raises
    ------
    BackendError
        When faiss is not installed.
    """
    searcher = _train(_unit(candidates), params.seed)
    trial = Trial.of(candidates, queries, params)

    def make(effort: Effort) -> RangedIndex:
        tail = Lists(searcher, effort, candidates.vectors.shape[1], params.seed)
        return RangedIndex(candidates, NO_HEAD, tail, backend="faiss")

    return choose([least_effort(make, PROBES, trial)], trial)


def restore(
    candidates: Candidates, settings: Settings, arrays: Mapping[str, NDArray[Any]], path: Path | None
) -> RangedIndex:
    """Open a file, or train it again where there is none."""
    searcher = _train(_unit(candidates), settings["seed"]) if path is None else _read(path, len(candidates))
    probes = tuple((k, n) for k, n in settings["probes"])
    tail = Lists(searcher, probes, candidates.vectors.shape[1], settings["seed"])
    return RangedIndex(candidates, NO_HEAD, tail, backend="faiss")


def _train(vectors: Matrix, seed: int) -> Any:
    faiss = _faiss()
    lists = max(1, min(round(4 * np.sqrt(len(vectors))), len(vectors) // POINTS_PER_LIST))
    size = vectors.shape[1]
    searcher = faiss.IndexIVFFlat(faiss.IndexFlatIP(size), size, lists, faiss.METRIC_INNER_PRODUCT)
    searcher.cp.seed = seed
    searcher.train(vectors)
    searcher.add(vectors)
    return searcher


def _read(path: Path, expected: int) -> Any:
    searcher = _faiss().read_index(str(path))
    if searcher.ntotal != expected:
        raise BackendError(f"{path.name} holds {searcher.ntotal} vectors, expected {expected}")
    return searcher


def _unit(candidates: Candidates) -> Matrix:
    if candidates.similarity == "dot":
        return np.ascontiguousarray(candidates.vectors)
    return np.divide(candidates.vectors, np.maximum(candidates.norms, 1e-30)[:, None], dtype=np.float32)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise BackendError("index='faiss' needs faiss: pip install 'mfrec[faiss]'") from None
    return faiss
