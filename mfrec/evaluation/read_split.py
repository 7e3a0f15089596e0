"""Parts that somebody else has split, put over one id space."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.data.columns import require_columns
from mfrec.data.files import read_table
from mfrec.data.interactions import Interactions, say
from mfrec.directions import SIDES
from mfrec.errors import DataError

Table = pd.DataFrame | Interactions | str | Path


@dataclass(frozen=True)
class Split:
    """Given parts over one id space; ``validation`` is None where none was given."""

    train: Interactions
    test: Interactions
    validation: Interactions | None = None


def read_split(
    train: Table,
    test: Table,
    validation: Table | None = None,
    *,
    user: str = "user",
    item: str = "item",
    **names: Any,
) -> Split:
    """Put given parts over one id space: files, DataFrames or `Interactions`.

    A pair that is in two parts stays in the first of train, test, validation, so that nothing leaks; how many
    were taken out is noted.

    Parameters
    ----------
    train, test, validation
        CSV, TSV or Parquet files or tables with the same columns, or the files of published splits that end in
        ``.txt``: each line a user number, then its item numbers, separated by spaces. Of `Interactions`, weights
        are taken where ``weight`` is named and times where ``time`` is.
    user, item
        Columns of the ids.
    **names
        Further columns, as in `mfrec.Interactions.from_frame`.

    Raises
    ------
    DataError
        When a file or table cannot be read, or a part is empty.
    """
    given = {"train": train, "test": test} | ({} if validation is None else {"validation": validation})
    frames = [_frame(table, part, user, item, names) for part, table in given.items()]
    whole = pd.concat(_same_kind(frames, (user, item)), ignore_index=True)
    part_of_row = np.repeat(np.arange(len(frames)), [len(f) for f in frames])
    first_part = part_of_row[_first_rows(whole, user, item)]
    leaked = part_of_row != first_part
    full = Interactions.from_frame(whole[~leaked], user=user, item=item, **names)
    part_of_pair = _per_pair(full, whole[~leaked], part_of_row[~leaked], user, item)
    notes = tuple(
        f"{n} rows of the {part} part are in an earlier part too and were left out"
        for part, n in zip(given, np.bincount(part_of_row[leaked], minlength=len(given)), strict=True)
        if n
    )
    for number, part in enumerate(given):
        if not (part_of_pair == number).any():
            raise DataError(f"the {part} part has nothing that is not in an earlier part")
    parts = [full.take(part_of_pair == number) for number in range(len(given))]
    found = without_training(parts[0], parts[1])
    say(notes + found)
    noted = [replace(part, notes=full.notes + notes + found) for part in parts]
    return Split(noted[0], noted[1], noted[2] if validation is not None else None)


def without_training(train: Interactions, test: Interactions) -> tuple[str, ...]:
    """Say how many users and items of the test part the training part knows nothing of."""
    trained, tested = train.degree, test.degree
    notes = []
    for side in SIDES:
        cold = (trained[side] == 0) & (tested[side] > 0)
        if cold.any():
            notes.append(
                f"{int(cold.sum())} of {int((tested[side] > 0).sum())} {side}s of the test part have no training "
                f"data ({int(tested[side][cold].sum())} of {len(test)} test interactions)"
            )
    return tuple(notes)


def _frame(table: Table, part: str, user: str, item: str, names: dict[str, Any]) -> pd.DataFrame:
    columns = [user, item, *(c for c in names.values() if isinstance(c, str))]
    if isinstance(table, Interactions):
        own = table.to_frame().rename(columns={"user": user, "item": item})
        return _checked(own.rename(columns={k: names[k] for k in ("weight", "time") if names.get(k)}), part, columns)
    if isinstance(table, pd.DataFrame):
        return _checked(table, part, columns)
    path = Path(table)
    if path.suffix == ".txt":
        return _checked(read_lists(path, user, item), part, columns)
    return _checked(read_table(path, columns, [user, item]), part, columns)


def _checked(frame: pd.DataFrame, part: str, columns: list[str]) -> pd.DataFrame:
    require_columns(frame.columns, columns, f"the {part} part")
    if frame.empty:
        raise DataError(f"the {part} part has no rows")
    return frame[columns]


def read_lists(path: Path, user: str = "user", item: str = "item") -> pd.DataFrame:
    """Read lines of a user number and its item numbers, whatever the file is called.

    A line with the user alone adds nothing, and neither does an item that its user has already: lists have no weights.

    Raises
    ------
    DataError
        When the file is missing, is no text, or holds something else.
    """
    if not path.is_file():
        raise DataError(f"no such file: {path}")
    try:
        # some editors put a byte order mark in front
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8: {error}") from None
    users, items = [], []
    for number, line in enumerate(lines, 1):
        first, *rest = [_number(word, path, number) for word in line.split() or ["0"]]
        users += [first] * len(rest)
        items += rest
    pairs = pd.DataFrame({user: np.array(users, np.int64), item: np.array(items, np.int64)})
    return pairs.drop_duplicates(ignore_index=True)


def _number(word: str, path: Path, line: int) -> int:
    if not word.removeprefix("-").isdecimal():
        raise DataError(f"{path}, line {line}: expected a user number, then item numbers, got {word[:40]!r}")
    # no number of 64 bits has more than 19 digits
    if len(word.lstrip("-0")) > 19 or abs(int(word)) >= 2**63:
        raise DataError(f"{path}, line {line}: the number {word[:40]} is not below 2**63")
    return int(word)


def _same_kind(frames: list[pd.DataFrame], columns: tuple[str, str]) -> list[pd.DataFrame]:
    """Make ids text in every part where one part needs it: "12" reads as a number only where all its part does."""
    for column in columns:
        numeric = [pd.api.types.is_integer_dtype(f[column]) for f in frames]
        if any(numeric) and not all(numeric):
            frames = [f.assign(**{column: f[column].astype(str)}) for f in frames]
    return frames


def _first_rows(whole: pd.DataFrame, user: str, item: str) -> NDArray[np.int64]:
    """Return, per row, the first row of the same pair."""
    pair = whole.groupby([user, item], sort=False, dropna=False).ngroup().to_numpy()
    _, first, back = np.unique(pair, return_index=True, return_inverse=True)
    rows: NDArray[np.int64] = first[back].astype(np.int64)
    return rows


def _per_pair(
    full: Interactions, frame: pd.DataFrame, part: NDArray[np.int64], user: str, item: str
) -> NDArray[np.int64]:
    """Return the part of each stored pair; the matrix holds them by user and item number."""
    users = full.ids.user.find(frame[user].to_numpy() if full.ids.user.kind == "int" else frame[user].tolist())
    items = full.ids.item.find(frame[item].to_numpy() if full.ids.item.kind == "int" else frame[item].tolist())
    _, first = np.unique(users * full.shape[1] + items, return_index=True)
    return part[first]
