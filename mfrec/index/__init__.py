"""Nearest-neighbour indexes; a backend is one file and one row of `BACKENDS`."""

from mfrec.arrays import Candidates
from mfrec.index.backends import BACKENDS, Backend, Indexes, build_indexes, median_us, queries_of
from mfrec.index.base import Hits, Index
from mfrec.index.calibrate import Queries
from mfrec.index.params import IndexParams

__all__ = [
    "BACKENDS",
    "Backend",
    "Candidates",
    "Hits",
    "Index",
    "IndexParams",
    "Indexes",
    "Queries",
    "build_indexes",
    "median_us",
    "queries_of",
]
