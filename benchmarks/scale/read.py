"""How fast tables are read, and how much memory that takes: CSV with string ids, the same quoted, and Parquet.

Usage: python -m benchmarks.scale.read [--rows 20000000] [--folder FOLDER] [--formats csv quoted parquet] [--json]

Each format is read in a process of its own. Memory is what the process grew by at its peak, and is given as a
multiple of what the three columns (user, item, time) take in memory as pyarrow holds them.
"""

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

N_USERS, N_ITEMS = 138_000, 27_000
FORMATS = ("csv", "quoted", "parquet")
# at 20 million rows
FLOOR = {"csv": 500_000, "quoted": 0, "parquet": 1_500_000}
MOST_MEMORY = 6.0


def write(folder: Path, rows: int, seed: int = 0) -> int:
    """Write a table in every format; return the bytes of its three columns in memory."""
    rng = np.random.default_rng(seed)
    users = pa.array([f"u{number:07d}" for number in rng.permutation(N_USERS)])
    items = pa.array([f"i{number:06d}" for number in rng.permutation(N_ITEMS)])
    columns = {
        "user": users.take(pa.array(rng.choice(N_USERS, rows, p=_skewed(N_USERS)))),
        "item": items.take(pa.array(rng.choice(N_ITEMS, rows, p=_skewed(N_ITEMS)))),
        "time": pa.array(1_500_000_000 + rng.integers(10**8, size=rows)),
    }
    table = pa.table(columns)
    pyarrow.parquet.write_table(table, folder / "likes.parquet")
    for name, style in (("csv", "none"), ("quoted", "needed")):
        options = pyarrow.csv.WriteOptions(quoting_style=style)
        pyarrow.csv.write_csv(table, folder / f"likes.{name}", options)
    return int(table.nbytes)


def _skewed(count: int) -> Any:
    share = (np.arange(count) + 5.0) ** -0.75
    return share / share.sum()


def measure(path: Path, rows: int) -> dict[str, float]:
    """Read a file in this process."""
    from mfrec.data.interactions import Interactions

    logging.disable(logging.WARNING)
    before = _peak()
    wall, busy = time.perf_counter(), time.process_time()
    found = Interactions.read(path, time="time")
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    # without weights every row counts 1
    if int(found.weights.sum(dtype=np.float64)) != rows:
        raise SystemExit(f"{path}: {rows} rows were written, {found.weights.sum(dtype=np.float64):.0f} were read")
    return {"rows_per_second": rows / wall, "rows_per_cpu_second": rows / busy, "peak_bytes": float(_peak() - before)}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(folder: Path, rows: int, formats: list[str]) -> dict[str, dict[str, float]]:
    """Write the files, and read each in a fresh process."""
    size = write(folder, rows)
    found = {}
    for name in formats:
        command = [sys.executable, "-m", "benchmarks.scale.read", "--one", str(folder / f"likes.{name}")]
        done = subprocess.run([*command, "--rows", str(rows)], stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(done.stdout)
        found[name]["times_the_columns"] = found[name]["peak_bytes"] / size
    return found


def main(args: list[str] | None = None) -> None:
    """Print a line per format; end with 1 where 20 million rows or more are read too slowly, or take too much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(args)
    if options.one is not None:
        print(json.dumps(measure(options.one, options.rows)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = run(Path(folder), options.rows, options.formats)
    if options.json:
        print(json.dumps(found, indent=2))
    missed = False
    for name, figures in found.items():
        slow = options.rows >= 20_000_000 and figures["rows_per_second"] < FLOOR[name]
        large = options.rows >= 20_000_000 and figures["times_the_columns"] > MOST_MEMORY
        missed = missed or slow or large
        if not options.json:
            print(
                f"{name:8} {figures['rows_per_second']:>12,.0f} rows/s ({figures['rows_per_cpu_second']:,.0f} per CPU "
                f"second), {figures['peak_bytes'] / 1e6:,.0f} MB at the peak: "
                f"{figures['times_the_columns']:.1f} times the columns"
            )
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
