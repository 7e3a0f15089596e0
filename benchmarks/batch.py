"""`recommend_all` against the bare blocked matrix product, in one run.

Usage: python benchmarks/batch.py [--users 30000] [--items 40000] [--factors 128] [-k 10] [--repeats 3]

Vectors are normal with log-normal lengths; what is seen comes from the built-in sample. Nothing is fitted.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

import mfrec
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


def main() -> None:
    """Compare, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=30_000)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--factors", type=int, default=128)
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--direction", default="user2item", choices=list(mfrec.DIRECTIONS))
    options = parser.parse_args()
    interactions = mfrec.sample(options.users, options.items, 50 * options.users, n_genres=40, seed=1).interactions
    rng = np.random.default_rng(0)
    n_users, n_items = interactions.shape
    factors = Factors(vectors(rng, n_users, options.factors), vectors(rng, n_items, options.factors))
    model = mfrec.build(interactions, factors, mfrec.IndexParams(index="exact"))
    direction = mfrec.DIRECTIONS[options.direction]
    print(f"{model}, {options.direction}, k {options.k}")
    pairs = []
    for _ in range(options.repeats):
        bare = seconds(lambda: bare_product(factors[direction.query], factors[direction.target]))
        ours = seconds(lambda: sum(len(block) for block in model.recommend_all(options.direction, options.k)))
        pairs.append((ours / bare, ours, bare))
        print(f"bare product {bare:.2f} s, recommend_all {ours:.2f} s: {ours / bare:.2f}x", flush=True)
    print(f"median ratio: {sorted(pairs)[len(pairs) // 2][0]:.2f}")


if __name__ == "__main__":
    main()
