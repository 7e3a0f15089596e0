"""Features of a table, for `mfrec.coldstart.content`: TF-IDF of text, one column per category, a few per number.

A number becomes the weights of linear interpolation between knots at its quantiles (scikit-learn's
`SplineTransformer`, degree 1): a value belongs to the two knots around it, one beyond the ends to the last knot, and
a missing one to none. So ridge regression learns any curve, such
as a taste that is strongest at thirty, and one odd value cannot pull the rest. Hastie, Tibshirani and Friedman, "The
Elements of Statistical Learning" (2009), section 5.2.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.data.columns import require_columns
from mfrec.data.numbers import moments_in
from mfrec.data.numbers import numbers as read_numbers
from mfrec.data.refusals import RefusedError, clip
from mfrec.errors import DataError

KNOTS = 12
# a genre such as Sci-Fi is one word
WORD = r"[\w-]+"


def features(table: pd.DataFrame, text: Sequence[str], categories: Sequence[str], numbers: Sequence[str]) -> Any:
    """Return an unfitted scikit-learn transformer of tables that `clean` made; the knots are those of this one.

    Raises
    ------
    DataError
        When a column of numbers holds none.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import OneHotEncoder, SplineTransformer

    def words() -> Any:
        # the titles of a series share pairs of words
        return TfidfVectorizer(token_pattern=WORD, ngram_range=(1, 2), sublinear_tf=True, strip_accents="unicode")

    def curve(name: str) -> Any:
        places = knots(table[name])[:, None]
        return SplineTransformer(degree=1, knots=places, extrapolation="constant", handle_missing="zeros")

    texts = [(f"text {name}", words(), name) for name in text]
    values = [("categories", OneHotEncoder(handle_unknown="ignore"), list(categories))] if categories else []
    return ColumnTransformer([*texts, *values, *((f"number {name}", curve(name), [name]) for name in numbers)])


def clean(table: pd.DataFrame, texts: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """Return the columns alone: text and categories as str, "" where missing; numbers as float64, NaN where missing.

    Raises
    ------
    DataError
        When a column is missing, or one of numbers holds something else.
    """
    require_columns(table.columns, [*texts, *numbers], "the table")
    strings = {name: table[name].astype(object).where(table[name].notna(), "").astype(str) for name in texts}
    return pd.DataFrame({**strings, **{name: _floats(table[name]) for name in numbers}}, index=table.index)


def knots(column: "pd.Series[Any]") -> NDArray[np.float64]:
    """Return 2 to `KNOTS` ascending values at equal steps of the quantiles; fewer where values repeat.

    Raises
    ------
    DataError
        When the column holds no number.
    """
    known = column.dropna().to_numpy(np.float64)
    if not len(known):
        raise DataError(f"column {column.name!r} holds no number: there is nothing to learn from")
    # SplineTransformer takes quantiles as they are, and divides by zero where two are the same
    places = np.unique(np.quantile(known, np.linspace(0, 1, KNOTS)))
    # of a constant column, known or missing is all there is to tell
    return places if len(places) > 1 else np.array([places[0], np.nextafter(places[0], np.inf) + 1])


def _floats(column: "pd.Series[Any]") -> "pd.Series[Any]":
    what = f"column {column.name!r}"
    moments = moments_in(column)
    if moments is not None:
        raise DataError(f"{what} has type {moments}: a date or a duration is no number; make it one, such as the year")
    try:
        found = read_numbers(column, what=what)
    except RefusedError as error:
        # the option that it names is of other tables
        told = str(error).split(": if the comma")[0]
        raise DataError(f"{told}, which is no number: if the comma is the decimal sign, write a point") from None
    wrong = found.wrong | np.isinf(found.values)
    if wrong.any():
        first = clip(column.iloc[int(wrong.argmax())])
        raise DataError(f"{what} holds {first}, which is no number: take it as a category")
    return pd.Series(np.where(found.missing, np.nan, found.values), index=column.index, name=column.name)
