"""Cold start from content: vectors for items or users without interactions.

What is known about them (title, genres, any text, categories or numbers) is turned into features, and ridge
regression maps the features onto the fitted vectors, as the title tower of a two-tower network does. One factor for all
predictions makes them as long as the vectors that most interactions are with. `mfrec.coldstart.extend` places the
vectors into the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mfrec.arrays import Matrix
from mfrec.coldstart.catalogue import Catalogue
from mfrec.coldstart.extend import indexed, widened
from mfrec.coldstart.features import clean, features
from mfrec.data.columns import check_roles
from mfrec.directions import SIDES, Pair, Side
from mfrec.errors import DataError
from mfrec.index import IndexParams
from mfrec.model.recommender import Recommender

ALPHAS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
FOLDS = 5
# the penalty is chosen on so many principal components of the vectors: all of them choose the same, and take longer
COMPONENTS = 32
# of the solver; a tenth of it is no better and takes longer
TOLERANCE = 1e-3

# An item's length is its popularity, and a list of new items is ordered by it: where items count by their users, the
# length is learnt from the popular ones alone, and unpopular items that look like them come out as long. Of users, what
# the many with a short history take has to be on a list, and popularity by interactions is that of the few with a long
# one. How both were chosen: see the README of `mfrec.evaluation`.
EXPONENTS = Pair(user=-0.75, item=0.0)


@dataclass(frozen=True, eq=False)
class ContentModel:
    """A map from what is known about an item (or user) to its vector; made by `fit_content`.

    Parameters
    ----------
    texts, numbers
        Columns of the tables it reads: text and categories; numbers.
    alpha
        Weight of the ridge penalty, chosen by cross-validation.
    error
        Share of the vectors' variance that the regression leaves unexplained in cross-validation: 0 is perfect, 1 as
        good as the mean vector.
    scale
        What every prediction is multiplied by; see `scale_of`.
    features, regression
        The fitted scikit-learn parts.
    """

    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    alpha: float
    error: float
    scale: float
    features: Any
    regression: Any

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the tables it reads."""
        return (*self.texts, *self.numbers)

    def vectors(self, table: pd.DataFrame) -> Matrix:
        """Return one vector per row, float32 of shape ``(len(table), factors)``.

        Raises
        ------
        DataError
            When a column is missing, or one of numbers holds something else.
        """
        if not len(table):
            return np.zeros((0, np.size(self.regression.intercept_)), np.float32)
        found = self.regression.predict(self.features.transform(clean(table, self.texts, self.numbers)))
        return np.ascontiguousarray(found.reshape(len(table), -1) * self.scale, np.float32)


def fit_content(
    factors: Matrix,
    table: pd.DataFrame,
    *,
    text: Sequence[str] = (),
    categories: Sequence[str] = (),
    numbers: Sequence[str] = (),
    weights: ArrayLike | None = None,
    degree: ArrayLike | None = None,
    alphas: Sequence[float] = ALPHAS,
    seed: int = 42,
) -> ContentModel:
    """Learn vectors from content.

    Parameters
    ----------
    factors
        float32 of shape ``(n, factors)``: the vectors of what has interactions, such as ``model.factors.item``.
    table
        One row per vector, in the same order.
    text
        Columns of text: TF-IDF over words and pairs of words; lists joined by ``|``, such as MovieLens genres, are
        text as well.
    categories
        Columns of categories: one feature per value, a missing one included; values never seen are no value.
    numbers
        Columns of numbers, such as an age or a year: a curve over each, see `mfrec.coldstart.features`; missing ones
        are no value.
    weights
        How much each row counts in the regression; see `weights_of`. Alike where not given.
    degree
        How many interactions each row has: predictions become as long as suits those, see `scale_of`. Where not given,
        they stay as the regression makes them.
    alphas
        Ridge penalties to choose from.
    seed
        Of the folds.

    Raises
    ------
    DataError
        When a column is missing, one of numbers holds something else, or the table or the weights do not fit the
        factors or hold nothing to learn from.
    ParameterError
        When no column is named, or one twice.
    """
    if len(table) != len(factors):
        raise DataError(f"the table has {len(table)} rows for {len(factors)} vectors: one each, in the same order")
    shares = _shares(weights, len(table))
    transformer, matrix = encoded(table, text=text, categories=categories, numbers=numbers)
    alpha, error, held_out = _chosen(matrix, factors, shares, alphas, seed)
    regression = _ridge(alpha).fit(matrix, factors, shares)
    scale = 1.0 if degree is None else scale_of(factors, held_out, _shares(degree, len(table)))
    return ContentModel((*text, *categories), tuple(numbers), alpha, error, scale, transformer, regression)


def _shares(weights: ArrayLike | None, count: int) -> NDArray[np.float64]:
    """Return the weights with mean 1."""
    given = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (count,):
        raise DataError(f"{given.size} weights for {count} rows: give one each")
    if not (np.isfinite(given) & (given >= 0)).all() or not given.any():
        raise DataError("weights must be finite numbers of at least 0, and not all 0")
    shares: NDArray[np.float64] = given / given.mean()
    return shares


def weights_of(side: Side, degree: ArrayLike) -> NDArray[np.float64]:
    """Return how much each row counts in `fit_content`: 1 for items, ``degree ** -0.75`` for users; float64.

    Parameters
    ----------
    side
        ``"item"`` or ``"user"``.
    degree
        How many interactions each row has, above 0.
    """
    return np.asarray(degree, np.float64) ** EXPONENTS[side]


def scale_of(vectors: Matrix, predicted: NDArray[Any], degree: NDArray[Any]) -> float:
    """Return what to multiply predicted vectors by, so that an interaction finds them as long as the fitted ones.

    A regression in which all items count alike predicts short vectors, for most items have few interactions, and beside
    those with interactions they would never be listed. The factor is that of least squares where each row counts by
    its interactions: they are what a list is judged by. It is the same for all rows, so their order among themselves
    stays, and never below 1.

    Parameters
    ----------
    vectors, predicted
        Of shape ``(n, factors)``: the fitted vectors, and predictions that did not know them.
    degree
        How many interactions each row has.
    """
    square = float(degree @ np.square(predicted, dtype=np.float64).sum(axis=1))
    product = float(degree @ np.einsum("ij,ij->i", predicted, vectors, dtype=np.float64))
    return max(product / square, 1.0) if square > 0 else 1.0


def learn(factors: Matrix, side: Side, rows: pd.DataFrame, degree: ArrayLike, catalogue: Catalogue) -> ContentModel:
    """Learn vectors from the columns of a catalogue; one row and one degree above 0 per vector."""
    return fit_content(factors, rows, **catalogue.roles, weights=weights_of(side, degree), degree=degree)


def cold_start(
    model: Recommender, catalogues: Pair[Catalogue | None], index_params: IndexParams | None = None
) -> Recommender:
    """Return a model that also knows whatever its catalogues list without interactions; see `with_cold`.

    Parameters
    ----------
    model
        A fitted model; it is not changed.
    catalogues
        What is known about its users and its items, or None. Every id with interactions must be in its catalogue.
    index_params
        Those of the model where not given.

    Returns
    -------
    Recommender
        Its ``info["cold"]`` says how many ids of each side have a vector from content, ``info["content"]`` from
        what columns, with what ridge penalty, and what share of the variance was left unexplained.

    Raises
    ------
    DataError
        When a catalogue lacks a known id, its ids are not of the model's kind, or it holds nothing to learn from.
    """
    wide = model
    for side in SIDES:
        catalogue = catalogues[side]
        if catalogue is not None:
            wide = _with_listed(wide, side, catalogue)
    return indexed(wide, index_params)


def _with_listed(model: Recommender, side: Side, catalogue: Catalogue) -> Recommender:
    """Place what a catalogue lists beyond what has interactions; every label of the catalogue is taken over."""
    ids, adjacency = model.ids[side], model.adjacency[side]
    degree = adjacency.degree
    warm = np.flatnonzero(degree)
    rows = catalogue.rows(side, ids.ids(warm))
    cold = catalogue.without(rows.index)
    vectors, info = np.zeros((0, model.factors.size), np.float32), dict(model.info)
    if len(cold):
        content = learn(model.factors[side][warm], side, rows, degree[warm], catalogue)
        vectors = content.vectors(cold)
        learnt = {"columns": list(content.columns), "alpha": content.alpha, "error": round(content.error, 4)}
        info["content"] = {**info.get("content", {}), side: learnt}
    wide = widened(model, side, cold.index.tolist(), vectors, catalogue.labels())
    return replace(wide, info={**wide.info, **info, "cold": wide.info["cold"]})


def encoded(
    table: pd.DataFrame, *, text: Sequence[str] = (), categories: Sequence[str] = (), numbers: Sequence[str] = ()
) -> tuple[Any, Any]:
    """Return the fitted transformer of a table and its features; raises what `fit_content` raises for the table."""
    texts = (*text, *categories)
    check_roles(text, categories, numbers, "")
    if len(table) < 2 * FOLDS:
        raise DataError(f"{len(table)} rows are too few to learn from: at least {2 * FOLDS}")
    cleaned = clean(table, texts, numbers)
    transformer = features(cleaned, text, categories, numbers)
    try:
        return transformer, transformer.fit_transform(cleaned)
    except ValueError as error:
        raise DataError(f"nothing to learn from in {', '.join(texts)}: {error}") from None


def _chosen(
    matrix: Any, factors: Matrix, shares: NDArray[Any], alphas: Sequence[float], seed: int
) -> tuple[float, float, NDArray[Any]]:
    """Return the penalty with the least error on held-out folds, that error, and the held-out predictions.

    From the largest down to the first that is worse: the error has one valley, and small penalties take longest.
    """
    from sklearn.decomposition import PCA
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold, cross_val_predict

    components = PCA(min(COMPONENTS, *factors.shape), svd_solver="covariance_eigh")
    # the shares of variance, which are not asked for, are no numbers where all vectors are the same
    with np.errstate(invalid="ignore", divide="ignore"):
        targets = components.fit_transform(factors)
    folds, given = KFold(FOLDS, shuffle=True, random_state=seed), {"sample_weight": shares}
    best, least, kept = 0.0, np.inf, factors
    for alpha in sorted(alphas, reverse=True):
        found = cross_val_predict(_ridge(alpha), matrix, targets, cv=folds, params=given)
        # of a single component scikit-learn makes a flat array
        predicted = components.inverse_transform(found.reshape(targets.shape))
        error = 1.0 - float(r2_score(factors, predicted, sample_weight=shares, multioutput="variance_weighted"))
        if error > least:
            break
        best, least, kept = float(alpha), error, predicted
    return best, least, kept


def _ridge(alpha: float) -> Any:
    from sklearn.linear_model import Ridge

    # the intercept is the mean vector; of the solvers for sparse features this one is the quickest here
    return Ridge(alpha, solver="lsqr", tol=TOLERANCE)
