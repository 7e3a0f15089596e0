"""Frames of every library and dtype, sparse matrices and arrays come out as they went in, or one line says why not."""

import datetime
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.data.refusals import Doubt
from mfrec.errors import DataError, ParameterError

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")
random_frames = pytest.importorskip("tests.data.random_frames")

BIG = 2**63 - 1
COLUMNS = {"who": ["b", "a", "b"], "what": [BIG, 1, 1], "n": [1.5, 2.0, 0.5], "t": [30, 20, 10]}
NAMES: dict[str, Any] = {"user": "who", "item": "what", "weight": "n", "time": "t"}
ROWS = [("a", 1, 2.0, 20), ("b", 1, 0.5, 10), ("b", BIG, 1.5, 30)]


def rows(found: Interactions, *columns: str) -> list[tuple[Any, ...]]:
    frame = found.to_frame()[list(columns) or list(found.to_frame().columns)].astype(object)
    return [tuple(row) for row in frame.itertuples(index=False, name=None)]


def arrow(values: list[Any], kind: Any) -> Any:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values, kind)))


def arrow_intervals() -> Any:
    return pa.array([(1, 2, 3), (0, 1, 0)], pa.month_day_nano_interval())


FRAMES: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pd.DataFrame(COLUMNS),
    "pandas, nullable": lambda: pd.DataFrame(COLUMNS).convert_dtypes(),
    "pandas, Arrow": lambda: pd.DataFrame(COLUMNS).convert_dtypes(dtype_backend="pyarrow"),
    "pandas, categories": lambda: pd.DataFrame(COLUMNS).astype("category"),
    "pandas, objects": lambda: pd.DataFrame(COLUMNS, dtype=object),
    "pandas, an index": lambda: pd.DataFrame(COLUMNS, index=[5, 5, 1]),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "polars, lazy": lambda: pl.LazyFrame(COLUMNS),
    "polars, categories": lambda: pl.DataFrame(COLUMNS).with_columns(pl.col("who").cast(pl.Categorical)),
    "polars, enum": lambda: pl.DataFrame(COLUMNS).with_columns(pl.col("who").cast(pl.Enum(["z", "b", "a"]))),
    "pyarrow": lambda: pa.table(COLUMNS),
    "pyarrow, dictionaries": lambda: pa.table({**COLUMNS, "who": pa.array(COLUMNS["who"]).dictionary_encode()}),
    "pyarrow, chunks": lambda: pa.concat_tables([pa.table(COLUMNS).slice(0, 1), pa.table(COLUMNS).slice(1)]),
    "pyarrow, large strings": lambda: pa.table({**COLUMNS, "who": pa.array(COLUMNS["who"], pa.large_string())}),
    "pyarrow, string views": lambda: pa.table({**COLUMNS, "who": pa.array(COLUMNS["who"], pa.string_view())}),
    "duckdb": lambda: duckdb.connect().from_arrow(pa.table(COLUMNS)),
    "duckdb, a query": lambda: duckdb.connect().sql(
        "select * from (values ('b', 9223372036854775807, 1.5, 30), ('a', 1, 2.0, 20), ('b', 1, 0.5, 10)) "
        "as t(who, what, n, t)"
    ),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_is_read_without_a_conversion(kind: str) -> None:
    found = Interactions.from_frame(FRAMES[kind](), **NAMES)
    assert rows(found) == ROWS
    assert {type(key) for key in found.ids.item} == {int}


def test_polars_is_read_where_pyarrow_is_missing() -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import polars as pl\nfrom mfrec.data.interactions import Interactions\n"
        f"found = Interactions.from_frame(pl.DataFrame({COLUMNS!r}), user='who', item='what', weight='n', time='t')\n"
        "print([tuple(row) for row in found.to_frame().astype(object).values.tolist()])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(ROWS), done.stderr


def test_wide_integers_of_polars_are_read() -> None:
    wide = pl.DataFrame(COLUMNS).with_columns(
        pl.col("what", "t").cast(pl.Int128), n=pl.Series([3, 4, 1]).cast(pl.Int128)
    )
    assert rows(Interactions.from_frame(wide, **NAMES)) == [(*row[:2], 2 * row[2], row[3]) for row in ROWS]
    with pytest.raises(DataError, match="integers beyond 64 bits"):
        Interactions.from_frame(wide.with_columns(pl.col("what") * 4), **NAMES)


def test_a_missing_truth_is_left_out_where_rows_may_be() -> None:
    frame = pl.DataFrame({"user": [1, 2], "item": [1, 2], "w": [True, None]})
    assert rows(Interactions.from_frame(frame, weight="w", drop_invalid=True)) == [(1, 1, 1.0)]


IDS: dict[str, tuple[Any, list[Any] | str]] = {
    "whole floats": ([1.0, 2.0], [1, 2]),
    "nullable whole floats": (pd.array([1.0, 2.0], "Float64"), [1, 2]),
    "objects of floats and integers": (np.array([1, 2.0], object), [1, 2]),
    "objects of NumPy integers": (np.array([np.int64(BIG), np.int8(2)], object), [2, BIG]),
    "the ends of int64": ([-(2**63), BIG], [-(2**63), BIG]),
    "objects of the ends": (np.array([-(2**63), BIG], object), [-(2**63), BIG]),
    "big-endian": (np.array([1, 2], ">i8"), [1, 2]),
    "texts of NumPy": (np.array(["a", "b"]), ["a", "b"]),
    "decimals that are whole": (np.array([Decimal(1), Decimal(2)], object), [1, 2]),
    "floats below 2**53": ([1.0, 2.0**53 - 1], [1, 2**53 - 1]),
    "short floats": (np.array([1, 2**24 - 1], "f4"), [1, 2**24 - 1]),
    "categories of floats that no row has": (pd.Categorical([1, 2], categories=[1, 2, 2.5]), [1, 2]),
    "beyond int64": (np.array([1, 2**63], object), r"above 2\*\*63 - 1"),
    "beyond int64, unsigned": (np.array([1, 2**63], np.uint64), r"above 2\*\*63 - 1"),
    "floats from 2**53": ([1.0, 2.0**53], r"float64 from 2\*\*53 on"),
    "floats from -2**53": ([1.0, -(2.0**53)], r"float64 from 2\*\*53 on"),
    "short floats from 2**24": (np.array([1, 2**24], "f4"), r"float32 from 2\*\*24 on"),
    "shorter floats from 2**11": (np.array([1, 2**11], "f2"), r"float16 from 2\*\*11 on"),
    "nullable short floats": (pd.array([1, 2**24], "Float32"), r"float32 from 2\*\*24 on"),
    "Arrow's short floats": (arrow([1.0, 2.0**24], pa.float32()), r"float32 from 2\*\*24 on"),
    "Arrow's shorter floats": (arrow([np.float16(1), np.float16(2**11)], pa.float16()), r"float16 from 2\*\*11 on"),
    "objects of short floats": (np.array([np.float32(2**24), 2**24], object), r"float32 from 2\*\*24 on"),
    "categories of short floats": (pd.Categorical(np.array([1, 2**24], "f4")), r"float32 from 2\*\*24 on"),
    "decimals beyond floats": (np.array([Decimal(2**53 + 1), Decimal(2)], object), r"float64 from 2\*\*53 on"),
    "floats beside large integers": (np.array([1.0, 2**53], object), r"both floats and integers from 2\*\*53 on"),
    "fractions": ([1.0, 1.5], "1.5 is no whole number"),
    "infinite": ([1.0, np.inf], "inf is no whole number"),
    "numbers and texts": (np.array([1, "1"], object), "values of type int, str"),
    "truth among integers": (np.array([1, True], object), "values of type bool, int"),
    "truth": ([True, False], "values of type bool"),
    "dates": (pd.to_datetime(["2020-01-01", "2020-01-02"]), "values of type Timestamp"),
    "complex": ([1j, 2j], "values of type complex"),
    "lists": (pd.Series([[1], [2]]), "values of type list"),
    "a line break": (["a\nb", "c"], r"row 0: the id 'a\\nb' .* has a line break"),
    "half of a surrogate pair": (
        pd.Series(["a", "\ud800"], dtype=object),
        r"row 1: the id '\\ud800' .* is no valid Unicode",
    ),
    "an empty text": (["", "c"], "user column 'user': 1 missing .first in row 0."),
    "an empty text among objects": (np.array(["a", ""], object), "user column 'user': 1 missing .first in row 1."),
    "an empty text among Arrow's": (arrow(["a", ""], pa.string()), "user column 'user': 1 missing"),
    "an empty category": (pd.Categorical(["", "b"]), "user column 'user': 1 missing"),
    "too long": (["a" * 501, "c"], "is longer than 500 characters"),
}


@pytest.mark.parametrize("case", IDS)
def test_ids_of_every_dtype(case: str) -> None:
    values, expected = IDS[case]
    frame = pd.DataFrame({"user": values, "item": [1, 2]})
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected) as caught:
            Interactions.from_frame(frame)
        assert "\n" not in str(caught.value)
        return
    found = Interactions.from_frame(frame)
    assert list(found.ids.user) == expected
    assert bool(found.notes) == ("float" in case or "decimal" in case)


MOMENT = 1_700_000_000
ZONE = datetime.timezone(datetime.timedelta(hours=9))
NAIVE = [datetime.datetime(2023, 11, 14, 22, 13, 20), datetime.datetime(1969, 12, 31, 23, 59, 59, 500_000)]
ZONED = [moment.replace(tzinfo=datetime.UTC).astimezone(ZONE) for moment in NAIVE]
SECONDS = [MOMENT, -1]
TIMES: dict[str, tuple[Any, list[int] | str]] = {
    "seconds": ([MOMENT, MOMENT + 1], [MOMENT, MOMENT + 1]),
    "milliseconds": ([MOMENT * 1000 + 999, (MOMENT + 1) * 1000], [MOMENT, MOMENT + 1]),
    "microseconds": ([MOMENT * 10**6, (MOMENT + 1) * 10**6], [MOMENT, MOMENT + 1]),
    "nanoseconds, exact": ([MOMENT * 10**9 - 1, MOMENT * 10**9], [MOMENT - 1, MOMENT]),
    "objects of integers": (np.array([MOMENT, MOMENT + 1], object), [MOMENT, MOMENT + 1]),
    "categories of integers": (pd.Categorical([MOMENT * 1000, MOMENT * 1000 + 1000]), [MOMENT, MOMENT + 1]),
    "objects of nanoseconds": (np.array([MOMENT * 10**9 - 1, MOMENT * 10**9], object), [MOMENT - 1, MOMENT]),
    "texts of integers": ([str(MOMENT), str(MOMENT + 1)], [MOMENT, MOMENT + 1]),
    "floats": ([MOMENT + 0.9, -0.5], SECONDS),
    "datetimes": (NAIVE, SECONDS),
    "objects of datetimes": (np.array(NAIVE, object), SECONDS),
    "zoned datetimes": (ZONED, SECONDS),
    "objects of both": (np.array([NAIVE[0], ZONED[1]], object), SECONDS),
    "categories of datetimes": (pd.Categorical(NAIVE), SECONDS),
    "coarse datetimes": (np.array(NAIVE, "datetime64[s]"), [MOMENT, -1]),
    "objects of NumPy datetimes": (np.array([np.datetime64("2023-11-14T22:13:20"), None], object), "1 missing"),
    "dates": ([datetime.date(1970, 1, 2), datetime.date(9999, 12, 31)], [86400, 253402214400]),
    "Arrow dates": (arrow([datetime.date(1970, 1, 2)] * 2, pa.date32()), [86400, 86400]),
    "Arrow timestamps": (arrow(NAIVE, pa.timestamp("us")), SECONDS),
    "Arrow timestamps with a zone": (arrow(ZONED, pa.timestamp("us", "Asia/Tokyo")), SECONDS),
    "dates beside datetimes": (np.array([datetime.date(1970, 1, 2), NAIVE[0]], object), [86400, MOMENT]),
    "ISO texts": (["2023-11-14T22:13:20", "1969-12-31 23:59:59.5"], SECONDS),
    "ISO texts with zones": (["2023-11-15T07:13:20+09:00", "1969-12-31T23:59:59Z"], SECONDS),
    "texts beside dates": (np.array(["1970-01-02", datetime.date(1970, 1, 3)], object), [86400, 172800]),
    "texts beside numbers": (np.array(["2024-01-02", 5], object), "1 not read as dates such as 5"),
    "a text that is no date": (["2024-01-02", "soon"], "1 not read as dates such as 'soon'"),
    "the present": (["2024-01-02", "now"], "1 not read as dates such as 'now'"),
    "what is no date to pandas": (["2024-01-02", "nan"], "1 not read as dates such as 'nan'"),
    "digits left out": (["2024-01-02", "2024-1-3"], "1 not read as dates such as '2024-1-3'"),
    "nothing but the present": (["now", "today"], "neither numbers nor dates"),
    "one form, with one missing": (["2024-01-02", None], "1 missing"),
    "no dates at all": (["soon", "later"], "neither numbers nor dates"),
    "month names": (["Jan 2, 2024", "Jan 3, 2024"], "--time-format '%b %d, %Y'"),
    "day or month first": (["02.01.2024", "03.01.2024"], "--time-format '%d.%m.%Y'"),
    "truth": ([True, False], "neither numbers nor dates"),
    "durations": (pd.to_timedelta([1, 2], unit="s"), "neither numbers nor dates"),
    "clock times": ([datetime.time(1), datetime.time(2)], "neither numbers nor dates"),
    "several units": ([MOMENT, MOMENT * 1000], "several units"),
    "compact dates": ([20240102, 20240103], "--time-format %Y%m%d"),
    "compact moments": ([20240102103000, 20240103103000], "--time-format %Y%m%d%H%M%S"),
    "compact dates, one of no month": ([20240101, 20240230], "holds 20240101, .* --time-format %Y%m%d"),
    "compact dates beside a 0": ([0, 20240101], "holds 20240101, .* --time-format %Y%m%d"),
    "compact dates beside a fraction": ([0.5, 20240101], "holds 20240101, .* --time-format %Y%m%d"),
    "years beside a 0": ([2019, 0], "holds 2019, .* --time-format %Y"),
    "counts of days, all before 1973": ([19000, 19001], [19000, 19001]),
    "compact counts, all before 1973": ([20241301, 20249999], [20241301, 20249999]),
    "a little, all before 1973": ([-1, 10**8 - 1], [-1, 10**8 - 1]),
    "a little and later": ([-1, 10**8], [-1, 10**8]),
    "nothing but 0": ([0, 0], [0, 0]),
    "intervals": (arrow_intervals(), "neither numbers nor dates"),
    "missing": ([pd.Timestamp("2020-01-01"), pd.NaT], "1 missing"),
    "categories of texts that no row has": (
        pd.Categorical(["2024-01-02", "2024-01-02"], categories=["2024-01-02", "soon"]),
        [1704153600, 1704153600],
    ),
    "categories of numbers that no row has": (
        pd.Categorical([MOMENT, MOMENT + 1], categories=[MOMENT, MOMENT + 1, MOMENT * 1000]),
        [MOMENT, MOMENT + 1],
    ),
    "infinite": ([1.0, np.inf], "1 not read as seconds since 1970"),
}


@pytest.mark.parametrize("case", TIMES)
def test_times_of_every_dtype(case: str) -> None:
    values, expected = TIMES[case]
    frame: Any = pd.DataFrame({"user": [1, 2], "item": [1, 2]})
    frame = pa.table({**frame, "t": values}) if isinstance(values, pa.Array) else frame.assign(t=values)
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected) as caught:
            Interactions.from_frame(frame, time="t")
        assert "\n" not in str(caught.value)
        return
    found = Interactions.from_frame(frame, time="t")
    assert found.times is not None
    assert found.times.tolist() == expected
    doubts = [note for note in found.notes if isinstance(note, Doubt)]
    assert doubts == (["time column 't' was read as seconds since 1970: all lie before 1973"] if "1973" in case else [])
    unit = next((unit for unit in ("milli", "micro", "nano") if unit in case), None)
    assert (f"read as {unit}seconds" in " ".join(found.notes)) if unit else True


WEIGHTS: dict[str, tuple[Any, list[float] | str]] = {
    "integers": ([1, 2], [1, 2]),
    "texts": (["1", " 2.5 "], [1, 2.5]),
    "decimals": ([Decimal("1.5"), Decimal(2)], [1.5, 2]),
    "Arrow decimals": (arrow([Decimal("1.5"), Decimal(2)], pa.decimal128(9, 2)), [1.5, 2]),
    "categories": (pd.Categorical([1, 2]), [1, 2]),
    "categories of numbers and a comma that no row has": (
        pd.Categorical(["1", "2"], categories=["1", "2", "1,5"]),
        [1, 2],
    ),
    "categories of dates that no row has": (pd.Categorical([1, 2], categories=[1, 2, NAIVE[0]]), [1, 2]),
    "truth": ([True, True], [1, 1]),
    "truth with a missing one": (arrow([True, None], pa.bool_()), "1 missing .first in row 1."),
    "nullable truth with a missing one": (pd.array([True, None], "boolean"), "1 missing .first in row 1."),
    "intervals": (arrow_intervals(), "must be numeric"),
    "a missing one": ([1, None], "weight column 'w': 1 missing"),
    "a nullable missing one": (pd.array([1, None], "Int64"), "weight column 'w': 1 missing"),
    "an empty text": (["1", ""], "1 missing"),
    "a text": (["1", "many"], "1 no number such as 'many'"),
    "nothing but words": (["few", "many"], "must be numeric, got 'few'"),
    "an underscore": (["1", "1_0"], "1 no number such as '1_0'"),
    "too large": ([1, 1e60], "1 too large for float32"),
    "too small": ([1, 1e-60], "1 too small for float32"),
    "datetimes": (pd.to_datetime(["2020-01-01"] * 2), "a date or a duration is no weight"),
    "durations": (pd.to_timedelta([1, 2], unit="s"), "a date or a duration is no weight"),
    "objects of durations": (np.array([datetime.timedelta(1)] * 2, object), "a date or a duration is no weight"),
    "Arrow durations": (arrow([datetime.timedelta(1)] * 2, pa.duration("s")), "is no weight"),
    "categories of dates": (pd.Categorical(NAIVE), "a date or a duration is no weight"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_of_every_dtype(case: str) -> None:
    values, expected = WEIGHTS[case]
    frame: Any = pd.DataFrame({"user": [1, 2], "item": [1, 2]})
    frame = pa.table({**frame, "w": values}) if isinstance(values, pa.Array) else frame.assign(w=values)
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected):
            Interactions.from_frame(frame, weight="w")
        return
    assert Interactions.from_frame(frame, weight="w").weights.tolist() == expected


REPEATED = pd.DataFrame({"user": [1, 1, 1, 2], "item": [7, 7, 7, 7], "w": [2.0, 5.0, 4.0, 1.0]})
REPEATED["t"] = [MOMENT + 30, MOMENT + 20, MOMENT + 10, MOMENT]


@pytest.mark.parametrize(
    ("aggregate", "weights", "without_time", "unweighted", "note"),
    [
        ("sum", [11, 1], [11, 1], [3, 1], "were summed"),
        ("last", [2, 1], [4, 1], [1, 1], "kept their last weight"),
        ("max", [5, 1], [5, 1], [1, 1], "kept their largest weight"),
        ("count", [3, 1], [3, 1], [3, 1], "were counted"),
        ("mean", [11 / 3, 1], [11 / 3, 1], [1, 1], "were averaged"),
    ],
)
def test_repeated_pairs_become_one_by_a_rule(
    aggregate: str, weights: list[float], without_time: list[float], unweighted: list[float], note: str
) -> None:
    found = Interactions.from_frame(REPEATED, weight="w", time="t", aggregate=aggregate)
    assert found.weights.tolist() == pytest.approx(weights)
    assert found.notes == (f"2 repeated (user, item) pairs {note}",)
    assert found.times is not None
    assert found.times.tolist() == [MOMENT + 30, MOMENT]
    assert Interactions.from_frame(REPEATED, weight="w", aggregate=aggregate).weights.tolist() == pytest.approx(
        without_time
    )
    assert Interactions.from_frame(REPEATED, aggregate=aggregate).weights.tolist() == unweighted


def test_a_sum_that_leaves_float32_is_refused() -> None:
    frame = pd.DataFrame({"user": [1, 1], "item": [1, 1], "w": [3e38, 3e38]})
    with pytest.raises(DataError, match="add up to 6e\\+38, more than float32 holds"):
        Interactions.from_frame(frame, weight="w")
    assert Interactions.from_frame(frame, weight="w", aggregate="mean").weights.tolist() == pytest.approx([3e38])


@pytest.mark.parametrize("make", [csr_matrix, csc_matrix, coo_matrix])
def test_a_sparse_matrix_is_read(make: Callable[[Any], Any]) -> None:
    dense = np.array([[0, 2, 0], [0, 0, 0], [1, 0, 3]], np.float32)
    found = Interactions.from_sparse(make(dense))
    assert rows(found) == [(0, 1, 2.0), (2, 0, 1.0), (2, 2, 3.0)]
    assert found.notes == ("1 of 3 users have no interaction and were left out",)
    named = Interactions.from_sparse(make(dense), user_ids=["c", "b", "a"], item_ids=np.array([BIG, 5, 6]))
    assert rows(named) == [("a", 6, 3.0), ("a", BIG, 1.0), ("c", 5, 2.0)]


@pytest.mark.parametrize("make", [csr_matrix, csc_matrix, coo_matrix])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i8", "f4", "f8", "?"])
def test_repeated_entries_are_summed_in_no_narrow_type(make: Any, dtype: str) -> None:
    high = {"u1": 200, "i1": 100, "?": True}.get(dtype, 300)
    entries = coo_matrix((np.array([high, high, 1], dtype), ([0, 0, 1], [1, 1, 0])), (2, 2))
    if make is not coo_matrix:
        # compressed, and not summed
        places, bounds = ([1, 1, 0], [0, 2, 3]) if make is csr_matrix else ([1, 0, 0], [0, 1, 3])
        values = [high, high, 1] if make is csr_matrix else [1, high, high]
        entries = make((np.array(values, dtype), places, bounds), (2, 2))
    before = entries.copy()
    found = Interactions.from_sparse(entries)
    assert rows(found) == [(0, 1, 2.0 * high), (1, 0, 1.0)]
    assert found.notes == ("1 repeated (user, item) pairs were summed",)
    assert (entries.data == before.data).all()


def test_stored_zeros_are_no_interactions() -> None:
    matrix = csr_matrix(([1.0, 0.0], ([0, 0], [0, 1])), (1, 2))
    assert "1 stored zeros were left out" in Interactions.from_sparse(matrix).notes


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Interactions.from_sparse(np.eye(2)), "expected a sparse matrix of scipy, got ndarray"),
        (lambda: Interactions.from_sparse(csr_matrix((2, 2))), "has no values"),
        (
            lambda: Interactions.from_sparse(csr_matrix(-np.eye(2))),
            r"^the matrix has 2 of 2 entries .*: the values: 2 negative \(first in entry \(0, 0\)\)\. Mend them",
        ),
        (lambda: Interactions.from_sparse(csr_matrix([[0, np.nan], [1, 0]])), r"1 missing \(first in entry \(0, 1\)\)"),
        (
            lambda: Interactions.from_sparse(csr_matrix(np.eye(2)), user_ids=[1, None]),
            r"user_ids: 1 missing \(first in entry \(1, 1\)\)",
        ),
        (lambda: Interactions.from_sparse(csr_matrix(1j * np.eye(2))), "values of type complex128: weights are real"),
        (
            lambda: Interactions.from_frame(pd.DataFrame({"a": [1]}), user="a", item="a"),
            "'a' is named as both user and",
        ),
        (
            lambda: Interactions.from_frame(pd.DataFrame({"a": [1]}), user=["a"]),  # type: ignore[arg-type]
            "user must be the name of one column, got",
        ),
        (
            lambda: Interactions.from_frame(pd.DataFrame({"a": [1]}), user=None),  # type: ignore[arg-type]
            "user must be the name of one column, got None",
        ),
        (
            lambda: Interactions.from_frame(pd.DataFrame({"a": [1]}), user="a", time={}),  # type: ignore[arg-type]
            "time must be the name of one column, got {}",
        ),
        (
            lambda: Interactions.read(["a.csv"]),  # type: ignore[arg-type]
            "expected the path of one file or folder, got list",
        ),
        (lambda: Interactions.read("a.csv", user=["a"]), "user must be the name of one column, got"),
        (lambda: Interactions.read("a.csv", header=False, user=1, item=1), "column 1 is named as both user and item"),
        (lambda: Interactions.from_sparse(csr_matrix(np.eye(2)), user_ids=[1]), "1 user_ids for a matrix of shape"),
        (lambda: Interactions.from_sparse(csr_matrix(np.eye(2)), item_ids=["a", "a"]), "item_ids has 'a' more than"),
        (lambda: Interactions.from_arrays([1, 2], [1]), "arrays of several lengths: 2 users, 1 items"),
        (lambda: Interactions.from_arrays([], []), "nothing to learn from"),
        (lambda: Interactions.from_arrays("ab", [1, 2]), "user: expected an array or a list, got str"),
        (lambda: Interactions.from_arrays(np.eye(2), [1, 2]), "user: expected an array of one dimension, got 2"),
        (lambda: Interactions.from_frame(pl.DataFrame({"user": [1]})), "has no column 'item': it has 'user'"),
        (lambda: Interactions.from_frame(pa.table([[1], [1], [2]], ["user", "item", "item"])), "stands 2 times"),
        (lambda: Interactions.from_frame(pl.DataFrame({"user": [], "item": []})), "the table has no rows"),
        (lambda: Interactions.from_frame({"user": [1], "item": [1]}), "expected a frame .* got dict"),
    ],
)
def test_what_is_wrong_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((DataError, ParameterError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_arrays_of_every_library_are_read() -> None:
    expected = [("a", 2**60 + 1, 2.0, 9), ("b", 3, 1.0, 8)]
    users, items, weights, times = ["b", "a"], [3, 2**60 + 1], [1, 2], [8, 9]
    for make in (list, np.array, pd.Series, pl.Series, pa.array, pa.chunked_array):
        if make is pa.chunked_array:
            given_arrays = [make([pa.array(values)]) for values in (users, items, weights, times)]
        else:
            given_arrays = [make(values) for values in (users, items, weights, times)]
        assert rows(Interactions.from_arrays(*given_arrays)) == expected
    left = Interactions.from_arrays(["b", None, "a"], [3, 2, 2**60 + 1], drop_invalid=True)
    assert rows(left, "user", "item") == [("a", 2**60 + 1), ("b", 3)]


@pytest.mark.parametrize(
    ("value", "call"),
    [
        (pd.DataFrame({"user": [1], "item": [1]}), "expected Interactions, got pandas DataFrame: call .*from_frame"),
        (pl.DataFrame({"user": [1], "item": [1]}), "got polars DataFrame: call .*from_frame"),
        (pa.table({"user": [1], "item": [1]}), "got pyarrow Table: call .*from_frame"),
        (duckdb.connect().sql("select 1 as user_id"), "got duckdb DuckDBPyRelation: call .*from_frame"),
        ("likes.csv", r"got str: call mfrec\.Interactions\.read\('likes\.csv'"),
        (csr_matrix(np.eye(2)), "got scipy csr_matrix: call .*from_sparse"),
        ([(1, 2)], "got list: call .*from_arrays"),
        (None, "got NoneType: call"),
    ],
)
def test_what_is_no_interactions_gets_one_line(value: Any, call: str) -> None:
    for function in (mfrec.fit, mfrec.fit_als, mfrec.splits.random_split, mfrec.splits.time_split, mfrec.tune):
        with pytest.raises(DataError, match=call) as caught:
            function(value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", ["title", {1: "\ud800", 2: "b"}])
def test_a_label_that_cannot_be_written_is_refused(labels: Any) -> None:
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "title": pd.Series(["a", "\udfff"], dtype=object)})
    with pytest.raises(DataError, match=r"label.*: '\\ud\w+' is no valid Unicode"):
        Interactions.from_frame(frame, item_labels=labels)
    with pytest.raises(DataError, match=r"the id .* is no valid Unicode"):
        Interactions.from_arrays(np.array(["\ud800"]), [1])


@settings(max_examples=60)
@given(random_frames.cases())
def test_random_frames_come_back_or_are_refused(case: Any) -> None:
    random_frames.check(case)
