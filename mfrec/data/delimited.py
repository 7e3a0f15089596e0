"""Text with separators, read strictly: what does not fit the header is refused with its line, never shifted.

A block of lines without quotes is only checked and split, which is fast. A block with quotes goes through Python's own
``csv``, in strict mode.
"""

import csv
import io
import itertools
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.data.numbers import numbers
from mfrec.data.refusals import RefusedError, require_columns, require_once
from mfrec.data.table import Lines, Table

SEPARATORS = (",", "\t", ";", "|", "::", " ")
# stands for a separator of several characters, which a parser of bytes cannot take
_ONE = "\x1f"
_LOOK = 50
# lines without which nothing can be told about a file
_FEW = 8
_NAMES = {"\t": "a tab", " ": "a space"}
# what Excel writes or wants as the first line
_DECLARED = re.compile(r'"?sep=([^"])"?\s*', re.IGNORECASE)
_END, _QUOTE = ord("\n"), ord('"')
# bytes that are read row by row at once
_PIECE = 1 << 17
# what a number column may hold without a loss where float64 had to be used
_EXACT = 2**53


@dataclass(frozen=True)
class Head:
    """What the beginning of a file says about the rest.

    Parameters
    ----------
    sep
        What separates fields.
    columns
        The names, or "0", "1", ... without a header.
    width
        Fields per row; one more than columns where every row ends in a separator.
    first
        The first line of data, counted from 1.
    declared
        Whether the first line does nothing but name the separator, as ``sep=;``.
    told_by
        What the columns were taken from, in words.
    """

    sep: str
    columns: list[str]
    width: int
    first: int
    declared: bool = False
    told_by: str = "header"


@dataclass(frozen=True)
class Wanted:
    """The columns to read: verbatim as text, or as numbers where they are such; everything where ``every``."""

    texts: Sequence[str] = ()
    numbers: Sequence[str] = ()
    every: bool = False


def read_delimited(
    blocks: Iterator[bytes],
    name: str,
    wanted: Wanted,
    *,
    sep: str | None = None,
    usual: str = ",",
    header: bool = True,
    quoting: str = "auto",
    decimal: str = ".",
    names: Sequence[str] = (),
) -> Table:
    """Read columns of text with separators.

    Parameters
    ----------
    blocks
        Whole lines of UTF-8, as `mfrec.data.streams.blocks` yields them.
    name
        Of the file, for messages.
    wanted
        The columns.
    sep
        What separates fields; found where it is None, and noted where it is not the ``usual`` one.
    header, quoting, decimal
        As in `mfrec.Interactions.read`.
    names
        Of the columns, where there is no header; "0", "1", ... if left out.

    Raises
    ------
    RefusedError
        Naming the first line that does not fit, and the remedy.
    """
    start = next(blocks, b"")
    while start.count(b"\n") < _FEW and (more := next(blocks, b"")):
        start += more
    if not start.strip():
        raise RefusedError(f"{name} is empty")
    needed = (*wanted.texts, *wanted.numbers)
    head = look(start, name, needed, sep, header, quoting)
    if names and not header:
        head = replace(head, columns=list(names), width=len(names), told_by="layout")
    require_once([column for column in head.columns if column], [c for c in head.columns if c], name)
    if not wanted.every:
        _require(head, needed, name, header, sep)
    chosen = Wanted(head.columns, (), True) if wanted.every else wanted
    reader = _Reader(name, head, chosen, quoting, decimal)
    rest = start.split(b"\n", head.first - 1)[-1] if start.count(b"\n") >= head.first - 1 else b""
    for block in itertools.chain([rest], blocks):
        if block:
            reader.feed(block)
    table = reader.finish()
    found = f"the separator is {_NAMES.get(head.sep, repr(head.sep))}"
    notes: tuple[str, ...] = ()
    if head.declared:
        notes = (
            ("the first line names the separator, and is no row",)
            if sep is not None
            else (f"{found}, as the first line says",)
        )
    elif sep is None and head.sep != usual:
        notes = (f"{found}, as the first lines show",)
    return Table(table.columns, name, table.lines, (*notes, *table.notes), decimal, head.sep)


def _require(head: Head, names: Iterable[str], name: str, header: bool, sep: str | None) -> None:
    try:
        require_columns(head.columns, names, name)
    except RefusedError as error:
        if header and any(_is_number(column) for column in head.columns):
            raise RefusedError(
                f"{error}; the first line looks like data: if there is no header, say --no-header, and name columns by "
                "their position, 0 for the first",
                header=False,
            ) from None
        if sep is not None and len(head.columns) == 1:
            raise RefusedError(f"{error}; is {sep!r} what separates fields? without --sep it is looked for") from None
        raise


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def look(start: bytes, name: str, names: Sequence[str], sep: str | None, header: bool, quoting: str) -> Head:
    """Find the separator, the columns and the width of the rows in the first lines."""
    lines = start[: 1 << 20].decode("utf-8", "replace").split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    declared = _DECLARED.fullmatch(lines[filled[0]])
    if declared is not None:
        filled = filled[1:]
        # a separator that somebody names goes first
        sep = declared[1] if sep is None else sep
    if not filled:
        raise RefusedError(f"{name} is empty but for a line that names the separator")
    first = filled[0]
    found = sep if sep is not None else _separator([lines[n] for n in filled[:_LOOK]], names, header, quoting)
    columns = _fields(lines[first], found, quoting, name, first + 1)
    begin = filled[1] if header and len(filled) > 1 else first + (1 if header else 0)
    width = len(columns)
    if not header:
        columns = [str(place) for place in range(width)]
    elif begin < len(lines) and len(filled) > 1:
        row = _loose(lines[begin:], found, quoting)
        # a separator at the end of every row, but not of the header
        width += len(row) == width + 1 and row[-1] == ""
    return Head(found, columns, width, begin + 1, declared is not None, "header" if header else "first line")


def _fields(line: str, sep: str, quoting: str, name: str, number: int) -> list[str]:
    if len(sep) > 1 or quoting == "none" or '"' not in line:
        return line.split(sep)
    try:
        return next(csv.reader([line], delimiter=sep, strict=True))
    except csv.Error as error:
        raise RefusedError(f"{name}, line {number}: {_told(error)}: --quoting none takes quotes as they are",
                      quoting="none") from None  # fmt: skip


def _told(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "the quote opened here is never closed"
    if "field larger" in str(error):
        return f"the quote opened here is not closed within {csv.field_size_limit():,} characters"
    return "the quoted field that begins here ends in something else than a separator"


def _separator(lines: list[str], names: Sequence[str], header: bool, quoting: str) -> str:
    """Return the separator that splits the header into the columns asked for, else the one that is most regular."""
    if header and names:
        fitting = [sep for sep in SEPARATORS if set(names) <= set(_loose(lines, sep, quoting))]
        if fitting:
            return fitting[0]
    regular: list[tuple[float, int, str]] = []
    for sep in SEPARATORS[:-1]:
        widths = [len(_loose([line], sep, quoting)) for line in lines]
        if widths[0] > 1:
            regular.append((widths.count(widths[0]) / len(widths), widths[0], sep))
    # a space stands in many titles, so it comes last
    return max(regular)[-1] if regular else " " if " " in lines[0].strip() else ","


def _loose(lines: list[str], sep: str, quoting: str) -> list[str]:
    """Return the fields of the first row, which quotes may spread over several lines, as far as it can be read."""
    if len(sep) > 1 or quoting == "none" or '"' not in lines[0]:
        return lines[0].split(sep)
    try:
        return next(csv.reader((f"{line}\n" for line in lines), delimiter=sep))
    except csv.Error:
        return [lines[0]]


def _inside_quotes(data: NDArray[np.uint8], sep: int) -> NDArray[np.bool_] | None:
    """Return which bytes are within quotes, where all quoted fields are whole fields of one line; None where the block
    takes a closer look. Of a quote that is written twice, the first seems to close and the second to open.
    """
    quotes = data == _QUOTE
    inside = np.logical_xor.accumulate(quotes)
    ends = data == _END
    if inside[-1] or (ends & inside).any():
        return None
    borders = ends | (data == sep) | quotes
    opening = np.flatnonzero(quotes & inside)
    closing = np.flatnonzero(quotes & ~inside)
    # the byte before the first is the end of a line, which the last byte is
    if not (borders[opening - 1].all() and borders[closing + 1].all()):
        return None
    return inside


def _pieces(block: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(block):
        end = block.find(b"\n", start + _PIECE) + 1 or len(block)
        yield block[start:end]
        start = end


@dataclass
class _Texts:
    """A column of text, each distinct one kept once; an empty field is missing."""

    known: dict[Any, int] = field(default_factory=dict)
    codes: list[NDArray[np.int32]] = field(default_factory=list)

    def add_column(self, values: NDArray[Any]) -> None:
        known = self.known
        codes, distinct = pd.factorize(values)
        places = [known.setdefault(text, len(known)) for text in distinct.tolist()]
        self.codes.append(np.array([*places, -1], np.int32)[codes])

    def add(self, values: list[str]) -> None:
        known = self.known
        places = [known.setdefault(text, len(known)) if text else -1 for text in values]
        self.codes.append(np.array(places, np.int32))

    def finish(self) -> "pd.Series[Any]":
        codes = np.concatenate(self.codes) if self.codes else np.zeros(0, np.int32)
        self.codes.clear()
        return pd.Series(pd.Categorical.from_codes(codes, pd.Index(list(self.known), dtype=object), validate=False))


def _without(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    exact = values.astype(object)
    exact[missing] = None
    return exact


@dataclass
class _Numbers:
    """A column of numbers; blocks in which something else stands are kept as text."""

    decimal: str
    parts: list[Any] = field(default_factory=list)

    def add(self, values: list[str]) -> None:
        # a comma may be the decimal sign, or a mistake: whoever asks for the numbers is to say so
        commas = self.decimal == "." and any("," in text for text in values)
        parsed = None if commas else numbers(pd.Series(values, dtype=object), self.decimal)
        if parsed is None or parsed.wrong.any():
            self.parts.append(np.array([text or None for text in values], object))
        elif parsed.missing.any():
            self.parts.append(_without(parsed.values, parsed.missing))
        else:
            self.parts.append(parsed.values)

    def finish(self) -> "pd.Series[Any]":
        parts = [pd.Series(part) for part in self.parts] or [pd.Series(np.zeros(0))]
        self.parts.clear()
        if len({str(part.dtype) for part in parts}) > 1:
            # integers beside floats stay exact
            parts = [part.astype(object) for part in parts]
        return pd.concat(parts, ignore_index=True)


@dataclass
class _Reader:
    """Blocks of rows, checked one by one and gathered by column."""

    name: str
    head: Head
    wanted: Wanted
    quoting: str
    decimal: str
    rows: int = 0
    carry: bytes = b""
    open_end: bool = False

    def __post_init__(self) -> None:
        self.single = len(self.head.sep.encode()) == 1
        self.sep = self.head.sep if self.single else _ONE
        self.line = self.head.first
        columns = self.head.columns
        self.texts = {columns.index(n): _Texts() for n in self.wanted.texts}
        self.numbers = {columns.index(n): _Numbers(self.decimal) for n in self.wanted.numbers}
        for place in set(self.texts) & set(self.numbers):
            # what is wanted as both is wanted as it is written
            del self.numbers[place]
        self.starts: tuple[list[int], list[int]] = ([0], [self.line])
        self.trailing = self.head.width > len(columns)

    def feed(self, block: bytes) -> None:
        """Read a block of whole lines."""
        self.open_end = not block.endswith(b"\n")
        if self.open_end:
            block += b"\n"
        if not self.single:
            if _ONE.encode() in block:
                raise RefusedError(
                    f"{self.name} holds the character 0x1f: it cannot be read with a separator of several"
                )
            block = block.replace(self.head.sep.encode(), _ONE.encode())
        self._sort_out(block)

    def _sort_out(self, block: bytes) -> None:
        """Send a block to the reader that can take it, if need be in pieces."""
        if self.carry:
            block, self.carry = self.carry + block, b""
        if self.quoting == "none" or not self.single or b'"' not in block:
            self._plain(block, None)
            return
        inside = _inside_quotes(np.frombuffer(block, np.uint8), ord(self.sep))
        if inside is not None:
            self._plain(block, inside)
        elif len(block) > 2 * _PIECE:
            for piece in _pieces(block):
                self._sort_out(piece)
        else:
            self._quoted(block)

    def finish(self) -> Table:
        """Return all columns."""
        if self.carry:
            self._refuse_quote(self.line, csv.Error("unexpected end of data"))
        columns = {self.head.columns[place]: part.finish() for place, part in self._parts().items()}
        notes: tuple[str, ...] = ()
        if self.trailing and self.rows:
            notes += ("every row ends in a separator, which was left out",)
        if self.open_end and self.rows:
            notes += ("the last line has no end: the file may have been cut short there",)
        return Table(columns, self.name, Lines(*self.starts), notes)

    def _parts(self) -> dict[int, Any]:
        return {**self.texts, **self.numbers}

    # a block without quotes

    def _plain(self, block: bytes, inside: NDArray[np.bool_] | None) -> None:
        if not self._is_regular(block, inside):
            if inside is not None:
                self._quoted(block)
                return
            block = self._without_blank(block)
        count = block.count(b"\n")
        if not count:
            return
        quoting = csv.QUOTE_NONE if inside is None else csv.QUOTE_MINIMAL
        for place, part in self._parse(block, quoting).items():
            column = self.texts.get(place)
            if column is not None:
                column.add_column(part.to_numpy(object))
            elif part.dtype.kind == "i" or (part.dtype.kind == "f" and not (part.abs() >= _EXACT).any()):
                self.numbers[place].parts.append(part.to_numpy())
            elif isinstance(part.dtype, pd.StringDtype):
                # a column of nothing but text comes as it is written
                self.numbers[place].parts.append(part.array)
            else:
                again = self._parse(block, quoting, (place,))[place]
                self.numbers[place].add(again.astype(object).fillna("").tolist())
        self.rows += count

    def _parse(self, block: bytes, quoting: int, only: tuple[int, ...] = ()) -> Any:
        """Parse a checked block: text as it is written, and the rest, but for ``only``, as numbers where it is."""
        # an object column is text as it is written; a category would turn "007" into 7
        kinds = dict.fromkeys(only or self.texts, "object")
        return pd.read_csv(  # type: ignore[call-overload]
            io.BytesIO(block), sep=self.sep, header=None, names=range(self.head.width), dtype=kinds, index_col=False,
            usecols=sorted(only or self._parts()), quoting=quoting,
            keep_default_na=False, na_values=[""], skip_blank_lines=False, decimal=self.decimal, low_memory=False,
        )  # fmt: skip

    def _is_regular(self, block: bytes, inside: NDArray[np.bool_] | None) -> bool:
        """Whether every line has as many fields as the header; lines are counted where it has."""
        data = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(data == _END)
        is_sep = data == ord(self.sep)
        seps = np.flatnonzero(is_sep if inside is None else is_sep & ~inside)
        per_line = self.head.width - 1
        if not per_line or len(seps) != per_line * len(ends):
            return False
        if (seps[per_line - 1 :: per_line] > ends).any() or (seps[per_line::per_line] < ends[:-1]).any():
            return False
        if self.trailing:
            self._check_last(data, ends)
        self.line += len(ends)
        return True

    def _check_last(self, data: NDArray[np.uint8], ends: NDArray[Any]) -> None:
        filled = np.flatnonzero(data[ends - 1] != ord(self.sep))
        if len(filled):
            self._refuse_width(self.line + int(filled[0]), self.head.width)

    def _without_blank(self, block: bytes) -> bytes:
        """Return the block without its blank lines; RefusedError names the first line of another width."""
        kept: list[bytes] = []
        sep, per_line = self.sep.encode(), self.head.width - 1
        for line in block[:-1].split(b"\n"):
            fits = bool(line) and line.count(sep) == per_line
            if line.strip() or (fits and per_line):
                if not fits or (self.trailing and not line.endswith(sep)):
                    self._refuse_width(self.line, line.count(sep) + 1)
                self._mark(self.rows + len(kept), self.line)
                kept.append(line)
            self.line += 1
        return b"\n".join([*kept, b""])

    # a block with quotes

    def _quoted(self, block: bytes) -> None:
        text = block.decode()
        rows: list[list[str]] = []
        failed: csv.Error | None = None
        try:
            # extend keeps the rows before the one that fails
            rows.extend(csv.reader(io.StringIO(text, newline="\n"), delimiter=self.sep, strict=True))
        except csv.Error as error:
            failed = error
        used = self._take(rows)
        if failed is None:
            return
        rest = text.split("\n", used)[-1]
        if "unexpected end" not in str(failed) or len(rest) > csv.field_size_limit():
            self._refuse_quote(self.line, failed)
        self.carry = rest.encode()

    def _take(self, rows: list[list[str]]) -> int:
        """Check rows and gather them; return how many lines they stand on."""
        width, used = self.head.width, 0
        kept: list[list[str]] = []
        for row in rows:
            breaks = sum(text.count("\n") for text in row)
            blank = not row or (len(row) == 1 and width > 1 and not row[0].strip())
            if not blank:
                if len(row) != width or (self.trailing and row[-1]):
                    self._refuse_width(self.line, len(row))
                if breaks and self.quoting == "auto":
                    self._check_breaks(row)
                self._mark(self.rows + len(kept), self.line)
                kept.append(row)
            self.line += 1 + breaks
            used += 1 + breaks
        for place, part in self._parts().items():
            part.add([row[place] for row in kept])
        self.rows += len(kept)
        return used

    def _check_breaks(self, row: list[str]) -> None:
        per_row = len(self.head.columns) - 1
        for text in row:
            parts = text.split("\n")
            if len(parts) > 1 and per_row and any(part.count(self.sep) == per_row for part in parts):
                raise RefusedError(
                    f"{self.name}, line {self.line}: a quoted field spans {len(parts)} lines, of which some look like "
                    "rows of their own: --quoting none reads them as rows, --quoting csv as one field",
                    quoting="none",
                )

    def _mark(self, row: int, line: int) -> None:
        """Remember where a row stands, where that does not follow from the one before."""
        rows, lines = self.starts
        place = bisect_right(rows, row) - 1
        if lines[place] + row - rows[place] != line:
            if rows[-1] == row:
                lines[-1] = line
            else:
                rows.append(row)
                lines.append(line)

    def _refuse_width(self, line: int, width: int) -> NoReturn:
        have = len(self.head.columns)
        more = "more" if width > have else "fewer"
        raise RefusedError(
            f"{self.name}, line {line}: {width} fields, {more} than the {have} of the {self.head.told_by} (separator "
            f"{_NAMES.get(self.head.sep, repr(self.head.sep))}): mend the line, quote fields that hold the separator, "
            "or name another with --sep"
        )

    def _refuse_quote(self, line: int, error: csv.Error) -> NoReturn:
        raise RefusedError(f"{self.name}, line {line}: {_told(error)}: --quoting none takes quotes as they are",
                      quoting="none")  # fmt: skip
