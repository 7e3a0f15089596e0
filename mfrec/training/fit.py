"""From interactions to a recommender: fit the factors, build the indexes, put it together."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from mfrec.data.interactions import Interactions, require_interactions
from mfrec.directions import INDEX_KEYS
from mfrec.errors import DataError
from mfrec.index import Indexes, IndexParams, build_indexes
from mfrec.model.check import check
from mfrec.model.factors import Factors
from mfrec.model.recommender import Recommender
from mfrec.training.als import solve, with_same_side
from mfrec.training.params import ALSParams
from mfrec.training.regularization import derive

log = logging.getLogger("mfrec")

LIBRARIES = ("mfrec", "numpy", "annoy", "implicit")


def fit(
    interactions: Interactions,
    params: ALSParams | None = None,
    index_params: IndexParams | None = None,
    *,
    progress: bool = False,
) -> Recommender:
    """Fit an ALS model and build its indexes: `derive` what is None, `solve`, then `build`.

    Parameters
    ----------
    interactions
        The user-item interactions.
    params, index_params
        See `ALSParams` and `IndexParams`.
    progress
        Show a progress bar on stderr, or in the notebook.
    """
    derived = derive(require_interactions(interactions), params)
    for reason in derived.reasons:
        log.info(reason)
    factors = with_same_side(solve(interactions, derived.params, progress=progress))
    info = {"als": asdict(derived.params), "reasons": list(derived.reasons)}
    return build(interactions, factors, index_params, info=info, progress=progress, lift=derived.lift)


def fit_als(
    interactions: Interactions,
    params: ALSParams | None = None,
    *,
    progress: bool = False,
    callback: Callable[[int, Callable[[], Factors]], None] | None = None,
) -> Factors:
    """Fit the factor matrices of a set of interactions; see `solve`. What is None is derived from the data first."""
    derived = derive(require_interactions(interactions), params).params
    return with_same_side(solve(interactions, derived, progress=progress, callback=callback))


def build(
    interactions: Interactions,
    factors: Factors,
    index_params: IndexParams | None = None,
    *,
    info: Mapping[str, Any] | None = None,
    progress: bool = False,
    lift: float | None = None,
) -> Recommender:
    """Build the indexes over given factors; they may come from `fit_als` or from elsewhere.

    Parameters
    ----------
    interactions, factors
        What the factors were fitted on, and they.
    index_params
        See `IndexParams`.
    info
        JSON values that say where the factors come from.
    progress
        Show a progress bar on stderr, or in the notebook.
    lift
        For the check: NDCG@20 on held-out interactions divided by popularity's, where it is known.

    Raises
    ------
    DataError
        When the factors are not finite, or not for these users and items.
    BackendError
        When the installed annoy fails its self-test.
    """
    index_params = index_params or IndexParams()
    require_interactions(interactions)
    if (len(factors.user), len(factors.item)) != interactions.shape:
        raise DataError(f"{factors!r} does not fit {interactions!r}")
    factors.check_finite()
    adjacency = interactions.adjacency
    return Recommender(
        factors=factors,
        ids=interactions.ids,
        adjacency=adjacency,
        indexes=index(factors, index_params, progress=progress),
        labels=interactions.labels,
        info={"index": asdict(index_params), "libraries": _versions(), **(info or {})},
        check=check(factors, adjacency, lift),
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
        return build_indexes(factors, factors.same_side, params, lambda: bar.update(1))


def _versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}
