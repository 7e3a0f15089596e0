"""Our index against raw Annoy, exact numpy, faiss, hnswlib, usearch, voyager and ScaNN: recall against time.

Usage: python benchmarks/retrieval.py --out benchmarks/retrieval [--quick] [--only NAME ...]

Vectors are those of ALS models fitted on the built-in sample (10 thousand to 1 million candidates) and on
ml-latest-small blown up fourfold with noise. Every index answers the same queries, one at a time, on one
thread, in one run; recall is counted by score threshold. Results go to ``OUT/results.json``; the table and the
plots are made from that file by ``retrieval_report.py``.
"""

# ruff: noqa: E402 - threads have to be limited before numpy is imported

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

# a script finds its own folder, not the one above
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mfrec
from benchmarks.retrieval_contenders import CONTENDERS
from mfrec.arrays import lengths
from mfrec.directions import DIRECTIONS, Direction
from mfrec.index import Candidates

QUERIES = 200


@dataclass(frozen=True)
class Workload:
    """Vectors of one size."""

    name: str
    users: int
    items: int
    interactions: int
    factors: int
    directions: tuple[str, ...]
    slow: bool = False


ALL = tuple(DIRECTIONS)
WORKLOADS = (
    Workload("sample-10k-32", 10_000, 10_000, 400_000, 32, ALL),
    Workload("sample-40k-128", 30_000, 41_000, 1_000_000, 128, ALL),
    Workload("latest-small-x4-128", 0, 0, 0, 128, ALL),
    Workload("sample-100k-64", 100_000, 100_000, 4_000_000, 64, ALL),
    Workload("sample-100k-256", 100_000, 100_000, 4_000_000, 256, ("user2item",)),
    Workload("sample-1m-64", 200_000, 1_000_000, 10_000_000, 64, ("user2item",), slow=True),
)


def vectors(workload: Workload) -> mfrec.Factors:
    """Fit the model of a workload."""
    if workload.name.startswith("latest-small"):
        return _blown_up(workload.factors)
    sizes = (workload.users, workload.items, workload.interactions)
    interactions = mfrec.sample(*sizes, n_genres=60, seed=1).interactions
    params = mfrec.ALSParams(factors=workload.factors, regularization=15.0, alpha=10.0, iterations=6)
    return mfrec.fit_als(interactions, params)


def _blown_up(factors: int) -> mfrec.Factors:
    """Fit ml-latest-small and repeat its vectors with noise, 4 times the items and 50 times the users."""
    params = mfrec.ALSParams(factors=factors, regularization=15.0, alpha=2.0, iterations=10)
    fitted = mfrec.fit_als(mfrec.load_movielens("ml-latest-small"), params)
    rng = np.random.default_rng(0)

    def repeat(matrix: Any, times: int) -> Any:
        big = np.repeat(matrix, times, axis=0)
        noise = rng.standard_normal(big.shape) * lengths(big)[:, None] / np.sqrt(factors)
        return np.ascontiguousarray((big + 0.25 * noise) * rng.lognormal(0, 0.2, (len(big), 1)), np.float32)

    return mfrec.Factors(repeat(fitted.user, 50), repeat(fitted.item, 4))


def queries_of(factors: mfrec.Factors, row: Direction, count: int) -> tuple[Any, Any]:
    """Return query vectors, and on the same side their own numbers."""
    numbers = np.random.default_rng(99).permutation(len(factors[row.query]))[:count]
    return np.ascontiguousarray(factors[row.query][numbers]), None if row.across else numbers


def prepared(candidates: Candidates) -> Any:
    """Return the vectors that an inner-product library is given: unit length for cosine."""
    if candidates.similarity == "dot":
        return np.ascontiguousarray(candidates.vectors)
    return np.divide(candidates.vectors, np.maximum(candidates.norms, 1e-30)[:, None], dtype=np.float32)


def floors_of(base: Any, queries: Any, own: Any, k: int) -> Any:
    """Return the exact k-th score of every query."""
    floors = np.empty(len(queries), np.float32)
    for place, query in enumerate(queries):
        scores = base @ query
        if own is not None:
            scores[own[place]] = -np.inf
        floors[place] = np.partition(scores, len(scores) - k)[len(scores) - k]
    return floors


def measure(
    search: Callable[[Any, int], Any], base: Any, queries: Any, own: Any, k: int, floors: Any
) -> dict[str, float]:
    """Return recall, median and p99 microseconds of one setting; the query itself is asked for and left out."""
    extra = 0 if own is None else 1
    search(queries[0], k + extra)
    times, found = [], []
    for place, query in enumerate(queries):
        started = time.perf_counter_ns()
        numbers = search(query, k + extra)
        times.append((time.perf_counter_ns() - started) / 1000)
        numbers = np.asarray(numbers, np.int64)
        numbers = numbers[numbers >= 0]
        kept = numbers if own is None else numbers[numbers != own[place]][:k]
        slack = 1e-5 * max(1.0, abs(float(floors[place])))
        found.append(np.count_nonzero(base[kept] @ query >= floors[place] - slack) / k)
    return {
        "recall": float(np.mean(found)),
        "median_us": float(np.median(times)),
        "p99_us": float(np.quantile(times, 0.99)),
    }


def run_direction(
    workload: Workload, factors: mfrec.Factors, row: Direction, only: list[str], count: int
) -> Iterator[Any]:
    """Yield one result per contender, setting and k."""
    candidates = Candidates(factors[row.target], row.similarity)
    base = prepared(candidates)
    queries, own = queries_of(factors, row, count)
    floors = {k: floors_of(base, queries, own, k) for k in (10, 100)}
    for name, contender in CONTENDERS.items():
        if (only and name not in only) or (workload.slow and not contender.fast_build):
            continue
        started = time.perf_counter()
        try:
            built = contender.build(factors, row, base)
        except ImportError as error:
            print(f"  {name}: left out, {error}")
            continue
        build_s = time.perf_counter() - started
        for setting, search in built.settings():
            for k in (10, 100):
                result = measure(search, base, queries, own, k, floors[k])
                yield {"workload": workload.name, "direction": row.name, "contender": name, "setting": setting, "k": k,
                       "build_s": build_s, "bytes": built.bytes, **result}  # fmt: skip
                print(f"  {row.name} {name} {setting} k={k}: {result['recall']:.4f} in {result['median_us']:.0f} us")


def machine() -> dict[str, Any]:
    """Say where and with what the figures were made."""
    from importlib.metadata import PackageNotFoundError, version

    libraries = {}
    for name in ("mfrec", "numpy", "annoy", "faiss-cpu", "hnswlib", "usearch", "voyager", "scann"):
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            libraries[name] = "not installed"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    return {
        "commit": commit.strip(),
        "python": platform.python_version(),
        "cpu": _cpu(),
        "load_average": os.getloadavg()[0],
        "libraries": libraries,
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Run every workload and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="the smallest workload, few queries")
    parser.add_argument("--only", nargs="*", default=[], help="contenders")
    parser.add_argument("--workloads", nargs="*", default=[])
    options = parser.parse_args()
    chosen = [w for w in WORKLOADS if not options.workloads or w.name in options.workloads]
    results: list[Any] = []
    sizes: dict[str, Any] = {}
    for workload in chosen[:1] if options.quick else chosen:
        started = time.perf_counter()
        factors = vectors(workload)
        print(f"{workload.name}: {factors!r}, fitted in {time.perf_counter() - started:.0f} s", flush=True)
        sizes[workload.name] = {**asdict(workload), "users": len(factors.user), "items": len(factors.item)}
        for direction in workload.directions:
            count = 40 if options.quick else QUERIES
            results += run_direction(workload, factors, DIRECTIONS[direction], options.only, count)
        _write(options.out, sizes, results)


def _write(folder: Path, sizes: dict[str, Any], results: list[Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": machine(), "workloads": sizes, "results": results}, indent=1)
    (folder / "results.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
