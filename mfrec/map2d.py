"""A map of users and items: two principal components of their directions, for people to look at."""

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import SIDES, Pair
from mfrec.factors import Factors, Matrix
from mfrec.index.base import lengths

_BLOCK = 65_536

Points = NDArray[np.float32]


def coordinates(factors: Factors) -> Pair[Points]:
    """Place both sides in one plane.

    Vectors are scaled to length 1 first: the length of a factor vector mostly tells how well linked it is,
    and would put everything popular far out. Both sides share one plane and one centre, each side with the
    same weight however many it has, so that a user stands near the items they like.

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
    return Pair.of(lambda side: (placed[side] / np.float32(reach)).astype(np.float32))


def _moments(matrix: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the mean outer product of the rows' directions, block by block."""
    size = matrix.shape[1]
    first, second = np.zeros(size), np.zeros((size, size))
    for start in range(0, len(matrix), _BLOCK):
        rows = _directions(matrix[start : start + _BLOCK])
        first += rows.sum(axis=0)
        second += rows.T @ rows
    count = max(1, len(matrix))
    return first / count, second / count


def _axes(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, :2]
    # an eigenvector's sign is arbitrary: its largest component shall be positive on every machine
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return vectors if vectors.shape[1] == 2 else np.column_stack([vectors, np.zeros(len(vectors))])


def _project(matrix: Matrix, mean: NDArray[np.float64], axes: NDArray[np.float64]) -> Points:
    points = np.zeros((len(matrix), 2), np.float32)
    for start in range(0, len(matrix), _BLOCK):
        rows = _directions(matrix[start : start + _BLOCK])
        points[start : start + _BLOCK] = (rows - mean) @ axes
    return points


def _directions(rows: Matrix) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    return np.divide(wide, lengths(rows)[:, None], out=np.zeros_like(wide), where=lengths(rows)[:, None] > 0)
