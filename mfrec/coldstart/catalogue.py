"""`Catalogue`: what is known about items or users beside their interactions, and its columns."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mfrec.data.columns import check_roles, require_columns
from mfrec.data.files import Reading, read_table
from mfrec.data.interactions import say
from mfrec.data.movielens import load_items, load_users
from mfrec.directions import Side
from mfrec.errors import DataError
from mfrec.model.ids import Id, IdMap

# a MovieLens title ends in its year
_YEAR = r"\((\d{4})\)\s*$"


@dataclass(frozen=True, eq=False)
class Catalogue:
    """A table of items or users with one row per id.

    Parameters
    ----------
    table
        It may know more ids than have interactions.
    key
        Column of the ids.
    text, categories, numbers
        Columns, as in `mfrec.coldstart.content.fit_content`.
    label
        Column of titles or names for people, where there is one.
    name
        Of the table, for messages.
    strict
        Refuse to go on where it lacks an id that has interactions, instead of noting how many.

    Raises
    ------
    DataError
        When a column is missing, or an id is missing or stands twice.
    ParameterError
        When no column of text, categories or numbers is named, or one twice.
    """

    table: pd.DataFrame
    key: str
    text: Sequence[str] = ()
    categories: Sequence[str] = ()
    numbers: Sequence[str] = ()
    label: str | None = None
    name: str = "the table"
    strict: bool = False

    def __post_init__(self) -> None:
        """Check the columns and the ids."""
        named = [*self.text, *self.categories, *self.numbers]
        check_roles(self.text, self.categories, self.numbers, f" of {self.name}")
        if self.table.empty:
            raise DataError(f"{self.name} has no rows")
        require_columns(self.table.columns, [self.key, *named, *([self.label] if self.label else [])], self.name)
        ids = self.table[self.key]
        if ids.isna().any():
            raise DataError(f"{self.name} has {int(ids.isna().sum())} rows without a value of {self.key!r}")
        twice = ids[ids.duplicated()].tolist()
        if twice:
            raise DataError(f"{self.key} {twice[0]!r} stands twice in {self.name}: one row per id")

    @classmethod
    def read(
        cls, path: str | os.PathLike[str], ids: IdMap, key: str, *, how: Reading | None = None, **columns: Any
    ) -> "Catalogue":
        """Read a file in any of the formats of `mfrec.Interactions.read`.

        Parameters
        ----------
        path
            The file.
        ids
            Those of the interactions: the ids of the file are read as the same kind.
        key, columns
            As of the class, all but the name.
        how
            How the file is written.

        Raises
        ------
        DataError
            When the file cannot be read, lacks a column, or its ids cannot be of that kind; also as the class does.
        """
        file = Path(path)
        named = [columns["label"]] if columns.get("label") else []
        texts = [*columns.get("text", ()), *columns.get("categories", ()), *named]
        table = read_table(file, [key, *texts, *columns.get("numbers", ())], [key], texts, how)
        return cls(table.assign(**{key: _of_kind(table[key], ids, file)}), key, **columns, name=str(path))

    @classmethod
    def movielens(cls, source: str | os.PathLike[str], side: Side) -> "Catalogue":
        """Return what a MovieLens release tells: titles, genres and years; ages, genders, occupations and regions.

        Raises
        ------
        DataError
            As `load_items` and `load_users` do.
        """
        if side == "user":
            users = load_users(source)
            categories = ("gender", "occupation", "region")
            return cls(users, "user_id", categories=categories, numbers=("age",), name=f"{source}'s table of users")
        movies = load_items(source)
        dated = movies.assign(year=title_years(movies["title"]))
        name = f"{source}'s table of movies"
        return cls(dated, "item_id", text=("title", "genres"), numbers=("year",), label="title", name=name)

    @property
    def roles(self) -> dict[str, Any]:
        """The columns as arguments of `mfrec.coldstart.content.fit_content`."""
        return {"text": self.text, "categories": self.categories, "numbers": self.numbers}

    def rows(self, side: Side, ids: Iterable[Id]) -> pd.DataFrame:
        """Return the rows of some ids in their order, indexed by id; one it lacks has no attributes, and is noted.

        Raises
        ------
        DataError
            When it lacks all of them, or one where it is ``strict``.
        """
        wanted = list(ids)
        places = self._by_id.index.get_indexer(pd.Index(wanted))
        missing = [key for key, place in zip(wanted, places.tolist(), strict=True) if place < 0]
        if missing:
            told = (
                f"{self.name} has no row for {len(missing)} of {len(wanted)} {side}s with interactions (the first "
                f"is {missing[0]!r}, its own first {self.key} {next(iter(self._by_id.index), None)!r})"
            )
            if self.strict or len(missing) == len(wanted):
                raise DataError(f"{told}: add them" + (", or leave out --strict" if self.strict else ""))
            if side not in self._noted:
                self._noted.add(side)
                say([f"{told}: they go on without attributes"])
        return self._by_id.iloc[places] if not missing else self._by_id.reindex(wanted)

    def without(self, ids: Iterable[Id]) -> pd.DataFrame:
        """Return the rows of all other ids, indexed by id."""
        return self._by_id[~self._by_id.index.isin(list(ids))]

    def labels(self) -> dict[Id, str]:
        """Return the text of every id that has one."""
        if self.label is None:
            return {}
        texts = self._by_id[self.label].dropna()
        return dict(zip(texts.index.tolist(), texts.astype(str).tolist(), strict=True))

    @cached_property
    def _noted(self) -> set[Side]:
        """Sides whose missing ids were noted: rows are asked for more than once."""
        return set()

    @cached_property
    def _by_id(self) -> pd.DataFrame:
        return self.table.set_index(self.key, drop=False)


def title_years(titles: "pd.Series[str]") -> "pd.Series[float]":
    """Return the years that MovieLens titles end in, as float64; NaN where one ends otherwise."""
    return titles.str.extract(_YEAR, expand=False).astype("float64")


def _of_kind(column: "pd.Series[Any]", ids: IdMap, path: Path) -> "pd.Series[Any]":
    """Return ids as integers or strings, whichever those of the interactions are."""
    if column.empty or column.isna().any():
        return column
    whole = pd.api.types.is_integer_dtype(column)
    if ids.kind == "str":
        return column.astype("str") if whole else column
    if not whole:
        wrong = next((key for key in column if not str(key).removeprefix("-").isdecimal()), column.iloc[0])
        raise DataError(f"{path} has the {column.name} {wrong!r}: {ids.side} ids of the interactions are integers")
    return column
