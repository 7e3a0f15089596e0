"""Times out of a column of any type, as whole seconds since 1970 in UTC."""

import datetime
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.data.numbers import Parsed, numbers
from mfrec.data.refusals import Doubt, RefusedError, clip
from mfrec.errors import ParameterError

# (unit, how many to the second, magnitudes below this one are of the unit): seconds reach to the year 5138, and
# milliseconds begin in 1973
UNITS = (
    ("seconds", 1, 10**11),
    ("milliseconds", 10**3, 10**14),
    ("microseconds", 10**6, 10**17),
    ("nanoseconds", 10**9, 2**63),
)
_ISO = re.compile(
    r"\d{4}([-/])\d{2}\1\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?", re.ASCII
)
# forms that are read at once
_COMMON = tuple(
    (re.compile(shape, re.ASCII), form)
    for shape, form in (
        (r"\d{4}-\d{2}-\d{2}", "%Y-%m-%d"),
        (r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", "%Y-%m-%d %H:%M:%S"),
        (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", "%Y-%m-%dT%H:%M:%S"),
    )
)
# formats to suggest, never to guess by
_FORMATS = tuple(
    f"{day}{clock}"
    for day in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
                "%Y.%m.%d", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%a, %d %b %Y", "%Y%m%d")
    for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", " %H:%M:%S %Z", " %H:%M:%S %z")
)  # fmt: skip
# whole numbers that are rather dates than counts of anything: (digits, format)
_DATES = ((4, "%Y"), (8, "%Y%m%d"), (12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S"))
# seconds below this one are before 1973: rather counts of days or of something else
_RECENT = 10**8
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, eq=False)
class Times:
    """A column as times.

    Parameters
    ----------
    seconds
        int64 since 1970; 0 where there is none.
    missing, wrong
        Where the column is empty, and where it holds something else than a time.
    kind
        What the column holds, in words: "dates", or numbers of a unit.
    notes
        What was taken for what; a `Doubt` where it is hardly meant.
    """

    seconds: NDArray[np.int64]
    missing: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    kind: str
    notes: tuple[str, ...] = ()


def times(column: "pd.Series[Any]", what: str, time_format: str | None = None, decimal: str = ".") -> Times:
    """Return a column as times: numbers of a unit that their magnitude tells, dates, or text in ISO 8601 order.

    Raises
    ------
    RefusedError
        For numbers of several units or that look like dates, text in another order, and columns of something else.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        distinct = times(pd.Series(column.cat.categories), what, time_format, decimal)
        codes = column.cat.codes.to_numpy()
        if not len(distinct.seconds):
            return Times(np.zeros(len(codes), np.int64), codes < 0, codes >= 0, distinct.kind)
        missing = (codes < 0) | distinct.missing[codes]
        return Times(distinct.seconds[codes], missing, (codes >= 0) & distinct.wrong[codes], distinct.kind,
                     distinct.notes)  # fmt: skip
    if _is_datetime(dtype):
        return _of_datetimes(column)
    if time_format is None and (pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)):
        return _of_numbers(numbers(column), what)
    if time_format is None and _is_text(dtype):
        return _by_code(column, what)
    return _of_objects(column.astype(object), what, time_format, decimal)


def _of_objects(values: "pd.Series[Any]", what: str, time_format: str | None, decimal: str) -> Times:
    """Read Python values by their types."""
    missing = pd.isna(values).to_numpy(bool)
    present = values[~missing]
    kinds = set(map(type, present))
    if time_format is not None and all(issubclass(kind, str | int | np.integer) for kind in kinds):
        return _of_format(values, missing, what, time_format)
    if kinds and all(issubclass(kind, str) for kind in kinds):
        return _by_code(values, what)
    if kinds and all(issubclass(kind, datetime.date | np.datetime64) for kind in kinds):
        return _of_dates(values, missing)
    numeric = numbers(values, decimal, what)
    mixed = any(issubclass(kind, str | datetime.date | np.datetime64) for kind in kinds)
    if mixed:
        return _of_mixed(values, missing, numeric, what)
    odd = any(issubclass(kind, bool | np.bool_ | datetime.timedelta | np.timedelta64) for kind in kinds)
    if len(present) and (odd or (numeric.missing | numeric.wrong).all()):
        raise RefusedError(f"{what} holds neither numbers nor dates (first: {clip(present.iloc[0])})")
    return _of_numbers(numeric, what)


def _is_datetime(dtype: Any) -> bool:
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return True
    return isinstance(dtype, pd.ArrowDtype) and str(dtype).startswith(("timestamp", "date32", "date64"))


def _is_text(dtype: Any) -> bool:
    return isinstance(dtype, pd.StringDtype) or (
        isinstance(dtype, pd.ArrowDtype) and str(dtype).startswith(("string", "large_string"))
    )


def _of_datetimes(column: "pd.Series[Any]") -> Times:
    """Convert a column of one dtype of moments; those without a zone are in UTC."""
    missing = column.isna().to_numpy(bool)
    if isinstance(column.dtype, pd.ArrowDtype):
        column = column.astype("datetime64[s]" if str(column.dtype).startswith("date") else _unzoned(column.dtype))
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    raw = column.to_numpy()
    unit = np.datetime_data(raw.dtype)[0]
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    # rounded down, before 1970 as after it
    seconds = np.where(missing, 0, raw.astype(np.int64)) // per_second
    return Times(seconds, missing, np.zeros(len(missing), bool), "dates")


def _unzoned(dtype: Any) -> Any:
    kind = dtype.pyarrow_dtype
    return f"datetime64[{kind.unit}, UTC]" if kind.tz is not None else f"datetime64[{kind.unit}]"


def _of_dates(values: "pd.Series[Any]", missing: NDArray[np.bool_]) -> Times:
    """Convert Python's own dates and datetimes, of one kind or mixed."""
    cache: dict[Any, int] = {}
    seconds = [0 if gone else _seconds(value, cache) for value, gone in zip(values, missing.tolist(), strict=True)]
    return Times(np.array(seconds, np.int64), missing, np.zeros(len(values), bool), "dates")


def _seconds(value: Any, cache: dict[Any, int]) -> int:
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[s]").astype(np.int64))
    if not isinstance(value, datetime.datetime):
        if value not in cache:
            cache[value] = (value.toordinal() - _EPOCH.toordinal()) * 86400
        return cache[value]
    zoned = value if value.tzinfo is not None else value.replace(tzinfo=datetime.UTC)
    return (zoned - _EPOCH) // datetime.timedelta(seconds=1)


def _of_mixed(values: "pd.Series[Any]", missing: NDArray[np.bool_], numeric: Parsed, what: str) -> Times:
    """Read a column of numbers, text and dates: all numbers, or all dates; the rest is wrong."""
    texts = values.map(lambda value: value if isinstance(value, str) else None)
    dates = pd.Series([_isoformat(value) for value in values], dtype=object)
    dates = dates.where(dates.notna(), texts)
    iso = _of_iso(dates, pd.isna(dates).to_numpy(bool))
    read = ~(iso.missing | iso.wrong)
    if not read.any() and (numeric.missing | numeric.wrong).all():
        raise RefusedError(f"{what} holds neither numbers nor dates (first: {clip(values[~missing].iloc[0])})")
    if not read.any():
        return _of_numbers(numeric, what)
    return Times(iso.seconds, missing, ~read & ~missing, "dates")


def _isoformat(value: Any) -> str | None:
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[s]").item()
    return value.isoformat()[:32] if isinstance(value, datetime.date) else None


def _of_numbers(parsed: Parsed, what: str) -> Times:
    """Tell the unit by the magnitude; where values are of several units, nothing can be told."""
    values, missing = parsed.values, parsed.missing
    wrong = parsed.wrong
    if values.dtype != np.int64:
        wrong = wrong | ~(np.abs(values) < 2**63)
    unusable = missing | wrong
    values = np.where(unusable, 0, values) if unusable.any() else values
    if unusable.all():
        return Times(np.zeros(len(values), np.int64), missing, wrong & ~missing, "numbers")
    unit, per_second = _unit(values, what)
    _refuse_dates(values, unusable, what)
    # whole numbers stay exact
    scaled = values // per_second if values.dtype == np.int64 else np.floor(values / per_second)
    seconds = scaled.astype(np.int64, copy=False)
    notes: tuple[str, ...] = () if per_second == 1 else (f"{what} was read as {unit} since 1970",)
    if per_second == 1 and 0 < max(abs(int(seconds.min())), abs(int(seconds.max()))) < _RECENT:
        notes = (Doubt(f"{what} was read as seconds since 1970: all lie before 1973"),)
    return Times(seconds, missing, wrong & ~missing, f"{unit} since 1970", notes)


def _unit(values: NDArray[Any], what: str) -> tuple[str, int]:
    """Return the unit whose magnitude all values have, and how many are a second."""
    # nobody's clock shows 0: it stands for no unit
    limits = np.array([limit for *_, limit in UNITS[:-1]])
    low, high = values.min(), values.max()
    if low > 0 and np.searchsorted(limits, low, "right") == np.searchsorted(limits, high, "right"):
        return UNITS[int(np.searchsorted(limits, low, "right"))][:2]
    size = np.abs(values.astype(np.float64))
    counts = np.bincount(np.searchsorted(limits, size[size > 0], "right"), minlength=len(UNITS))
    present = np.flatnonzero(counts)
    if len(present) > 1:
        listed = ", ".join(f"{counts[place]} look like {UNITS[place][0]}" for place in present)
        raise RefusedError(f"{what} holds times of several units ({listed}): convert them to one")
    return UNITS[int(present[0]) if len(present) else 0][:2]


def _refuse_dates(values: NDArray[Any], unusable: NDArray[np.bool_], what: str) -> None:
    """Refuse numbers of which at least half are dates when read by their digits, such as 20240102.

    Not all need to be: a day that no month has, or a 0, is a fault of one row.
    """
    values = values[~unusable] if unusable.any() else values
    low, high = float(values.min()), float(values.max())
    for digits, form in _DATES:
        first, end = 1900 * 10 ** (digits - 4), 2101 * 10 ** (digits - 4)
        if high < first or low >= end or not ((values >= first) & (values < end)).any():
            continue
        distinct = pd.unique(pd.Series(values))
        likely = distinct[(distinct >= first) & (distinct < end) & (distinct == np.floor(distinct))]
        if 2 * len(likely) < len(distinct):
            continue
        texts = pd.Series([str(int(value)) for value in likely], dtype=object)
        dates = pd.to_datetime(texts, format=form, errors="coerce").notna().to_numpy(bool)
        if len(dates) and 2 * int(dates.sum()) >= len(distinct):
            raise RefusedError(
                f"{what} holds {texts[int(dates.argmax())]}, which looks like a date: say --time-format {form} "
                f"(time_format in Python), or convert it to seconds since 1970",
                time_format=form,
            )


def _by_code(column: "pd.Series[Any]", what: str) -> Times:
    """Read each distinct text once, where they are not all of one common form."""
    seconds = _of_one_form(column)
    if seconds is not None:
        return seconds
    codes, distinct = pd.factorize(column)
    texts = pd.Series(list(distinct), dtype=object)
    found = _of_text(texts, what)
    gone = codes < 0
    if not len(texts):
        return Times(np.zeros(len(codes), np.int64), gone, ~gone, "nothing")
    return Times(found.seconds[codes], gone | found.missing[codes], ~gone & found.wrong[codes], found.kind, found.notes)


def _of_one_form(column: "pd.Series[Any]") -> Times | None:
    """Read text that is all in the form of its first, which is fast; None where it is not, or is another."""
    start = column.iloc[: column.notna().to_numpy(bool).argmax() + 1].tolist()
    form = next((form for shape, form in _COMMON if start and shape.fullmatch(str(start[-1]))), None)
    # pandas takes "now" and "nan" in every format, but they are shorter
    if form is None or (column.dropna().str.len() != len(start[-1])).any():
        return None
    try:
        read = pd.to_datetime(column, format=form)
    except ValueError:
        return None
    return _of_datetimes(read)


def _of_text(texts: "pd.Series[Any]", what: str) -> Times:
    missing = np.array([not text.strip() for text in texts], bool)
    iso = _of_iso(texts, missing)
    if not iso.wrong.any():
        return iso
    parsed = numbers(texts, what=what)
    as_numbers = ~(parsed.missing | parsed.wrong)
    if (~(iso.wrong | iso.missing)).any():
        return iso
    if as_numbers.any():
        return _of_numbers(parsed, what)
    first = texts[int((~missing).argmax())]
    formats = _suggest(texts[~missing])
    if not formats:
        raise RefusedError(
            f"{what} holds neither numbers nor dates in the order year-month-day (first: {clip(first)}): "
            "say --time-format (time_format in Python) in the notation of strftime"
        )
    if len(formats) > 1:
        named = " or ".join(f"'{form}'" for form in formats)
        raise RefusedError(
            f"{what} holds {clip(first)}: day first or month first? say --time-format {named} (time_format in Python)"
        )
    raise RefusedError(
        f"{what} holds {clip(first)}: say --time-format '{formats[0]}' (time_format in Python)", time_format=formats[0]
    )


def _of_iso(texts: "pd.Series[Any]", missing: NDArray[np.bool_]) -> Times:
    plain = [None if gone else _iso(text) for text, gone in zip(texts, missing.tolist(), strict=True)]
    read = pd.to_datetime(pd.Series(plain, dtype=object), format="ISO8601", utc=True, errors="coerce")
    wrong = read.isna().to_numpy(bool) & ~missing
    return Times(_of_datetimes(read).seconds, missing, wrong, "dates")


def _iso(text: Any) -> str | None:
    stripped = text.strip()
    if not _ISO.fullmatch(stripped):
        return None
    return str(stripped.replace("/", "-").replace(",", ".").replace(" UTC", "Z").replace("UTC", "Z"))


def _suggest(texts: "pd.Series[Any]") -> list[str]:
    """Return the common formats in which every text is a date; those of one day alone are no choice."""
    found: dict[tuple[Any, ...], str] = {}
    sample = texts.str.strip()
    for form in _FORMATS:
        read = _parsed(sample[:50], form)
        if read.notna().all() and (read := _parsed(sample, form)).notna().all():
            found.setdefault(tuple(read), form)
    return list(found.values())


def _parsed(texts: "pd.Series[Any]", form: str) -> "pd.Series[Any]":
    # pandas takes "now" in every format
    dated = texts.where(texts.map(lambda text: any(map(str.isdecimal, text))), None)
    return pd.to_datetime(dated, format=form, errors="coerce", utc=True)


def _of_format(values: "pd.Series[Any]", missing: NDArray[np.bool_], what: str, form: str) -> Times:
    """Read text in the format that somebody named."""
    texts = pd.Series([None if gone else str(value).strip() for value, gone in zip(values, missing, strict=True)],
                      dtype=object)  # fmt: skip
    codes, distinct = pd.factorize(texts)
    if not len(distinct):
        return Times(np.zeros(len(codes), np.int64), missing, ~missing, "dates")
    try:
        read = _parsed(pd.Series(list(distinct), dtype=object), form)
    except ValueError as error:
        raise ParameterError(f"time_format {form!r} is not in the notation of strftime: {error}") from None
    wrong = read.isna().to_numpy(bool)
    if wrong.all():
        raise RefusedError(f"{what} holds no time in the format {form!r} (first: {clip(distinct[0])})")
    return Times(_of_datetimes(read).seconds[codes], missing, ~missing & wrong[codes], "dates")
