"""Four directions of recommendation from one implicit-feedback ALS model, served from Annoy indexes.

Importing mfrec, loading a model and asking it needs numpy and annoy alone; everything that trains is
imported when it is first used.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

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
from mfrec.index import BACKENDS, IndexParams
from mfrec.model.allocation import Allocation
from mfrec.model.factors import Factors
from mfrec.model.ids import IdMap
from mfrec.model.rankings import Ranking
from mfrec.model.recommender import Recommender
from mfrec.model.segmentation import Segmentation
from mfrec.storage.folder import load, save, verify

if TYPE_CHECKING:
    from mfrec.coldstart.catalogue import Catalogue
    from mfrec.coldstart.content import cold_start
    from mfrec.data.download import download
    from mfrec.data.interactions import Interactions
    from mfrec.data.movielens import load_movielens
    from mfrec.data.synthetic import sample
    from mfrec.evaluation import evaluate, splits
    from mfrec.training.fit import build, fit, fit_als
    from mfrec.training.params import ALSParams
    from mfrec.tuning.tune import tune

__version__ = version("mfrec")

# what trains, and the module it is imported from when it is first asked for
_LAZY = {
    "tune": "mfrec.tuning.tune",
    "cold_start": "mfrec.coldstart.content",
    "Catalogue": "mfrec.coldstart.catalogue",
    "ALSParams": "mfrec.training.params",
    "fit_als": "mfrec.training.fit",
    "build": "mfrec.training.fit",
    "fit": "mfrec.training.fit",
    "download": "mfrec.data.download",
    "load_movielens": "mfrec.data.movielens",
    "sample": "mfrec.data.synthetic",
    "Interactions": "mfrec.data.interactions",
    "evaluate": "mfrec.evaluation",
    "splits": "mfrec.evaluation",
}

__all__ = [
    "BACKENDS",
    "DIRECTIONS",
    "ALSParams",
    "Allocation",
    "ArtifactError",
    "BackendError",
    "Catalogue",
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
    "Segmentation",
    "UnknownIdError",
    "build",
    "cold_start",
    "download",
    "evaluate",
    "fit",
    "fit_als",
    "load",
    "load_movielens",
    "sample",
    "save",
    "splits",
    "tune",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'mfrec' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
