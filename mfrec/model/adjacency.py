"""`Adjacency`: what each user or item has interacted with, as two flat arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import NOTHING, Numbers


@dataclass(frozen=True, eq=False)
class Adjacency:
    """Rows of sorted numbers on the other side, in the layout of a CSR matrix.

    Parameters
    ----------
    starts
        int64 array of ``n + 1`` positions: row ``i`` is ``numbers[starts[i]:starts[i + 1]]``.
    numbers
        int32 or int64 array, ascending and distinct within a row.
    """

    starts: Numbers
    numbers: NDArray[np.integer]

    @classmethod
    def from_csr(cls, indptr: NDArray[np.integer], indices: NDArray[np.integer]) -> "Adjacency":
        """Take over the arrays of a CSR matrix whose indices are sorted; what the matrix stores does not matter."""
        return cls(indptr.astype(np.int64, copy=False), indices)

    @classmethod
    def empty(cls, count: int) -> "Adjacency":
        """Return so many rows without anything in them."""
        return cls(np.zeros(count + 1, np.int64), NOTHING)

    def take(self, numbers: Numbers) -> "Adjacency":
        """Return some of the rows, in the order asked for."""
        sizes = self.degree[numbers]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        places = np.arange(starts[-1]) + np.repeat(self.starts[numbers] - starts[:-1], sizes)
        return Adjacency(starts, self.numbers[places])

    @property
    def degree(self) -> Numbers:
        """How many interactions each row has."""
        return np.diff(self.starts)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.starts) - 1

    def of(self, number: int) -> Numbers:
        """Return what ``number`` has interacted with, ascending."""
        return self.numbers[self.starts[number] : self.starts[number + 1]].astype(np.int64)
