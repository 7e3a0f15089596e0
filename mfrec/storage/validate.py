"""What a model folder must hold to be whole: types and shapes, counts that agree, ids and adjacency in order."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import SIDES, Pair, Side
from mfrec.errors import ArtifactError
from mfrec.model.factors import Factors
from mfrec.model.ids import IdMap
from mfrec.model.map2d import Points
from mfrec.model.recommender import Recommender

Arrays = dict[str, NDArray[Any]]

LAYOUT: dict[str, tuple[tuple[str, ...], int]] = {
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


def of_side(side: Side, arrays: Arrays) -> Arrays:
    """Return one side's arrays, by their names without the side."""
    return {name.removeprefix(f"{side}."): array for name, array in arrays.items() if name.startswith(f"{side}.")}


def check_arrays(arrays: Arrays) -> None:
    """Refuse arrays of another type or shape than the format says."""
    for side in SIDES:
        for name, array in of_side(side, arrays).items():
            kinds, dimensions = LAYOUT[name]
            if array.dtype.name not in kinds or array.ndim != dimensions or not array.flags.c_contiguous:
                raise ArtifactError(f"{side}.{name}.npy holds {array.dtype} of shape {array.shape}, not {kinds[0]}")


def check_counts(factors: Factors, arrays: Arrays, counts: Mapping[str, int]) -> None:
    """Refuse arrays that are not as long as the manifest says."""
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
        n_ids = len(IdMap.from_arrays(side, of_side(side, arrays)))
        if n_ids != expected[0]:
            raise ArtifactError(f"the folder has {n_ids} {side} ids, the manifest says {expected[0]}")


def check_adjacency(model: Recommender, side: Side) -> None:
    """Refuse an adjacency that is not sorted or points outside the other side."""
    starts, numbers = model.adjacency[side].starts, model.adjacency[side].numbers
    others = len(model.adjacency.item if side == "user" else model.adjacency.user)
    if starts[0] != 0 or starts[-1] != len(numbers) or (np.diff(starts) < 0).any():
        raise ArtifactError(f"{side}.links_starts.npy is not ascending from 0 to {len(numbers)}")
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= others):
        raise ArtifactError(f"{side}.links_numbers.npy points outside 0..{others - 1}")


def check_places(places: Pair[Points] | None, side: Side) -> None:
    """Refuse places outside of the map."""
    # NaN is not within, either
    if places is not None and not (np.abs(places[side]) <= 1).all():
        raise ArtifactError(f"{side}.map.npy has places outside of -1 to 1")


def check_ids(ids: IdMap) -> None:
    """Refuse ids that are not ascending, by which they are found."""
    values: Iterator[Any] = iter(ids)
    previous = next(values, None)
    for value in values:
        if not previous < value:
            raise ArtifactError(f"{ids.side} ids are not ascending: {previous!r} stands before {value!r}")
        previous = value
