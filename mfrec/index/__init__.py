"""Nearest-neighbour indexes; a backend is one file and one row of `BACKENDS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mfrec.errors import ParameterError
from mfrec.index import exact, faiss, norm_ranged
from mfrec.index.base import Candidates, Hits, Index, Settings
from mfrec.index.calibrate import Queries
from mfrec.index.params import IndexParams


@dataclass(frozen=True)
class Backend:
    """How to build one kind of index, and how to restore it from disk.

    Parameters
    ----------
    build
        Makes an index of candidates, real queries to calibrate on, and the user's parameters.
    restore
        Makes an index of candidates, its settings, its arrays, and its library's file or None.
    """

    build: Callable[[Candidates, Queries, IndexParams], Index]
    restore: Callable[[Candidates, Settings, Mapping[str, NDArray[Any]], Path | None], Index]


BACKENDS: dict[str, Backend] = {
    "annoy": Backend(norm_ranged.build, norm_ranged.restore),
    "exact": Backend(exact.build, exact.restore),
    "faiss": Backend(faiss.build, faiss.restore),
}


# what `index="auto"` chooses from, by measured time
AUTO = ("annoy", "exact")


def build_options(candidates: Candidates, queries: Queries, params: IndexParams) -> list[Index]:
    """Build the index that the parameters name, or all that ``"auto"`` chooses from.

    Raises
    ------
    ParameterError
        For an unknown backend; the message lists the names.
    """
    names = AUTO if params.index == "auto" else (params.index,)
    if not set(names) <= set(BACKENDS):
        raise ParameterError(f"unknown index {params.index!r}: choose one of {', '.join(BACKENDS)}, auto")
    return [BACKENDS[name].build(candidates, queries, params) for name in names]


__all__ = ["BACKENDS", "Backend", "Candidates", "Hits", "Index", "IndexParams", "Queries", "Settings", "build_options"]
