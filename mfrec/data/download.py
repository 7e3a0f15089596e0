"""Fetch a MovieLens release from GroupLens: whole and checked, or not at all."""

import errno
import hashlib
import logging
import os
import shutil
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from mfrec.data.movielens import RELEASES, find_release, is_whole
from mfrec.data.movielens import data_home as resolve_home
from mfrec.data.movielens_layouts import Release, detect
from mfrec.errors import DataError, DownloadError

log = logging.getLogger("mfrec")

LICENCE_NOTICE = (
    "MovieLens data belong to GroupLens, University of Minnesota: research use only, no commercial use "
    "without their permission; some releases may not be redistributed (see the README in the folder). "
    "Please cite F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5, 4: 19:1-19:19. https://doi.org/10.1145/2827872"
)

_TIMEOUT_SECONDS = 30.0
_BLOCK = 1 << 18
_DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


def download(
    name: str,
    data_home: str | os.PathLike[str] | None = None,
    *,
    progress: bool = True,
    force: bool = False,
    url: str | None = None,
) -> Path:
    """Fetch a release and return its folder; without network where it is already there.

    Everything happens in a temporary folder beside the final one, which is renamed into place when the
    length, the checksum and every file in the archive are right, so what is there is always whole.

    Parameters
    ----------
    name
        A key of `RELEASES`.
    data_home
        Where to put it; see `mfrec.data.movielens.data_home`. A zip that already lies there is returned as it is.
    progress
        Show a bar on stderr.
    force
        Fetch again, and replace what is there.
    url
        A mirror (http or https); the checksum stays GroupLens's.

    Raises
    ------
    DownloadError
        For an unknown name, no network, a server's error, a short or wrong archive, a full disk, or
        a folder in the way. Nothing is left behind then, nor after Ctrl-C.
    """
    release = _known(name)
    home = resolve_home(data_home)
    there = find_release(release, home)
    if there is not None and not force:
        if is_whole(there, release):
            return there
        if there.is_dir():
            raise DownloadError(f"{there} is there but incomplete: delete it, or download with force")
    source = _checked_url(url or release.url)
    log.info(LICENCE_NOTICE)
    return _install(release, source, home, progress)


def _install(release: Release, source: str, home: Path, progress: bool) -> Path:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{release.name}-", dir=home) as work:
            archive = _fetch(source, release, Path(work), progress)
            folder = _unpack(archive, release, Path(work) / "files")
            return _put(folder, home / release.name, aside=Path(work) / "old")
    except _BROKEN_ZIP as error:
        raise DownloadError(f"{source} is not a whole zip ({error}): try again") from error
    except (OSError, HTTPException) as error:
        raise DownloadError(f"{release.name} was not downloaded from {source}: {_reason(error, home)}") from error


def _known(name: str) -> Release:
    if name not in RELEASES:
        raise DownloadError(f"{name!r} is no MovieLens release: choose one of {', '.join(RELEASES)}")
    return RELEASES[name]


def _checked_url(url: str) -> str:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise DownloadError(f"{url!r} is not an http or https address")
    return url


def _fetch(url: str, release: Release, work: Path, progress: bool) -> Path:
    from urllib.request import Request, urlopen

    from tqdm import tqdm

    target = work / "archive.zip"
    request = Request(url, headers={"User-Agent": "mfrec"})  # noqa: S310 - the scheme was checked
    with urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
        expected = response.headers.get("Content-Length")
        total = int(expected) if expected and expected.isdigit() else None
        bar = tqdm.wrapattr(response, "read", total, desc=release.name, disable=not progress)
        with bar as body, target.open("xb") as file:
            shutil.copyfileobj(body, file, _BLOCK)
    size = target.stat().st_size
    if total is not None and size != total:
        raise DownloadError(f"{url} ended after {size} of {total} bytes: try again")
    with target.open("rb") as file:
        checksum = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if release.md5 is not None and checksum != release.md5:
        raise DownloadError(f"{url} has checksum {checksum} instead of {release.md5}: try again")
    return target


def _unpack(archive: Path, release: Release, folder: Path) -> Path:
    """Unpack and return the folder of the release; unpacking also checks the CRC of every member."""
    with zipfile.ZipFile(archive) as opened:
        for member in opened.namelist():
            _refuse_escape(member)
        opened.extractall(folder)
    archive.unlink()
    try:
        found, layout = detect(folder)
    except DataError as error:
        raise DownloadError(f"the archive of {release.name} holds no release") from error
    if not isinstance(found, Path) or layout != release.layout or not is_whole(found, release):
        raise DownloadError(f"the archive of {release.name} holds another release, or part of one")
    return found


def _refuse_escape(member: str) -> None:
    path = PurePosixPath(member.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
        raise DownloadError(f"the archive holds {member!r}, a file outside its own folder: it is not used")


def _put(folder: Path, destination: Path, aside: Path) -> Path:
    """Rename a whole folder into place; what was there goes into the temporary folder, to be removed."""
    if os.path.lexists(destination):
        destination.rename(aside)
    try:
        folder.rename(destination)
    except BaseException:
        if os.path.lexists(aside):
            aside.rename(destination)
        raise
    return destination


def _reason(error: Exception, home: Path) -> str:
    """Say in one line what went wrong and what to do."""
    if isinstance(error, HTTPError):
        error.close()
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, URLError):
        inner = error.reason
        return _reason(inner, home) if isinstance(inner, OSError) else f"no connection ({inner})"
    if isinstance(error, TimeoutError):
        return f"no answer for {_TIMEOUT_SECONDS:g} seconds, try again"
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return f"the disk of {home} is full"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be written ({error.strerror})"
    return f"no connection ({str(error) or type(error).__name__})"
