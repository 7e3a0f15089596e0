"""The three layouts in which MovieLens releases store ratings, titles and users, read fast and strictly."""

import csv
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from mfrec.errors import DataError

# Both can be walked, joined with `/` and opened alike, so a zip is read without unpacking it.
Root = Path | zipfile.Path

_AGAIN = "download it again"
_BOM = b"\xef\xbb\xbf"
_SHOWN = 80


@dataclass(frozen=True)
class File:
    """How one file is written: what a line is, what separates its fields, their names, and the header, if any."""

    what: str
    separator: str
    columns: tuple[str, ...]
    header: str = ""


_RATING = ("user_id", "item_id", "rating", "timestamp")
_MOVIE = ("item_id", "title", "genres")

FILES = {
    "u.data": File("rating", "\t", _RATING),
    "ratings.dat": File("rating", "::", _RATING),
    "ratings.csv": File("rating", ",", _RATING, "userId,movieId,rating,timestamp"),
    # a flag for each line of u.genre follows
    "u.item": File("movie", "|", ("item_id", "title", "date", "video", "url")),
    "movies.dat": File("movie", "::", _MOVIE),
    "movies.csv": File("movie", ",", _MOVIE, "movieId,title,genres"),
    "u.genre": File("genre", "|", ("genre", "number")),
    "u.user": File("user", "|", ("user_id", "age", "gender", "occupation", "zip")),
    "users.dat": File("user", "::", ("user_id", "gender", "age", "occupation", "zip")),
}

# what a field must match, what makes a value of it, above which and up to which, and in words; other fields are text
_Rule = tuple[re.Pattern[str], type[int] | type[float], int, int, str]
_WHOLE: _Rule = (re.compile(r"\s*[+-]?[0-9]{1,19}\s*"), int, -(2**63) - 1, 2**63 - 1, "a whole number")
_STARS = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(("user_id", "item_id", "timestamp", "age"), _WHOLE),
    "rating": (_STARS, float, 0, 5, "a number above 0 and at most 5"),
}
_DTYPES = {"user_id": "int64", "item_id": "int64", "rating": "float32", "timestamp": "int64"}


@dataclass(frozen=True)
class Layout:
    """The files of one family of releases, by their keys in `FILES`, and what titles may be encoded in.

    The encoding is the first that fits, else the last. The file of users may be missing.
    """

    ratings: str
    movies: str
    encodings: tuple[str, ...]
    genres: str | None = None
    users: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that must be there."""
        return tuple(name for name in (self.ratings, self.movies, self.genres) if name)


LAYOUTS = {
    "u.data": Layout("u.data", "u.item", ("latin-1",), "u.genre", "u.user"),
    # ml-1m and ml-10m differ in encoding alone, and Latin-1 accents are hardly ever valid UTF-8
    "dat": Layout("ratings.dat", "movies.dat", ("utf-8", "latin-1"), users="users.dat"),
    "csv": Layout("ratings.csv", "movies.csv", ("utf-8",)),
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


@contextmanager
def open_source(path: Path) -> Iterator[Root]:
    """Open a folder or a zip for reading.

    Raises
    ------
    DataError
        When it is missing, unreadable, or not a whole zip; also when that shows only while it is read.
    """
    try:
        if path.is_dir():
            yield path
            return
        with zipfile.ZipFile(path) as archive:
            yield zipfile.Path(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DataError(f"{path} is not a whole zip ({error}): delete it and download it again") from error
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read: {error.strerror or error}") from error


def detect(root: Root) -> tuple[Root, str]:
    """Find the folder that holds a release, ``root`` or one level below it, and the key of its layout.

    Raises
    ------
    DataError
        When there is none, or more than one.
    """
    below = sorted((entry for entry in root.iterdir() if entry.is_dir()), key=lambda entry: entry.name)
    for folders in ([root], below):
        found = [(f, key) for f in folders for key, lay in LAYOUTS.items() if (f / lay.ratings).is_file()]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(folder / LAYOUTS[key].ratings) for folder, key in found)
            raise DataError(f"{root} holds more than one release, name one of them: {names}")
    wanted = ", ".join(layout.ratings for layout in LAYOUTS.values())
    raise DataError(f"{root} is no MovieLens release: it holds none of {wanted}")


def read_ratings(source: Root, release: Release) -> pd.DataFrame:
    """Read every rating.

    Returns
    -------
    DataFrame
        ``user_id``, ``item_id`` (int64), ``rating`` (float32, above 0 and at most 5) and ``timestamp``
        (int64, seconds since 1970), in the order of the file.

    Raises
    ------
    DataError
        When the file is missing or empty, or naming the first line that is not a rating.
    """
    layout = LAYOUTS[release.layout]
    path, encoding = _existing(source, layout.ratings), release.encoding or layout.encodings[0]
    # the header and the first rating
    any(_rows(path, encoding))
    try:
        return _parse_fast(path)
    except (ValueError, TypeError, OverflowError) as error:
        # pandas is fast and strict, but does not say where a person should look
        all(_rows(path, encoding))
        raise DataError(f"{path} cannot be parsed ({str(error).splitlines()[0]}): {_AGAIN}") from error


def read_movies(source: Root, release: Release) -> pd.DataFrame:
    """Read every title.

    Returns
    -------
    DataFrame
        ``item_id`` (int64), ``title`` (str, as published but for white space around it) and ``genres``
        (str, joined by ``|``), in the order of the file.

    Raises
    ------
    DataError
        When a file is missing or empty, or naming the first line that is not a movie.
    """
    layout = LAYOUTS[release.layout]
    path, encoding = _existing(source, layout.movies), release.encoding or layout.encodings[0]
    if not release.encoding and encoding != layout.encodings[-1]:
        try:
            path.read_text(encoding)
        except UnicodeDecodeError:
            encoding = layout.encodings[-1]
    if not layout.genres:
        return pd.DataFrame(_rows(path, encoding), columns=_MOVIE)
    genres = [name for name, _ in _rows(_existing(source, layout.genres), encoding)]
    joined = (
        (number, title, "|".join(genre for genre, flag in zip(genres, flags, strict=True) if flag == "1"))
        for number, title, _, _, _, *flags in _rows(path, encoding, genres)
    )
    return pd.DataFrame(joined, columns=_MOVIE)


def users_file(source: Root, release: Release) -> str | None:
    """Return the name of the file that tells about users, or None."""
    name = LAYOUTS[release.layout].users
    return name if name and (source / name).is_file() else None


def read_users(source: Root, release: Release) -> pd.DataFrame:
    """Read ``user_id`` and ``age`` (int64), ``gender``, ``occupation`` and ``region`` (str).

    The region is the first digit of the zip code, a part of the United States; "" for those of other countries.

    Raises
    ------
    DataError
        When there is no such file, or it is empty, or naming the first line that is not a user.
    """
    name = users_file(source, release)
    if name is None:
        files = ", ".join(layout.users for layout in LAYOUTS.values() if layout.users)
        raise DataError(f"{source} tells nothing about its users: it holds none of {files}")
    frame = pd.DataFrame(_rows(source / name, "latin-1"), columns=FILES[name].columns)
    frame["region"] = frame["zip"].str.extract("^([0-9])", expand=False).fillna("")
    return frame[["user_id", "age", "gender", "occupation", "region"]]


def _existing(source: Root, name: str) -> Root:
    path = source / name
    if not path.is_file():
        raise DataError(f"{path} is missing: delete the folder or zip and {_AGAIN}")
    return path


def _parse_fast(path: Root) -> pd.DataFrame:
    """Read ratings with the C parser of pandas; ValueError where a line may be none."""
    file = FILES[path.name]
    with path.open("rb") as opened:
        source, separator = opened, file.separator
        if len(separator) > 1:
            # the C parser takes separators of one byte only, and the Python one is thirty times slower
            source, separator = BytesIO(opened.read().replace(separator.encode(), b"\x1f")), "\x1f"
        frame = pd.read_csv(
            source,
            sep=separator,
            header=None,
            skiprows=1 if file.header else 0,
            names=list(_DTYPES),
            dtype=_DTYPES,
            na_filter=False,
            quoting=csv.QUOTE_NONE,
            engine="c",
        )
    # pandas turns one field too many into an index
    if not isinstance(frame.index, pd.RangeIndex) or not frame["rating"].between(0, 5, inclusive="right").all():
        raise ValueError("too many fields, or ratings out of range")
    return frame


def _rows(path: Root, encoding: str, more: Sequence[str] = ()) -> Iterator[list[Any]]:
    """Yield the values of every line that is not blank, with ``more`` columns than the file always has.

    DataError names the first line that does not fit. But for ratings, each line is to begin with another value.
    """
    file = FILES[path.name]
    seen: set[Any] = set()
    empty = True
    for number, line in _lines(path):
        try:
            if number == 1 and file.header:
                if line.strip() != file.header.encode():
                    raise ValueError(f"the header is not {file.header}")
                continue
            row = _values(line.decode(encoding), file, (*file.columns, *more))
            if row[0] in seen:
                raise ValueError(f"{file.what} {row[0]} is there twice")
        except ValueError as error:
            wrong = f"bytes that are not {encoding}" if isinstance(error, UnicodeDecodeError) else error
            shown = line.decode(encoding, "backslashreplace")
            shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
            raise DataError(f"{path} line {number}: {wrong}: {shown!r}: mend it or {_AGAIN}") from error
        if file.what != "rating":
            seen.add(row[0])
        empty = False
        yield row
    if empty:
        raise DataError(f"{path} holds no {file.what}s: delete the folder or zip and {_AGAIN}")


def _lines(path: Root) -> Iterator[tuple[int, bytes]]:
    """Yield the number and bytes of every line that is not blank."""
    with path.open("rb") as opened:
        for number, raw in enumerate(opened, 1):
            line = (raw.removeprefix(_BOM) if number == 1 else raw).rstrip(b"\r\n")
            if line.strip(b" "):
                yield number, line


def _values(line: str, file: File, columns: tuple[str, ...]) -> list[Any]:
    """Return the values of a line; ValueError says why it has none."""
    try:
        # titles may hold commas; ratings have no quotes
        quoted = file.separator == "," and file.what == "movie"
        fields = next(csv.reader([line])) if quoted else line.split(file.separator)
    except csv.Error:
        fields = []
    if len(fields) != len(columns):
        raise ValueError(f"{len(fields)} fields instead of {len(columns)}")
    return [_value(column, text) for column, text in zip(columns, fields, strict=True)]


def _value(column: str, text: str) -> Any:
    if column not in _RULES:
        return text.strip()
    pattern, kind, above, most, told = _RULES[column]
    value = kind(text) if pattern.fullmatch(text) else above
    if not above < value <= most:
        raise ValueError(f"{column} {text[:_SHOWN]!r} is not {told}")
    return value
