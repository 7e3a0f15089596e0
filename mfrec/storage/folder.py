"""The model folder: `save`, `load` and `verify`. The README specifies the format."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from os import PathLike
from os.path import realpath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Similarity
from mfrec.directions import INDEX_KEYS, SIDES, Pair, Side
from mfrec.errors import ArtifactError, MfrecError
from mfrec.index import BACKENDS, Candidates, Index, IndexParams, build_indexes
from mfrec.model.adjacency import Adjacency
from mfrec.model.factors import Factors
from mfrec.model.ids import IdMap
from mfrec.model.map2d import Points
from mfrec.model.recommender import Recommender
from mfrec.model.string_array import StringArray
from mfrec.model.weighting import Weighting
from mfrec.storage import manifest, validate
from mfrec.storage.atomic import recover, replacing_folder
from mfrec.storage.validate import Arrays, of_side

log = logging.getLogger("mfrec")

# below this a memory map costs more than a copy
_SMALLEST_MAP = 64 * 1024
_TRIES = 10
_SUFFIX = {"annoy": ".ann", "faiss-cpu": ".faiss"}


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
        raise ArtifactError(f"cannot save to {final}: {error.strerror or error}; nothing there was changed") from error


def check_target(path: str | PathLike[str]) -> Path:
    """Return where `save` would write; ArtifactError where something else is, before hours of work end there."""
    final = _real(path)
    if not _replaceable(final):
        raise ArtifactError(f"{final} exists and is not a model folder of mfrec: choose another path")
    return final


def load(path: str | PathLike[str]) -> Recommender:
    """Open a model folder; arrays and indexes are memory-mapped, so that processes share them.

    The size and sha256 of every file are checked first. A missing Annoy file, or one of another annoy
    version, is built again in memory with a warning; that takes as long as the fit's index build.

    Raises
    ------
    ArtifactError
        When the folder is missing, incomplete, corrupted, or of another format version; the message names
        the file.
    """
    folder = _real(path)
    recover(folder)
    failed = None
    for attempt in range(_TRIES):
        before = manifest.which(folder)
        try:
            return _open(folder, manifest.read(folder)[0])
        except _ReplacedError:
            continue
        except ArtifactError as error:
            # a folder that was replaced while it was read is not corrupted: read the new one; and since it may have
            # been replaced twice, by the one that it was, only what fails twice alike is
            found = (before, str(error))
            if attempt + 1 == _TRIES or (manifest.which(folder) == before and failed == found):
                raise
            failed = found
    raise ArtifactError(f"{folder} was replaced {_TRIES} times while it was read: try again")


class _ReplacedError(ArtifactError):
    """A file is another than the one that was checked."""


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
    model = load(folder)
    try:
        model.factors.check_finite()
        for side in SIDES:
            validate.check_adjacency(model, side)
            validate.check_ids(model.ids[side])
            validate.check_places(model.given_map, side)
        for (side, similarity), index in model.indexes.items():
            found = index.search(model.factors[side][0], min(10, len(model.ids[side])))
            if len(found.numbers) != min(10, len(model.ids[side])):
                raise ArtifactError(f"the {side} {similarity} index returns {len(found.numbers)} of 10 candidates")
    except MfrecError as error:
        raise ArtifactError(f"{folder}: {error}") from error
    return manifest.read(folder)[0]


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
    }


def _model_arrays(model: Recommender) -> Arrays:
    arrays: Arrays = {}
    for side in SIDES:
        arrays[f"{side}.factors"] = model.factors[side]
        arrays[f"{side}.norms"] = _norms(model, side)
        arrays[f"{side}.degree"] = model.factors.degree[side]
        arrays[f"{side}.gram"] = model.factors.gram[side]
        arrays[f"{side}.map"] = model.map[side]
        arrays |= {f"{side}.{name}": array for name, array in model.ids[side].arrays().items()}
        arrays[f"{side}.links_starts"] = model.adjacency[side].starts
        arrays[f"{side}.links_numbers"] = model.adjacency[side].numbers
        labels = model.labels[side]
        if labels is not None:
            arrays |= {f"{side}.labels_utf8": labels.blob, f"{side}.labels_offsets": labels.offsets}
    return arrays


def _norms(model: Recommender, side: Side) -> NDArray[np.float32]:
    return next(index.candidates.norms for (target, _), index in model.indexes.items() if target == side)


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
    name = f"{stem}{_SUFFIX[library]}"
    index.finder.write(folder / name)
    return {**entry, "library": library, "file": name, "built_with": _built_with(library, index.settings())}


def _built_with(library: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {library: version(library), **settings}


def _open(folder: Path, content: manifest.Manifest) -> Recommender:
    try:
        optional = {entry["file"] for entry in content["indexes"] if "file" in entry}
        present = manifest.check_files(folder, content, optional)
        arrays = {
            name.removesuffix(".npy"): _map_checked(folder / name, known)
            for name, known in present.items()
            if name.endswith(".npy")
        }
        validate.check_arrays(arrays)
        factors = Factors(
            arrays["user.factors"],
            arrays["item.factors"],
            Weighting.from_json(content["solver"]),
            Pair(arrays["user.degree"], arrays["item.degree"]),
            Pair(arrays["user.gram"], arrays["item.gram"]),
        )
        validate.check_counts(factors, arrays, content["counts"])
        indexes = _indexes(folder, content, factors, arrays, present)
        return Recommender(
            factors=factors,
            ids=Pair.of(lambda side: IdMap.from_arrays(side, of_side(side, arrays))),
            adjacency=Pair.of(lambda side: Adjacency(arrays[f"{side}.links_starts"], arrays[f"{side}.links_numbers"])),
            indexes=indexes,
            labels=Pair.of(lambda side: _labels(of_side(side, arrays))),
            info=content["info"],
            given_map=_places(arrays),
        )
    except ArtifactError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OSError, MfrecError) as error:
        raise ArtifactError(f"{folder} is not a whole model: {type(error).__name__} {error}; save it again") from error


def _indexes(
    folder: Path,
    content: manifest.Manifest,
    factors: Factors,
    arrays: Arrays,
    present: dict[str, manifest.Identity],
) -> dict[tuple[Side, Similarity], Index]:
    if content["format_version"] < manifest.VERSION:
        log.warning(
            "%s has format version %s: its indexes are built again from the vectors; save it again to keep them",
            folder / manifest.NAME,
            content["format_version"],
        )
        return build_indexes(factors, IndexParams.from_json(content["info"].get("index", {})))
    indexes = {
        (entry["target"], entry["similarity"]): _open_index(folder, entry, factors, arrays, present)
        for entry in content["indexes"]
    }
    if set(indexes) != set(INDEX_KEYS):
        raise ArtifactError(f"{folder / manifest.NAME} lists the indexes {sorted(indexes)}: fit again")
    return indexes


def _open_index(
    folder: Path, entry: Mapping[str, Any], factors: Factors, arrays: Arrays, present: dict[str, manifest.Identity]
) -> Index:
    side, similarity, settings = entry["target"], entry["similarity"], entry["settings"]
    row = BACKENDS[entry["backend"]]
    stem = f"index.{side}.{similarity}."
    own = {name.removeprefix(stem): array for name, array in arrays.items() if name.startswith(stem)}
    candidates = Candidates(factors[side], similarity, arrays[f"{side}.norms"])
    path = None
    if "file" in entry:
        expected = _built_with(entry["library"], settings)
        stale = [k for k, v in expected.items() if entry["built_with"].get(k) != v]
        if entry["file"] != f"{stem}{_SUFFIX[entry['library']].removeprefix('.')}":
            raise ArtifactError(f"{folder / manifest.NAME} names {entry['file']!r} as an index file: fit again")
        if entry["file"] not in present:
            log.warning("%s is missing: building it again from the vectors", folder / entry["file"])
        elif stale:
            was = ", ".join(f"{k} {entry['built_with'].get(k)} (now {expected[k]})" for k in stale)
            log.warning("%s was built with %s: building it again", folder / entry["file"], was)
        else:
            path = folder / entry["file"]
    index = row.restore(candidates, settings, own, path)
    if path is not None and manifest.identity(path) != present[path.name]:
        raise _ReplacedError(f"{path} was replaced")
    return replace(index, measured=entry["measured"])


def _map_checked(path: Path, known: manifest.Identity) -> NDArray[Any]:
    """Map a file that must still be the one that was checked."""
    if manifest.identity(path) != known:
        raise _ReplacedError(f"{path} was replaced")
    array = _map(path)
    if manifest.identity(path) != known:
        raise _ReplacedError(f"{path} was replaced")
    return array


def _map(path: Path) -> NDArray[Any]:
    mode: Any = "r" if path.stat().st_size > _SMALLEST_MAP else None
    # a plain view: the memmap subclass slows every slice down
    array: NDArray[Any] = np.asarray(np.load(path, mmap_mode=mode, allow_pickle=False))
    return array


def _places(arrays: Arrays) -> Pair[Points] | None:
    # folders from before the map was kept have none
    return Pair(arrays["user.map"], arrays["item.map"]) if "user.map" in arrays and "item.map" in arrays else None


def _labels(arrays: Arrays) -> StringArray | None:
    if "labels_utf8" not in arrays:
        return None
    return StringArray(arrays["labels_utf8"], arrays["labels_offsets"])


def _replaceable(path: Path) -> bool:
    if not path.exists():
        return True
    if not path.is_dir():
        return False
    return not any(path.iterdir()) or manifest.belongs(path)


def _real(path: str | PathLike[str]) -> Path:
    # a link, such as `current`, stays one: what it points to is replaced
    return Path(realpath(path))
