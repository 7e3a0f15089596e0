"""`Table`: the columns of a frame or of a file that somebody asked for, and where each row stands."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# what stands for a name where a table is no file
UNNAMED = ("the table", "the arrays", "the matrix")
# codes that are looked at at once, so that no copy of a long column is made
_PIECE = 1 << 20


@dataclass(frozen=True, eq=False)
class Lines:
    """The line of a file, as an editor counts, that each row begins in.

    Parameters
    ----------
    rows, lines
        From row ``rows[i]`` on, rows stand one to a line, beginning with line ``lines[i]``.
    """

    rows: Sequence[int]
    lines: Sequence[int]

    def __getitem__(self, row: int) -> int:
        """Return the line of one row."""
        place = bisect_right(self.rows, row) - 1
        return self.lines[place] + row - self.rows[place]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length.

    Parameters
    ----------
    columns
        By name; pandas Series of any dtype.
    name
        For messages: the path of the file, or "the table".
    lines
        Of a file of text; None for a frame, whose rows are counted from 0.
    notes
        What was found out or changed while reading.
    decimal
        The decimal sign of numbers in columns of text.
    separator
        Of a file of text with separators.
    cells
        Of a sparse matrix, the row and the column of each entry, which stands for a row of the table.
    """

    columns: "dict[Any, pd.Series[Any]]"
    name: str = "the table"
    lines: Lines | None = None
    notes: tuple[str, ...] = ()
    decimal: str = "."
    separator: str | None = None
    cells: "tuple[NDArray[Any], NDArray[Any]] | None" = None

    def __post_init__(self) -> None:
        """Leave out the categories that no row has: they are a leftover, and nothing to judge the column by."""
        object.__setattr__(self, "columns", {name: _without_unused(column) for name, column in self.columns.items()})

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(next(iter(self.columns.values()), ()))

    @property
    def prefix(self) -> str:
        """What a message about one column begins with: the file, where there is one."""
        return "" if self.name in UNNAMED else f"{self.name}: "

    def called(self, role: str, name: Any) -> str:
        """Return what messages call the column of a role; a matrix has none, but ids and values."""
        if self.cells is not None:
            return "the values" if role == "weight" else f"{role}_ids"
        return f"{role} column {name!r}"

    @property
    def unit(self) -> str:
        """What the table consists of, in words."""
        return "rows" if self.cells is None else "entries"

    def place(self, row: int) -> str:
        """Return where a row stands, in words."""
        if self.cells is not None:
            return f"entry ({self.cells[0][row]}, {self.cells[1][row]})"
        return f"row {row}" if self.lines is None else f"line {self.lines[int(row)]}"


def _without_unused(column: "pd.Series[Any]") -> "pd.Series[Any]":
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    codes = column.cat.codes.to_numpy()
    # the last place is for -1, where a row has no category
    used = np.zeros(len(column.cat.categories) + 1, bool)
    for start in range(0, len(codes), _PIECE):
        used[codes[start : start + _PIECE]] = True
    return column if used[:-1].all() else column.cat.remove_unused_categories()
