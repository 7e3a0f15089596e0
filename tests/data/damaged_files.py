"""Damaged copies of valid files: each is read right or refused in one line, none is silently another table.

Valid files of several kinds are cut, shifted, re-encoded, re-quoted and get their columns swapped. "Right" is: the
rows that were written; of a file that was cut at the end of a line, the rows before the cut; of one that was cut
within its last field, a note that says so. A table that is another, and nothing says so, is an AssertionError.
"""

import csv
import io
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mfrec.data import streams
from mfrec.data.interactions import Interactions
from mfrec.errors import MfrecError

Row = tuple[str, ...]
COLUMNS = ("user", "item", "rating", "title", "time")
TITLES = ("Heat", "Amélie", "Hello, Dolly!", 'Say "Anything"', "Two\nLines", "Up", "Ōkami; or wolf", "a|b", "1984", "")


@dataclass(frozen=True)
class File:
    """A file as it is written: rows of text, what separates them, and how the bytes come about."""

    rows: tuple[Row, ...]
    columns: tuple[str, ...] = COLUMNS
    sep: str = ","
    quoting: Any = csv.QUOTE_MINIMAL
    encoding: str = "utf-8"
    line_end: str = "\n"

    def text(self) -> str:
        """Return the text."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.sep, quoting=self.quoting, lineterminator=self.line_end)
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return out.getvalue()

    def data(self) -> bytes:
        """Return the bytes."""
        return self.text().encode(self.encoding)


@dataclass(frozen=True)
class Mutated:
    """Bytes, how they are read, and which tables would be right."""

    what: str
    data: bytes
    right: tuple[frozenset[Row], ...]
    options: tuple[tuple[str, Any], ...] = ()


def table(rows: tuple[Row, ...], columns: tuple[str, ...] = COLUMNS) -> frozenset[Row]:
    """Return what must come out of rows: user, item, weight, time and title of the item."""
    place = [columns.index(name) for name in ("user", "item", "rating", "time", "title")]
    picked = [tuple(row[p] for p in place) for row in rows]
    title: dict[str, str] = {}
    for row in picked:
        title[row[1]] = title.get(row[1]) or row[4]
    return frozenset((*row[:3], row[3], title[row[1]]) for row in picked)


def valid(rng: random.Random) -> File:
    """Return a valid file: distinct pairs, a title per item, weights and times."""
    pairs = rng.sample([(u, i) for u in range(1, 9) for i in range(1, 8)], rng.randint(3, 30))
    style = rng.choice(["{}", "u{:03d}", "{:03d}", "ü{}"])
    titles = {item: rng.choice(TITLES) for item in range(1, 8)}
    rows = tuple(
        (
            style.format(u),
            str(i * 10),
            rng.choice(["1", "2.5", "4"]),
            titles[i],
            str(1_700_000_000 + rng.randint(0, 10**7)),
        )
        for u, i in pairs
    )
    return File(rows, sep=rng.choice([",", ";", "\t", "|"]), line_end=rng.choice(["\n", "\r\n"]))


def cut(file: File, rng: random.Random) -> Mutated:
    """Cut the bytes anywhere after the header."""
    data = file.data()
    place = rng.randrange(len(data) // 3, len(data))
    whole = [table(file.rows[:count]) for count in range(1, len(file.rows) + 1)]
    return Mutated("cut", data[:place], tuple(whole))


def shift(file: File, rng: random.Random) -> Mutated:
    """Add a field to a row, take one out, or add a separator to every row or to one."""
    rows = [list(row) for row in file.rows]
    row, kind = rng.choice(rows), rng.choice(["add", "take", "end", "all ends"])
    if kind == "add":
        row.insert(rng.randrange(len(row) + 1), rng.choice(["", "x", "7"]))
    elif kind == "take":
        del row[rng.randrange(len(row))]
    for one in rows if kind == "all ends" else [row] if kind == "end" else []:
        one.append("")
    return Mutated(f"shift {kind}", replace(file, rows=tuple(map(tuple, rows))).data(), (table(file.rows),))


def encode(file: File, rng: random.Random) -> Mutated:
    """Write it in another encoding, with or without saying so."""
    encoding = rng.choice(["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp037"])
    data = file.text().encode(encoding, "replace")
    right = table(tuple(tuple(t.encode(encoding, "replace").decode(encoding) for t in row) for row in file.rows))
    told = rng.random() < 0.5 and encoding != "cp037"
    return Mutated(f"encode {encoding}", data, (right,), (("encoding", encoding),) if told else ())


def quote(file: File, rng: random.Random) -> Mutated:
    """Quote everything, or add, move or take out one quote."""
    kind = rng.choice(["all", "numbers not", "drop", "add", "double", "none"])
    if kind in ("all", "numbers not"):
        style = csv.QUOTE_ALL if kind == "all" else csv.QUOTE_NONNUMERIC
        return Mutated(f"quote {kind}", replace(file, quoting=style).data(), (table(file.rows),))
    text = replace(file, quoting=csv.QUOTE_ALL if rng.random() < 0.5 else csv.QUOTE_MINIMAL).text()
    places = [place for place, letter in enumerate(text) if letter == '"']
    head = text.index("\n") + 1
    if kind == "add" or not places:
        place = rng.randrange(head, len(text))
        return Mutated("quote add", (text[:place] + '"' + text[place:]).encode(), _with_quote(file))
    place = rng.choice(places)
    if kind == "double":
        return Mutated("quote double", (text[:place] + '""' + text[place + 1 :]).encode(), _with_quote(file))
    return Mutated("quote drop", (text[:place] + text[place + 1 :]).encode(), _with_quote(file))


def _with_quote(file: File) -> tuple[frozenset[Row], ...]:
    """A stray quote within a field is a character of it, as every reader has it: one field differs by quotes alone."""
    return (table(file.rows),)


def swap(file: File, rng: random.Random) -> Mutated:
    """Put the columns into another order, header and all."""
    order = rng.sample(range(len(COLUMNS)), len(COLUMNS))
    columns = tuple(file.columns[p] for p in order)
    rows = tuple(tuple(row[p] for p in order) for row in file.rows)
    return Mutated("swap", replace(file, rows=rows, columns=columns).data(), (table(file.rows),))


def intact(file: File, rng: random.Random) -> Mutated:
    """Leave it as it is, or with blank lines between the rows."""
    text = file.text()
    if rng.random() < 0.5 and "\nLines" not in text:
        text = text.replace("\n", "\n\n")
    return Mutated("intact", text.encode(), (table(file.rows),))


# what changes nothing must be read
VALID = ("swap", "intact", "quote all", "quote numbers not", "shift all ends")
MUTATIONS: tuple[Callable[[File, random.Random], Mutated], ...] = (cut, shift, encode, quote, swap, intact)


def read(path: Path, options: tuple[tuple[str, Any], ...]) -> tuple[frozenset[Row], tuple[str, ...]]:
    """Read a file, and write what came out as text."""
    found = Interactions.read(path, weight="rating", time="time", item_labels="title", **dict(options))
    labels = found.labels.item
    rows = zip(found.users.tolist(), found.items.tolist(), found.weights.tolist(), strict=True)
    times = [] if found.times is None else found.times.tolist()
    texts = [
        (str(found.ids.user.id(u)), str(found.ids.item.id(i)), f"{w:g}", str(t), labels[i] if labels else "")
        for (u, i, w), t in zip(rows, times, strict=True)
    ]
    return frozenset(texts), found.notes


def outcome(mutated: Mutated, path: Path) -> str:
    """Return "right", "noted" or "refused"; AssertionError where it is another table, or no single line says why."""
    path.write_bytes(mutated.data)
    try:
        found, notes = read(path, mutated.options)
    except MfrecError as error:
        if "\n" in str(error) or mutated.what in VALID:
            raise AssertionError(f"{mutated.what}: {error}\n{mutated.data!r}") from None
        return "refused"
    if found in mutated.right:
        return "right"
    if any("cut short" in note for note in notes):
        return "noted"
    if mutated.what.startswith("quote ") and _without_quotes(found) in map(_without_quotes, mutated.right):
        said = ("text with a single quote mark in it", "ids with a quote in them")
        if any(what in note for note in notes for what in said):
            return "noted"
    raise AssertionError(
        f"{mutated.what}: another table\n{mutated.data!r}\ngot {sorted(found - mutated.right[-1])}\n"
        f"expected {sorted(mutated.right[-1] - found)}\nnotes {notes}"
    )


def _without_quotes(rows: frozenset[Row]) -> frozenset[Row]:
    return frozenset(tuple(text.replace('"', "") for text in row) for row in rows)


def run(count: int, seed: int, folder: Path) -> Counter[str]:
    """Try so many mutations, each kind in turn, and count what came of them."""
    rng = random.Random(seed)
    found: Counter[str] = Counter()
    for number in range(count):
        mutated = MUTATIONS[number % len(MUTATIONS)](valid(rng), rng)
        # a file of many blocks reads as one of a single block does
        streams.BLOCK, usual = rng.choice([streams.BLOCK, 40]), streams.BLOCK
        try:
            found[outcome(mutated, folder / "mutated.csv")] += 1
        finally:
            streams.BLOCK = usual
    return found
