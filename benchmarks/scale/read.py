"""How fast tables are read, and how much memory that takes: CSV with string ids, the same quoted, and Parquet.

Each format is read in a process of its own. Memory is what the process grew by at its peak, and is given as a
multiple of what the three columns (user, item, time) take in memory as pyarrow holds them. From 20 million rows on
the exit code is 1 where a format is read too slowly or takes too much.
"""

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

from benchmarks.tools import Figures, command

N_USERS, N_ITEMS = 138_000, 27_000
FORMATS = ("csv", "quoted", "parquet")
# what is asked of so many rows or more
ENOUGH = 20_000_000
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
    rates = {"rows_per_second": round(rows / wall), "rows_per_cpu_second": round(rows / busy)}
    return {**rates, "peak_bytes": _peak() - before}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def read(folder: str = "", rows: int = ENOUGH, formats: tuple[str, ...] = FORMATS) -> Figures:
    """Write the files, and read each in a fresh process."""
    found: Figures = {"rows": rows, "missed": []}
    with tempfile.TemporaryDirectory(dir=folder or None) as scratch:
        size = write(Path(scratch), rows)
        for name in formats:
            alone = [sys.executable, "-m", "benchmarks.scale.read", f"{scratch}/likes.{name}", str(rows)]
            figures = json.loads(subprocess.run(alone, stdout=subprocess.PIPE, text=True, check=True).stdout)
            figures["times_the_columns"] = round(figures["peak_bytes"] / size, 2)
            slow, large = figures["rows_per_second"] < FLOOR[name], figures["times_the_columns"] > MOST_MEMORY
            found[name] = figures
            found["missed"] += [name] * (rows >= ENOUGH and (slow or large))
    return found


main = command(read)

if __name__ == "__main__":
    # the fresh process of one file
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
