"""Folders and files that appear whole or not at all, whatever kills the process."""

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mfrec.errors import ArtifactError, ParameterError, why_not_written

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_TRIES = 5


@contextmanager
def replacing_folder(final: Path) -> Iterator[Path]:
    """Give a scratch folder beside ``final`` that takes its place when the block ends without an error.

    Everything is flushed to disk first, and the switch is one atomic step, so that a reader, or whoever
    comes after a power cut, sees the old folder or the new one. What earlier, killed writers left is removed.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    _sweep(final)
    scratch = final.parent / f".{final.name}.saving-{os.getpid()}-{os.urandom(4).hex()}"
    scratch.mkdir()
    try:
        yield scratch
        for path in scratch.iterdir():
            flush(path)
        flush(scratch)
        _switch(scratch, final)
        flush(final.parent)
    finally:
        # after a switch this is the old folder, otherwise the unfinished new one
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def replacing_file(final: Path) -> Iterator[Path]:
    """Give a scratch file beside ``final`` that takes its place when the block ends without an error.

    Raises
    ------
    ArtifactError
        When the file cannot be written; whatever was there before is still there.
    """
    scratch = final.with_name(f".{final.name}.writing-{os.getpid()}")
    try:
        yield scratch
        scratch.replace(final)
    except OSError as error:
        raise ArtifactError(f"cannot write {final}, nothing there was changed: {why_not_written(error)}") from error
    finally:
        scratch.unlink(missing_ok=True)


def check_file(path: Path) -> None:
    """Raise ParameterError where a file could not be written, before hours of work end there."""
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir():
        raise ParameterError(f"cannot write {path}: it is a folder, or its folder does not exist")
    # a file is replaced by one that is written beside it
    closed = [place for place in (folder, path) if place.exists() and not os.access(place, os.W_OK)]
    if closed:
        raise ParameterError(f"cannot write {path}: you may not write to {closed[0]}; choose another path")


def flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def recover(final: Path) -> None:
    """Put the old folder back where a writer died between the two steps of a system without exchange."""
    backup = _backup(final)
    if backup.exists() and not final.exists():
        # somebody else may be quicker
        with suppress(OSError):
            backup.rename(final)


def _switch(scratch: Path, final: Path) -> None:
    if not final.exists():
        scratch.rename(final)
    elif not _exchange(scratch, final):
        _switch_in_two_steps(scratch, final)


def _switch_in_two_steps(scratch: Path, final: Path) -> None:
    backup = _backup(final)
    for attempt in range(_TRIES):
        shutil.rmtree(backup, ignore_errors=True)
        final.rename(backup)
        try:
            scratch.rename(final)
        except OSError:
            recover(final)
            # a reader that came between the steps has put the old folder back: try again
            if attempt + 1 == _TRIES or not final.exists():
                raise
        else:
            shutil.rmtree(backup, ignore_errors=True)
            return


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders atomically; False where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    names = os.fsencode(one), os.fsencode(other)
    if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def _backup(final: Path) -> Path:
    return final.parent / f".{final.name}.replaced"


def _sweep(final: Path) -> None:
    recover(final)
    # of a writer that died after its second step
    shutil.rmtree(_backup(final), ignore_errors=True)
    prefix = f".{final.name}.saving-"
    for path in final.parent.iterdir():
        if path.name.startswith(prefix) and not _alive(path.name.removeprefix(prefix).split("-")[0]):
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    return True
