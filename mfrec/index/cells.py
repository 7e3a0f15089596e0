"""A tail in cells: vectors grouped around centres by direction, a few groups scanned per query.

The inverted file of Sivic and Zisserman (2003) with spherical k-means (Dhillon and Modha, 2001). Every cell is
one contiguous block, so that a probe is a handful of small matrix-vector products.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.factors import Matrix, Vector
from mfrec.index.base import STEP, Candidates, Numbers, Settings, near_top
from mfrec.index.ranged import Effort, Floor, Probe, effort_for

ROUNDS = 6
SAMPLE_PER_CELL = 50
BLOCK = 16_384


@dataclass(frozen=True, eq=False)
class Cells:
    """Unit vectors in blocks, one block per cell.

    Parameters
    ----------
    centres
        float32 of shape ``(cells, factors)``, unit length.
    starts
        int64 of shape ``(cells + 1,)``: cell ``c`` is ``vectors[starts[c]:starts[c + 1]]``.
    numbers
        The candidate's number of every row.
    vectors
        float32 of shape ``(n, factors)``, unit length, by cell.
    probes
        How many cells to scan, by k.
    """

    centres: Matrix
    starts: NDArray[np.int64]
    numbers: Numbers
    vectors: Matrix
    probes: Effort
    kind: str = "cells"
    library: str | None = None

    def probe(self, query: Vector, k: int, extra: int, floor: Floor) -> Probe | None:
        """Propose the best of the nearest cells."""
        wanted = effort_for(self.probes, k + extra)
        if wanted >= len(self.centres):
            return None
        near = np.argpartition(self.centres @ query, -wanted)[-wanted:]
        firsts, ends = self.starts[near], self.starts[near + 1]
        blocks = list(zip(firsts.tolist(), ends.tolist(), strict=True))
        scores = np.concatenate([self.vectors[first:end] @ query for first, end in blocks])
        if len(scores) < k + extra:
            return None
        best = near_top(scores, k + extra, 1e-6)
        # from a place among the scores back to a row: add what lies between the blocks
        sizes = ends - firsts
        offsets = np.cumsum(sizes) - sizes
        block = np.searchsorted(offsets, best, "right") - 1
        work = self.centres.size + len(scores) * self.centres.shape[1] + STEP * (6 + wanted / 4)
        return Probe(self.numbers[best - offsets[block] + firsts[block]], False, work)

    def settings(self) -> Settings:
        """Return the number of cells, and how many are scanned."""
        return {"cells": len(self.centres), "probes": [list(step) for step in self.probes]}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return centres, blocks and numbers."""
        return {"centres": self.centres, "starts": self.starts, "numbers": self.numbers, "vectors": self.vectors}

    def write(self, path: Path) -> None:
        """There is no library underneath, hence no file."""


def build(candidates: Candidates, probes: Effort, seed: int) -> Cells:
    """Group all candidates by direction into about ``2 * sqrt(n)`` cells."""
    unit: Matrix = np.divide(candidates.vectors, np.maximum(candidates.norms, 1e-30)[:, None], dtype=np.float32)
    count = max(1, round(2 * np.sqrt(len(unit))))
    centres = _centres(unit, count, seed)
    cell = _nearest(unit, centres)
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(count + 1)).astype(np.int64)
    return Cells(centres, starts, order.astype(np.int64), np.ascontiguousarray(unit[order]), probes)


def _centres(unit: Matrix, count: int, seed: int) -> Matrix:
    rng = np.random.default_rng(seed)
    sample = unit[rng.permutation(len(unit))[: count * SAMPLE_PER_CELL]]
    centres = sample[:count].copy()
    for _ in range(ROUNDS):
        cell = _nearest(sample, centres)
        order = np.argsort(cell, kind="stable")
        present, firsts = np.unique(cell[order], return_index=True)
        # an empty cell keeps its centre: it costs one comparison and harms nothing
        centres[present] = np.add.reduceat(sample[order], firsts, axis=0)
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), np.float32(1e-30))
    return centres


def _nearest(vectors: Matrix, centres: Matrix) -> NDArray[np.int64]:
    nearest = np.empty(len(vectors), np.int64)
    for first in range(0, len(vectors), BLOCK):
        nearest[first : first + BLOCK] = (vectors[first : first + BLOCK] @ centres.T).argmax(axis=1)
    return nearest
