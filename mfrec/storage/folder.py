"""The model folder: `save`, `load` and `verify`. docs/folder-format.md specifies the format."""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from io import FileIO
from os import PathLike
from os.path import realpath
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Similarity
from mfrec.directions import INDEX_KEYS, SIDES, Pair, Side
from mfrec.errors import ArtifactError, BackendError, MfrecError, why_not_written
from mfrec.index import BACKENDS, Candidates, Index, Indexes, IndexParams, build_indexes
from mfrec.model.adjacency import Adjacency
from mfrec.model.check import Check
from mfrec.model.factors import Factors
from mfrec.model.ids import IdMap
from mfrec.model.recommender import Recommender
from mfrec.model.segmentation import Segmentation
from mfrec.model.string_array import StringArray
from mfrec.model.weighting import Weighting
from mfrec.storage import manifest, validate
from mfrec.storage.atomic import recover, replacing_folder
from mfrec.storage.validate import Arrays, of_side

log = logging.getLogger("mfrec")

# below this a memory map costs more than a copy
_SMALLEST_MAP = 64 * 1024
# fields of a segmentation that are kept as arrays, beside the segments themselves
_OF_SEGMENTS = ("distance", "centres", "described", "lifts")
_SUFFIX = {"annoy": ".ann", "faiss-cpu": ".faiss"}


class Opened(NamedTuple):
    """A model with the manifest that its files were checked against, and the sha256 of that manifest's file."""

    model: Recommender
    content: manifest.Manifest
    sha256: str


def save(model: Recommender, path: str | PathLike[str]) -> None:
    """Write a model to a folder, replacing an earlier model there in one atomic step.

    Raises
    ------
    ArtifactError
        When the path is something other than a model folder, or cannot be written (a full disk, no
        permission); whatever was there before is still there.
    """
    final = check_target(path)
    try:
        with replacing_folder(final) as folder:
            for name, array in _model_arrays(model).items():
                np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
            indexes = [_save_index(folder, key, index) for key, index in model.indexes.items()]
            manifest.write(folder, {**_describe(model), "indexes": indexes})
    except OSError as error:
        raise ArtifactError(f"cannot save to {final}, nothing there was changed: {why_not_written(error)}") from error


def check_target(path: str | PathLike[str]) -> Path:
    """Return where `save` would write; ArtifactError where it could not, before hours of work end there."""
    final = _real(path)
    if final.exists() and not (final.is_dir() and (not any(final.iterdir()) or manifest.belongs(final))):
        raise ArtifactError(f"{final} exists and is not a model folder of mfrec: choose another path")
    if final.parent.name == "versions" and (final.parent.parent / "current").is_file():
        raise ArtifactError(f"{final} is a version of a store, which never changes: save elsewhere, then publish that")
    # the model is written beside its final name; folders that are missing are made
    parent = next(folder for folder in final.parents if folder.exists())
    if not parent.is_dir():
        raise ArtifactError(f"cannot save to {final}: {parent} is a file; choose a path below a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ArtifactError(f"cannot save to {final}: you may not write to {parent}; choose another path")
    return final


def load(path: str | PathLike[str]) -> Recommender:
    """Open a model folder; arrays and indexes are memory-mapped, so that processes share them.

    The size and sha256 of every file are checked first. A missing Annoy file, or one of another annoy
    version, is built again in memory with a warning; that takes as long as the fit's index build.

    A loaded model outlives its folder. Where another model is saved to the folder just while its files are opened,
    `load` fails rather than mix the two: try again. Where many processes read while others write, publish to a store
    (`mfrec.storage.store`), whose versions never change.

    Raises
    ------
    ArtifactError
        When the folder is missing, incomplete, corrupted, or of another format version; the message names
        the file. Also when the folder is replaced or removed while it is loaded.
    """
    return open_folder(path).model


def open_folder(path: str | PathLike[str]) -> Opened:
    """Load a model together with its manifest; see `load`."""
    folder = _real(path)
    recover(folder)
    content, raw = manifest.read(folder)
    try:
        model = _open(folder, content)
    except ArtifactError as error:
        if manifest.unchanged(folder, raw):
            raise
        raise ArtifactError(
            f"{folder} was replaced or removed while it was loaded: try again; a store (mfrec publish) keeps readers "
            f"and writers apart"
        ) from error
    return Opened(model, content, hashlib.sha256(raw).hexdigest())


def verify(path: str | PathLike[str]) -> dict[str, Any]:
    """Check a model folder to the last value and return its manifest.

    Beyond what `load` checks: finite factors, ascending ids, adjacency and places in range, and that every index
    answers.

    Raises
    ------
    ArtifactError
        For the first thing that is wrong.
    """
    folder = _real(path)
    opened = open_folder(folder)
    try:
        validate.check_values(opened.model)
    except MfrecError as error:
        raise ArtifactError(f"{folder}: {error}") from error
    return opened.content


def _describe(model: Recommender) -> dict[str, Any]:
    return {
        "counts": {
            "users": len(model.ids.user),
            "items": len(model.ids.item),
            "factors": model.factors.size,
            "links": len(model.adjacency.user.numbers),
        },
        "solver": model.factors.weighting.to_json(),
        "info": dict(model.info),
        "check": None if model.check is None else model.check.to_json(),
        **_describe_segments(model.saved_segments),
    }


def _describe_segments(saved: Pair[Segmentation | None]) -> dict[str, Any]:
    """Return what the manifest says of segments beside their arrays; nothing where there are none."""
    kept = {
        found.side: {
            "count": len(found),
            "seed": found.seed,
            "stability": found.stability,
            "silhouettes": {str(n): value for n, value in found.silhouettes.items()},
        }
        for found in saved
        if found is not None
    }
    return {"segments": kept} if kept else {}


def _model_arrays(model: Recommender) -> Arrays:
    arrays: Arrays = {}
    places = model.map
    for side in SIDES:
        arrays[f"{side}.factors"] = model.factors[side]
        arrays[f"{side}.norms"] = model.indexes[side, "dot"].candidates.norms
        if model.factors.maps is not None:
            arrays[f"{side}.same_side"] = model.factors.same_side[side]
            arrays[f"{side}.same_side_map"] = model.factors.maps[side]
            arrays[f"{side}.same_side_norms"] = model.indexes[side, "cosine"].candidates.norms
        arrays[f"{side}.degree"] = model.factors.degree[side]
        if model.factors.recent is not None:
            arrays[f"{side}.recent"] = model.factors.recent[side]
        arrays[f"{side}.gram"] = model.factors.gram[side]
        arrays[f"{side}.map"] = places[side]
        arrays |= {f"{side}.{name}": array for name, array in model.ids[side].arrays().items()}
        arrays[f"{side}.links_starts"] = model.adjacency[side].starts
        arrays[f"{side}.links_numbers"] = model.adjacency[side].numbers
        labels = model.labels[side]
        if labels is not None:
            arrays |= {f"{side}.labels_utf8": labels.blob, f"{side}.labels_offsets": labels.offsets}
        segments = model.saved_segments[side]
        if segments is not None:
            arrays[f"{side}.segments"] = segments.segment
            arrays |= {f"{side}.segments_{name}": getattr(segments, name) for name in _OF_SEGMENTS}
    return arrays


def _save_index(folder: Path, key: tuple[Side, Similarity], index: Index) -> dict[str, Any]:
    side, similarity = key
    stem = f"index.{side}.{similarity}"
    for name, array in index.arrays().items():
        np.save(folder / f"{stem}.{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
    entry = {
        "target": side,
        "similarity": similarity,
        "backend": index.backend,
        "settings": index.settings(),
        "measured": dict(index.measured),
    }
    if index.finder is None:
        return entry
    library = index.finder.library
    name = _file_name(side, similarity, library)
    index.finder.write(folder / name)
    return {**entry, "library": library, "file": name, "built_with": _built_with(library, index.settings())}


def _file_name(side: Side, similarity: Similarity, library: str) -> str:
    return f"index.{side}.{similarity}{_SUFFIX[library]}"


def _built_with(library: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {library: _version(library), **settings}


# reading it takes longer than opening a small index
_version = cache(version)


def _open(folder: Path, content: manifest.Manifest) -> Recommender:
    try:
        optional = {entry["file"] for entry in content["indexes"] if "file" in entry}
        with manifest.checked_files(folder, content, optional) as files:
            return _restore(folder, content, files)
    except ArtifactError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OSError, MfrecError) as error:
        raise ArtifactError(f"{folder} is not a whole model: {type(error).__name__} {error}; save it again") from error


def _restore(folder: Path, content: manifest.Manifest, files: Mapping[str, FileIO]) -> Recommender:
    arrays = {name.removesuffix(".npy"): _map(file) for name, file in files.items() if name.endswith(".npy")}
    validate.check_arrays(arrays, content["counts"], content.get("segments", {}))
    factors = Factors(
        arrays["user.factors"],
        arrays["item.factors"],
        Weighting.from_json(content["solver"]),
        Pair(arrays["user.degree"], arrays["item.degree"]),
        Pair(arrays["user.gram"], arrays["item.gram"]),
        _optional(arrays, "same_side_map"),
        _optional(arrays, "same_side"),
        _optional(arrays, "recent"),
    )
    ids = Pair.of(lambda side: IdMap.from_arrays(side, of_side(side, arrays)))
    labels = Pair.of(lambda side: _labels(of_side(side, arrays)))
    return Recommender(
        factors=factors,
        ids=ids,
        adjacency=Pair.of(lambda side: Adjacency(arrays[f"{side}.links_starts"], arrays[f"{side}.links_numbers"])),
        indexes=_indexes(folder, content, factors, arrays, files),
        labels=labels,
        info=content["info"],
        check=Check.from_json(content["check"]) if content.get("check") else None,
        given_map=_optional(arrays, "map"),
        saved_segments=Pair.of(lambda side: _segments(side, content.get("segments", {}), ids, labels, arrays)),
    )


def _segments(
    side: Side, kept: Mapping[str, Any], ids: Pair[IdMap], labels: Pair[StringArray | None], arrays: Arrays
) -> Segmentation | None:
    if side not in kept:
        return None
    told = kept[side]
    own = {name: arrays[f"{side}.segments_{name}"] for name in _OF_SEGMENTS}
    return Segmentation(
        side,
        ids,
        labels,
        arrays[f"{side}.segments"],
        **own,
        stability=float(told["stability"]),
        seed=int(told["seed"]),
        silhouettes={int(n): float(value) for n, value in told["silhouettes"].items()},
    )


def _optional(arrays: Arrays, name: str) -> Pair[Any] | None:
    """Return arrays that older folders have not."""
    return Pair.of(lambda side: arrays[f"{side}.{name}"]) if f"user.{name}" in arrays else None


def _indexes(
    folder: Path, content: manifest.Manifest, factors: Factors, arrays: Arrays, files: Mapping[str, FileIO]
) -> Indexes:
    if content["format_version"] == 1:
        log.warning(
            "%s has format version %s: its indexes are built again from the vectors; save it again to keep them",
            folder / manifest.NAME,
            content["format_version"],
        )
        return build_indexes(factors, factors.same_side, IndexParams.from_json(content["info"].get("index", {})))
    indexes = {
        (entry["target"], entry["similarity"]): _open_index(folder, entry, factors, arrays, files)
        for entry in content["indexes"]
    }
    if set(indexes) != set(INDEX_KEYS):
        raise ArtifactError(f"{folder / manifest.NAME} lists the indexes {sorted(indexes)}: fit again")
    return indexes


def _open_index(
    folder: Path, entry: Mapping[str, Any], factors: Factors, arrays: Arrays, files: Mapping[str, FileIO]
) -> Index:
    side, similarity = entry["target"], entry["similarity"]
    stem = f"index.{side}.{similarity}."
    own = {name.removeprefix(stem): array for name, array in arrays.items() if name.startswith(stem)}
    mapped = similarity == "cosine" and factors.maps is not None
    norms = arrays[f"{side}.same_side_norms" if mapped else f"{side}.norms"]
    candidates = Candidates(factors.vectors(side, similarity), similarity, norms)
    file = _usable_file(folder, entry, files) if "file" in entry else None
    path = None if file is None else _path_of(file)
    try:
        index = BACKENDS[entry["backend"]].restore(candidates, entry["settings"], own, path)
    except BackendError as error:
        raise ArtifactError(f"{folder / entry.get('file', manifest.NAME)}: {error}") from error
    return replace(index, measured=entry["measured"])


def _usable_file(folder: Path, entry: Mapping[str, Any], files: Mapping[str, FileIO]) -> FileIO | None:
    """Return the library's file of an index; None, with a warning, where it has to be built again."""
    name, built_with = entry["file"], entry["built_with"]
    expected = _built_with(entry["library"], entry["settings"])
    stale = [key for key, value in expected.items() if built_with.get(key) != value]
    if name != _file_name(entry["target"], entry["similarity"], entry["library"]):
        raise ArtifactError(f"{folder / manifest.NAME} names {name!r} as an index file: fit again")
    if name not in files:
        log.warning("%s is missing: building it again from the vectors", folder / name)
    elif stale:
        was = ", ".join(f"{key} {built_with.get(key)} (now {expected[key]})" for key in stale)
        log.warning("%s was built with %s: building it again", folder / name, was)
    else:
        return files[name]
    return None


def _map(file: FileIO) -> NDArray[Any]:
    mode: Any = "r" if os.fstat(file.fileno()).st_size > _SMALLEST_MAP else None
    # a plain view: the memmap subclass slows every slice down
    array: NDArray[Any] = np.asarray(np.load(_path_of(file), mmap_mode=mode, allow_pickle=False))
    return array


def _path_of(file: FileIO) -> Path:
    """Return a path of the open file itself, whatever its name now stands for; Linux and macOS have it."""
    # where it shares the position of the open file (not on Linux), reading starts at the beginning
    file.seek(0)
    return Path(f"/dev/fd/{file.fileno()}")


def _labels(arrays: Arrays) -> StringArray | None:
    if "labels_utf8" not in arrays:
        return None
    return StringArray(arrays["labels_utf8"], arrays["labels_offsets"])


def _real(path: str | PathLike[str]) -> Path:
    # a link, such as `current`, stays one: what it points to is replaced
    return Path(realpath(path))
