"""Tables from files and streams: the format is detected, and its reader is called with the options given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from mfrec.data import lists, parquet, streams
from mfrec.data.delimited import Wanted, read_delimited
from mfrec.data.numbers import is_plain_integer
from mfrec.data.records import read_records
from mfrec.data.refusals import RefusedError, clip
from mfrec.data.table import Table
from mfrec.errors import ParameterError

FORMATS = ("auto", "csv", "jsonl", "parquet", *lists.FORMATS)
QUOTING = ("auto", "csv", "none")
_TABS = (".tsv", ".tab")
# what people write for separators that are hard to type
_SPELLED = {"\\t": "\t", "tab": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}


@dataclass(frozen=True)
class Reading:
    """How a file is written, as far as somebody says so; see `mfrec.Interactions.read`."""

    sep: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"
    header: bool = True
    quoting: str = "auto"
    format: str = "auto"

    def __post_init__(self) -> None:
        """Check every part."""
        if self.sep is not None:
            object.__setattr__(self, "sep", _SPELLED.get(self.sep, self.sep))
            if not self.sep or set(self.sep) & set('"\r\n'):
                raise ParameterError(f"sep must be one character or a few, no quote and no line end, got {self.sep!r}")
        for name, value, allowed in (
            ("decimal", self.decimal, (".", ",")),
            ("quoting", self.quoting, QUOTING),
            ("format", self.format, FORMATS),
        ):
            if value not in allowed:
                raise ParameterError(f"{name} must be one of {' '.join(allowed)}, got {value!r}")
        if self.sep == self.decimal:
            raise ParameterError(f"sep and decimal are both {self.sep!r}: choose another")
        streams.check_encoding(self.encoding)


@dataclass(frozen=True)
class Found:
    """What a file turned out to be: its format, and for text its encoding."""

    format: str
    encoding: str
    notes: tuple[str, ...] = ()


def read_columns(
    path: str | Path,
    ids: Sequence[str],
    texts: Sequence[str],
    numbers: Sequence[str],
    how: Reading | None = None,
) -> tuple[Table, dict[str, str]]:
    """Read columns of a file; text becomes integer ids only where nothing is lost by it.

    Returns
    -------
    The table, and for formats that have columns of their own which one is the user, the item and the weight.

    Raises
    ------
    DataError
        When the file is missing, empty, not such a table, or lacks a column.
    """
    table, implied = _columns(path, ids, texts, numbers, how or Reading())
    if not len(table):
        raise RefusedError(f"{table.name}: the table has no rows")
    return table, implied


def _columns(
    path: str | Path, ids: Sequence[str], texts: Sequence[str], numbers: Sequence[str], how: Reading
) -> tuple[Table, dict[str, str]]:
    wanted = Wanted([*ids, *texts], numbers)
    table, found = _read(path, wanted, how)
    implied = {}
    if found.format in lists.FORMATS:
        implied = {"user": lists.USER, "item": lists.ITEM}
        if lists.COUNT in table.columns:
            implied["weight"] = lists.COUNT
        ids = [lists.USER, lists.ITEM]
    columns, notes = dict(table.columns), list(table.notes)
    for name in dict.fromkeys(ids):
        columns[name], told = as_ids(columns[name], name)
        notes += told
    for name in dict.fromkeys(texts):
        notes += _odd_quotes(columns[name], name)
    return Table(columns, table.name, table.lines, (*found.notes, *notes), table.decimal), implied


def read_table(
    path: str | Path, wanted: list[str], ids: list[str], texts: Sequence[str] = (), how: Reading | None = None
) -> pd.DataFrame:
    """Read the wanted columns of a file as a frame, ids as `read_columns` does.

    Columns of text stay as they are written, so that a title such as "1984" is no number.
    """
    numbers = [name for name in wanted if name not in (*ids, *texts)]
    table, _ = _columns(path, ids, texts, numbers, how or Reading())
    frame = parquet.to_frame(table)
    return frame[list(dict.fromkeys(wanted))]


def read_everything(path: str | Path, how: Reading) -> tuple[Table, Found]:
    """Read all columns as they are written, for a look at them."""
    return _read(path, Wanted(every=True), how)


def _read(path: str | Path, wanted: Wanted, how: Reading) -> tuple[Table, Found]:
    streams.check_path(path)
    name = streams.name_of(path)
    names = None if wanted.every else list(dict.fromkeys((*wanted.texts, *wanted.numbers)))
    folder = str(path) != streams.STDIN and Path(path).is_dir()
    if folder and how.format in ("auto", "parquet"):
        return parquet.read_parquet(Path(path), name, names), Found("parquet", "")
    with streams.opened(path) as stream:
        found = find(stream, path, how)
        if found.format == "parquet":
            plain = str(path) != streams.STDIN and stream.name == str(path) if hasattr(stream, "name") else False
            return parquet.read_parquet(Path(path) if plain else stream, name, names), found
        blocks = streams.blocks(stream, name, found.encoding)
        if found.format in lists.FORMATS:
            return lists.read_numbers(blocks, name, found.format), found
        if found.format == "jsonl":
            return read_records(blocks, name, names), found
        tabs = any(suffix.lower() in _TABS for suffix in Path(path).suffixes)
        table = read_delimited(
            blocks, name, wanted, sep=how.sep, usual="\t" if tabs else ",", header=how.header, quoting=how.quoting,
            decimal=how.decimal,
        )  # fmt: skip
        return table, found


def find(stream: BinaryIO, path: str | Path, how: Reading) -> Found:
    """Tell the format of a stream by its first bytes, and its encoding by a byte order mark."""
    start = streams.beginning(stream, streams.name_of(path))
    mark = streams.marked(start)
    encoding = how.encoding
    notes: tuple[str, ...] = ()
    if mark is not None and how.encoding == "utf-8":
        encoding, notes = mark, (f"the byte order mark says that the text is in {mark}",)
    form = how.format
    if form == "auto":
        form = _format(start, path, how)
    return Found(form, encoding, notes)


def _format(start: bytes, path: str | Path, how: Reading) -> str:
    if start.startswith(parquet.MAGIC) or Path(path).suffix.lower() in parquet.SUFFIXES:
        return "parquet"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"{"):
        return "jsonl"
    if text.startswith(b"[") and b"{" in text[:100]:
        raise RefusedError(f"{path} looks like one JSON list: write one object per line, as jq -c '.[]' does")
    if how.header and how.sep is None and lists.looks_like_numbers(start):
        name = streams.name_of(path)
        widths = {len(line.split()) for line in start.splitlines()[:-1][:50] if line.strip()}
        first, other = ("triples", "lists") if widths <= {3} or widths <= {4} else ("lists", "triples")
        like = "user, item, count" if first == "triples" else "a user and its items"
        raise RefusedError(
            f"{name} has no header; its lines of numbers look like {like}: say --format {first}, or --format {other}, "
            "or --no-header --sep space (format and header in Python)",
            format=first,
        )
    return "csv"


def as_ids(column: "pd.Series[Any]", name: str) -> "tuple[pd.Series[Any], tuple[str, ...]]":
    """Return a column as ids, and what to note about it.

    Text becomes integers where every one survives the round trip; "007" or "a" keep the column as text.

    So do "1.0" and "2.0", which programs write for integers in a column that has missing values.
    """
    if not isinstance(column.dtype, pd.CategoricalDtype):
        # an empty text is a missing id, as it is in a file with separators
        return (column.mask(column == "", None) if column.dtype == object else column), ()
    if "" in column.cat.categories:
        column = column.cat.remove_categories([""])
    texts = column.cat.categories.tolist()
    if not texts:
        return column, ()
    if all(is_plain_integer(text) for text in texts):
        return column.cat.rename_categories([int(text) for text in texts]), ()
    whole = [text.removesuffix(".0") for text in texts]
    if all(text.endswith(".0") for text in texts) and all(is_plain_integer(text) for text in whole):
        if any(abs(int(text)) >= 2**53 for text in whole):
            raise RefusedError(
                f"column {name!r} has floats from 2**53 on, where several integers are one: write them as integers"
            )
        note = f"column {name!r} holds whole numbers written as floats: they were read as integers"
        return column.cat.rename_categories([int(text) for text in whole]), (note,)
    quoted = next((text for text in texts if '"' in text), None)
    if quoted is not None:
        # rather a stray quote than an id, but nobody can tell
        return column, (f"column {name!r} has ids with a quote in them, such as {clip(quoted)}",)
    return column, ()


def _odd_quotes(column: "pd.Series[Any]", name: str) -> tuple[str, ...]:
    """Return a note where a text has a quote without its counterpart, which may have moved the border of a field."""
    texts = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column.dropna().unique()
    odd = next((text for text in texts if isinstance(text, str) and text.count('"') % 2), None)
    return () if odd is None else (f"column {name!r} has text with a single quote mark in it, such as {clip(odd)}",)
