"""The three layouts in which MovieLens releases store ratings, titles and users, read fast and strictly."""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import compress
from pathlib import Path
from typing import Any
from zipfile import Path as ZipPath

import numpy as np
import pandas as pd

from mfrec.data.delimited import Wanted, read_delimited
from mfrec.data.numbers import numbers
from mfrec.data.refusals import clip
from mfrec.data.streams import blocks
from mfrec.data.table import Table
from mfrec.errors import DataError

# Both can be walked, joined with `/` and opened alike, so a zip is read without unpacking it.
Root = Path | ZipPath

_AGAIN = "download it again"
# the names that headers have, and ours
_OURS = {"userId": "user_id", "movieId": "item_id"}
# above which and below which a number lies, and in words; other columns are text
_WHOLE = (np.nextafter(-(2.0**63), -np.inf), 2.0**63, "is no whole number of 64 bits")
_RANGES = dict.fromkeys(("user_id", "userId", "item_id", "movieId", "timestamp", "age"), _WHOLE)
_RANGES["rating"] = (0.0, np.nextafter(5, 6), "is no number above 0 and at most 5")


@dataclass(frozen=True)
class File:
    """One file of a release: its name, what separates its fields, and what they are called; csv files have a header."""

    name: str
    separator: str
    columns: tuple[str, ...]

    @property
    def header(self) -> bool:
        """Whether the first line names the columns."""
        return self.name.endswith(".csv")


_RATING = ("user_id", "item_id", "rating", "timestamp")


@dataclass(frozen=True)
class Layout:
    """The files of one family of releases, and what titles may be encoded in: the first that fits, else the last."""

    ratings: File
    movies: File
    encodings: tuple[str, ...]
    genres: File | None = None
    users: File | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that must be there; that of users may be missing."""
        return tuple(file.name for file in (self.ratings, self.movies, self.genres) if file)


LAYOUTS = {
    "u.data": Layout(
        File("u.data", "\t", _RATING),
        # a flag for each line of u.genre follows
        File("u.item", "|", ("item_id", "title", "date", "video", "url")),
        ("latin-1",),
        File("u.genre", "|", ("genre", "number")),
        File("u.user", "|", ("user_id", "age", "gender", "occupation", "zip")),
    ),
    # ml-1m and ml-10m differ in encoding alone, and Latin-1 accents are hardly ever valid UTF-8
    "dat": Layout(
        File("ratings.dat", "::", _RATING),
        File("movies.dat", "::", ("item_id", "title", "genres")),
        ("utf-8", "latin-1"),
        users=File("users.dat", "::", ("user_id", "gender", "age", "occupation", "zip")),
    ),
    "csv": Layout(
        File("ratings.csv", ",", ("userId", "movieId", "rating", "timestamp")),
        File("movies.csv", ",", ("movieId", "title", "genres")),
        ("utf-8",),
    ),
}


@dataclass(frozen=True)
class Release:
    """One MovieLens release.

    Parameters
    ----------
    name
        What GroupLens calls it, and the folder it lies in.
    layout
        A key of `LAYOUTS`.
    users, items, ratings
        How many there are; ``items`` are the movies that somebody rated.
    md5
        The checksum of the archive; none where GroupLens renews the release.
    encoding
        Of the titles, where the layout leaves a choice.
    folder
        The folder inside the archive, where it is not ``name``.
    url
        The archive.
    """

    name: str
    layout: str
    users: int = 0
    items: int = 0
    ratings: int = 0
    md5: str | None = None
    encoding: str = ""
    folder: str = ""
    url: str = ""


def detect(root: Root) -> tuple[Root, str]:
    """Find the folder that holds a release, ``root`` or one level below it, and the key of its layout.

    Raises
    ------
    DataError
        When there is none, or more than one.
    """
    below = sorted((entry for entry in root.iterdir() if entry.is_dir()), key=lambda entry: entry.name)
    for folders in ([root], below):
        found = [(f, key) for f in folders for key, lay in LAYOUTS.items() if (f / lay.ratings.name).is_file()]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(folder / LAYOUTS[key].ratings.name) for folder, key in found)
            raise DataError(f"{root} holds more than one release, name one of them: {names}")
    wanted = ", ".join(layout.ratings.name for layout in LAYOUTS.values())
    raise DataError(f"{root} is no MovieLens release: it holds none of {wanted}")


def read_ratings(source: Root, release: Release) -> pd.DataFrame:
    """Read ``user_id``, ``item_id``, ``timestamp`` (int64) and ``rating`` (float32), in the order of the file.

    Raises
    ------
    DataError
        When the file is missing or empty, or naming a line that is not a rating.
    """
    file = LAYOUTS[release.layout].ratings
    try:
        return _read_fast(_existing(source, file.name), file)
    except (ValueError, TypeError, ArithmeticError):
        # pandas is fast and strict, but does not say where a person should look
        return _read(source, file).astype({"rating": "float32"})


def read_movies(source: Root, release: Release) -> pd.DataFrame:
    """Read the table that `mfrec.data.movielens.load_items` describes."""
    layout = LAYOUTS[release.layout]
    encoding = release.encoding or layout.encodings[0]
    if not release.encoding and encoding != layout.encodings[-1]:
        try:
            _existing(source, layout.movies.name).read_text(encoding)
        except UnicodeDecodeError:
            encoding = layout.encodings[-1]
    if not layout.genres:
        return _read(source, layout.movies, encoding)
    genres = _read(source, layout.genres, encoding)["genre"].tolist()
    movies = _read(source, layout.movies, encoding, genres)
    movies["genres"] = ["|".join(compress(genres, flags)) for flags in (movies[genres] == "1").to_numpy()]
    return movies[["item_id", "title", "genres"]]


def users_file(source: Root, release: Release) -> File | None:
    """Return the file that tells about users, or None."""
    file = LAYOUTS[release.layout].users
    return file if file and (source / file.name).is_file() else None


def read_users(source: Root, release: Release) -> pd.DataFrame:
    """Read the table that `mfrec.data.movielens.load_users` describes."""
    file = users_file(source, release)
    if file is None:
        files = ", ".join(layout.users.name for layout in LAYOUTS.values() if layout.users)
        raise DataError(f"{source} tells nothing about its users: it holds none of {files}")
    frame = _read(source, file, "latin-1")
    frame["region"] = frame["zip"].str.extract("^([0-9])", expand=False).fillna("")
    return frame[["user_id", "age", "gender", "occupation", "region"]]


def _existing(source: Root, name: str) -> Root:
    path = source / name
    if not path.is_file():
        raise DataError(f"{path} is missing: delete the folder or zip and {_AGAIN}")
    return path


def _read_fast(path: Root, file: File) -> pd.DataFrame:
    """Read ratings with the C parser of pandas; ValueError where a line may be none."""
    with path.open("rb") as opened, np.errstate(invalid="raise"):
        source, separator = opened, file.separator
        if len(separator) > 1:
            # the C parser takes separators of one byte only, and the Python one is thirty times slower
            source, separator = BytesIO(opened.read().replace(separator.encode(), b"\x1f")), "\x1f"
        frame = pd.read_csv(
            source,
            sep=separator,
            header=0 if file.header else None,
            names=None if file.header else list(file.columns),
            dtype={name: "float32" if name == "rating" else "int64" for name in file.columns},
            na_filter=False,
            quoting=csv.QUOTE_NONE,
            engine="c",
        )
    # pandas turns one field too many into an index
    if tuple(frame.columns) != file.columns or not isinstance(frame.index, pd.RangeIndex) or not len(frame):
        raise ValueError("other fields, or none")
    if not frame["rating"].between(0, 5, inclusive="right").all():
        raise ValueError("ratings out of range")
    return frame.rename(columns=_OURS)


def _read(source: Root, file: File, encoding: str = "utf-8", more: Sequence[str] = ()) -> pd.DataFrame:
    """Read a file with ``more`` columns than it always has; DataError names a line that does not fit."""
    path, columns = _existing(source, file.name), (*file.columns, *more)
    wanted = Wanted([name for name in columns if name not in _RANGES], [name for name in columns if name in _RANGES])
    with path.open("rb") as opened:
        stream: Any = opened
        # Latin-1 has no byte order mark, and would read three letters
        if stream.peek(3).startswith(BOM_UTF8):
            stream.read(3)
        try:
            table = read_delimited(
                blocks(stream, str(path), encoding), str(path), wanted, sep=file.separator, header=file.header,
                quoting="auto" if file.header else "none", names=columns,
            )  # fmt: skip
        except DataError as error:
            # the options that it names are those of tables
            told = re.sub("[:;] [^:;]*--.*", "", str(error).removeprefix(str(path)))
            raise DataError(f"{path}{told}: mend it or {_AGAIN}") from error
    if not len(table):
        raise DataError(f"{path} has no rows: delete the folder or zip and {_AGAIN}")
    frame = pd.DataFrame({name: _checked(table, name) for name in columns})
    key = file.columns[0]
    twice = frame[key].duplicated()
    if "rating" not in frame and twice.any():
        raise _fault(table, int(twice.argmax()), key, frame[key], "is there twice")
    return frame.rename(columns=_OURS)


def _checked(table: Table, name: str) -> "pd.Series[Any]":
    """Return a column as numbers or as text, whichever its name demands."""
    column = table.columns[name]
    if name not in _RANGES:
        return pd.Series(column.astype(object).fillna("").tolist(), dtype="str").str.strip()
    parsed = numbers(column)
    above, below, told = _RANGES[name]
    fits = ~(parsed.missing | parsed.wrong) & (parsed.values > above) & (parsed.values < below)
    if name != "rating":
        fits &= parsed.values == np.floor(parsed.values)
    if not fits.all():
        raise _fault(table, int(fits.argmin()), name, column, told)
    return pd.Series(parsed.values if name == "rating" else parsed.values.astype(np.int64))


def _fault(table: Table, row: int, name: str, column: "pd.Series[Any]", told: str) -> DataError:
    value = clip("" if pd.isna(column[row]) else column[row])
    return DataError(f"{table.name}, {table.place(row)}: {name} {value} {told}: mend it or {_AGAIN}")
