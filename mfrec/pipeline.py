"""From interactions to a recommender: fit the factors, build the indexes, put it together."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from mfrec.directions import DIRECTIONS, Direction, Pair, Side, Similarity
from mfrec.errors import DataError
from mfrec.factors import Factors
from mfrec.index import Candidates, Index, IndexParams, build_options
from mfrec.index.calibrate import draw, fastest
from mfrec.links import Links
from mfrec.recommender import Recommender

if TYPE_CHECKING:
    from mfrec.als import ALSParams
    from mfrec.interactions import Interactions

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
        Who touched what.
    params, index_params
        See `ALSParams` and `IndexParams`.
    progress
        Show a progress bar on stderr, or in the notebook.
    """
    from mfrec.als import ALSParams, fit_als

    params = params or ALSParams()
    factors = fit_als(interactions, params, progress=progress)
    return build(interactions, factors, index_params, info={"als": asdict(params)})


def build(
    interactions: "Interactions",
    factors: Factors,
    index_params: IndexParams | None = None,
    *,
    info: Mapping[str, Any] | None = None,
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
    by_item = interactions.matrix.T.tocsr()
    by_item.sort_indices()
    return Recommender(
        factors=factors,
        ids=interactions.ids,
        links=Pair(_links(interactions.matrix), _links(by_item)),
        indexes=build_indexes(factors, index_params),
        labels=interactions.labels,
        info={"index": asdict(index_params), "libraries": _versions(), **(info or {})},
    )


def build_indexes(factors: Factors, params: IndexParams) -> dict[tuple[Side, Similarity], Index]:
    """Build one index per (target side, similarity) at the same time, then time them one after the other."""
    norms = Pair.of(lambda side: Candidates(factors[side], "dot").norms)

    def options(row: Direction) -> list[Index]:
        candidates = Candidates(factors[row.target], row.similarity, norms[row.target])
        return build_options(candidates, queries[row.index], params)

    # one direction of each index lends it its queries
    rows = {row.index: row for row in DIRECTIONS.values()}
    queries = {
        key: draw(factors[row.query], len(factors[row.target]), not row.across, params.seed)
        for key, row in rows.items()
    }
    with ThreadPoolExecutor() as pool:
        built = dict(zip(rows, pool.map(options, rows.values()), strict=True))
    return {key: fastest(built[key], queries[key], min(params.at_k)) for key in rows}


def _links(matrix: Any) -> Links:
    return Links(matrix.indptr.astype(np.int64), matrix.indices)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}
