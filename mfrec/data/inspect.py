"""A look at somebody's table: what its columns hold and stand for, what is wrong with it, and how to fit it."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mfrec.data.files import Found, Reading, as_ids, read_everything
from mfrec.data.interactions import Interactions, log
from mfrec.data.numbers import numbers
from mfrec.data.refusals import Doubt, RefusedError
from mfrec.data.streams import STDIN, check_path, name_of
from mfrec.data.table import Table
from mfrec.data.times import times
from mfrec.directions import SIDES, Pair
from mfrec.errors import DataError

ROLES = ("user", "item", "weight", "time", "title")
# words in the names of columns, by what they stand for; the first words are the surest
WORDS: dict[str, tuple[str, ...]] = {
    "user": ("user", "userid", "customer", "client", "member", "visitor", "listener", "reader", "viewer", "buyer",
             "account", "person", "subscriber", "session", "uid", "who"),
    "item": ("item", "itemid", "product", "movie", "movieid", "film", "track", "song", "artist", "album", "book",
             "article", "sku", "asin", "isbn", "isrc", "game", "recipe", "video", "business", "iid", "what"),
    "weight": ("weight", "rating", "ratings", "stars", "score", "count", "plays", "listens", "quantity", "qty",
               "clicks", "views", "n", "value", "amount"),
    "time": ("time", "timestamp", "datetime", "date", "ts", "when", "created", "at", "day"),
    "title": ("title", "name", "label"),
}  # fmt: skip
# what a column must hold to stand for a role
FITS = {
    "user": ("integers", "digits", "numbers", "text"),
    "item": ("integers", "digits", "numbers", "text"),
    "weight": ("integers", "numbers", "numbers with decimal commas"),
    "time": ("integers", "numbers", "dates", "dates in another order"),
    "title": ("text", "integers", "numbers", "dates"),
}
# numbers from here on may be seconds since 1970: 1973
_EPOCH_LIKE = 10**8
_READING = ("sep", "decimal", "encoding", "header", "quoting", "format")
_NOT_FOUND = "nothing that can stand for the {}: name a column yourself"


@dataclass(frozen=True)
class Column:
    """One column: what it holds, how many distinct and missing values, what it looks like, and why."""

    name: str
    holds: str
    distinct: int
    missing: int
    role: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Inspection:
    """What `inspect_table` found out; counts are None where the table cannot be read that far.

    Parameters
    ----------
    file, format, separator, encoding, rows
        What the file is.
    columns
        One per column.
    users, items, pairs, repeated, density
        Of the interactions that a fit would read.
    times
        What the times are, in words.
    problems
        What is wrong, in the order in which to mend it; what an option of ``fit`` mends says so.
    notes
        What was found out or changed while reading.
    fit
        The command to paste; None where no option helps.
    """

    file: str
    format: str | None = None
    separator: str | None = None
    encoding: str | None = None
    rows: int | None = None
    columns: tuple[Column, ...] = ()
    users: int | None = None
    items: int | None = None
    pairs: int | None = None
    repeated: int | None = None
    density: float | None = None
    times: str | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fit: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)


def inspect_table(path: str | Path, how: Reading | None = None) -> Inspection:
    """Look at a file, a folder of Parquet parts or a stream; a fault is reported, and mended by an option where one is.

    Raises
    ------
    DataError
        When there is no such file.
    """
    how = how or Reading()
    check_path(path)
    if str(path) != STDIN and not Path(path).exists():
        raise DataError(f"no such file: {path}")
    problems: list[str] = []
    read, how = _read(path, how, problems)
    if read is None:
        return Inspection(name_of(path), problems=tuple(problems))
    table, found = read
    kinds = {name: _column(name, column, how.decimal) for name, column in table.columns.items()}
    roles = _roles(kinds, table)
    columns = tuple(
        replace(column, role=role, why=why)
        for column in kinds.values()
        for role, why in [next(((r, w) for r, (n, w) in roles.items() if n == column.name), (None, ""))]
    )
    chosen = {role: name for role, (name, _) in roles.items()}
    text = found.format in ("csv", "jsonl", "lists", "triples")
    report = Inspection(
        name_of(path), found.format, table.separator, found.encoding if text else None, len(table), columns,
        notes=(*found.notes, *table.notes),
    )  # fmt: skip
    problems += [note for note in report.notes if isinstance(note, Doubt)]
    report = replace(report, notes=tuple(note for note in report.notes if not isinstance(note, Doubt)))
    missing = [side for side in SIDES if side not in chosen]
    if missing:
        problems += [_NOT_FOUND.format(side) for side in missing]
        return replace(report, problems=tuple(problems))
    return _with_interactions(report, path, table, chosen, how, problems)


def _read(path: str | Path, how: Reading, problems: list[str]) -> tuple[tuple[Table, Found] | None, Reading]:
    """Read the file, taking up the options that its faults suggest."""
    tried: set[str] = set()
    while True:
        try:
            table, found = read_everything(path, how)
        except RefusedError as error:
            problems.append(str(error))
            changes = {name: value for name, value in error.options.items() if name in _READING}
            # an option that was taken up once and did not help is not taken up again
            if not set(changes) - tried or str(path) == STDIN:
                return None, how
            tried |= set(changes)
            how = replace(how, **changes)
            continue
        except DataError as error:
            problems.append(str(error))
            return None, how
        if found.format != "csv" or not how.header or not _is_data(list(table.columns)):
            if not len(table):
                problems.append(f"{table.name}: the table has no rows")
            return (table, found), how
        problems.append("the first line looks like data, not like the names of columns: --no-header")
        if str(path) == STDIN:
            return None, how
        how = replace(how, header=False)


def _is_data(names: list[str]) -> bool:
    found = numbers(pd.Series([*names, None], dtype=object).iloc[:-1], ",")
    exact = numbers(pd.Series([name.replace(",", ".") for name in names], dtype=object))
    return bool((~(found.wrong | found.missing)).any() or (~(exact.wrong | exact.missing)).any())


def _column(name: str, column: "pd.Series[Any]", decimal: str) -> Column:
    if isinstance(column.dtype, pd.CategoricalDtype):
        distinct, missing = len(column.cat.categories), int((column.cat.codes < 0).sum())
    else:
        if any(isinstance(value, list | dict | np.ndarray | tuple) for value in column.head(100)):
            return Column(str(name), "lists or objects", 0, int(column.isna().sum()))
        distinct, missing = int(column.nunique()), int(column.isna().sum())
    return Column(str(name), _holds(column, decimal), distinct, missing)


def _holds(column: "pd.Series[Any]", decimal: str) -> str:
    """Say what a column holds; faults of single values do not change it."""
    commas = False
    try:
        parsed = numbers(column, decimal)
    except RefusedError:
        parsed, commas = numbers(column, ","), True
    present = ~parsed.missing
    if not present.any():
        return "nothing"
    if int((present & ~parsed.wrong).sum()) * 2 > int(present.sum()):
        if commas:
            return "numbers with decimal commas"
        whole = parsed.values.dtype == np.int64
        # leading zeros: other ids than without them
        digits = whole and isinstance(column.dtype, pd.CategoricalDtype) and _has_zeros(column)
        return "digits" if digits else "integers" if whole else "numbers"
    return _holds_dates(column)


def _holds_dates(column: "pd.Series[Any]") -> str:
    try:
        found = times(column, "")
    except RefusedError as error:
        ordered = "time_format" in error.options or "day first or month first" in str(error)
        return "dates in another order" if ordered else "text"
    if found.kind == "dates" and not (found.wrong.mean() > 1 / 2):
        return "dates"
    return "text"


def _has_zeros(column: "pd.Series[Any]") -> bool:
    return any(re.fullmatch(r"0\d+", str(text)) for text in column.cat.categories)


def _roles(columns: dict[Any, Column], table: Table) -> dict[str, tuple[str, str]]:
    """Choose a column per role: by its name, else by what it holds and where it stands."""
    found: dict[str, tuple[str, str]] = {}
    for role in ROLES:
        free = [column for column in columns.values() if column.name not in {name for name, _ in found.values()}]
        fitting = [column for column in free if column.holds in FITS[role]]
        named = [(rank, column) for column in fitting if (rank := _rank(column.name, role)) is not None]
        if named:
            best = min(named, key=lambda pair: pair[0])[1]
            found[role] = (best.name, f"its name has the word {WORDS[role][_rank(best.name, role) or 0]!r}")
            continue
        guess = _guess(role, fitting, table)
        if guess is not None:
            found[role] = guess
    return found


def _rank(name: str, role: str) -> int | None:
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    words = re.split(r"[^a-z]+", split.casefold())
    places = [place for place, word in enumerate(WORDS[role]) if word in words or f"{word}s" in words]
    return min(places, default=None)


def _guess(role: str, fitting: list[Column], table: Table) -> tuple[str, str] | None:
    if role in SIDES:
        # a column that some other role's name fits is left to it
        free = [
            c for c in fitting if all(_rank(c.name, other) is None for other in ROLES if other not in (role, "title"))
        ]
        return (free[0].name, f"the first column left that can be ids of {role}s") if free else None
    if role == "time":
        dated = [c for c in fitting if c.holds.startswith("dates") or _epoch_like(table.columns[c.name])]
        return (dated[0].name, "its values look like times") if dated else None
    if role == "weight" and all(name.isdecimal() for name in table.columns):
        small = [c for c in fitting if c.distinct <= 1000 and not _epoch_like(table.columns[c.name])]
        return (small[0].name, "a column of few distinct numbers") if small else None
    return None


def _epoch_like(column: "pd.Series[Any]") -> bool:
    parsed = numbers(column)
    known = parsed.values[~(parsed.missing | parsed.wrong)]
    return bool(len(known) and known.min() >= _EPOCH_LIKE)


def _with_interactions(
    report: Inspection, path: str | Path, table: Table, chosen: dict[str, str], how: Reading, problems: list[str]
) -> Inspection:
    """Read the interactions as a fit would, taking up options or leaving out columns until it can."""
    rows: dict[str, Any] = {}
    interactions = None
    while interactions is None:
        try:
            interactions = _interactions(table, chosen, how, rows)
        except DataError as error:
            problem = _short(str(error), table.name)
            options = error.options if isinstance(error, RefusedError) else {}
            changed = {k: v for k, v in options.items() if k in ("drop_invalid", "time_format") and rows.get(k) != v}
            rows |= changed
            if "decimal" in options and how.decimal != options["decimal"]:
                how = replace(how, decimal=options["decimal"])
            elif not changed:
                # a column that no option makes readable is left out, where the rest can do without it
                role = next((r for r in ("weight", "time") if r in chosen and f"{r} column" in str(error)), None)
                if role is None:
                    return replace(report, problems=(*problems, problem))
                del chosen[role]
                problem += f"; the line below does without this {role}"
            problems.append(problem)
    n_users, n_items = interactions.shape
    repeated = next((int(n.split()[0]) for n in interactions.notes if "repeated (user, item) pairs" in n), 0)
    kind = None
    if "time" in chosen and interactions.times is not None:
        first, last = (pd.Timestamp(int(t), unit="s").isoformat() for t in _ends(interactions.times))
        read = times(table.columns[chosen["time"]], "", rows.get("time_format"), how.decimal)
        kind = f"{read.kind}, from {first} to {last}"
    notes = tuple(dict.fromkeys((*report.notes, *interactions.notes)))
    return replace(
        report, users=n_users, items=n_items, pairs=len(interactions), repeated=repeated, times=kind,
        density=len(interactions) / (n_users * n_items),
        problems=tuple(dict.fromkeys((*problems, *(note for note in notes if isinstance(note, Doubt))))),
        notes=tuple(note for note in notes if not isinstance(note, Doubt)), fit=_command(path, chosen, how, rows),
    )  # fmt: skip


def _ends(values: Any) -> tuple[int, int]:
    return int(values.min()), int(values.max())


def _interactions(table: Table, chosen: dict[str, str], how: Reading, rows: dict[str, Any]) -> Interactions:
    columns, notes = dict(table.columns), list(table.notes)
    for side in SIDES:
        columns[chosen[side]], told = as_ids(columns[chosen[side]], chosen[side])
        notes += told
    ready = Table(columns, table.name, table.lines, tuple(notes), how.decimal)
    named = {role: chosen.get(role) for role in ("user", "item", "weight", "time")}
    with _quiet():
        return Interactions.of_table(ready, named, Pair(None, chosen.get("title")), **rows)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep notes out of the log: the report has them."""
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _short(message: str, name: str) -> str:
    return message.removeprefix(f"{name}: ").removeprefix(f"{name}, ")


def _command(path: str | Path, chosen: dict[str, str], how: Reading, rows: dict[str, Any]) -> str:
    """Return the line to paste."""
    named = {"user": "--user-col", "item": "--item-col", "weight": "--weight-col", "time": "--time-col",
             "title": "--item-label-col"}  # fmt: skip
    # lists and triples have columns of their own
    own = how.format in ("lists", "triples")
    options = [
        (option, chosen[role])
        for role, option in named.items()
        if role in chosen and chosen[role] != {"user": "user", "item": "item"}.get(role) and not own
    ]
    usual = Reading()
    options += [
        (f"--{name}", getattr(how, name))
        for name in _READING
        if name != "header" and getattr(how, name) not in (None, getattr(usual, name))
    ]
    options += [("--time-format", rows["time_format"])] if "time_format" in rows else []
    words = ["mfrec", "fit", f"./{path}" if str(path).startswith("-") and str(path) != STDIN else str(path)]
    for option, value in options:
        # a value that begins with a dash is no option
        words += [f"{option}={value}"] if value.startswith("-") else [option, value]
    words += [] if how.header else ["--no-header"]
    words += ["--drop-invalid"] if rows.get("drop_invalid") else []
    words += ["--out", "models/stream"] if str(path) == STDIN else []
    return shlex.join(words)
