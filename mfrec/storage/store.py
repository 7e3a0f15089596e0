"""A store of model versions: a pointer moves from one whole, verified version to the next.

::

    STORE/
        current                what is served: the name of a version and a newline
        lock                   held by the process that changes the store
        versions/000001/       model folders, as `mfrec.storage.folder` writes them; names only ever grow
        versions/000002/

A version is copied under a scratch name, the copy is verified and flushed to disk, renamed into place, and only then
does the pointer move, by renaming a new file over it. So whatever kills a publisher, the pointer names a whole version.

A version never changes, so readers need no lock. Pruning a version does not disturb a reader that has opened it, since
an open file outlives its name. A reader that is about to open it finds it gone, and looks at the pointer again.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mfrec.errors import ArtifactError, ParameterError, why_not_written
from mfrec.storage import manifest
from mfrec.storage.atomic import flush, replacing_folder
from mfrec.storage.folder import verify

KEEP = 3

_NAME = re.compile(r"\d{6,18}")
_POINTER = "current"
_VERSIONS = "versions"
_LOCK = "lock"
# a folder on its way out is renamed first, so that no reader sees half of it
_DOOMED = ".pruned-"


@dataclass(frozen=True)
class Store:
    """A folder of model versions.

    Parameters
    ----------
    path
        The store's folder; `publish` creates it.
    """

    path: Path

    @property
    def versions(self) -> list[str]:
        """Names of the versions at hand, oldest first."""
        try:
            names = [entry.name for entry in os.scandir(self.path / _VERSIONS) if entry.is_dir()]
        except FileNotFoundError:
            return []
        return sorted((name for name in names if _NAME.fullmatch(name)), key=int)

    @property
    def current(self) -> str | None:
        """Name of the version to serve, or None before the first publication.

        Raises
        ------
        ArtifactError
            When the pointer does not hold a version's name.
        """
        try:
            name = (self.path / _POINTER).read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{self.path / _POINTER} cannot be read: {error}") from None
        if not _NAME.fullmatch(name):
            raise ArtifactError(
                f"{self.path / _POINTER} does not name a version: publish, or roll back to a named version"
            )
        return name

    def folder(self, name: str) -> Path:
        """Return where a version lies, or would lie."""
        return self.path / _VERSIONS / name

    def find(self, name: str) -> Path:
        """Return the folder of a version at hand; ArtifactError lists the versions where it is none."""
        if name not in self.versions:
            raise ArtifactError(f"{self.path} has no version {name}: it has {', '.join(self.versions) or 'none'}")
        return self.folder(name)

    def publish(self, model: str | os.PathLike[str], *, keep: int = KEEP) -> str:
        """Copy a model folder in as a new version, check the copy, and point to it; return its name.

        Parameters
        ----------
        model
            A model folder; every value of it is verified.
        keep
            How many of the newest versions to keep; the current one is kept as well.

        Raises
        ------
        ArtifactError
            When the model is broken or the store cannot be written; what was served before still is.
        """
        _check_keep(keep)
        source = Path(model).absolute()
        if self.path.exists() and not is_store(self.path) and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ArtifactError(f"{self.path} exists and is not a store: choose another path")
        names = [manifest.NAME, *manifest.read(source)[0]["files"]]
        try:
            with self._changing():
                name = f"{int((self.versions or ['0'])[-1]) + 1:06d}"
                with replacing_folder(self.folder(name)) as scratch:
                    _copy(source, scratch, names)
                self._point_or_remove(name)
                self._prune(keep)
        except OSError as error:
            raise ArtifactError(
                f"cannot publish to {self.path}, which still serves what it did: {why_not_written(error)}"
            ) from error
        return name

    def rollback(self, to: str | None = None) -> str:
        """Point to an earlier version and return its name.

        Parameters
        ----------
        to
            A version at hand; the newest one older than the current where not given.

        Raises
        ------
        ArtifactError
            When there is no such version, or it is broken; the pointer then stays.
        """
        if not is_store(self.path):
            raise ArtifactError(f"no such store: {self.path}")
        try:
            with self._changing():
                name = to or self._previous()
                verify(self.find(name))
                self._point(name)
        except OSError as error:
            raise ArtifactError(f"cannot roll {self.path} back: {why_not_written(error)}") from error
        return name

    def prune(self, keep: int = KEEP) -> list[str]:
        """Remove old versions and return their names; see `publish` for ``keep``."""
        _check_keep(keep)
        with self._changing():
            return self._prune(keep)

    def _previous(self) -> str:
        current = self.current
        older = [name for name in self.versions if current is not None and int(name) < int(current)]
        if not older:
            raise ArtifactError(f"{self.path} has no version older than {current}: nothing to roll back to")
        return older[-1]

    def _point_or_remove(self, name: str) -> None:
        try:
            self._point(name)
        except OSError:
            # on a full disk, a version that nothing points to is in the way
            self._remove(name)
            raise

    def _point(self, name: str) -> None:
        scratch = self.path / f".{_POINTER}-{os.getpid()}"
        try:
            scratch.write_text(f"{name}\n", "ascii")
            flush(scratch)
            scratch.replace(self.path / _POINTER)
        finally:
            scratch.unlink(missing_ok=True)
        flush(self.path)

    def _prune(self, keep: int) -> list[str]:
        spared = {*self.versions[-keep:], self.current}
        return [name for name in self.versions if name not in spared and self._remove(name)]

    def _remove(self, name: str) -> bool:
        """Remove a version; what cannot be removed now is tried again next time."""
        doomed = self.folder(f"{_DOOMED}{name}")
        try:
            self.folder(name).rename(doomed)
        except OSError:
            return False
        shutil.rmtree(doomed, ignore_errors=True)
        return True

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Wait until nobody else changes the store, and clear away what killed writers left."""
        (self.path / _VERSIONS).mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._sweep()
            yield

    def _sweep(self) -> None:
        # the holder of the lock is the only writer: any scratch name belongs to a dead one
        for entry in (self.path / _VERSIONS).iterdir():
            if entry.name.startswith("."):
                shutil.rmtree(entry, ignore_errors=True)
        for entry in self.path.glob(f".{_POINTER}-*"):
            entry.unlink(missing_ok=True)


def is_store(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is a store, be it an empty one, and not a model."""
    folder = Path(path)
    return folder.is_dir() and not (folder / manifest.NAME).exists() and (folder / _VERSIONS).is_dir()


def publish(model: str | os.PathLike[str], store: str | os.PathLike[str], *, keep: int = KEEP) -> str:
    """Put a verified copy of a model into a store and point to it; see `Store.publish`."""
    return Store(Path(store).absolute()).publish(model, keep=keep)


def rollback(store: str | os.PathLike[str], to: str | None = None) -> str:
    """Point a store to an earlier version; see `Store.rollback`."""
    return Store(Path(store).absolute()).rollback(to)


def _check_keep(keep: int) -> None:
    if keep < 1:
        raise ParameterError(f"keep must be at least 1, got {keep}")


def _copy(source: Path, target: Path, names: list[str]) -> None:
    """Copy a model's files and verify the copy."""
    for name in names:
        # an index file may be missing: it is built again when the model is loaded
        with suppress(FileNotFoundError, IsADirectoryError):
            shutil.copyfile(source / name, target / name)
    try:
        verify(target)
    except ArtifactError as error:
        # where the model itself is broken, the error names its own file
        verify(source)
        raise ArtifactError(f"{source} was replaced while it was copied: publish it again") from error
