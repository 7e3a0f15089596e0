"""The three layouts in which MovieLens releases store ratings and titles, read fast and strictly."""

import csv
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from mfrec.errors import DataError

# Both can be walked, joined with `/` and opened alike, so a zip is read without unpacking it.
Root = Path | zipfile.Path

RATING_COLUMNS = {"user_id": "int64", "item_id": "int64", "rating": "float32", "timestamp": "int64"}
MAX_RATING = 5.0

_BOM = b"\xef\xbb\xbf"
_SHOWN = 80
_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True)
class Layout:
    """How one family of releases names and writes its two files.

    Parameters
    ----------
    ratings, movies
        File names.
    separator
        Between the fields of a ratings line.
    rating_header, movie_header
        The first line of each file, or None where data starts at once.
    split_movie
        Cuts one line of the movies file into fields.
    encodings
        What titles may be written in: the first that fits, else the last.
    genre_file
        Where the movies file has one flag per genre: the file that names them, in order.
    """

    ratings: str
    movies: str
    separator: bytes
    split_movie: Callable[[str], list[str]]
    encodings: tuple[str, ...]
    rating_header: bytes | None = None
    movie_header: str | None = None
    genre_file: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that must be there."""
        return tuple(name for name in (self.ratings, self.movies, self.genre_file) if name)


@dataclass(frozen=True)
class Release:
    """One MovieLens release.

    Parameters
    ----------
    name
        What GroupLens calls it, and the folder it lies in.
    layout
        A key of `LAYOUTS`.
    encoding
        Of the titles.
    users, items, ratings
        How many there are; ``items`` are the movies that somebody rated.
    url, md5
        The archive and its checksum; no checksum where GroupLens renews the release.
    folder
        The folder inside the archive, where it is not ``name``.
    """

    name: str
    layout: str
    encoding: str
    users: int = 0
    items: int = 0
    ratings: int = 0
    url: str = ""
    md5: str | None = None
    folder: str = ""


def _split_csv(line: str) -> list[str]:
    return next(csv.reader([line]))


LAYOUTS = {
    "u.data": Layout("u.data", "u.item", b"\t", lambda line: line.split("|"), ("latin-1",), genre_file="u.genre"),
    # ml-1m and ml-10m differ in encoding alone, and Latin-1 accents are hardly ever valid UTF-8
    "dat": Layout("ratings.dat", "movies.dat", b"::", lambda line: line.split("::"), ("utf-8", "latin-1")),
    "csv": Layout(
        "ratings.csv",
        "movies.csv",
        b",",
        _split_csv,
        ("utf-8",),
        rating_header=b"userId,movieId,rating,timestamp",
        movie_header="movieId,title,genres",
    ),
}


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
    path = _existing(source, layout.ratings)
    with path.open("rb") as file:
        _skip_header(file, layout.rating_header, path)
        try:
            frame = _parse_fast(file, layout.separator)
        except (ValueError, TypeError, OverflowError) as error:
            # The C parser is fast and strict, but does not say where a person should look.
            raise DataError(_first_problem(path, layout, release.encoding, str(error))) from error
    if frame.empty:
        raise DataError(f"{path} holds no ratings: delete the folder or zip and download it again")
    ratings = frame["rating"].to_numpy()
    # pandas turns one field too many into an index
    if not isinstance(frame.index, pd.RangeIndex) or not ((ratings > 0) & (ratings <= MAX_RATING)).all():
        raise DataError(_first_problem(path, layout, release.encoding, "ratings out of range"))
    return frame


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
        When a file is missing, or naming the first line that is not a movie.
    """
    layout = LAYOUTS[release.layout]
    genres = _genre_names(source, release, layout)
    n_fields = 5 + len(genres) if genres else 3
    path = _existing(source, layout.movies)
    table: dict[int, tuple[str, str]] = {}
    for number, line in _lines(path, release.encoding, layout.movie_header):
        fields = _movie_fields(layout, line)
        problem = _movie_problem(fields, n_fields, table)
        if problem:
            raise DataError(_at(path, number, problem, line))
        flags = zip(genres, fields[5:], strict=True) if genres else ()
        joined = "|".join(name for name, flag in flags if flag == "1") if genres else fields[2].strip()
        table[int(fields[0])] = (fields[1].strip(), joined)
    titles, joined_genres = zip(*table.values(), strict=True) if table else ((), ())
    ids = np.fromiter(table, np.int64, len(table))
    columns = {"title": pd.Series(titles, dtype="str"), "genres": pd.Series(joined_genres, dtype="str")}
    return pd.DataFrame({"item_id": ids, **columns})


def _existing(source: Root, name: str) -> Root:
    path = source / name
    if not path.is_file():
        raise DataError(f"{path} is missing: delete the folder or zip and download it again")
    return path


def _at(path: Root, number: int, problem: str, line: str) -> str:
    shown = line if len(line) <= _SHOWN else line[:_SHOWN] + "..."
    return f"{path} line {number}: {problem}: {shown!r}"


def _skip_header(file: IO[bytes], header: bytes | None, path: Root) -> None:
    if header is None:
        return
    first = file.readline(1000)
    if first and first.removeprefix(_BOM).strip() != header:
        line = first.decode("utf-8", "backslashreplace").rstrip("\r\n")
        raise DataError(_at(path, 1, f"the header is not {header.decode()}", line))


def _parse_fast(file: IO[bytes], separator: bytes) -> pd.DataFrame:
    if len(separator) > 1:
        # The C parser takes separators of one byte only, and the Python one is thirty times slower.
        file, separator = BytesIO(file.read().replace(separator, b"\x1f")), b"\x1f"
    return pd.read_csv(
        file,
        sep=separator.decode(),
        header=None,
        names=list(RATING_COLUMNS),
        dtype=RATING_COLUMNS,
        na_filter=False,
        quoting=csv.QUOTE_NONE,
        engine="c",
    )


def _first_problem(path: Root, layout: Layout, encoding: str, otherwise: str) -> str:
    """Find the line that the fast parser stumbled over."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = (raw.removeprefix(_BOM) if number == 1 else raw).rstrip(b"\r\n")
            problem = _rating_problem(line, layout, encoding)
            if problem and not (number == 1 and layout.rating_header):
                return _at(path, number, problem, line.decode(encoding, "backslashreplace"))
    return f"{path} cannot be parsed: {otherwise.splitlines()[0]}"


def _rating_problem(line: bytes, layout: Layout, encoding: str) -> str | None:
    try:
        fields = line.decode(encoding).split(layout.separator.decode())
    except UnicodeDecodeError:
        return f"bytes that are not {encoding}"
    if not line.strip(b" "):
        return None
    if len(fields) != len(RATING_COLUMNS):
        return f"{len(fields)} fields instead of {len(RATING_COLUMNS)}"
    for field, (column, dtype) in zip(fields, RATING_COLUMNS.items(), strict=True):
        if dtype == "int64" and not _is_int64(field):
            return f"{column} {field[:_SHOWN]!r} is not a whole number"
    if not _is_rating(fields[2]):
        return f"rating {fields[2][:_SHOWN]!r} is not a number above 0 and at most {MAX_RATING:g}"
    return None


def _is_int64(text: str) -> bool:
    digits = re.fullmatch(r"\s*[+-]?[0-9]{1,19}\s*", text)
    return digits is not None and _INT64.min <= int(text) <= _INT64.max


def _is_rating(text: str) -> bool:
    number = re.fullmatch(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", text)
    return number is not None and 0 < float(text) <= MAX_RATING


def _lines(path: Root, encoding: str, header: str | None) -> Iterator[tuple[int, str]]:
    """Yield the number and text of every line that is not blank, after checking the header."""
    with path.open("rb") as file:
        data = file.read().removeprefix(_BOM)
    # bytes.split, for str.splitlines would also cut at characters that may stand in a title
    for number, raw in enumerate(data.split(b"\n"), 1):
        try:
            line = raw.rstrip(b"\r").decode(encoding)
        except UnicodeDecodeError as error:
            shown = raw.decode(encoding, "backslashreplace")
            raise DataError(_at(path, number, f"bytes that are not {encoding}", shown)) from error
        if number == 1 and header is not None:
            if line.strip() != header:
                raise DataError(_at(path, number, f"the header is not {header}", line))
        elif line.strip():
            yield number, line


def _movie_fields(layout: Layout, line: str) -> list[str]:
    try:
        return layout.split_movie(line)
    except csv.Error:
        return []


def _movie_problem(fields: list[str], n_fields: int, seen: dict[int, tuple[str, str]]) -> str | None:
    if len(fields) != n_fields:
        return f"{len(fields)} fields instead of {n_fields}"
    if not _is_int64(fields[0]):
        return f"item_id {fields[0][:_SHOWN]!r} is not a whole number"
    return f"movie {int(fields[0])} is there twice" if int(fields[0]) in seen else None


def _genre_names(source: Root, release: Release, layout: Layout) -> list[str]:
    if layout.genre_file is None:
        return []
    path = _existing(source, layout.genre_file)
    return [line.split("|")[0] for _, line in _lines(path, release.encoding, None)]
