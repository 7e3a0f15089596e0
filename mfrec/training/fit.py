"""From interactions to a recommender: fit the factors, build the indexes, put it together."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mfrec.directions import INDEX_KEYS, Pair
from mfrec.errors import DataError
from mfrec.index import Indexes, IndexParams, build_indexes
from mfrec.model.adjacency import Adjacency
from mfrec.model.factors import Factors
from mfrec.model.recommender import Recommender

if TYPE_CHECKING:
    from mfrec.data.interactions import Interactions
    from mfrec.training.params import ALSParams

LIBRARIES = ("mfrec", "numpy", "annoy", "implicit")


def fit(
    interactions: "Interactions",
    params: "ALSParams | None" = None,
    index_params: IndexParams | None = None,
    *,
    progress: bool = False,
) -> Recommender:
    """Fit an ALS model and build its indexes: `fit_als`, then `build`.

    Parameters
    ----------
    interactions
        The user-item interactions.
    params, index_params
        See `ALSParams` and `IndexParams`.
    progress
        Show a progress bar on stderr, or in the notebook.
    """
    from mfrec.training.als import fit_als
    from mfrec.training.params import ALSParams

    params = params or ALSParams()
    factors = fit_als(interactions, params, progress=progress)
    return build(interactions, factors, index_params, info={"als": asdict(params)}, progress=progress)


def build(
    interactions: "Interactions",
    factors: Factors,
    index_params: IndexParams | None = None,
    *,
    info: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Recommender:
    """Build the indexes over given factors; they may come from `fit_als` or from elsewhere.

    Raises
    ------
    DataError
        When the factors are not finite, or not for these users and items.
    BackendError
        When the installed annoy fails its self-test.
    """
    index_params = index_params or IndexParams()
    if (len(factors.user), len(factors.item)) != interactions.shape:
        raise DataError(f"{factors!r} does not fit {interactions!r}")
    factors.check_finite()
    by_user, by_item = interactions.matrix, interactions.matrix.T.tocsr()
    by_item.sort_indices()
    return Recommender(
        factors=factors,
        ids=interactions.ids,
        adjacency=Pair(
            Adjacency.from_csr(by_user.indptr, by_user.indices), Adjacency.from_csr(by_item.indptr, by_item.indices)
        ),
        indexes=index(factors, index_params, progress=progress),
        labels=interactions.labels,
        info={"index": asdict(index_params), "libraries": _versions(), **(info or {})},
    )


def index(factors: Factors, params: IndexParams, *, progress: bool = False) -> Indexes:
    """Build one index per (target side, similarity); see `mfrec.index.build_indexes`."""
    from threadpoolctl import threadpool_limits
    from tqdm.auto import tqdm

    # the indexes are built side by side: BLAS threads below them fight for the same cores
    with (
        threadpool_limits(1, user_api="blas"),
        tqdm(total=len(INDEX_KEYS), desc="indexes", unit="index", disable=not progress) as bar,
    ):
        return build_indexes(factors, params, lambda: bar.update(1))


def _versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}
