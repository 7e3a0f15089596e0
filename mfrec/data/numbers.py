"""Numbers out of a column of any type: integers stay exact, text is read, and what is no number is marked."""

import datetime
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.data.refusals import RefusedError, clip

_PLAIN = re.compile(r"[0-9+\-.eE\n]*", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
# the dtypes that hold moments or spans of time, by the letter of NumPy's kind
MOMENTS = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64, pd.Period)


@dataclass(frozen=True, eq=False)
class Parsed:
    """A column as numbers.

    Parameters
    ----------
    values
        int64 where all are whole numbers of 64 bits, else float64; 0 where there is none.
    missing, wrong
        Where the column is empty, and where it holds something else than a number.
    """

    values: NDArray[np.int64] | NDArray[np.float64]
    missing: NDArray[np.bool_]
    wrong: NDArray[np.bool_]


def numbers(column: "pd.Series[Any]", decimal: str = ".", what: str = "") -> Parsed:
    """Return a column as numbers.

    Raises
    ------
    RefusedError
        When numbers in text have decimal commas and ``decimal`` is a point; ``what`` names the column.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        by_category = numbers(pd.Series(column.cat.categories), decimal, what)
        codes = column.cat.codes.to_numpy()
        if not len(by_category.values):
            return Parsed(np.zeros(len(codes)), np.ones(len(codes), bool), np.zeros(len(codes), bool))
        return Parsed(by_category.values[codes], (codes < 0) | by_category.missing[codes],
                      (codes >= 0) & by_category.wrong[codes])  # fmt: skip
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_integer_dtype(dtype):
        missing = column.isna().to_numpy(bool)
        if pd.api.types.is_bool_dtype(dtype) and missing.any():
            # 0 stands for none, and Arrow's truth has no 0
            column = column.astype("boolean")
        signed = not pd.api.types.is_unsigned_integer_dtype(dtype)
        whole = column.to_numpy(np.int64 if signed else np.uint64, na_value=0) if missing.any() else column.to_numpy()
        if not signed and len(whole) and int(whole.max()) >= 2**63:
            return Parsed(whole.astype(np.float64), missing, np.zeros(len(whole), bool))
        return Parsed(whole.astype(np.int64), missing, np.zeros(len(whole), bool))
    if pd.api.types.is_float_dtype(dtype):
        values = column.to_numpy(np.float64, na_value=np.nan)
        missing = np.isnan(values)
        return Parsed(np.where(missing, 0.0, values), missing, np.zeros(len(values), bool))
    return _of_values(column.astype(object).tolist(), decimal, what)


def is_plain_integer(text: str) -> bool:
    """Whether a text is an integer of 64 bits, written as Python writes it."""
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        return False
    # no number of 64 bits has more than 19 digits
    return len(text) <= 20 and str(int(text)) == text and -(2**63) <= int(text) < 2**63


def moments_in(column: "pd.Series[Any]") -> str | None:
    """Return the type of the dates or durations in a column, in words; None where it holds none."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return moments_in(pd.Series(column.cat.categories))
    kind = str(column.dtype)
    if kind == "object":
        # NaT is unlike itself
        return next((type(v).__name__ for v in column if isinstance(v, MOMENTS) and v == v), None)  # noqa: PLR0124
    moments = pd.api.types.is_datetime64_any_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(column.dtype)
    named = kind.startswith(("timestamp", "date", "duration", "time", "period", "interval"))
    return kind if moments or named else None


def _of_values(values: list[Any], decimal: str, what: str) -> Parsed:
    """Read Python values one by one, or many texts at once where they are plainly numbers."""
    if all(type(value) is str for value in values) and decimal == "." and _PLAIN.fullmatch("\n".join(values)):
        for kind, dtype in ((int, np.int64), (float, np.float64)):
            try:
                plain: Any = np.array(list(map(kind, values)), dtype)
            except (ValueError, OverflowError):
                continue
            return Parsed(plain, np.zeros(len(values), bool), np.zeros(len(values), bool))
    known: dict[tuple[type, Any], Any] = {}
    found: list[Any] = []
    for value in values:
        try:
            key = type(value), value
            if key not in known:
                known[key] = _number(value, decimal, what)
            found.append(known[key])
        except TypeError:
            # a list has no hash, and is no number
            found.append(_WRONG)
    missing = np.array([number is None for number in found], bool)
    wrong = np.array([number is _WRONG for number in found], bool)
    plain_values = [0 if number is None or number is _WRONG else number for number in found]
    exact = all(isinstance(number, int) and -(2**63) <= number < 2**63 for number in plain_values)
    if exact:
        return Parsed(np.array(plain_values, np.int64), missing, wrong)
    return Parsed(np.array([_float(number) for number in plain_values], np.float64), missing, wrong)


_WRONG = object()


def _number(value: Any, decimal: str, what: str) -> Any:
    """Return an int, a float, None where the value is missing, or `_WRONG`."""
    if isinstance(value, str):
        return _from_text(value, decimal, what)
    if isinstance(value, MOMENTS):
        # NaT is unlike itself
        return None if value != value else _WRONG  # noqa: PLR0124
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating | Decimal | Fraction):
        number = float(value)
        return None if number != number else number  # noqa: PLR0124
    return _WRONG


def _from_text(text: str, decimal: str, what: str) -> Any:
    stripped = text.strip()
    if not stripped:
        return None
    if decimal == "," and "." not in stripped:
        stripped = stripped.replace(",", ".")
    elif decimal == ",":
        return _WRONG
    elif _COMMA.fullmatch(stripped):
        raise RefusedError(
            f"{what} holds {clip(text)}: if the comma is the decimal sign, say --decimal , (decimal=',' in Python)",
            decimal=",",
        )
    if _INTEGER.fullmatch(stripped) and len(stripped) < 400:
        return int(stripped)
    return float(stripped) if _FLOAT.fullmatch(stripped) else _WRONG


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf
