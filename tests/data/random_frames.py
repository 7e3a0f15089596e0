"""Random frames of every dtype: what goes in comes out, or is refused in one line.

Each example draws pairs of ids and times, puts them into columns of a random dtype of a random library, and compares
`Interactions.to_frame` with what was drawn.
"""

import datetime
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

from mfrec.data.interactions import Interactions
from mfrec.errors import DataError

Column = list[Any]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# per kind of id: what is drawn, and the dtypes that hold it
INTEGERS = ("int64", "Int64", "int64[pyarrow]", "object", "numpy objects", "category", "int32", "uint64", "int8")
TEXTS = ("object", "str", "string", "string[pyarrow]", "category", "large_string[pyarrow]")
FLOATS = ("float64", "Float64", "double[pyarrow]", "float objects", "category of floats")
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
NUMBERS = ("int64", "Int64", "int64[pyarrow]", "object", "category", "text")
DATES = ("datetime64[s]", "datetime64[ns]", "datetimes", "zoned", "arrow", "arrow zoned", "iso", "mixed iso", "dates",
         "arrow dates", "category of datetimes")  # fmt: skip
LIBRARIES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "polars": lambda frame: pl.from_arrow(_arrow(frame)),
    "polars lazy": lambda frame: pl.from_arrow(_arrow(frame)).lazy(),  # type: ignore[union-attr]
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "duckdb": lambda frame: duckdb.connect().from_arrow(_arrow(frame)),
}

ids_int = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.integers(-5, 5), st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1])
)
ids_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1, max_size=8)
ids_float = st.integers(-(2**54), 2**54)
moments = st.integers(4 * 10**8, 4 * 10**9)


def _arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def id_column(values: Column, kind: str) -> "pd.Series[Any]":
    """Put ids into a column; OverflowError and the like where the dtype cannot hold them."""
    if kind == "numpy objects":
        return pd.Series([np.int64(v) for v in values], dtype=object)
    if kind == "float objects":
        return pd.Series([float(v) for v in values], dtype=object)
    if kind == "category of floats":
        return pd.Series([float(v) for v in values]).astype("category")
    return typed(pd.Series(values, dtype=object), kind)


def typed(column: Any, kind: str) -> "pd.Series[Any]":
    """Convert a column to a dtype by its name."""
    found: pd.Series[Any] = column.astype(kind)
    return found


def time_column(seconds: list[int], kind: str, unit: str) -> "pd.Series[Any]":
    """Put times into a column."""
    if kind in NUMBERS:
        values = [s * UNITS[unit] + UNITS[unit] // 2 for s in seconds]
        texts = list(map(str, values))
        return typed(pd.Series(texts if kind == "text" else values, dtype=object), "str" if kind == "text" else kind)
    zoned = [EPOCH + datetime.timedelta(seconds=s) for s in seconds]
    naive = [moment.replace(tzinfo=None) for moment in zoned]
    tokyo = datetime.timezone(datetime.timedelta(hours=9))
    spelled = [
        m.strftime("%Y-%m-%d %H:%M:%S") if place % 2 else m.astimezone(tokyo).isoformat()
        for place, m in enumerate(zoned)
    ]
    columns: dict[str, Callable[[], Any]] = {
        "datetimes": lambda: pd.Series(naive, dtype=object),
        "zoned": lambda: pd.Series(pd.to_datetime(zoned, utc=True)).dt.tz_convert("Asia/Tokyo"),
        "arrow": lambda: typed(pd.Series(naive), "timestamp[us][pyarrow]"),
        "arrow zoned": lambda: typed(pd.Series(pd.to_datetime(zoned, utc=True)), "timestamp[ms, tz=UTC][pyarrow]"),
        "iso": lambda: pd.Series([moment.isoformat() for moment in naive]),
        "mixed iso": lambda: pd.Series(spelled),
        "dates": lambda: pd.Series([moment.date() for moment in naive], dtype=object),
        "arrow dates": lambda: pd.Series([moment.date() for moment in naive]).astype("date32[pyarrow]"),
        "category of datetimes": lambda: pd.Series(naive).astype("category"),
    }
    found: pd.Series[Any] = columns[kind]() if kind in columns else typed(pd.Series(naive), kind)
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, list[tuple[Any, Any]], list[int] | None]:
    """Draw a frame, the pairs in it, and their times."""
    count = draw(st.integers(1, 8))
    columns, sides = {}, []
    for name in ("user", "item"):
        strategy, kinds = draw(st.sampled_from([(ids_int, INTEGERS), (ids_text, TEXTS), (ids_float, FLOATS)]))
        values = draw(st.lists(strategy, min_size=count, max_size=count))
        try:
            columns[name] = id_column(values, draw(st.sampled_from(kinds)))
        except (OverflowError, ValueError, TypeError, pa.ArrowInvalid):
            columns[name] = pd.Series(values, dtype=object)
        sides.append(values)
    times = None
    if draw(st.booleans()):
        times = draw(st.lists(moments, min_size=count, max_size=count))
        kind = draw(st.sampled_from([*NUMBERS, *DATES]))
        if "dates" in kind:
            times = [t // 86400 * 86400 for t in times]
        columns["time"] = time_column(times, kind, draw(st.sampled_from(list(UNITS))))
    frame = pd.DataFrame(columns)
    try:
        foreign = LIBRARIES[draw(st.sampled_from(list(LIBRARIES)))](frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, pl.exceptions.PolarsError):
        # the other library does not take such a column
        foreign = frame
    return foreign, list(zip(*sides, strict=True)), times


def check(case: tuple[Any, list[tuple[Any, Any]], list[int] | None]) -> bool:
    """Raise AssertionError unless the frame comes back; return whether it was read rather than refused."""
    frame, pairs, times = case
    try:
        found = Interactions.from_frame(frame, time=None if times is None else "time")
    except DataError as error:
        if "\n" in str(error) or len(str(error)) > 1000:
            raise AssertionError(f"no single line: {error}") from None
        return False
    expected: dict[tuple[Any, Any], int] = {}
    for pair, moment in zip(pairs, times or [0] * len(pairs), strict=True):
        expected[pair] = max(moment, expected.get(pair, moment))
    back = found.to_frame()
    got = list(zip(found.ids.user.ids(found.users), found.ids.item.ids(found.items), strict=True))
    moments_back = [0] * len(got) if times is None else back["time"].tolist()
    told = dict(zip(got, moments_back, strict=True))
    if told != expected or {type(v) for pair in got for v in pair} - {int, str}:
        raise AssertionError(f"{frame!r}\nexpected {expected}\ngot {told}")
    return True
