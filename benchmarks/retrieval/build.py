"""How long the four indexes take to build beside the fit, and whether BLAS threads get in the way of a query.

Usage: python -m benchmarks.retrieval.build [--queries-only] [SET ...]

Sets are ml-100k, ml-latest-small (from MFREC_DATA_HOME), ``million`` (1,000,000 interactions of 60,000 x 20,000) and
``large`` (vectors of 100,000 x 100,000 x 64). Run it again under load (any program that keeps every core busy): the
hash of the written files must be the same. A query is timed in a process of its own with BLAS as it is installed, and
in one with a single thread.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import mfrec
from mfrec.directions import DIRECTIONS, Pair
from mfrec.index import Indexes, IndexParams, build_indexes
from mfrec.model.factors import Factors

FACTORS = 48


def skewed(n: int, size: int, seed: int) -> np.ndarray:
    """Return clustered vectors of skewed lengths, float32."""
    rng, centres = np.random.default_rng(seed), np.random.default_rng(9).standard_normal((200, size))
    rows = centres[rng.integers(200, size=n)] + 0.7 * rng.standard_normal((n, size))
    return (rows * np.linspace(2, 0.3, size) * rng.lognormal(0, 0.8, (n, 1))).astype(np.float32)


def fitted(interactions: mfrec.Interactions) -> tuple[Pair[np.ndarray], float]:
    """Return fitted factors and the seconds of the fit."""
    started = time.perf_counter()
    factors = mfrec.fit_als(interactions, mfrec.ALSParams(factors=FACTORS, regularization=25.0))
    return factors, time.perf_counter() - started


SETS: dict[str, Callable[[], tuple[Pair[np.ndarray], float]]] = {
    "ml-100k": lambda: fitted(mfrec.load_movielens("ml-100k")),
    "ml-latest-small": lambda: fitted(mfrec.load_movielens("ml-latest-small")),
    "million": lambda: fitted(mfrec.sample(60_000, 20_000, 1_000_000, seed=1).interactions),
    "large": lambda: (Pair(skewed(100_000, 64, 1), skewed(100_000, 64, 2)), float("nan")),
}

QUERY = """
import sys, time, numpy as np
from mfrec.index import Candidates, Index
vectors = np.load(sys.argv[1])
index = Index(Candidates(vectors, "dot"))
times = []
for query in vectors[:300]:
    started = time.perf_counter()
    index.search(query, 10)
    times.append(time.perf_counter() - started)
print(1e6 * float(np.median(times)))
"""


def written(indexes: Indexes) -> str:
    """Return a hash of the files of some indexes."""
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        for key in sorted(indexes):
            finder = indexes[key].finder
            digest.update(repr(indexes[key].settings()).encode())
            if finder is not None:
                path = Path(folder, ".".join(key))
                finder.write(path)
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def build(name: str) -> None:
    """Print the seconds that the indexes of a set take."""
    factors, seconds = SETS[name]()
    started = time.perf_counter()
    with threadpool_limits(1, user_api="blas"):
        same_side = factors.same_side if isinstance(factors, Factors) else factors
        indexes = build_indexes(factors, same_side, IndexParams())
    took = time.perf_counter() - started
    ratio = f", the fit {seconds:.2f} s, ratio {took / seconds:.2f}" if np.isfinite(seconds) else ""
    print(f"{name}: {len(DIRECTIONS)} indexes in {took:.2f} s{ratio}, files {written(indexes)}", flush=True)


def query() -> None:
    """Print what a scan of 40,000 x 128 takes with BLAS as installed, and with one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vectors.npy")
        np.save(path, skewed(40_000, 128, 3))
        for _ in range(3):
            times = []
            for threads in ({}, {"OPENBLAS_NUM_THREADS": "1"}):
                command = [sys.executable, "-c", QUERY, str(path)]
                done = subprocess.run(
                    command, env={**os.environ, **threads}, capture_output=True, text=True, check=True
                )
                times.append(float(done.stdout))
            print(f"query: {times[0]:.0f} us with BLAS as installed, {times[1]:.0f} us with one thread, "
                  f"ratio {times[0] / times[1]:.2f}", flush=True)  # fmt: skip


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--queries-only", action="store_true")
    options = parser.parse_args()
    for name in () if options.queries_only else options.sets or SETS:
        build(name)
    query()


if __name__ == "__main__":
    main()
