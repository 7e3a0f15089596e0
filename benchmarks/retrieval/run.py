"""Compare mfrec's indexes with the libraries that a reader would try instead: recall against time.

Usage: python -m benchmarks.retrieval.run [--vectors FOLDER] [--fresh] [--quick] [--only NAME ...] [--skip NAME ...]

One query at a time, on one thread. ``results.json`` is saved after every contender; another run goes on from there.
At the end the report, the figures and the README's table are made from it.
"""

# ruff: noqa: E402 - threads have to be limited before numpy is imported

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import gc
import json
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.retrieval import report
from benchmarks.retrieval.contenders import CONTENDERS, Built
from benchmarks.retrieval.workloads import FRESH, KS, WORKLOADS, LeftOut, Problem, Workload
from mfrec.directions import DIRECTIONS
from mfrec.errors import BackendError

HERE = Path(__file__).parent
LIBRARIES = ("numpy", "annoy", "implicit", "faiss-cpu", "hnswlib", "usearch", "voyager", "scann", "lorann")
# a setting with this recall needs no further one
ENOUGH = 0.999


@contextmanager
def one_core() -> Iterator[None]:
    """Keep threads that a library starts without being asked on one core, where the system can."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
    if cores:
        os.sched_setaffinity(0, {max(cores)})
    yield
    if cores:
        os.sched_setaffinity(0, cores)


def climb(problem: Problem, built: Built, scan: dict[int, float], until: float) -> Iterator[dict[str, Any]]:
    """Measure setting after setting, for each k until its recall is enough or a scan is much faster."""
    left = list(KS)
    for setting, search in built.settings:
        for k in tuple(left):
            found = problem.measure(search, k, k + (0 if built.excludes else problem.extra))
            yield {"setting": setting, "k": k, **found, "build_s": built.seconds, "bytes": built.bytes}
            if found["recall"] >= ENOUGH or found["us"] > report.SLOW * scan.get(k, float("inf")):
                left.remove(k)
        if not left or time.perf_counter() > until:
            return


def contend(problem: Problem, name: str, scan: dict[int, float], budget: float) -> dict[str, Any]:
    """Return what is worth keeping of one contender, or why it is left out."""
    until = time.perf_counter() + budget
    rows: list[dict[str, Any]] = []
    try:
        for built in CONTENDERS[name](problem):
            # whatever is built gets time to be tried
            rows += climb(problem, built, scan, time.perf_counter() + budget)
            # a further build takes about as long as the one before
            if time.perf_counter() + built.seconds > until:
                break
    except (ImportError, BackendError, LeftOut) as error:
        return {"left_out": str(error)}
    except RuntimeError as error:
        # some libraries refuse a setting; what came before counts
        return {"rows": worth_keeping(rows), "stopped": str(error)} if rows else {"left_out": str(error)}
    return {"rows": worth_keeping(rows)}


def worth_keeping(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what no other setting beats in both recall and time, mfrec's default, and the slowest setting."""
    kept = []
    for k in KS:
        found = report.of(rows, k)
        slowest = max(found, key=lambda row: float(row["us"]), default=None)
        front = report.front(found)
        kept += [row for row in found if row in front or row is slowest or row["setting"] == report.DEFAULT]
    return kept


class Results:
    """The one file with everything that was measured."""

    def __init__(self, path: Path, fresh: bool) -> None:
        empty: dict[str, Any] = {"sessions": [], "workloads": {}, "left_out": {}, "runs": {}}
        self.path, self.begun = path, False
        self.data = empty if fresh or not path.exists() else json.loads(path.read_text())

    def save(self) -> None:
        """Replace the file; one line per contender."""
        parts = [f'"{name}": {json.dumps(self.data[name])}' for name in self.data if name != "runs"]
        runs = ",\n".join(f"{json.dumps(key)}: {json.dumps(run)}" for key, run in self.data["runs"].items())
        beside = self.path.with_suffix(".part")
        beside.write_text("{" + ",\n".join(parts) + ',\n"runs": {\n' + runs + "\n}}\n")
        beside.replace(self.path)

    def scan(self, place: str) -> dict[int, float]:
        """Return what the scan took in one direction, for each k."""
        rows = self.data["runs"].get(f"{place}/exact", {}).get("rows", [])
        return {row["k"]: row["us"] for row in rows}


def machine() -> dict[str, Any]:
    """Say when, where and with what figures were made."""
    libraries = {}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            libraries[name] = "not installed"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.strip(),
        "python": platform.python_version(),
        "cpu": cpu,
        "load_average": round(os.getloadavg()[0], 2),
        "libraries": libraries,
    }


def run(workload: Workload, results: Results, options: argparse.Namespace) -> None:
    """Run what is still missing of one workload."""
    names = [name for name in workload.only or CONTENDERS if name not in options.skip]
    # the scan is what the others are held against
    names = [name for name in names if not options.only or name in options.only or name == "exact"]
    places = {f"{workload.name}/{direction}": direction for direction in workload.directions}
    missing = [place for place in places if any(f"{place}/{name}" not in results.data["runs"] for name in names)]
    if not missing:
        return
    if not results.begun:
        results.data["sessions"].append(machine())
        results.begun = True
    started = time.perf_counter()
    try:
        vectors = workload.load(options.vectors)
    except LeftOut as error:
        print(f"{workload.name} is left out: {error}", flush=True)
        results.data["left_out"][workload.name] = str(error)
        return
    users, dimensions = vectors.user.shape
    results.data["left_out"].pop(workload.name, None)
    results.data["workloads"][workload.name] = {
        "title": workload.title, "users": users, "items": len(vectors.item), "dimensions": dimensions,
    }  # fmt: skip
    print(f"{workload.name}: {users:,} users x {len(vectors.item):,} items x {dimensions}, "
          f"{time.perf_counter() - started:.0f} s", flush=True)  # fmt: skip
    for place in missing:
        problem = Problem.of(vectors, DIRECTIONS[places[place]], options.queries)
        for name in names:
            if f"{place}/{name}" in results.data["runs"]:
                continue
            started = time.perf_counter()
            with one_core():
                gc.collect()
                found = contend(problem, name, results.scan(place), workload.budget)
            results.data["runs"][f"{place}/{name}"] = {**found, "seconds": round(time.perf_counter() - started, 1)}
            results.save()
            print(f"  {place} {name}: {report.told(found)} ({time.perf_counter() - started:.1f} s)", flush=True)


def main() -> None:
    """Run every workload and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, default=HERE.parents[2] / "shared" / "vectors",
                        help="folder with user.npy and item.npy of a real model")  # fmt: skip
    parser.add_argument("--out", type=Path, default=HERE, help="folder of results.json and the report")
    parser.add_argument("--fresh", action="store_true", help="forget the results that are there")
    parser.add_argument(
        "--quick", action="store_true", help="the smallest workload and 40 queries, to see that it runs"
    )
    parser.add_argument("--queries", type=int, default=FRESH, help="fresh queries per direction")
    parser.add_argument("--only", nargs="*", default=[], metavar="CONTENDER", help="these, and the scan")
    parser.add_argument("--skip", nargs="*", default=[], metavar="CONTENDER")
    parser.add_argument("--workloads", nargs="*", default=[w.name for w in WORKLOADS], metavar="WORKLOAD")
    options = parser.parse_args()
    if options.quick:
        options.workloads, options.queries = ["ml-100k"], 40
        options.out = HERE / "quick" if options.out == HERE else options.out
    options.out.mkdir(parents=True, exist_ok=True)
    results = Results(options.out / "results.json", options.fresh or options.quick)
    for workload in WORKLOADS:
        if workload.name in options.workloads:
            run(workload, results, options)
    results.save()
    report.write(results.data, options.out)


if __name__ == "__main__":
    main()
