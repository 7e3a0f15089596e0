"""The MovieLens releases, where they lie on this machine, and `load_movielens`."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mfrec.data import movielens_layouts as layouts
from mfrec.data.interactions import Interactions
from mfrec.data.movielens_layouts import LAYOUTS, Release, Root
from mfrec.errors import DataError

BASE_URL = "https://files.grouplens.org/datasets/movielens"

# The checksums are those that GroupLens publishes beside each archive. ml-latest-small is renewed from time
# to time, so it has none and its counts are those of the 2018 issue.
_TABLE = [
    Release("ml-100k", "u.data", 943, 1_682, 100_000, "0e33842e24a9c977be4e0107933c0723"),
    Release("ml-1m", "dat", 6_040, 3_706, 1_000_209, "c4d9eecfca2ab87c1945afe126590906", "latin-1"),
    Release("ml-10m", "dat", 69_878, 10_677, 10_000_054, "ce571fd55effeba0271552578f2648bd", "utf-8", "ml-10M100K"),
    Release("ml-20m", "csv", 138_493, 26_744, 20_000_263, "cd245b17a1ae2cc31bb14903e1204af3"),
    Release("ml-25m", "csv", 162_541, 59_047, 25_000_095, "6b51fb2759a8657d3bfcbfc42b592ada"),
    Release("ml-32m", "csv", 200_948, 84_432, 32_000_204, "d472be332d4daa821edc399621853b57"),
    Release("ml-latest-small", "csv", 610, 9_724, 100_836),
]

RELEASES: dict[str, Release] = {
    release.name: replace(release, url=f"{BASE_URL}/{release.name}.zip", folder=release.folder or release.name)
    for release in _TABLE
}


def data_home(home: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of data sets: ``home``, else ``MFREC_DATA_HOME``, else ``data``, else a cache.

    ``data`` in the working folder counts only where it exists; the cache is ``~/.cache/mfrec``.
    """
    chosen = home or os.environ.get("MFREC_DATA_HOME")
    if chosen:
        return Path(chosen).expanduser()
    local = Path("data")
    return local if local.is_dir() else Path.home() / ".cache" / "mfrec"


def find_release(release: Release, home: Path) -> Path | None:
    """Return the folder or zip of a release in ``home``, or None."""
    names = (release.name, release.folder, f"{release.name}.zip")
    return next((home / name for name in names if (home / name).exists()), None)


def is_whole(path: Path, release: Release) -> bool:
    """Say whether ``path`` is a folder with all files of the release, or a zip that can be opened."""
    if path.is_dir():
        return all((path / name).is_file() for name in LAYOUTS[release.layout].files)
    return zipfile.is_zipfile(path)


def load_movielens(name: str | os.PathLike[str], data_home: str | os.PathLike[str] | None = None) -> Interactions:
    """Load a MovieLens release: weights are ratings, times are seconds since 1970, item labels are titles.

    Parameters
    ----------
    name
        A key of `RELEASES`, or the path of a folder or zip that holds a release in any of the layouts.
    data_home
        Where releases lie; see `mfrec.data.movielens.data_home`. A zip there is read without unpacking it.

    Raises
    ------
    DataError
        When the release is not there, a file is missing or empty, a zip is broken, or naming a line
        that cannot be read.
    """
    with _opened(name, data_home) as (root, release):
        ratings = layouts.read_ratings(root, release)
        movies = layouts.read_movies(root, release)
    titled = movies[movies["title"] != ""]
    titles = dict(zip(titled["item_id"].tolist(), titled["title"].tolist(), strict=True))
    return Interactions.from_frame(
        ratings, user="user_id", item="item_id", weight="rating", time="timestamp", item_labels=titles
    )


def load_items(name: str | os.PathLike[str], data_home: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Load what a release tells about its movies: ``item_id``, ``title`` and ``genres`` (joined by ``|``).

    Raises
    ------
    DataError
        As `load_movielens` does.
    """
    with _opened(name, data_home) as (root, release):
        return layouts.read_movies(root, release)


def load_users(name: str | os.PathLike[str], data_home: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Load what a release tells about its users: ``user_id``, ``age``, ``gender``, ``occupation`` and ``region``.

    ml-100k and ml-1m tell it. In ml-1m, ``age`` is the start of a range and ``occupation`` a code; ``region`` is
    the first digit of the zip code, or "".

    Raises
    ------
    DataError
        Where the release tells nothing, or naming a line that cannot be read.
    """
    with _opened(name, data_home) as (root, release):
        return layouts.read_users(root, release)


def tells_users(name: str | os.PathLike[str], data_home: str | os.PathLike[str] | None = None) -> bool:
    """Whether `load_users` has something to read; DataError where there is no such release."""
    with _opened(name, data_home) as (root, release):
        return layouts.users_file(root, release) is not None


@contextmanager
def _opened(name: str | os.PathLike[str], home: str | os.PathLike[str] | None) -> Iterator[tuple[Root, Release]]:
    """Open a release, a folder or a zip; DataError where it turns out to be broken, also while it is read."""
    path, known = _locate(name, home)
    try:
        with nullcontext() if path.is_dir() else zipfile.ZipFile(path) as archive:
            root, layout = layouts.detect(zipfile.Path(archive) if archive else path)
            yield root, known if known and known.layout == layout else Release(path.stem, layout)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DataError(f"{path} is not a whole zip ({error}): delete it and download it again") from error
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read: {error.strerror or error}") from error


def _locate(name: str | os.PathLike[str], home: str | os.PathLike[str] | None) -> tuple[Path, Release | None]:
    release = RELEASES.get(name) if isinstance(name, str) else None
    if release is None:
        path = Path(name).expanduser()
        if not path.exists():
            names = ", ".join(RELEASES)
            raise DataError(f"{os.fspath(name)!r} is neither a folder or zip nor a release: {names}")
        return path, None
    folder = data_home(home)
    found = find_release(release, folder)
    if found is None:
        raise DataError(
            f"{release.name} is not in {folder}: run `mfrec download {release.name}`, or set MFREC_DATA_HOME"
        )
    return found, release
