"""Cold start from content: vectors for items nobody has touched, or for users who touched nothing.

What is known about them (title, genres, any text or categories) is turned into features, TF-IDF for text and one
column per value for categories, and ridge regression maps the features onto the fitted vectors, as the title tower
of a two-tower network does. The vectors are then rows like any other: indexes, folders and the serving side know no
difference.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.directions import Pair, Side, other
from mfrec.errors import DataError, ParameterError
from mfrec.factors import Factors, Matrix
from mfrec.ids import Id, IdMap
from mfrec.index import IndexParams
from mfrec.links import Links
from mfrec.packed import PackedStrings
from mfrec.pipeline import build_indexes
from mfrec.recommender import Recommender

ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
FOLDS = 5


@dataclass(frozen=True, eq=False)
class ContentModel:
    """A map from what is known about an item (or user) to its vector; made by `fit_content`.

    Parameters
    ----------
    columns
        Of the tables it reads.
    alpha
        Weight of the ridge penalty, chosen by cross-validation.
    error
        Share of the vectors' variance that is left unexplained in cross-validation: 0 is perfect, 1 as good as
        the mean vector.
    features, regression
        The fitted scikit-learn parts.
    """

    columns: tuple[str, ...]
    alpha: float
    error: float
    features: Any
    regression: Any

    def vectors(self, table: pd.DataFrame) -> Matrix:
        """Return one vector per row, float32 of shape ``(len(table), factors)``.

        Raises
        ------
        DataError
            When a column is missing.
        """
        if not len(table):
            return np.zeros((0, self.regression.coef_.shape[0]), np.float32)
        found = self.regression.predict(self.features.transform(_clean(table, self.columns)))
        return np.ascontiguousarray(found, np.float32)


def fit_content(
    factors: Matrix,
    table: pd.DataFrame,
    *,
    text: Sequence[str] = (),
    categories: Sequence[str] = (),
    weights: NDArray[Any] | None = None,
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
        Columns of text: TF-IDF over words; lists joined by ``|``, such as MovieLens genres, are text as well.
    categories
        Columns of categories: one feature per value; values never seen are no value. Cut numbers into ranges first.
    weights
        How much each row counts, such as its degree: the vectors of the hardly known are noise.
    alphas
        Ridge penalties to choose from.
    seed
        Of the folds.

    Raises
    ------
    DataError
        When a column is missing, or the table does not fit the factors or holds nothing to learn from.
    ParameterError
        When no column is named.
    """
    columns = (*text, *categories)
    if not columns:
        raise ParameterError("name at least one column of text or categories")
    if len(table) != len(factors):
        raise DataError(f"the table has {len(table)} rows for {len(factors)} vectors: one each, in the same order")
    if len(table) < 2 * FOLDS:
        raise DataError(f"{len(table)} rows are too few to learn from: at least {2 * FOLDS}")
    counts = np.ones(len(table)) if weights is None else np.asarray(weights, float) / np.mean(weights)
    features = _features(text, categories)
    try:
        matrix = features.fit_transform(_clean(table, columns))
    except ValueError as error:
        raise DataError(f"nothing to learn from in {', '.join(columns)}: {error}") from None
    alpha, error_left = _choose(matrix, factors, counts, alphas, seed)
    return ContentModel(columns, alpha, error_left, features, _ridge(alpha).fit(matrix, factors, counts))


def with_cold(
    model: Recommender,
    side: Side,
    ids: Iterable[Id],
    vectors: Matrix,
    labels: Mapping[Any, str] | None = None,
    index_params: IndexParams | None = None,
) -> Recommender:
    """Return a model that also knows these items (or users), who have no interactions.

    The indexes are built anew. Saving the result keeps the vectors: serving needs no scikit-learn.

    Parameters
    ----------
    model
        A fitted model; it is not changed.
    side
        ``"item"`` or ``"user"``: what the ids are.
    ids
        New external ids of the model's kind. An id that the model knows with interactions is refused; one that
        it knows without any gets its vector replaced.
    vectors
        One row per id.
    labels
        Texts of the new ids, where there are any.
    index_params
        Those of the model where not given.

    Raises
    ------
    DataError
        When ids are repeated or have interactions already, or the vectors do not fit.
    """
    given = list(ids)
    rows = np.asarray(vectors, np.float32)
    if rows.shape != (len(given), model.factors.size) or not np.isfinite(rows).all():
        raise DataError(f"vectors of shape {rows.shape} for {len(given)} ids and {model.factors.size} factors")
    cold = IdMap.of(side, given)
    old = model.ids[side]
    _refuse_known(model, side, given)
    ids_now = IdMap.of(side, [*old, *(key for key in cold if key not in old)])
    place, new = ids_now.numbers(old), ids_now.numbers(given)
    numbers: Pair[Any] = Pair.of(lambda s: place if s == side else np.arange(len(model.ids[s])))
    factors = _placed(model.factors, side, len(ids_now), numbers, new, rows)
    params = index_params or IndexParams(**model.info.get("index", {}))
    return replace(
        model,
        factors=factors,
        ids=_with(model.ids, side, ids_now),
        links=_links(model.links, side, len(ids_now), place),
        labels=_with(model.labels, side, _labels(model.labels[side], old, ids_now, labels or {})),
        indexes=build_indexes(factors, params),
        info={**model.info, "cold": {**model.info.get("cold", {}), side: len(given)}},
    )


def with_cold_items(
    model: Recommender, ids: Iterable[Id], vectors: Matrix, labels: Mapping[Any, str] | None = None
) -> Recommender:
    """Return a model that also knows these items; see `with_cold`."""
    return with_cold(model, "item", ids, vectors, labels)


def _features(text: Sequence[str], categories: Sequence[str]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import OneHotEncoder

    # a genre such as Sci-Fi is one word
    word = r"[\w-]+"
    words = [
        (f"text {name}", TfidfVectorizer(token_pattern=word, sublinear_tf=True, strip_accents="unicode"), name)
        for name in text
    ]
    values = [("categories", OneHotEncoder(handle_unknown="ignore"), list(categories))] if categories else []
    return ColumnTransformer([*words, *values])


def _clean(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise DataError(f"the table has no column {missing[0]!r}: it has {', '.join(map(repr, table.columns))}")
    return table[list(columns)].fillna("").astype(str)


def _ridge(alpha: float) -> Any:
    from sklearn.linear_model import Ridge

    # a dual or sparse solver as suits the shape; the intercept is the mean vector
    return Ridge(alpha=alpha, solver="auto")


def _choose(
    matrix: Any, factors: Matrix, counts: NDArray[Any], alphas: Sequence[float], seed: int
) -> tuple[float, float]:
    """Return the penalty with the least squared error on held-out folds, and that error beside the mean's."""
    fold = np.random.default_rng(seed).permutation(len(factors)) % FOLDS
    errors, of_mean = np.zeros(len(alphas)), 0.0
    for number in range(FOLDS):
        held, kept = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        mean = np.average(factors[kept], axis=0, weights=counts[kept])
        of_mean += float(counts[held] @ ((factors[held] - mean) ** 2).sum(1))
        for place, alpha in enumerate(alphas):
            found = _ridge(alpha).fit(matrix[kept], factors[kept], counts[kept]).predict(matrix[held])
            errors[place] += counts[held] @ ((factors[held] - found) ** 2).sum(1)
    best = int(errors.argmin())
    return float(alphas[best]), float(errors[best] / of_mean) if of_mean else 0.0


def _refuse_known(model: Recommender, side: Side, ids: Sequence[Id]) -> None:
    old, links = model.ids[side], model.links[side]
    known = [key for key in ids if key in old and len(links.of(old.number(key)))]
    if known:
        raise DataError(f"{side} {known[0]!r} has interactions: its own vector is better than one from content")


def _with(pair: Pair[Any], side: Side, value: Any) -> Pair[Any]:
    return Pair.of(lambda s: value if s == side else pair[s])


def _placed(
    factors: Factors, side: Side, size: int, numbers: Pair[Any], new: NDArray[np.int64], rows: Matrix
) -> Factors:
    """Return the factors with room for new rows; what folding in uses stays that of the fit."""
    matrix = np.zeros((size, factors.size), np.float32)
    degree = np.zeros(size, np.int64)
    matrix[numbers[side]], degree[numbers[side]] = factors[side], factors.degree[side]
    matrix[new] = rows
    both = _with(Pair(factors.user, factors.item), side, matrix)
    return Factors(both.user, both.item, factors.solver, _with(factors.degree, side, degree), factors.gram)


def _links(links: Pair[Links], side: Side, size: int, place: NDArray[np.int64]) -> Pair[Links]:
    own, across = links[side], links[other(side)]
    counts = np.zeros(size, np.int64)
    counts[place] = np.diff(own.starts)
    # ids keep their order, so the numbers within a row stay ascending
    moved = Links(across.starts, place[across.numbers].astype(across.numbers.dtype))
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return _with(_with(links, side, Links(starts, own.numbers)), other(side), moved)


def _labels(labels: PackedStrings | None, old: IdMap, ids: IdMap, new: Mapping[Any, str]) -> PackedStrings | None:
    if labels is None and not new:
        return None
    texts = dict(zip(old, labels, strict=True)) if labels is not None else {}
    return PackedStrings.pack({**texts, **new}.get(key, "") for key in ids)
