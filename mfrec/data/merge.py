"""One weight per pair of user and item, out of one row each or several."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from mfrec.arrays import Numbers
from mfrec.errors import DataError

# of the weights of a pair's rows, and where each pair begins
Aggregate = Callable[[NDArray[Any], Numbers], NDArray[Any]]


@dataclass(frozen=True)
class Rule:
    """How the weights of a repeated pair become one, and what was done to the pairs, in words."""

    of: Aggregate
    told: str


def _counts(values: NDArray[Any], starts: Numbers) -> NDArray[Any]:
    return np.diff(starts, append=len(values)).astype(np.float64)


AGGREGATES: dict[str, Rule] = {
    "sum": Rule(np.add.reduceat, "were summed"),
    "last": Rule(lambda values, starts: values[np.append(starts[1:], len(values)) - 1], "kept their last weight"),
    "max": Rule(np.maximum.reduceat, "kept their largest weight"),
    "count": Rule(_counts, "were counted"),
    "mean": Rule(lambda values, starts: np.add.reduceat(values, starts) / _counts(values, starts), "were averaged"),
}


@dataclass(frozen=True, eq=False)
class Merged:
    """A matrix with one value per pair, the latest time of each, and how many rows were of a pair already there."""

    matrix: csr_matrix
    times: Numbers | None
    repeated: int


def merge(
    rows: Numbers,
    cols: Numbers,
    weights: NDArray[Any] | None,
    times: Numbers | None,
    shape: tuple[int, int],
    aggregate: str = "sum",
) -> Merged:
    """Sort by row and column, make the weights of repeated pairs one, and keep their latest time.

    Raises
    ------
    DataError
        When a weight leaves float32.
    """
    before = np.argsort(times, kind="stable") if aggregate == "last" and times is not None else None
    order, sorted_cols, bounds = _sorted(rows, cols, shape, before)
    first = np.ones(len(order), bool)
    first[1:] = sorted_cols[1:] != sorted_cols[:-1]
    # a row's first is another pair than the last of the row before, whatever its column
    first[bounds[:-1][np.diff(bounds) > 0]] = True
    starts = np.flatnonzero(first)
    values = np.ones(len(order), np.float32) if weights is None else weights[order]
    repeated = len(order) - len(starts)
    if repeated and weights is None:
        # without weights, rows are what there is to count
        merged = _counts(values, starts) if aggregate in ("sum", "count") else np.ones(len(starts), np.float32)
    elif aggregate == "count":
        merged = _counts(values, starts)
    else:
        merged = AGGREGATES[aggregate].of(values, starts) if repeated else values
    with np.errstate(over="ignore"):
        stored = merged.astype(np.float32)
    if not np.isfinite(stored).all():
        raise DataError(
            f"the weights of a repeated pair add up to {merged[~np.isfinite(stored)][0]:g}, more than float32 holds: "
            "scale the weights, or make them one by another rule than their sum"
        )
    latest = None
    if times is not None:
        latest = np.maximum.reduceat(times[order], starts) if len(starts) else times[:0]
    indptr = np.append(0, np.cumsum(first))[bounds]
    index_type = np.int32 if max(len(starts), *shape) < 2**31 else np.int64
    indices = sorted_cols[starts].astype(index_type)
    matrix = csr_matrix((stored, indices, indptr.astype(index_type)), shape=shape)
    matrix.has_sorted_indices = True
    return Merged(matrix, latest, repeated)


def _sorted(
    rows: Numbers, cols: Numbers, shape: tuple[int, int], before: Numbers | None
) -> tuple[Numbers, NDArray[Any], NDArray[Any]]:
    """Return the order by row, column and place (or ``before``), the columns in it, and where each row begins.

    Two changes of a sparse format are two stable counting sorts, several times as fast as a comparison sort.
    """
    places = np.arange(len(rows)) if before is None else before
    if before is not None:
        rows, cols = rows[before], cols[before]
    by_column = coo_matrix((places, (cols, rows)), shape=shape[::-1])
    # nothing may be summed: the values are places
    by_column.has_canonical_format = True
    by_row = by_column.tocsr().tocsc()
    return by_row.data, by_row.indices, by_row.indptr
