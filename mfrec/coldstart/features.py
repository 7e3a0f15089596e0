"""Features of a table, for `mfrec.coldstart.content`: TF-IDF of text, one column per category, a few per number.

A number becomes the weights of linear interpolation between knots at its quantiles (a linear spline): a value
belongs to the two knots around it, one beyond the ends to the last knot. So ridge regression learns any curve, such
as a taste that is strongest at thirty, and one odd value cannot pull the rest. Hastie, Tibshirani and Friedman, "The
Elements of Statistical Learning" (2009), section 5.2.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mfrec.data.columns import require_columns
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
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

    words = [
        (f"text {name}", TfidfVectorizer(token_pattern=WORD, sublinear_tf=True, strip_accents="unicode"), name)
        for name in text
    ]
    values = [("categories", OneHotEncoder(handle_unknown="ignore"), list(categories))] if categories else []
    curves = [
        (f"number {name}", FunctionTransformer(hats, kw_args={"knots": knots(table[name])}), [name]) for name in numbers
    ]
    return ColumnTransformer([*words, *values, *curves])


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


def knots(column: ArrayLike) -> NDArray[np.float64]:
    """Return up to `KNOTS` ascending values at equal steps of the quantiles; fewer where values repeat."""
    values = np.asarray(column, np.float64)
    known = values[~np.isnan(values)]
    if not len(known):
        raise DataError(f"column {getattr(column, 'name', '')!r} holds no number: there is nothing to learn from")
    return np.unique(np.quantile(known, np.linspace(0, 1, KNOTS)))


def hats(column: ArrayLike, knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one feature per knot, float64 of shape ``(n, len(knots))``.

    Each row sums to 1, split between the two knots around its value; it is all 0 where the value is missing.
    """
    values = np.asarray(column, np.float64).reshape(-1)
    found = np.column_stack([np.interp(values, knots, peak) for peak in np.eye(len(knots))])
    return np.nan_to_num(found)


def _floats(column: "pd.Series[Any]") -> "pd.Series[Any]":
    found = pd.to_numeric(column, errors="coerce").astype("float64")
    wrong = column[(found.isna() & column.notna()) | np.isinf(found)]
    if len(wrong):
        raise DataError(
            f"column {column.name!r} holds {wrong.tolist()[0]!r}, which is no number: take it as a category"
        )
    return found
