"""``manifest.json``: what a model folder holds, with the size and sha256 of every file and of itself."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from mfrec.errors import ArtifactError

NAME = "manifest.json"
FORMAT = "mfrec"
VERSION = 5
# version 1 kept other indexes: they are built again from the vectors; version 2 compared the factors themselves;
# version 3 had no recency, version 4 no segments
READABLE = (1, 2, 3, 4, VERSION)

Manifest = dict[str, Any]

_BLANK = "0" * 64
_SEAL = re.compile("[0-9a-f]{64}")
_REQUIRED: dict[str, type] = {
    "counts": dict,
    "solver": dict,
    "info": dict,
    "indexes": list,
    "files": dict,
}


def write(folder: Path, content: Manifest) -> None:
    """Describe every file of a folder and write the manifest, sealed with its own sha256."""
    names = sorted(path.name for path in folder.iterdir())
    with ThreadPoolExecutor() as pool:
        entries = list(pool.map(lambda name: _describe(folder / name), names))
    sealed = {
        "format": FORMAT,
        "format_version": VERSION,
        "sha256": _BLANK,
        **content,
        "files": dict(zip(names, entries, strict=True)),
    }
    try:
        text = json.dumps(sealed, indent=2, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"the model's info is not JSON: {error}") from None
    seal = hashlib.sha256(text.encode()).hexdigest()
    (folder / NAME).write_bytes(text.replace(_BLANK, seal, 1).encode())


def read(folder: Path) -> tuple[Manifest, bytes]:
    """Return the manifest, checked against its own sha256, and its bytes.

    Raises
    ------
    ArtifactError
        When the folder is no model, is of another format version, or the manifest was changed or names a file that is
        not in the folder.
    """
    raw = _read_bytes(folder)
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        raise ArtifactError(f"{folder / NAME} is corrupted: it is not valid JSON; save the model again") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ArtifactError(f"{folder / NAME} does not belong to a model folder of mfrec")
    found = content.get("format_version")
    if isinstance(found, bool) or found not in READABLE:
        *others, last = map(str, READABLE)
        raise ArtifactError(
            f"{folder / NAME} has format version {found!r}, this mfrec reads {', '.join(others)} and {last}: "
            f"install the mfrec that wrote it, or fit again"
        )
    seal = content.get("sha256")
    if not isinstance(seal, str) or not _SEAL.fullmatch(seal) or _unsealed(raw, seal) != seal:
        raise ArtifactError(f"{folder / NAME} is corrupted: its sha256 does not match; save the model again")
    for key, kind in _REQUIRED.items():
        if not isinstance(content.get(key), kind):
            raise ArtifactError(f"{folder / NAME} lacks {key!r}: save the model again")
    for name in content["files"]:
        if "/" in name or "\\" in name or name in ("", ".", ".."):
            raise ArtifactError(f"{folder / NAME} names a file outside its folder: {name!r}")
    return content, raw


def digest(folder: Path) -> str:
    """Return the sha256 of the manifest's file as it is now."""
    return hashlib.sha256(_read_bytes(folder)).hexdigest()


def unchanged(folder: Path, raw: bytes) -> bool:
    """Whether a folder still has the manifest that was read before."""
    try:
        return _read_bytes(folder) == raw
    except ArtifactError:
        return False


def belongs(folder: Path) -> bool:
    """Whether a folder's manifest says that it is one of ours, whole or not."""
    try:
        content = json.loads((folder / NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


@contextmanager
def checked_files(folder: Path, content: Manifest, optional: set[str]) -> Iterator[dict[str, FileIO]]:
    """Open every listed file once, check its size and sha256, and give the open files, without missing optional ones.

    All files are opened before the first one is read, and the open files are hashed, whatever becomes of their names:
    a folder that is replaced or removed from then on does no harm, and a file of another model is refused.

    Raises
    ------
    ArtifactError
        For the first file that is missing, of another size, or of other content.
    """
    with ExitStack() as stack:
        files = {}
        for name in content["files"]:
            path = folder / name
            if path.is_file():
                files[name] = stack.enter_context(path.open("rb", buffering=0))
            elif name not in optional:
                raise ArtifactError(f"{path} is missing: copy the whole folder again, or save the model again")
        _check_sizes(folder, content, files)
        with ThreadPoolExecutor() as pool:
            for name, found in zip(files, pool.map(_sha256, files.values()), strict=True):
                expected = content["files"][name]["sha256"]
                if found != expected:
                    raise ArtifactError(
                        f"{folder / name} is corrupted: its sha256 is {found[:12]}..., expected {expected[:12]}...; "
                        f"copy the folder again, or save the model again"
                    )
        yield files


def _check_sizes(folder: Path, content: Manifest, files: dict[str, FileIO]) -> None:
    for name, file in files.items():
        size, expected = os.fstat(file.fileno()).st_size, content["files"][name]["size"]
        if size != expected:
            raise ArtifactError(
                f"{folder / name} is corrupted: it has {size} bytes, expected {expected}; "
                f"copy the folder again, or save the model again"
            )


def _unsealed(raw: bytes, seal: str) -> str:
    return hashlib.sha256(raw.replace(seal.encode(), _BLANK.encode(), 1)).hexdigest()


def _plain(value: Any) -> Any:
    """Turn numpy's numbers into Python's."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} ({type(value).__name__})")


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb", buffering=0) as file:
        return {"size": path.stat().st_size, "sha256": _sha256(file)}


def _sha256(file: FileIO) -> str:
    # read, not mapped: pages of a map would count as this process's memory
    return hashlib.file_digest(file, "sha256").hexdigest()


def _read_bytes(folder: Path) -> bytes:
    if not folder.exists():
        raise ArtifactError(f"no such model folder: {folder}")
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is a file, not a model folder")
    try:
        return (folder / NAME).read_bytes()
    except FileNotFoundError:
        raise ArtifactError(f"{folder} is not a model folder of mfrec: it has no {NAME}") from None
    except OSError as error:
        raise ArtifactError(f"{folder / NAME} cannot be read: {error.strerror}") from None
