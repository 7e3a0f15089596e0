"""A tail that is scanned in few dimensions: exact, or nearly so, at a fraction of the cost.

Rotated to its principal axes, a factor matrix has most of its weight in the leading dimensions. With ``q1, x1``
the leading parts of query and candidate and ``q2, x2`` the rest, ``q.x <= q1.x1 + |q2| |x2|`` (Cauchy-Schwarz).
Whatever stays below the floor by that bound is out; so is, before that, whatever is too short to reach it.
After Li et al., "FEXIPRO: Fast and Exact Inner Product Retrieval in Recommender Systems" (2017), and Teflioudi
et al., "LEMP" (2015). Since the rests of two vectors hardly ever point the same way, a *slack* below 1 on the
second term loses next to nothing and prunes far more; with slack 1 the answer is provably exact.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.factors import Vector
from mfrec.index.base import RANDOM_READ, ROUNDING, STEP, Candidates, Numbers, Settings
from mfrec.index.ranged import Floor, Probe

# a probe that keeps more of the tail than this costs more than a full scan
MOST_KEPT = 1 / 3


@dataclass(frozen=True, eq=False)
class Sketch:
    """The tail in leading dimensions, longest vector first.

    Parameters
    ----------
    candidates
        All vectors.
    axes
        float32 of shape ``(factors, dims)``: orthonormal leading axes.
    numbers
        The tail's numbers, longest first.
    short
        float32 of shape ``(m,)``: minus the length of each, ascending.
    table
        float32 of shape ``(m, dims + 1)``: coordinates on the axes, then the length of the rest.
    slack
        Part of the Cauchy-Schwarz bound to allow for the rest, above 0 to 1; 1 is a proof.
    """

    candidates: Candidates
    axes: NDArray[np.float32]
    numbers: Numbers
    short: NDArray[np.float32]
    table: NDArray[np.float32]
    slack: float
    kind: str = "sketch"
    library: str | None = None

    def probe(self, query: Vector, k: int, extra: int, floor: Floor) -> Probe | None:
        """Propose all that may reach the floor; None without a floor, or where too much may."""
        if floor.score == -np.inf:
            return None
        # searchsorted is quick only where both types agree
        shortest = np.float32(-floor.least_length())
        long_enough = int(self.short.searchsorted(shortest, "right"))
        probe = np.empty(self.table.shape[1], np.float32)
        leading = np.matmul(query, self.axes, out=probe[:-1])
        probe[-1] = self.slack * math.sqrt(max(floor.length**2 - float(leading @ leading), 0.0))
        bound = self.table[:long_enough] @ probe
        kept = (bound >= floor.score - floor.margin).nonzero()[0]
        if len(kept) > MOST_KEPT * len(self.candidates):
            return None
        work = self.axes.size + bound.size * self.table.shape[1] + len(kept) * len(query) * RANDOM_READ + 4 * STEP
        return Probe(self.numbers[kept], self.slack == 1, work)

    def beyond(self, count: int) -> "Sketch":
        """Return the same without the longest ``count``."""
        return replace(self, numbers=self.numbers[count:], short=self.short[count:], table=self.table[count:])

    def settings(self) -> Settings:
        """Return the dimensions and the slack."""
        return {"dims": self.axes.shape[1], "slack": self.slack}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything but the vectors."""
        return {"axes": self.axes, "numbers": self.numbers, "short": self.short, "table": self.table}

    def write(self, path: Path) -> None:
        """There is no library underneath, hence no file."""


def principal_axes(candidates: Candidates) -> NDArray[np.float32]:
    """Return orthonormal axes, the one with most weight first; float32 of shape ``(factors, factors)``."""
    gram = candidates.vectors.T.astype(np.float64) @ candidates.vectors
    _, axes = np.linalg.eigh(gram)
    # eigenvectors come with either sign: fix it, so that the same vectors give the same bytes
    axes = axes[:, ::-1] * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(axes))])[::-1]
    return np.ascontiguousarray(axes, np.float32)


def build(candidates: Candidates, tail: Numbers, axes: NDArray[np.float32], slack: float) -> Sketch:
    """Sketch the tail, given longest first, on these leading axes."""
    vectors = candidates.vectors[tail]
    leading = vectors @ axes
    squares = candidates.norms[tail].astype(np.float64) ** 2 - np.einsum("ij,ij->i", leading, leading, dtype=np.float64)
    table = np.empty((len(tail), axes.shape[1] + 1), np.float32)
    table[:, :-1] = leading
    # rounding may leave a rest that is a little too short, which would break the proof
    table[:, -1] = np.sqrt(np.maximum(squares, 0)) + ROUNDING * candidates.norms[tail]
    return Sketch(candidates, np.ascontiguousarray(axes), tail, -candidates.norms[tail], table, slack)
