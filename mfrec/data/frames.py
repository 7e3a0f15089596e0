"""Frames of any library (pandas, polars, pyarrow, DuckDB and what else narwhals knows) as a `Table`."""

from collections.abc import Iterable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from mfrec.data.refusals import RefusedError, require_columns, require_once
from mfrec.data.table import Table
from mfrec.errors import DataError


def table_of(frame: Any, names: Iterable[Any]) -> Table:
    """Return the named columns of a frame, which is not changed.

    Raises
    ------
    RefusedError
        When it is no frame, has no rows, or lacks a column or has it twice.
    """
    names = list(dict.fromkeys(names))
    if isinstance(frame, pd.DataFrame):
        have = list(frame.columns)
        _check(have, names)
        columns = {name: _plain(frame[name]) for name in names}
    else:
        columns = _foreign(frame, names)
    table = Table(columns)
    if not len(table):
        raise RefusedError(f"{table.name} has no rows")
    return table


def is_frame(value: Any) -> bool:
    """Whether narwhals knows this as a frame."""
    return isinstance(nw.from_native(value, pass_through=True), nw.DataFrame | nw.LazyFrame)


def _check(have: list[Any], names: list[Any]) -> None:
    require_columns(have, names, "the table")
    require_once(have, names, "the table")


def _foreign(frame: Any, names: list[Any]) -> "dict[Any, pd.Series[Any]]":
    own = getattr(frame, "column_names", None)
    if isinstance(own, list):
        # narwhals refuses repeated names, wherever they are
        _check(own, names)
    known = nw.from_native(frame, pass_through=True)
    if not isinstance(known, nw.DataFrame | nw.LazyFrame):
        raise DataError(
            f"expected a frame (of pandas, polars, pyarrow, DuckDB, ...), got {type(frame).__name__}: "
            "lists and arrays go to mfrec.Interactions.from_arrays, sparse matrices to from_sparse, files to read"
        )
    _check(known.collect_schema().names(), names)
    chosen: Any = known.select(*names)
    eager = chosen.collect() if isinstance(chosen, nw.LazyFrame) else chosen
    return {name: pandas_of(eager[name]) for name in names}


def _plain(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column with rows counted from 0, in this machine's order of bytes."""
    if isinstance(column.dtype, np.dtype) and not column.dtype.isnative:
        column = column.astype(column.dtype.newbyteorder("="))
    return column.reset_index(drop=True)


def pandas_of(series: Any) -> "pd.Series[Any]":
    """Return a series of narwhals as one of pandas, with every value exact."""
    native = series.to_native()
    if isinstance(native, pd.Series):
        return _plain(native)
    if series.implementation.is_pandas_like():
        return series.to_pandas().reset_index(drop=True)  # type: ignore[no-any-return]
    try:
        arrow = native if series.implementation.is_pyarrow() else series.to_arrow()
    except Exception as error:
        # polars hands its columns over through pyarrow; where there is none, or it lacks the type (Int128), by value
        if not isinstance(error, ImportError) and not type(error).__module__.startswith("pyarrow"):
            raise
        return pd.Series(series.to_list(), dtype=object)
    return of_arrow(arrow)


def of_arrow(arrow: Any) -> "pd.Series[Any]":
    """Return an array or a chunked array of pyarrow as a Series that refers to the same memory where it can."""
    import pyarrow as pa

    kind = arrow.type
    if pa.types.is_dictionary(kind):
        if pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type):
            return _categorical(arrow)
        kind = kind.value_type
    if kind == pa.string_view():
        kind = pa.large_string()
    if pa.types.is_null(kind):
        return pd.Series([None] * len(arrow), dtype=object)
    if kind != arrow.type:
        arrow = arrow.cast(kind)
    if isinstance(arrow, pa.Array):
        arrow = pa.chunked_array([arrow])
    dtype = pd.ArrowDtype(kind)
    try:
        dtype.type  # noqa: B018
    except NotImplementedError:
        # pandas cannot tell what the values of such a column are, as of intervals of months: they are what they are
        return pd.Series(arrow.to_pylist(), dtype=object)
    return pd.Series(pd.array(arrow, dtype=dtype))


def column_of(values: Any, name: str) -> "pd.Series[Any]":
    """Return an array, a list or a Series of any library as a Series.

    Raises
    ------
    DataError
        When it has another number of dimensions than one.
    """
    if isinstance(values, pd.Series | pd.Index):
        return _plain(pd.Series(values))
    if type(values).__module__.startswith("pyarrow"):
        return of_arrow(values)
    known = nw.from_native(values, allow_series=True, pass_through=True)
    if isinstance(known, nw.Series):
        return pandas_of(known)
    if isinstance(values, pd.api.extensions.ExtensionArray):
        return pd.Series(values)
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise DataError(f"{name}: expected an array of one dimension, got {values.ndim}")
        # pandas would make text of Arrow's of these, which has no place for half of a surrogate pair
        return _plain(pd.Series(values, dtype=object if values.dtype.kind in "OU" else None))
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise DataError(f"{name}: expected an array or a list, got {type(values).__name__}")
    # value by value, so that integers beside a missing one stay exact
    return pd.Series([*values, None], dtype=object).iloc[:-1]


def _categorical(arrow: Any) -> "pd.Series[Any]":
    import pyarrow as pa

    chunks = arrow if isinstance(arrow, pa.ChunkedArray) else pa.chunked_array([arrow])
    if not chunks.num_chunks:
        return pd.Series([], dtype=object)
    chunks = chunks.unify_dictionaries()
    codes = np.concatenate(
        [chunk.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False) for chunk in chunks.chunks]
    )
    # a dictionary may hold a text twice, or a missing one
    places, distinct = pd.factorize(np.array([*chunks.chunk(0).dictionary.to_pylist(), None], object))
    codes = places[codes]
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(distinct, dtype=object), validate=False))
