"""Numbers separated by spaces, as published splits have them: lists of a user and its items, or triples."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from mfrec.data.refusals import RefusedError
from mfrec.data.table import Lines, Table
from mfrec.errors import DataError

FORMATS = ("lists", "triples")
# the columns of lists, and of triples
USER, ITEM, COUNT = "user", "item", "count"


def read_numbers(blocks: Iterator[bytes], name: str, form: str) -> Table:
    """Read lists or triples, as the format says; ``auto`` are lists unless they look like triples.

    Raises
    ------
    RefusedError
        Naming the first line that holds something else.
    """
    # a line may hold the numbers of one user over several blocks' ends, so all are read at once
    lines = b"".join(blocks).decode().split("\n")
    rows = [(number, _numbers(line, name, number)) for number, line in enumerate(lines, 1) if line.strip()]
    if form == "auto":
        _refuse_triples(rows, name)
    return _triples(rows, name) if form == "triples" else _lists(rows, name)


def looks_like_numbers(start: bytes) -> bool:
    """Whether a text begins with lines of integers separated by spaces, and nothing else."""
    lines = [line.strip() for line in start[: 1 << 16].split(b"\n")[:50]]
    filled = [line for line in lines if line]
    return bool(filled) and all(re.fullmatch(rb"\d+( +\d+)*", line) for line in filled) and b" " in b"".join(filled)


def _refuse_triples(rows: list[tuple[int, list[int]]], name: str) -> None:
    widths = {len(numbers) for _, numbers in rows}
    users = [numbers[0] for _, numbers in rows]
    if widths == {3} or (widths == {4} and len(set(users)) < len(users)):
        words = {3: "three", 4: "four"}[widths.pop()]
        raise RefusedError(
            f"{name}: every line has {words} numbers, which looks like user, item, count rather than a user and its "
            "items: say --format triples, or --format lists (format in Python)",
            format="triples",
        )


def _lists(rows: list[tuple[int, list[int]]], name: str) -> Table:
    users = np.array([numbers[0] for _, numbers in rows for _ in numbers[1:]], np.int64)
    items = np.array([item for _, numbers in rows for item in numbers[1:]], np.int64)
    pairs = pd.DataFrame({USER: users, ITEM: items})
    # lists have no weights: an item that its user has already adds nothing
    once = pairs.drop_duplicates(ignore_index=True)
    return Table({USER: once[USER], ITEM: once[ITEM]}, name)


def _triples(rows: list[tuple[int, list[int]]], name: str) -> Table:
    wrong = next((row for row in rows if len(row[1]) not in (3, 4)), None)
    if wrong is not None:
        raise RefusedError(f"{name}, line {wrong[0]}: expected user, item, count, got {len(wrong[1])} numbers")
    table = np.array([numbers[:3] for _, numbers in rows], np.int64).reshape(-1, 3)
    places = [number for number, _ in rows]
    columns = {column: pd.Series(table[:, place]) for place, column in enumerate((USER, ITEM, COUNT))}
    return Table(columns, name, Lines(range(len(places)), places))


def _numbers(line: str, name: str, number: int) -> list[int]:
    return [_number(word, name, number) for word in line.split()]


def _number(word: str, name: str, line: int) -> int:
    if not word.removeprefix("-").isdecimal() or not word.isascii():
        raise DataError(f"{name}, line {line}: expected a user number, then item numbers, got {word[:40]!r}")
    # no number of 64 bits has more than 19 digits
    if len(word.lstrip("-0")) > 19 or not -(2**63) <= int(word) < 2**63:
        raise DataError(f"{name}, line {line}: the number {word[:40]} is not below 2**63")
    return int(word)
