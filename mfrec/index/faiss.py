"""faiss's inverted file as a finder (extra ``faiss``), for many million candidates; the only importer of ``faiss``.

Douze et al., "The Faiss library" (2024). The number of lists it scans is calibrated like Annoy's ``search_k``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mfrec.arrays import Candidates, Numbers, Vector, unit_rows
from mfrec.errors import BackendError
from mfrec.index.base import Growing, Index, Settings
from mfrec.index.calibrate import Answered, Queries, calibrated
from mfrec.index.params import IndexParams

# faiss warns below this many training vectors per list
POINTS_PER_LIST = 39


@dataclass(frozen=True, eq=False)
class InvertedFile:
    """faiss's index over all candidates, and the seed of its k-means."""

    searcher: Any
    seed: int
    backend: ClassVar[str] = "faiss"
    library: ClassVar[str] = "faiss-cpu"
    effort: ClassVar[str] = "probes"

    @property
    def efforts(self) -> tuple[int, ...]:
        """The numbers of lists to try."""
        lists = int(self.searcher.nlist)
        return (*(probes for probes in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if probes < lists), lists)

    def neighbours(self, query: Vector, effort: int, asked: int) -> Numbers:
        """Return numbers, the nearest first."""
        params = _faiss().SearchParametersIVF(nprobe=effort)
        found: Numbers = self.searcher.search(query[None], asked, params=params)[1][0]
        return found[found >= 0]

    def cost(self, effort: int, asked: int) -> float:
        """Return what `neighbours` costs, in scanned rows: the centres and the lists."""
        return float(self.searcher.nlist + self.searcher.ntotal * effort / self.searcher.nlist)

    def settings(self) -> Settings:
        """Return the number of lists and the seed, as JSON values."""
        return {"lists": self.searcher.nlist, "seed": self.seed}

    def write(self, path: Path) -> None:
        """Write faiss's file."""
        _faiss().write_index(self.searcher, str(path))


def prepare(candidates: Candidates, queries: Queries, params: IndexParams) -> Growing:
    """Prepare an inverted file; BackendError when faiss is not installed."""
    finder = InvertedFile(_empty(candidates, params.seed), params.seed)
    sample = Answered.of(candidates, queries, params)
    index = Index(candidates, finder)
    return lambda: _fill(finder.searcher, candidates), lambda: calibrated(index, sample, {k: [0] for k in sample.ks})


def restore(candidates: Candidates, settings: Settings, order: Numbers | None, path: Path | None) -> InvertedFile:
    """Open a file, or train it again where there is none."""
    if path is None:
        searcher = _empty(candidates, settings["seed"])
        _fill(searcher, candidates)
    else:
        searcher = _faiss().read_index(str(path))
        if searcher.ntotal != len(candidates):
            raise BackendError(f"the file holds {searcher.ntotal} vectors, expected {len(candidates)}")
    return InvertedFile(searcher, settings["seed"])


def _empty(candidates: Candidates, seed: int) -> Any:
    faiss = _faiss()
    n, size = candidates.vectors.shape
    lists = max(1, min(round(4 * np.sqrt(n)), n // POINTS_PER_LIST))
    searcher = faiss.IndexIVFFlat(faiss.IndexFlatIP(size), size, lists, faiss.METRIC_INNER_PRODUCT)
    searcher.cp.seed = seed
    return searcher


def _fill(searcher: Any, candidates: Candidates) -> None:
    cosine = candidates.similarity == "cosine"
    vectors = np.ascontiguousarray(unit_rows(candidates.vectors, candidates.norms) if cosine else candidates.vectors)
    searcher.train(vectors)
    searcher.add(vectors)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise BackendError("index='faiss' needs faiss: pip install 'mfrec[faiss]'") from None
    return faiss
