"""Compare mfrec's indexes with the libraries that a reader would try instead: recall against time.

One query at a time, on one thread. ``results.json`` is saved after every contender; another run goes on from there,
or forgets it with ``--fresh``. At the end the report, the figures and the table of docs/indexes.md are made from it.
``--vectors`` is a folder with user.npy and item.npy of a real model. ``--quick`` takes the smallest workload and 40
queries, to see that it runs. ``--only`` and ``--skip`` name contenders; the scan always takes part.
"""

# ruff: noqa: E402 - threads have to be limited before numpy is imported

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

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
from benchmarks.retrieval.workloads import FRESH, KS, WORKLOADS, LeftOut, Problem, Vectors, Workload
from benchmarks.tools import command
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


def save(data: dict[str, Any], path: Path) -> None:
    """Replace the results file; one line per contender."""
    parts = [f'"{name}": {json.dumps(data[name])}' for name in data if name != "runs"]
    runs = ",\n".join(f"{json.dumps(key)}: {json.dumps(run)}" for key, run in data["runs"].items())
    beside = path.with_suffix(".part")
    beside.write_text("{" + ",\n".join(parts) + ',\n"runs": {\n' + runs + "\n}}\n")
    beside.replace(path)


def machine() -> dict[str, Any]:
    """Say when, where and with what figures were made."""
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
        "libraries": {name: installed(name) for name in LIBRARIES},
    }


def installed(name: str) -> str:
    """Return the version of a library."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def run(workload: Workload, vectors: Vectors, data: dict[str, Any], names: list[str], queries: int) -> Iterator[str]:
    """Measure what is still missing of one workload; yield a line after every contender."""
    users, dimensions = vectors.user.shape
    size = {"title": workload.title, "users": users, "items": len(vectors.item), "dimensions": dimensions}
    data["left_out"].pop(workload.name, None)
    data["workloads"][workload.name] = size
    for direction in workload.directions:
        place = f"{workload.name}/{direction}"
        missing = [name for name in names if f"{place}/{name}" not in data["runs"]]
        problem = Problem.of(vectors, DIRECTIONS[direction], queries)
        for name in missing:
            started = time.perf_counter()
            scan = {row["k"]: row["us"] for row in data["runs"].get(f"{place}/exact", {}).get("rows", [])}
            with one_core():
                gc.collect()
                found = contend(problem, name, scan, workload.budget)
            seconds = round(time.perf_counter() - started, 1)
            data["runs"][f"{place}/{name}"] = {**found, "seconds": seconds}
            yield f"{place} {name}: {report.told(found)} ({seconds} s)"


@command
def main(
    vectors: str = str(HERE.parents[2] / "shared" / "vectors"),
    out: str = str(HERE),
    fresh: bool = False,
    quick: bool = False,
    queries: int = FRESH,
    only: tuple[str, ...] = (),
    skip: tuple[str, ...] = (),
    workloads: tuple[str, ...] = tuple(workload.name for workload in WORKLOADS),
) -> None:
    """Run every workload and write the report."""
    if quick:
        workloads, queries, out = ("ml-100k",), 40, str(HERE / "quick")
    path = Path(out, "results.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    data: dict[str, Any] = {"sessions": [], "workloads": {}, "left_out": {}, "runs": {}}
    if path.exists() and not fresh and not quick:
        data = json.loads(path.read_text())
    begun = False
    for workload in (workload for workload in WORKLOADS if workload.name in workloads):
        names = [name for name in workload.only or CONTENDERS if name not in skip]
        # the scan is what the others are held against
        names = [name for name in names if not only or name in only or name == "exact"]
        if all(f"{workload.name}/{row}/{name}" in data["runs"] for row in workload.directions for name in names):
            continue
        data["sessions"] += [] if begun else [machine()]
        begun = True
        try:
            loaded = workload.load(Path(vectors))
        except LeftOut as error:
            print(f"{workload.name} is left out: {error}", flush=True)
            data["left_out"][workload.name] = str(error)
            continue
        for line in run(workload, loaded, data, names, queries):
            save(data, path)
            print(line, flush=True)
    save(data, path)
    report.write(data, path.parent)
