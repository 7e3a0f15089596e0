"""What a model folder must hold to be whole: arrays as the format says, and values in order."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import SIDES, Side, other
from mfrec.errors import ArtifactError
from mfrec.model.ids import IdMap
from mfrec.model.recommender import Recommender
from mfrec.model.segmentation import NONE, Segmentation

Arrays = dict[str, NDArray[Any]]

# dtypes and shape of every array of a side: n is how many users or items there are, None any length
LAYOUT: dict[str, tuple[tuple[str, ...], tuple[int | str | None, ...]]] = {
    "factors": (("float32",), ("n", "factors")),
    "gram": (("float32",), ("factors", "factors")),
    "norms": (("float32",), ("n",)),
    "same_side": (("float32",), ("n", "factors")),
    "same_side_map": (("float32",), ("factors", "factors")),
    "same_side_norms": (("float32",), ("n",)),
    "degree": (("int64",), ("n",)),
    "recent": (("float32",), ("n",)),
    "map": (("float32",), ("n", 2)),
    "ids": (("int64",), ("n",)),
    "ids_utf8": (("uint8",), (None,)),
    "ids_offsets": (("int64",), ("n + 1",)),
    "labels_utf8": (("uint8",), (None,)),
    "labels_offsets": (("int64",), ("n + 1",)),
    "links_starts": (("int64",), ("n + 1",)),
    "links_numbers": (("int32", "int64"), (None,)),
    "segments": (("int32",), ("n",)),
    "segments_distance": (("float32",), ("n",)),
    "segments_centres": (("float32",), ("segments", "factors")),
    "segments_described": (("int64",), ("segments", None)),
    "segments_lifts": (("float32",), ("segments", None)),
}


def of_side(side: Side, arrays: Arrays) -> Arrays:
    """Return one side's arrays, by their names without the side."""
    return {name.removeprefix(f"{side}."): array for name, array in arrays.items() if name.startswith(f"{side}.")}


def check_arrays(arrays: Arrays, counts: Mapping[str, int], segments: Mapping[str, Any]) -> None:
    """Refuse arrays of another type or shape than the format, the counts and the segments of the manifest say."""
    for side in SIDES:
        n = counts[f"{side}s"]
        sizes = {"n": n, "n + 1": n + 1, "factors": counts["factors"]}
        sizes["segments"] = segments.get(side, {}).get("count", 0)
        for name, array in of_side(side, arrays).items():
            dtypes, shape = LAYOUT[name]
            expected = tuple(sizes.get(length, length) for length in shape)  # type: ignore[arg-type]
            fits = len(array.shape) == len(expected) and all(
                length in (None, found) for found, length in zip(array.shape, expected, strict=True)
            )
            if array.dtype.name not in dtypes or not fits or not array.flags.c_contiguous:
                raise ArtifactError(
                    f"{side}.{name}.npy holds {array.dtype} of shape {array.shape}, not {dtypes[0]} of {expected}"
                )
        starts, numbers = arrays[f"{side}.links_starts"], arrays[f"{side}.links_numbers"]
        if starts[-1] != len(numbers):
            raise ArtifactError(f"{side}.links_starts.npy ends at {starts[-1]}, there are {len(numbers)} numbers")


def check_values(model: Recommender) -> None:
    """Refuse factors that are not finite, values that are out of order or out of range, and indexes without answers."""
    model.factors.check_finite()
    for side in SIDES:
        _check_adjacency(model, side)
        _check_ids(model.ids[side])
        recent = model.factors.recent
        if recent is not None and not (np.isfinite(recent[side]) & (recent[side] >= 0)).all():
            raise ArtifactError(f"{side}.recent.npy has values that are not finite or below 0")
        places = model.given_map
        # NaN is not within, either
        if places is not None and not (np.abs(places[side]) <= 1).all():
            raise ArtifactError(f"{side}.map.npy has places outside of -1 to 1")
        found = model.saved_segments[side]
        if found is not None:
            _check_segments(found, model)
    for (side, similarity), index in model.indexes.items():
        k = min(10, len(model.ids[side]))
        count = len(index.search(model.factors.vectors(side, similarity)[0], k).numbers)
        if count != k:
            raise ArtifactError(f"the {side} {similarity} index returns {count} of {k} candidates")


def _check_adjacency(model: Recommender, side: Side) -> None:
    starts, numbers = model.adjacency[side].starts, model.adjacency[side].numbers
    others = len(model.ids[other(side)])
    if starts[0] != 0 or (np.diff(starts) < 0).any():
        raise ArtifactError(f"{side}.links_starts.npy is not ascending from 0 to {len(numbers)}")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= others):
        raise ArtifactError(f"{side}.links_numbers.npy points outside 0..{others - 1}")


def _check_ids(ids: IdMap) -> None:
    values: Iterator[Any] = iter(ids)
    for before, after in pairwise(values):
        if not before < after:
            raise ArtifactError(f"{ids.side} ids are not ascending: {before!r} stands before {after!r}")


def _check_segments(found: Segmentation, model: Recommender) -> None:
    side, count, items = found.side, len(found), len(found.ids.item)
    ranges: dict[str, tuple[NDArray[Any], int]] = {
        "segments": (found.segment, count),
        "segments_described": (found.described, items),
    }
    for name, (numbers, end) in ranges.items():
        if numbers.size and (numbers.min() < NONE or numbers.max() >= end):
            raise ArtifactError(f"{side}.{name}.npy points outside {NONE}..{end - 1}")
    if not (found.sizes > 0).all():
        raise ArtifactError(f"{side}.segments.npy leaves segment {int(np.argmin(found.sizes))} empty")
    if found.lifts.shape != found.described.shape:
        raise ArtifactError(f"{side}.segments_lifts.npy has another shape than {side}.segments_described.npy")
    if not (np.isfinite(found.lifts) & (found.lifts >= 0)).all():
        raise ArtifactError(f"{side}.segments_lifts.npy has values that are not finite or below 0")
    if not found.belongs_to(model.ids[side], model.factors.same_side[side]):
        raise ArtifactError(f"{side}.segments_distance.npy does not hold the distances from the centres")
