"""How long an evaluation takes: the metrics at the size of MovieLens 1M, a large sparse catalogue, four directions.

Usage: MFREC_DATA_HOME=... python benchmarks/evaluation_speed.py [--data ml-100k]

The first two are of generated data, full catalogue, every held-out event ranked: 6,040 users x 3,700 items with a
million held-out events, and 30,000 x 40,000 with a tenth of a million. The third is `mfrec.evaluate` of a release
with all baselines, as ``mfrec evaluate`` runs it, without the fit.
"""

import argparse
import logging
import time
from collections.abc import Callable

import numpy as np
from tabulate import tabulate

import mfrec
from mfrec.evaluation import measure
from mfrec.model.factors import Factors

KS = (10, 100)
SIZES = {"MovieLens 1M": (6_040, 3_700, 2_000_000, 0.5), "large and sparse": (30_000, 40_000, 1_000_000, 0.1)}


def generated(n_users: int, n_items: int, count: int, test_fraction: float) -> Callable[[], object]:
    """Return an evaluation of random vectors on random interactions."""
    rng = np.random.default_rng(0)
    ratings = mfrec.sample(n_users, n_items, count).interactions
    train, test = mfrec.splits.random_split(ratings, test_fraction, seed=42)
    user, item = (rng.standard_normal((size, 64), np.float32) for size in train.shape)
    return lambda: measure(Factors(user, item), train, test, KS)


def four_directions(name: str) -> Callable[[], object]:
    """Return an evaluation of the defaults, with all baselines."""
    train, test = mfrec.splits.random_split(mfrec.load_movielens(name), 0.2, seed=42)
    model = mfrec.fit(train)
    return lambda: mfrec.evaluate(model, test, KS, train=train)


def main() -> None:
    """Time each once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k")
    options = parser.parse_args()
    logging.getLogger("mfrec").setLevel(logging.ERROR)
    runs = {f"metrics, {name}: {size[0]:,} x {size[1]:,}": generated(*size) for name, size in SIZES.items()}
    runs[f"four directions and baselines, {options.data}"] = four_directions(options.data)
    rows = []
    for name, run in runs.items():
        began = time.perf_counter()
        run()
        rows.append([name, f"{time.perf_counter() - began:.1f}"])
    print(tabulate(rows, ["evaluation", "seconds"], "github", disable_numparse=True))


if __name__ == "__main__":
    main()
