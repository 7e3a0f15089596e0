"""JSON lines: one object per line, whose keys are the columns."""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from mfrec.data.refusals import RefusedError, clip, require_columns
from mfrec.data.table import Lines, Table


def read_records(blocks: Iterator[bytes], name: str, names: list[str] | None) -> Table:
    """Read columns of JSON lines, all of them where ``names`` is None; a key that a line lacks is missing there.

    Raises
    ------
    RefusedError
        Naming the first line that is no object, has a key twice, or has a list or an object as a value.
    """
    values: dict[str, list[Any]] = {} if names is None else {column: [] for column in names}
    seen: dict[str, None] = {}
    count, line, places = 0, 0, []
    for block in blocks:
        for text in block.removesuffix(b"\n").split(b"\n"):
            line += 1
            if not text.strip():
                continue
            record = _record(text, name, line)
            seen.update(dict.fromkeys(record))
            for column in record if names is None else names:
                cells = values.setdefault(column, [])
                # a key that no line had before
                cells.extend([None] * (count - len(cells)))
                value = record.get(column)
                # a column that nobody asked for may hold anything
                cells.append(json.dumps(value) if names is None and isinstance(value, list | dict)
                             else _scalar(value, column, name, line))  # fmt: skip
            places.append(line)
            count += 1
    if not count:
        raise RefusedError(f"{name} is empty")
    require_columns(seen, names or (), name)
    padded = {column: [*cells, *[None] * (count - len(cells))] for column, cells in values.items()}
    return Table({c: pd.Series(cells, dtype=object) for c, cells in padded.items()}, name, Lines(range(count), places))


def _record(text: bytes, name: str, line: int) -> dict[str, Any]:
    try:
        record = json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, name, line))
    except (ValueError, RecursionError) as error:
        raise _no_json(name, line, error) from None
    if not isinstance(record, dict):
        raise RefusedError(f"{name}, line {line}: {clip(record)} is no JSON object: write one object per line")
    return record


def _no_json(name: str, line: int, error: Exception) -> RefusedError:
    if isinstance(error, RefusedError):
        return error
    return RefusedError(f"{name}, line {line}: no JSON object ({error}): write one object per line")


def _once(pairs: list[tuple[str, Any]], name: str, line: int) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RefusedError(f"{name}, line {line}: the key {twice!r} stands twice")
    return record


def _scalar(value: Any, column: str, name: str, line: int) -> Any:
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        raise RefusedError(f"{name}, line {line}: {column!r} is {kind}, not one value")
    return value
