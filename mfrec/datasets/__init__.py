"""Data sets: the MovieLens releases."""

from mfrec.datasets.fetch import LICENCE_NOTICE, download
from mfrec.datasets.movielens import RELEASES, data_home, load_items, load_movielens, load_users, tells_users
from mfrec.datasets.parse import Release

__all__ = [
    "LICENCE_NOTICE",
    "RELEASES",
    "Release",
    "data_home",
    "download",
    "load_items",
    "load_movielens",
    "load_users",
    "tells_users",
]
