"""A map of users and items: two principal components of their directions, for people to look at."""

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Matrix, Values, unit_rows
from mfrec.directions import SIDES, Pair
from mfrec.model.factors import Factors

# values that are widened to float64 at a time: what a map needs beside its own two columns
_BLOCK = 1 << 19
# rows per side that the plane is found from: more would not turn it by what an eye could see
SAMPLE = 100_000

Points = NDArray[np.float32]


def coordinates(factors: Factors) -> Pair[Points]:
    """Place both sides in one plane.

    Vectors are scaled to length 1 first: the length of a factor vector mostly tells how many interactions it has,
    and would put everything popular far out. Both sides share one plane and one centre, each side with the
    same weight however many it has, so that a user stands near the items they like. What has no direction,
    a vector of zeros or one that is not finite, counts as zeros.

    The plane is found from at most `SAMPLE` rows per side, evenly spaced: less work than one iteration of the
    fit took. Every row is then read once.

    Parameters
    ----------
    factors
        Of a fitted model.

    Returns
    -------
    Pair
        float32 of shape ``(n, 2)`` per side, by number, within -1 and 1. The same factors give the same map.
    """
    moments = [_moments(factors[side]) for side in SIDES]
    mean = np.mean([m for m, _ in moments], axis=0)
    second = np.mean([s for _, s in moments], axis=0)
    axes = _axes(second - np.outer(mean, mean))
    placed = Pair.of(lambda side: _project(factors[side], mean, axes))
    reach = max((float(np.abs(points).max()) for points in placed if len(points)), default=0.0) or 1.0
    return Pair.of(lambda side: placed[side] / np.float32(reach))


def _moments(matrix: Matrix) -> tuple[Values, Values]:
    """Return the mean and the mean outer product of the rows' directions, from a sample of them."""
    sampled = matrix[:: -(-len(matrix) // SAMPLE) or 1]
    size = matrix.shape[1]
    first, second, step = np.zeros(size), np.zeros((size, size)), _rows(size)
    for start in range(0, len(sampled), step):
        rows = _directions(sampled[start : start + step])
        first += rows.sum(axis=0)
        second += rows.T @ rows
    count = max(1, len(sampled))
    return first / count, second / count


def _axes(covariance: Values) -> Values:
    vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, :2]
    # an eigenvector's sign is arbitrary: its largest component shall be positive on every machine
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return vectors if vectors.shape[1] == 2 else np.column_stack([vectors, np.zeros(len(vectors))])


def _project(matrix: Matrix, mean: Values, axes: Values) -> Points:
    points, step = np.zeros((len(matrix), 2), np.float32), _rows(matrix.shape[1])
    for start in range(0, len(matrix), step):
        points[start : start + step] = (_directions(matrix[start : start + step]) - mean) @ axes
    return points


def _directions(rows: Matrix) -> Values:
    """Return rows at length 1, float64; one that is not finite counts as zeros."""
    finite = np.isfinite(rows).all(axis=1, keepdims=True)
    return unit_rows(np.where(finite, rows, np.float32(0))).astype(np.float64)


def _rows(size: int) -> int:
    return max(1, _BLOCK // max(1, size))
