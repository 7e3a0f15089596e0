"""``manifest.json``: what a model folder holds, with the size and sha256 of every file and of itself."""

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mfrec.errors import ArtifactError

NAME = "manifest.json"
FORMAT = "mfrec"
VERSION = 2
# version 1 kept other indexes: they are built again from the vectors
READABLE = (1, VERSION)

Manifest = dict[str, Any]
Identity = tuple[int, int, int]

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
        When the folder is no model, is of another format version, or the manifest was changed.
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
        raise ArtifactError(
            f"{folder / NAME} has format version {found!r}, this mfrec reads {' and '.join(map(str, READABLE))}: "
            f"install the mfrec that wrote it, or fit again"
        )
    seal = content.get("sha256")
    if not isinstance(seal, str) or not _SEAL.fullmatch(seal) or _unsealed(raw, seal) != seal:
        raise ArtifactError(f"{folder / NAME} is corrupted: its sha256 does not match; save the model again")
    for key, kind in _REQUIRED.items():
        if not isinstance(content.get(key), kind):
            raise ArtifactError(f"{folder / NAME} lacks {key!r}: save the model again")
    return content, raw


def which(folder: Path) -> Identity | None:
    """Return what tells this folder's manifest from another that takes its place; None where there is none."""
    try:
        return identity(folder / NAME)
    except OSError:
        return None


def belongs(folder: Path) -> bool:
    """Whether a folder's manifest says that it is one of ours, whole or not."""
    try:
        content = json.loads((folder / NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def check_files(folder: Path, content: Manifest, optional: set[str]) -> dict[str, Identity]:
    """Check the size and sha256 of every file; return which file each name was, without missing optional ones.

    Raises
    ------
    ArtifactError
        For the first file that is missing, of another size, or of other content.
    """
    present = {}
    for name, entry in content["files"].items():
        path = folder / name
        if "/" in name or "\\" in name or name in ("", ".", ".."):
            raise ArtifactError(f"{folder / NAME} names a file outside its folder: {name!r}")
        if not path.is_file():
            if name not in optional:
                raise ArtifactError(f"{path} is missing: copy the whole folder again, or save the model again")
            continue
        present[name] = identity(path)
        if path.stat().st_size != entry["size"]:
            raise ArtifactError(
                f"{path} is corrupted: it has {path.stat().st_size} bytes, expected {entry['size']}; "
                f"copy the folder again, or save the model again"
            )
    with ThreadPoolExecutor() as pool:
        for name, found in zip(present, pool.map(lambda n: _sha256(folder / n), present), strict=True):
            if found != content["files"][name]["sha256"]:
                raise ArtifactError(
                    f"{folder / name} is corrupted: its sha256 is {found[:12]}..., expected "
                    f"{content['files'][name]['sha256'][:12]}...; copy the folder again, or save the model again"
                )
    return present


def identity(path: Path) -> Identity:
    """Return what tells this file from another that takes its name."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _unsealed(raw: bytes, seal: str) -> str:
    return hashlib.sha256(raw.replace(seal.encode(), _BLANK.encode(), 1)).hexdigest()


def _plain(value: Any) -> Any:
    """Turn numpy's numbers into Python's."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} ({type(value).__name__})")


def _describe(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    # read, not mapped: pages of a map would count as this process's memory
    with path.open("rb", buffering=0) as file:
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
