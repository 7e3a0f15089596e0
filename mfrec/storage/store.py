"""A store of model versions: a pointer moves from one whole, verified version to the next.

::

    STORE/
        current                what is served: the name of a version and a newline
        lock                   held by whoever changes the store
        versions/000001/       model folders, as `mfrec.storage.folder` writes them; names only ever grow
        versions/000002/

A version is copied and checked under a scratch name, flushed to disk, renamed into place, and only then does
the pointer move, by renaming a new file over it. So whatever kills a publisher, the pointer names a whole
version. A reader holds a shared lock (``flock``) on the folder it serves, which a dying process cannot leave
behind, and only folders without one are pruned.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mfrec.errors import ArtifactError, ParameterError
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


@dataclass
class Lease:
    """A promise that a version is in use; it lasts until `release`, or until the process ends."""

    folder: Path
    _handle: int | None = field(repr=False)

    def release(self) -> None:
        """Let the version be pruned."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __del__(self) -> None:
        """Release what was forgotten."""
        self.release()


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

    def lease(self, name: str) -> Lease:
        """Keep a version from being pruned.

        Raises
        ------
        ArtifactError
            When the version is gone.
        """
        folder = self.folder(name)
        missing = ArtifactError(f"{self.path} has no version {name}: it has {', '.join(self.versions) or 'none'}")
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            raise missing from None
        lease = Lease(folder, handle)
        fcntl.flock(handle, fcntl.LOCK_SH)
        # between the two calls a pruner may have moved the folder away
        if not _same(handle, folder):
            raise missing
        return lease

    def publish(self, model: str | os.PathLike[str], *, keep: int = KEEP) -> str:
        """Copy a model folder in as a new version, check the copy, and point to it; return its name.

        Parameters
        ----------
        model
            A model folder; every value of it is verified.
        keep
            How many of the newest versions to keep; the current one, and those in use, are kept as well.

        Raises
        ------
        ArtifactError
            When the model is broken or the store cannot be written; what was served before still is.
        """
        _check_keep(keep)
        source = Path(model).absolute()
        verify(source)
        try:
            with self._changing():
                name = f"{int((self.versions or ['0'])[-1]) + 1:06d}"
                with replacing_folder(self.folder(name)) as scratch:
                    _copy(source, scratch)
                    verify(scratch)
                self._point_or_remove(name)
                self._prune(keep)
        except OSError as error:
            raise ArtifactError(
                f"cannot publish to {self.path}: {error.strerror or error}; it still serves what it did"
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
        if not self.path.is_dir():
            raise ArtifactError(f"no such store: {self.path}")
        try:
            with self._changing():
                name = to or self._previous()
                if name not in self.versions:
                    raise ArtifactError(f"{self.path} has no version {name}: it has {', '.join(self.versions)}")
                verify(self.folder(name))
                self._point(name)
        except OSError as error:
            raise ArtifactError(f"cannot roll {self.path} back: {error.strerror or error}") from error
        return name

    def prune(self, keep: int = KEEP) -> list[str]:
        """Remove old versions that nobody uses and return their names; see `publish` for ``keep``."""
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
        """Remove a version unless it is in use; what cannot be removed now is tried again next time."""
        folder = self.folder(name)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            doomed = folder.with_name(f"{_DOOMED}{name}")
            folder.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        except OSError:
            return False
        finally:
            os.close(handle)
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
        # whoever holds the lock is the only writer: any scratch name belongs to a dead one
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
    path = Path(store).absolute()
    if path.exists() and not is_store(path) and (not path.is_dir() or any(path.iterdir())):
        raise ArtifactError(f"{path} exists and is not a store: choose another path")
    return Store(path).publish(model, keep=keep)


def rollback(store: str | os.PathLike[str], to: str | None = None) -> str:
    """Point a store to an earlier version; see `Store.rollback`."""
    path = Path(store).absolute()
    if not is_store(path):
        raise ArtifactError(f"no such store: {path}")
    return Store(path).rollback(to)


def _check_keep(keep: int) -> None:
    if keep < 1:
        raise ParameterError(f"keep must be at least 1, got {keep}")


def _copy(source: Path, target: Path) -> None:
    names = [manifest.NAME, *manifest.read(source)[0]["files"]]
    for name in names:
        # an index file may be missing: whoever loads the model builds it again
        with suppress(FileNotFoundError):
            shutil.copyfile(source / name, target / name)


def _same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
