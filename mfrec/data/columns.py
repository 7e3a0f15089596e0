"""Columns of a user's table, checked and turned into arrays; every complaint names the column and a row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.data.faults import Faults
from mfrec.data.numbers import is_plain_integer, moments_in, numbers
from mfrec.data.refusals import Doubt, RefusedError, clip, require_columns
from mfrec.data.table import Table
from mfrec.data.times import times
from mfrec.directions import Side
from mfrec.errors import DataError, ParameterError
from mfrec.model.ids import LONGEST_ID, IdMap
from mfrec.model.string_array import StringArray

Labels: TypeAlias = "Mapping[Any, Any] | pd.Series[Any]"

__all__ = ["Labels", "check_roles", "id_column", "label_column", "require_columns", "time_column", "weight_column"]

# from here on, float64 no longer holds every integer: what rounds to this one is another
_EXACT = 2**53


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


@dataclass(frozen=True, eq=False)
class Ids:
    """A column of ids: those that occur in ascending order, each row's number (-1 where it is missing), and notes."""

    ids: IdMap
    rows: NDArray[np.int64]
    notes: tuple[str, ...] = ()


def id_column(table: Table, name: Any, side: Side, faults: Faults) -> Ids:
    """Read a column of ids; integers of any make are integers, and integral floats become such, with a note.

    Raises
    ------
    RefusedError
        For ids of other or of several types, beyond 64 bits, longer than `LONGEST_ID`, with a line break or no
        valid Unicode, and for floats so large that several integers are one.
    """
    what = table.called(side, name)
    codes, distinct = _factorized(table.columns[name], table.prefix + what, table)
    if isinstance(distinct, list):
        codes, distinct = _without_empty(codes, distinct)
    faults.add(what, "missing", codes < 0)
    notes: tuple[str, ...] = ()
    if isinstance(distinct, np.ndarray) and distinct.dtype.kind == "f":
        notes = (f"{what} holds whole numbers as floats: they were read as integers",)
        distinct = _whole(distinct, table.prefix + what)
    if isinstance(distinct, np.ndarray):
        if distinct.dtype.kind == "u" and distinct.size and int(distinct.max()) >= 2**63:
            raise RefusedError(f"{table.prefix}{what} has integers above 2**63 - 1: pass them as strings")
        distinct = distinct.astype(np.int64)
        order = np.argsort(distinct)
        ids = IdMap(side, distinct[order])
    else:
        _check_text(distinct, codes, what, table)
        notes = _slips(distinct, what)
        order = np.array(sorted(range(len(distinct)), key=distinct.__getitem__), np.int64)
        ids = IdMap(side, StringArray.pack(distinct[i] for i in order))
    number_of = np.full(len(order) + 1, -1, np.int64)
    number_of[order] = np.arange(len(order))
    return Ids(ids, number_of[codes], notes)


def _without_empty(codes: NDArray[Any], distinct: list[str]) -> tuple[NDArray[Any], list[str]]:
    """Take an empty text for a missing one, as it is in a file with separators."""
    if "" not in distinct:
        return codes, distinct
    empty = distinct.index("")
    new = np.arange(len(distinct) + 1)
    new[empty + 1 :] -= 1
    new[[empty, -1]] = -1
    return new[codes], [text for text in distinct if text]


def _factorized(column: "pd.Series[Any]", what: str, table: Table) -> tuple[NDArray[Any], NDArray[Any] | list[str]]:
    """Return each row's code (-1: missing), and by code a number of some NumPy type or a text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        inner, distinct = _factorized(pd.Series(column.cat.categories), what, table)
        # a category that is missing itself has the code -1, and so has a row without a category
        codes = np.append(inner, -1)[codes]
        used = np.flatnonzero(np.bincount(codes + 1, minlength=len(distinct) + 1)[1:])
        if len(used) == len(distinct):
            return codes, distinct
        new = np.full(len(distinct) + 1, -1, np.int64)
        new[used] = np.arange(len(used))
        kept = distinct[used] if isinstance(distinct, np.ndarray) else [distinct[i] for i in used]
        return new[codes], kept
    dtype: Any = column.dtype
    number = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    if number and not pd.api.types.is_complex_dtype(dtype) and "decimal" not in str(dtype):
        codes, uniques = pd.factorize(column)
        kind = "u8" if _unsigned(dtype) else "i8"
        if pd.api.types.is_float_dtype(dtype):
            own: np.dtype[Any] = dtype.numpy_dtype if hasattr(dtype, "numpy_dtype") else dtype
            # short floats stay short, for they hold fewer integers exactly
            kind = f"f{min(own.itemsize, 8)}"
        return codes, np.asarray(pd.Series(uniques).to_numpy(kind))
    if isinstance(dtype, pd.StringDtype) or str(dtype) in ("string[pyarrow]", "large_string[pyarrow]"):
        codes, uniques = pd.factorize(column)
        return codes, list(uniques)
    return _factorized_objects(column.astype(object), what, table)


def _unsigned(dtype: Any) -> bool:
    return bool(pd.api.types.is_unsigned_integer_dtype(dtype))


def _factorized_objects(
    column: "pd.Series[Any]", what: str, table: Table
) -> tuple[NDArray[Any], NDArray[Any] | list[str]]:
    """Sort out a column of Python values by their types; 1, 1.0 and True must not be taken for each other."""
    values = column.tolist()
    kinds = {kind for kind in set(map(type, values)) if not _is_missing_type(kind)}
    floats = {kind for kind in kinds if issubclass(kind, float | np.floating)}
    if floats:
        values = [None if isinstance(v, float | np.floating) and v != v else v for v in values]  # noqa: PLR0124
        kinds = {kind for kind in set(map(type, values)) if not _is_missing_type(kind)}
    if kinds and all(issubclass(kind, str) for kind in kinds):
        codes, uniques = pd.factorize(np.array([*values, None], object)[:-1])
        return codes, [str(text) for text in uniques]
    numeric = (int, np.integer, float, np.floating, Decimal)
    if all(issubclass(kind, numeric) and not issubclass(kind, bool) for kind in kinds):
        for short in (kind for kind in floats if issubclass(kind, np.float16 | np.float32)):
            _whole(np.array([v for v in values if type(v) is short]), what)
        codes, uniques = pd.factorize(np.array([*values, None], object)[:-1])
        plain = list(uniques)
        if all(isinstance(value, int | np.integer) for value in plain):
            beyond = next((v for v in plain if not -(2**63) <= int(v) < 2**63), None)
            if beyond is not None:
                raise RefusedError(
                    f"{what} has integers beyond 64 bits, above 2**63 - 1 or below -2**63: pass them as text"
                )
            return codes, np.array([int(value) for value in plain], np.int64)
        whole = [value for value in plain if isinstance(value, int | np.integer)]
        # integers among floats must survive as floats do
        if all(abs(int(value)) < _EXACT for value in whole):
            return codes, np.array([float(value) for value in plain])
        raise RefusedError(f"{what} holds both floats and integers from 2**53 on: make all of them integers, or text")
    named = sorted({kind.__name__ for kind in kinds})
    advice = "ids must be all integers or all strings; convert it with astype('int64') or astype(str)"
    raise RefusedError(f"{what} holds values of type {', '.join(named)}: {advice}")


def _is_missing_type(kind: type) -> bool:
    return kind in (type(None), type(pd.NA), type(pd.NaT))


def _whole(distinct: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Return floats as integers, where each is one exactly."""
    broken = distinct[~(np.isfinite(distinct) & (np.floor(distinct) == distinct))]
    if len(broken):
        raise RefusedError(
            f"{what} has type {distinct.dtype}, and {broken[0]:g} is no whole number: ids must be integers or strings; "
            "convert it with astype(str)"
        )
    bits = np.finfo(distinct.dtype).nmant + 1
    if (np.abs(distinct) >= 2**bits).any():
        raise RefusedError(
            f"{what} has {distinct.dtype} from 2**{bits} on, where several integers are one float: "
            "read it as integers or as text"
        )
    return distinct.astype(np.int64)


# what is wrong with the text of an id, beside what it is called
_TEXT_FAULTS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda text: len(text) > LONGEST_ID, f"is longer than {LONGEST_ID} characters: is this the column of ids?"),
    (lambda text: "\n" in text or "\r" in text, "has a line break in it: ids are of one line"),
    (lambda text: not _is_unicode(text), "is no valid Unicode (half of a surrogate pair): it cannot be written"),
)


def _is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8, which half of a surrogate pair cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_text(distinct: list[str], codes: NDArray[Any], what: str, table: Table) -> None:
    for wrong, told in _TEXT_FAULTS:
        code = next((code for code, text in enumerate(distinct) if wrong(text)), None)
        if code is not None:
            place = table.place(int((codes == code).argmax()))
            raise RefusedError(f"{table.name}, {place}: the id {clip(distinct[code])} of {what} {told}")


def _slips(distinct: list[str], what: str) -> tuple[str, ...]:
    """Return notes on ids that are hardly meant to be ids of their own, for they are written like others."""
    notes: tuple[str, ...] = ()
    padded = [text for text in distinct if text != text.strip()]
    seen = set(distinct) if padded else set()
    for text in padded:
        bare = text.strip()
        if bare in seen or is_plain_integer(bare.removesuffix(".0")):
            notes += (
                Doubt(f"{what} has ids with spaces around them, such as {clip(text)}: they are ids of their own"),
            )
            break
        seen.add(bare)
    as_float = next((t for t in distinct if t.endswith(".0") and is_plain_integer(t.removesuffix(".0"))), None)
    whole = None if as_float is None else next(filter(is_plain_integer, distinct), None)
    if whole is not None:
        told = f"{what} has whole numbers written as {clip(as_float)} and as {clip(whole)}"
        notes += (Doubt(f"{told}: all ids stay text, as they are written"),)
    return notes


def weight_column(table: Table, name: Any, faults: Faults) -> NDArray[np.float64] | None:
    """Return the weights as float64; those that are not finite and above zero, as float32 too, are faults.

    Raises
    ------
    RefusedError
        When the column holds dates or durations, or no number at all.
    """
    if name is None:
        return None
    what, column = table.called("weight", name), table.columns[name]
    moments = moments_in(column)
    if moments is not None:
        raise RefusedError(
            f"{table.prefix}{what} has type {moments}: a date or a duration is no weight; name it as time, or turn it "
            "into a number"
        )
    parsed = numbers(column, table.decimal, table.prefix + what)
    values = parsed.values.astype(np.float64)
    present = ~(parsed.missing | parsed.wrong)
    if parsed.wrong.any() and not present.any():
        first = column.iloc[int(parsed.wrong.argmax())]
        raise RefusedError(f"{table.prefix}{what} must be numeric, got {clip(first)} ({type(first).__name__})")
    with np.errstate(over="ignore", under="ignore"):
        stored = values.astype(np.float32)
    example = _example(column, parsed.wrong)
    for told, rows in (
        ("missing", parsed.missing),
        (f"no number{example}", parsed.wrong),
        ("zero", present & (values == 0)),
        ("negative", present & (values < 0)),
        ("infinite", present & (values == np.inf)),
        ("too large for float32", present & np.isfinite(values) & (stored == np.inf)),
        ("too small for float32", present & (values > 0) & (stored == 0)),
    ):
        faults.add(what, told, rows)
    return values


def _example(column: "pd.Series[Any]", rows: NDArray[np.bool_]) -> str:
    return f" such as {clip(column.iloc[int(rows.argmax())])}" if rows.any() else ""


def time_column(
    table: Table, name: Any, time_format: str | None, faults: Faults
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Return the times as int64 seconds since 1970, and what to note about them; see `mfrec.data.times`."""
    if name is None:
        return None, ()
    what, column = table.called("time", name), table.columns[name]
    read = times(column, table.prefix + what, time_format, table.decimal)
    faults.add(what, "missing", read.missing)
    faults.add(what, f"not read as {read.kind}{_example(column, read.wrong)}", read.wrong)
    # a note keeps its kind
    return read.seconds, tuple(type(note)(note.removeprefix(table.prefix)) for note in read.notes)


def label_column(
    labels: "Labels | str | None", table: Table, rows: NDArray[np.int64], ids: IdMap
) -> StringArray | None:
    """Return one label per number ("" where there is none), from a mapping or from a column of the table.

    Of a column, the first label of an id that is not missing counts; numbers become text.

    Raises
    ------
    DataError
        When there is no mapping, it has none of the ids, or a label is no valid Unicode.
    """
    if labels is None:
        return None
    if isinstance(labels, str):
        return _packed(_first_texts(table.columns[labels], rows, len(ids)), f"{table.prefix}label column {labels!r}")
    found = labels.to_dict() if isinstance(labels, pd.Series) else labels
    if not isinstance(found, Mapping):
        raise DataError(f"{ids.side} labels must be a mapping from id to text, got {type(labels).__name__}")
    texts = [_text(found.get(i)) for i in ids]
    if not any(texts):
        raise DataError(
            f"none of the {len(ids)} {ids.side} ids has a label (ids are of type {ids.kind}; "
            f"labels are keyed by {next((repr(k) for k in found), 'nothing')}): check the keys' type"
        )
    return _packed(texts, f"{ids.side} labels")


def _packed(texts: list[str], what: str) -> StringArray:
    wrong = next((text for text in texts if not _is_unicode(text)), None)
    if wrong is not None:
        raise DataError(
            f"{what}: {clip(wrong)} is no valid Unicode (half of a surrogate pair): it cannot be written; mend the text"
        )
    return StringArray.pack(texts)


def _first_texts(column: "pd.Series[Any]", rows: NDArray[np.int64], count: int) -> list[str]:
    present = np.flatnonzero(column.notna().to_numpy(bool) & (rows >= 0))
    numbers_, first = np.unique(rows[present], return_index=True)
    texts = [""] * count
    for number, value in zip(numbers_.tolist(), column.iloc[present[first]].tolist(), strict=True):
        texts[number] = _text(value)
    return texts


def _text(value: Any) -> str:
    """Return a label as text; a whole number loses the ``.0`` that a missing neighbour gave it."""
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124
        return ""
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)
