"""`recommend_all` against the bare blocked matrix product, in one run.

Vectors are normal with log-normal lengths; what is seen comes from the built-in sample. Nothing is fitted.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

import mfrec
from benchmarks.tools import Figures, command
from mfrec.arrays import Matrix
from mfrec.model.batch import BLOCK_VALUES
from mfrec.model.factors import Factors


def vectors(rng: np.random.Generator, count: int, size: int) -> Matrix:
    """Return normal vectors with log-normal lengths."""
    return (rng.standard_normal((count, size)) * rng.lognormal(0, 0.7, (count, 1))).astype(np.float32)


def bare_product(queries: Matrix, targets: Matrix) -> None:
    """Multiply in blocks as large as those of `recommend_all`, into one buffer."""
    rows = max(1, BLOCK_VALUES // len(targets))
    buffer = np.empty((rows, len(targets)), np.float32)
    for first in range(0, len(queries), rows):
        block = queries[first : first + rows]
        np.matmul(block, targets.T, out=buffer[: len(block)])


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@command
def main(
    users: int = 30_000,
    items: int = 40_000,
    factors: int = 128,
    k: int = 10,
    repeats: int = 3,
    direction: str = "user2item",
) -> Figures:
    """Compare, in turns."""
    interactions = mfrec.sample(users, items, 50 * users, n_genres=40, seed=1).interactions
    rng = np.random.default_rng(0)
    both = Factors(vectors(rng, interactions.shape[0], factors), vectors(rng, interactions.shape[1], factors))
    model = mfrec.build(interactions, both, mfrec.IndexParams(index="exact"))
    query, target = both[mfrec.DIRECTIONS[direction].query], both[mfrec.DIRECTIONS[direction].target]
    bare, ours = [], []
    for _ in range(repeats):
        bare.append(seconds(lambda: bare_product(query, target)))
        ours.append(seconds(lambda: sum(len(block) for block in model.recommend_all(direction, k))))
    ratio = statistics.median(own / other for own, other in zip(ours, bare, strict=True))
    return {"model": str(model), "bare_seconds": bare, "recommend_all_seconds": ours, "median_ratio": ratio}
