"""The model folder: `save`, `load` and `verify`. The README specifies the format."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from os import PathLike
from os.path import realpath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec import manifest, map2d
from mfrec.atomic import recover, replacing_folder
from mfrec.directions import INDEX_KEYS, SIDES, Pair, Side, Similarity
from mfrec.errors import ArtifactError, MfrecError
from mfrec.factors import Factors
from mfrec.ids import IdMap
from mfrec.index import BACKENDS, Candidates, Index
from mfrec.links import Links
from mfrec.packed import PackedStrings
from mfrec.recommender import Recommender
from mfrec.solver import Solver

log = logging.getLogger("mfrec")

Arrays = dict[str, NDArray[Any]]

# below this a memory map costs more than a copy
_SMALLEST_MAP = 64 * 1024
_TRIES = 10
_LAYOUT: dict[str, tuple[tuple[str, ...], int]] = {
    "factors": (("float32",), 2),
    "gram": (("float32",), 2),
    "norms": (("float32",), 1),
    "degree": (("int64",), 1),
    "map": (("float32",), 2),
    "ids": (("int64",), 1),
    "ids_utf8": (("uint8",), 1),
    "ids_offsets": (("int64",), 1),
    "labels_utf8": (("uint8",), 1),
    "labels_offsets": (("int64",), 1),
    "links_starts": (("int64",), 1),
    "links_numbers": (("int32", "int64"), 1),
}
_SUFFIX = {"annoy": ".ann", "faiss-cpu": ".faiss"}


def save(model: Recommender, path: str | PathLike[str]) -> None:
    """Write a model to a folder, replacing an earlier model there in one atomic step.

    Raises
    ------
    ArtifactError
        When the path is something other than a model folder, or cannot be written (a full disk, no
        permission); whatever was there before is still there.
    """
    final = _real(path)
    if not _replaceable(final):
        raise ArtifactError(f"{final} exists and is not a model folder of mfrec: choose another path")
    try:
        with replacing_folder(final) as folder:
            for name, array in _model_arrays(model).items():
                np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
            indexes = [_save_index(folder, key, index) for key, index in model.indexes.items()]
            manifest.write(folder, {**_describe(model), "indexes": indexes})
    except OSError as error:
        raise ArtifactError(f"cannot save to {final}: {error.strerror or error}; nothing there was changed") from error


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

    Beyond what `load` checks: finite factors, ascending ids, links and places in range, and that every index answers.

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
            _check_links(model, side)
            _check_ids(model.ids[side])
            _check_places(model.factors.given_map, side)
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
            "links": len(model.links.user.numbers),
        },
        "solver": model.factors.solver.to_json(),
        "info": dict(model.info),
    }


def _model_arrays(model: Recommender) -> Arrays:
    arrays: Arrays = {}
    places = map2d.coordinates(model.factors)
    for side in SIDES:
        arrays[f"{side}.factors"] = model.factors[side]
        arrays[f"{side}.norms"] = _norms(model, side)
        arrays[f"{side}.degree"] = model.factors.degree[side]
        arrays[f"{side}.gram"] = model.factors.gram[side]
        arrays[f"{side}.map"] = places[side]
        arrays |= {f"{side}.{name}": array for name, array in model.ids[side].arrays().items()}
        arrays[f"{side}.links_starts"] = model.links[side].starts
        arrays[f"{side}.links_numbers"] = model.links[side].numbers
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
    if index.library is None:
        return entry
    name = f"{stem}{_SUFFIX[index.library]}"
    index.write(folder / name)
    return {**entry, "library": index.library, "file": name, "built_with": _built_with(index.library, index.settings())}


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
        _check_arrays(arrays)
        factors = Factors(
            arrays["user.factors"],
            arrays["item.factors"],
            Solver.from_json(content["solver"]),
            Pair(arrays["user.degree"], arrays["item.degree"]),
            Pair(arrays["user.gram"], arrays["item.gram"]),
            _places(arrays),
        )
        _check_counts(factors, arrays, content["counts"])
        indexes = {
            (entry["target"], entry["similarity"]): _open_index(folder, entry, factors, arrays, present)
            for entry in content["indexes"]
        }
        if set(indexes) != set(INDEX_KEYS):
            raise ArtifactError(f"{folder / manifest.NAME} lists the indexes {sorted(indexes)}: fit again")
        return Recommender(
            factors=factors,
            ids=Pair.of(lambda side: IdMap.from_arrays(side, _of(side, arrays))),
            links=Pair.of(lambda side: Links(arrays[f"{side}.links_starts"], arrays[f"{side}.links_numbers"])),
            indexes=indexes,
            labels=Pair.of(lambda side: _labels(_of(side, arrays))),
            info=content["info"],
        )
    except ArtifactError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OSError, MfrecError) as error:
        raise ArtifactError(f"{folder} is not a whole model: {type(error).__name__} {error}; save it again") from error


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
    index: Any = row.restore(candidates, settings, own, path)
    if path is not None and manifest.identity(path) != present[path.name]:
        raise _ReplacedError(f"{path} was replaced")
    restored: Index = replace(index, measured=entry["measured"])
    return restored


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


def _of(side: Side, arrays: Arrays) -> Arrays:
    return {name.removeprefix(f"{side}."): array for name, array in arrays.items() if name.startswith(f"{side}.")}


def _places(arrays: Arrays) -> Pair[map2d.Points] | None:
    # folders from before the map was kept have none
    return Pair(arrays["user.map"], arrays["item.map"]) if "user.map" in arrays and "item.map" in arrays else None


def _labels(arrays: Arrays) -> PackedStrings | None:
    if "labels_utf8" not in arrays:
        return None
    return PackedStrings(arrays["labels_utf8"], arrays["labels_offsets"])


def _check_arrays(arrays: Arrays) -> None:
    for side in SIDES:
        for name, array in _of(side, arrays).items():
            kinds, dimensions = _LAYOUT[name]
            if array.dtype.name not in kinds or array.ndim != dimensions or not array.flags.c_contiguous:
                raise ArtifactError(f"{side}.{name}.npy holds {array.dtype} of shape {array.shape}, not {kinds[0]}")


def _check_counts(factors: Factors, arrays: Arrays, counts: Mapping[str, int]) -> None:
    for side in SIDES:
        expected = (counts[f"{side}s"], counts["factors"])
        if factors[side].shape != expected:
            raise ArtifactError(f"{side}.factors.npy has shape {factors[side].shape}, the manifest says {expected}")
        starts, numbers = arrays[f"{side}.links_starts"], arrays[f"{side}.links_numbers"]
        if len(starts) != expected[0] + 1 or int(starts[-1]) != len(numbers):
            raise ArtifactError(f"{side}.links_starts.npy is not for {expected[0]} {side}s")
        for name in ("norms", "degree"):
            if len(arrays[f"{side}.{name}"]) != expected[0]:
                raise ArtifactError(f"{side}.{name}.npy is not for {expected[0]} {side}s")
        if f"{side}.map" in arrays and arrays[f"{side}.map"].shape != (expected[0], 2):
            raise ArtifactError(f"{side}.map.npy is not for {expected[0]} {side}s")
        n_ids = len(IdMap.from_arrays(side, _of(side, arrays)))
        if n_ids != expected[0]:
            raise ArtifactError(f"the folder has {n_ids} {side} ids, the manifest says {expected[0]}")


def _check_links(model: Recommender, side: Side) -> None:
    starts, numbers = model.links[side].starts, model.links[side].numbers
    others = len(model.links.item if side == "user" else model.links.user)
    if starts[0] != 0 or starts[-1] != len(numbers) or (np.diff(starts) < 0).any():
        raise ArtifactError(f"{side}.links_starts.npy is not ascending from 0 to {len(numbers)}")
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= others):
        raise ArtifactError(f"{side}.links_numbers.npy points outside 0..{others - 1}")


def _check_places(places: Pair[map2d.Points] | None, side: Side) -> None:
    # NaN is not within, either
    if places is not None and not (np.abs(places[side]) <= 1).all():
        raise ArtifactError(f"{side}.map.npy has places outside of -1 to 1")


def _check_ids(ids: IdMap) -> None:
    values: Iterator[Any] = iter(ids)
    previous = next(values, None)
    for value in values:
        if not previous < value:
            raise ArtifactError(f"{ids.side} ids are not ascending: {previous!r} stands before {value!r}")
        previous = value


def _replaceable(path: Path) -> bool:
    if not path.exists():
        return True
    if not path.is_dir():
        return False
    return not any(path.iterdir()) or manifest.belongs(path)


def _real(path: str | PathLike[str]) -> Path:
    # a link, such as `current`, stays one: what it points to is replaced
    return Path(realpath(path))
