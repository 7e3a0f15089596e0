"""Nearest-neighbour indexes; a backend is one file and one row of `BACKENDS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mfrec.errors import ParameterError
from mfrec.index import annoy, exact
from mfrec.index.base import Candidates, Hits, Index, Settings
from mfrec.index.params import IndexParams


@dataclass(frozen=True)
class Backend:
    """How to build one kind of index, and how to restore it from disk.

    Parameters
    ----------
    build
        Makes an index of candidates with the user's parameters.
    restore
        Makes an index of candidates, its settings, its arrays, and its file or None.
    library
        Distribution whose version the file depends on, or None where there is no file.
    suffix
        Ending of the file's name.
    """

    build: Callable[[Candidates, IndexParams], Index]
    restore: Callable[[Candidates, Settings, Mapping[str, NDArray[Any]], Path | None], Index]
    library: str | None
    suffix: str = ""


BACKENDS: dict[str, Backend] = {
    "annoy": Backend(annoy.build, annoy.restore, "annoy", ".ann"),
    "exact": Backend(exact.build, exact.restore, None),
}


def backend(name: str) -> Backend:
    """Return the backend of that name; ParameterError lists the names when there is none."""
    if name not in BACKENDS:
        raise ParameterError(f"unknown index {name!r}: choose one of {', '.join(BACKENDS)}")
    return BACKENDS[name]


__all__ = ["BACKENDS", "Backend", "Candidates", "Hits", "Index", "IndexParams", "Settings", "backend"]
