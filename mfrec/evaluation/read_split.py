"""Parts that somebody else has split, put over one id space."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.data.files import Reading, read_table
from mfrec.data.frames import table_of
from mfrec.data.interactions import Interactions, say
from mfrec.data.lists import COUNT, FORMATS, ITEM, USER, read_numbers
from mfrec.data.parquet import to_frame
from mfrec.data.refusals import require_columns
from mfrec.data.streams import blocks, opened
from mfrec.directions import SIDES
from mfrec.errors import DataError

# what narwhals knows as a frame is one too
Table = Any
# arguments that may name columns
_ROLES = ("weight", "time", "item_labels", "user_labels")


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
    sep: str | None = None,
    decimal: str = ".",
    encoding: str = "utf-8",
    quoting: str = "auto",
    format: str = "auto",
    **names: Any,
) -> Split:
    """Put given parts over one id space: files, frames or `Interactions`.

    A pair that is in two parts stays in the first of train, test, validation, so that nothing leaks; how many
    were taken out is noted.

    Parameters
    ----------
    train, test, validation
        Files or tables with the same columns, or the files of published splits that end in ``.txt``: each line a
        user number, then its item numbers, separated by spaces. A file of three numbers in every line looks like
        user, item, count, and is refused unless ``format`` says ``lists`` or ``triples``. Of `Interactions`, weights
        are taken where ``weight`` is named and times where ``time`` is.
    user, item
        Columns of the ids.
    sep, decimal, encoding, quoting, format
        How files are written, as in `mfrec.Interactions.read`.
    **names
        Further columns, as in `mfrec.Interactions.from_frame`.

    Raises
    ------
    DataError
        When a file or table cannot be read, or a part is empty.
    """
    given = {"train": train, "test": test} | ({} if validation is None else {"validation": validation})
    how = Reading(sep, decimal, encoding, True, quoting, format)
    if format == "triples":
        names = {"weight": COUNT, **names}
    frames = [_frame(table, part, user, item, names, how) for part, table in given.items()]
    whole = pd.concat(_same_kind(frames, (user, item)), ignore_index=True)
    part_of_row = np.repeat(np.arange(len(frames)), [len(f) for f in frames])
    pairs = pd.Series(part_of_row).groupby([whole[user], whole[item]], sort=False, dropna=False)
    leaked = part_of_row != pairs.transform("first").to_numpy()
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


def _frame(table: Any, part: str, user: str, item: str, names: dict[str, Any], how: Reading) -> pd.DataFrame:
    columns = [user, item, *(names[role] for role in _ROLES if isinstance(names.get(role), str))]
    if isinstance(table, Interactions):
        own = table.to_frame().rename(columns={"user": user, "item": item})
        return _checked(own.rename(columns={k: names[k] for k in ("weight", "time") if names.get(k)}), part, columns)
    if isinstance(table, pd.DataFrame):
        return _checked(table, part, columns)
    if not isinstance(table, str | Path):
        return _checked(to_frame(table_of(table, columns)), part, columns)
    path = Path(table)
    if path.suffix == ".txt" or how.format in FORMATS:
        return _checked(read_lists(path, user, item, how.format), part, columns)
    return _checked(read_table(path, columns, [user, item], how=how), part, columns)


def _checked(frame: pd.DataFrame, part: str, columns: list[str]) -> pd.DataFrame:
    require_columns(frame.columns, columns, f"the {part} part")
    if frame.empty:
        raise DataError(f"the {part} part has no rows")
    return frame[columns]


def read_lists(path: Path, user: str = "user", item: str = "item", form: str = "auto") -> pd.DataFrame:
    """Read lines of a user number and its item numbers, or ``triples``, whatever the file is called.

    A line with the user alone adds nothing, and neither does an item that its user has already: lists have no weights.

    Raises
    ------
    DataError
        When the file is missing, is no text, holds something else, or looks like triples where the format is
        ``auto``.
    """
    with opened(path) as stream:
        table = read_numbers(blocks(stream, str(path)), str(path), form)
    return pd.DataFrame(table.columns).rename(columns={USER: user, ITEM: item})


def _same_kind(frames: list[pd.DataFrame], columns: tuple[str, str]) -> list[pd.DataFrame]:
    """Make ids text in every part where one part needs it: "12" reads as a number only where all its part does."""
    for column in columns:
        numeric = [pd.api.types.is_integer_dtype(f[column]) for f in frames]
        if any(numeric) and not all(numeric):
            frames = [f.assign(**{column: f[column].astype(str)}) for f in frames]
    return frames


def _per_pair(
    full: Interactions, frame: pd.DataFrame, part: NDArray[np.int64], user: str, item: str
) -> NDArray[np.int64]:
    """Return the part of each stored pair; the matrix holds them by user and item number."""
    users = full.ids.user.find(frame[user].to_numpy() if full.ids.user.kind == "int" else frame[user].tolist())
    items = full.ids.item.find(frame[item].to_numpy() if full.ids.item.kind == "int" else frame[item].tolist())
    _, first = np.unique(users * full.shape[1] + items, return_index=True)
    return part[first]
