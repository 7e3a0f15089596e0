"""Four directions of recommendation from one implicit-feedback ALS model, served from Annoy indexes.

Importing mfrec, loading a model and asking it needs numpy and annoy alone; everything that trains is
imported when it is first used.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mfrec.artifact import load, save, verify
from mfrec.directions import DIRECTIONS, Direction, Pair
from mfrec.errors import (
    ArtifactError,
    BackendError,
    DataError,
    DownloadError,
    MfrecError,
    ParameterError,
    UnknownIdError,
)
from mfrec.factors import Factors
from mfrec.ids import IdMap
from mfrec.index import BACKENDS, IndexParams
from mfrec.recommender import Ranking, Recommender

if TYPE_CHECKING:
    from mfrec.als import ALSParams, fit_als
    from mfrec.datasets import download, load_movielens
    from mfrec.datasets.synthetic import sample
    from mfrec.evaluation import evaluate, splits
    from mfrec.interactions import Interactions
    from mfrec.pipeline import build, fit

__version__ = version("mfrec")

# what trains, and the module it is imported from when it is first asked for
_LAZY = {
    "ALSParams": "mfrec.als",
    "fit_als": "mfrec.als",
    "build": "mfrec.pipeline",
    "fit": "mfrec.pipeline",
    "download": "mfrec.datasets",
    "load_movielens": "mfrec.datasets",
    "sample": "mfrec.datasets.synthetic",
    "Interactions": "mfrec.interactions",
    "evaluate": "mfrec.evaluation",
    "splits": "mfrec.evaluation",
}

__all__ = [
    "BACKENDS",
    "DIRECTIONS",
    "ALSParams",
    "ArtifactError",
    "BackendError",
    "DataError",
    "Direction",
    "DownloadError",
    "Factors",
    "IdMap",
    "IndexParams",
    "Interactions",
    "MfrecError",
    "Pair",
    "ParameterError",
    "Ranking",
    "Recommender",
    "UnknownIdError",
    "build",
    "download",
    "evaluate",
    "fit",
    "fit_als",
    "load",
    "load_movielens",
    "sample",
    "save",
    "splits",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'mfrec' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
