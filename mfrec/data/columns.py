"""Columns of a user's table, checked and turned into arrays; every complaint names the column and a row."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.directions import Side
from mfrec.errors import DataError, ParameterError
from mfrec.model.ids import IdMap
from mfrec.model.string_array import StringArray

Labels: TypeAlias = "Mapping[Any, str] | pd.Series[Any]"


def require(frame: pd.DataFrame, names: list[str]) -> None:
    """Raise DataError unless the frame has rows and every named column, each once."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"expected a pandas DataFrame, got {type(frame).__name__}")
    have = list(frame.columns)
    require_columns(have, names, "the table")
    twice = [n for n in names if have.count(n) > 1]
    if twice:
        raise DataError(f"column {twice[0]!r} stands {have.count(twice[0])} times in the table: rename one")
    if frame.empty:
        raise DataError("the table has no rows: there is nothing to learn from")


def require_columns(have: Iterable[Any], names: Iterable[str], what: str) -> None:
    """Raise DataError unless every named column is there."""
    have = list(have)
    missing = [name for name in dict.fromkeys(names) if name not in have]
    if missing:
        listed, dots = ", ".join(map(repr, have[:20])) or "no columns", ", ..." if len(have) > 20 else ""
        raise DataError(f"{what} has no column {', '.join(map(repr, missing))}: it has {listed}{dots}")


def check_roles(text: Sequence[str], categories: Sequence[str], numbers: Sequence[str], what: str) -> None:
    """Raise ParameterError unless some column is named, none twice, and none as both words and numbers."""
    if not (*text, *categories, *numbers):
        raise ParameterError(f"name at least one column of text, categories or numbers{what}")
    for role, names in (("text", text), ("categories", categories), ("numbers", numbers)):
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        if twice:
            raise ParameterError(f"column {twice[0]!r} is named {names.count(twice[0])} times as {role}: name it once")
    for name in numbers:
        if name in (*text, *categories):
            raise ParameterError(f"column {name!r} is named as numbers and as text or a category: choose one")


def id_column(frame: pd.DataFrame, name: str, side: Side) -> tuple[IdMap, NDArray[np.int64]]:
    """Return the distinct ids of a column in ascending order, and each row's number."""
    column = frame[name]
    _no_missing(column, f"{side} column {name!r}")
    codes, uniques = pd.factorize(column)
    distinct = np.asarray(uniques)
    _check_id_type(distinct, name, side)
    if distinct.dtype.kind in "iu":
        distinct = distinct.astype(np.int64)
        order = np.argsort(distinct)
        ids = IdMap(side, distinct[order])
    else:
        texts = [str(v) for v in distinct]
        order = np.array(sorted(range(len(texts)), key=texts.__getitem__), np.int64)
        ids = IdMap(side, StringArray.pack(texts[i] for i in order))
    number_of = np.empty(len(order), np.int64)
    number_of[order] = np.arange(len(order))
    return ids, number_of[codes]


def _check_id_type(distinct: NDArray[Any], name: str, side: Side) -> None:
    if distinct.dtype.kind == "u" and distinct.size and int(distinct.max()) >= 2**63:
        raise DataError(f"{side} column {name!r} has integers above 2**63 - 1: pass them as strings")
    if distinct.dtype.kind in "iuU":
        return
    if distinct.dtype.kind == "f":
        raise DataError(
            f"{side} column {name!r} has type {distinct.dtype}: ids must be integers or strings; "
            f"convert it with astype('int64') or astype(str)"
        )
    kinds = sorted({type(v).__name__ for v in distinct})
    if kinds == ["int"] and max(abs(v) for v in distinct) >= 2**63:
        raise DataError(f"{side} column {name!r} has integers above 2**63 - 1: pass them as strings")
    if kinds != ["str"]:
        raise DataError(
            f"{side} column {name!r} holds values of type {', '.join(kinds)}: ids must be all integers "
            f"or all strings; convert it with astype('int64') or astype(str)"
        )


def weight_column(frame: pd.DataFrame, name: str | None) -> NDArray[np.float64] | None:
    """Return the weights as float64, all finite and above zero."""
    if name is None:
        return None
    values = _numeric(frame[name], f"weight column {name!r}")
    with np.errstate(over="ignore"):
        stored = values.astype(np.float32)
    bad = np.flatnonzero(~(stored > 0) | ~np.isfinite(stored))
    if len(bad):
        raise DataError(
            f"weight column {name!r} has {len(bad)} values that are not finite numbers above 0 "
            f"(first: {values[bad[0]]:g} in row {bad[0]}): drop those rows, or leave the weight out"
        )
    return values


def time_column(frame: pd.DataFrame, name: str | None) -> NDArray[np.int64] | None:
    """Return the times as int64 seconds since 1970; numbers are taken as such, dates are converted."""
    if name is None:
        return None
    column = frame[name]
    _no_missing(column, f"time column {name!r}")
    if not pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_datetime64_any_dtype(column):
        try:
            column = pd.to_datetime(column, utc=True)
        except (ValueError, TypeError):
            raise DataError(
                f"time column {name!r} holds neither numbers nor dates (first: {column.iloc[0]!r})"
            ) from None
    if pd.api.types.is_datetime64_any_dtype(column):
        if column.dt.tz is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return np.asarray(column, "datetime64[s]").astype(np.int64)
    values = _numeric(column, f"time column {name!r}")
    if not (np.abs(values) < 2**62).all():
        raise DataError(f"time column {name!r} has values that are not finite seconds since 1970")
    return values.astype(np.int64)


def label_column(labels: "Labels | str | None", frame: pd.DataFrame, id_name: str, ids: IdMap) -> StringArray | None:
    """Return one label per number ("" where there is none), from a mapping or from a column of the table."""
    if labels is None:
        return None
    if isinstance(labels, str):
        require(frame, [labels])
        first = frame.drop_duplicates(id_name)
        labels = dict(zip(first[id_name].tolist(), first[labels].tolist(), strict=True))
    found = labels.to_dict() if isinstance(labels, pd.Series) else labels
    if not isinstance(found, Mapping):
        raise DataError(f"{ids.side} labels must be a mapping from id to text, got {type(labels).__name__}")
    known = [found.get(i) for i in ids]
    if not any(isinstance(text, str) for text in known):
        raise DataError(
            f"none of the {len(ids)} {ids.side} ids has a label (ids are of type {ids.kind}; "
            f"labels are keyed by {next((repr(k) for k in found), 'nothing')}): check the keys' type"
        )
    return StringArray.pack(text if isinstance(text, str) else "" for text in known)


def _no_missing(column: "pd.Series[Any]", what: str) -> None:
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise DataError(f"{what} has {len(missing)} missing values (first in row {missing[0]}): drop those rows")


def _numeric(column: "pd.Series[Any]", what: str) -> NDArray[np.float64]:
    try:
        return column.to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError):
        wrong = next((v for v in column if not isinstance(v, int | float | np.number)), column.iloc[0])
        raise DataError(f"{what} must be numeric, got {wrong!r} ({type(wrong).__name__})") from None
