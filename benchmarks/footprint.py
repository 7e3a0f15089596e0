"""What mfrec costs: whole processes in seconds and MiB, on ML-100K and on a large generated model.

Usage: MFREC_DATA_HOME=... python benchmarks/footprint.py [--large]

Every line is one fresh process. ``--large`` fits nothing: it saves random factors of 200,000 users x 60,000
items x 64 with their indexes (a minute or two), then times loading them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOAD_AND_ASK = """
import json, re, sys, time
started = time.perf_counter()
import mfrec
imported = time.perf_counter()
model = mfrec.load(sys.argv[1])
loaded = time.perf_counter()
ids = {side: next(iter(model.ids[side])) for side in ("user", "item")}
for row in mfrec.DIRECTIONS.values():
    model.recommend(row.name, [ids[row.query]])
status = open("/proc/self/status").read()
memory = {name: int(re.search(name + r":\\s+(\\d+)", status)[1]) / 1024 for name in ("VmRSS", "RssAnon", "RssFile")}
print(json.dumps({"import_s": imported - started, "load_s": loaded - imported, **memory}))
"""

MAKE_LARGE = """
import sys
import numpy as np
import mfrec
inter = mfrec.sample(200_000, 60_000, 2_000_000).interactions
rng = np.random.default_rng(0)
def vectors(n):
    lengths = rng.lognormal(0, 0.8, n)[:, None]
    return np.ascontiguousarray(rng.standard_normal((n, 64)) * lengths / 8, np.float32)
factors = mfrec.Factors(vectors(200_000), vectors(60_000))
mfrec.build(inter, factors, mfrec.IndexParams()).save(sys.argv[1])
"""


def timed(*command: str) -> tuple[float, str]:
    """Run a command and return its wall-clock seconds and output."""
    started = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, done.stdout


def best_of(runs: int, *command: str) -> float:
    """Return the median of a few runs."""
    return sorted(timed(*command)[0] for _ in range(runs))[runs // 2]


def show_load(name: str, folder: Path) -> None:
    """Load a folder in a fresh process and print what it cost."""
    size = sum(p.stat().st_size for p in folder.iterdir()) / 2**20
    answer = json.loads(timed(sys.executable, "-c", LOAD_AND_ASK, str(folder))[1])
    shown = ", ".join(f"{k} {v:.3f}" if k.endswith("_s") else f"{k} {v:.0f} MiB" for k, v in answer.items())
    print(f"{name}: folder {size:.0f} MiB, {shown}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    mfrec = str(Path(sys.executable).with_name("mfrec"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "ml-100k"
        print(f"mfrec fit ml-100k: {best_of(5, mfrec, 'fit', 'ml-100k', '--out', str(folder)):.2f} s, whole process")
        ask = best_of(5, mfrec, "recommend", str(folder), "user2item", "42")
        print(f"mfrec recommend: {ask:.2f} s, whole process")
        show_load("ml-100k", folder)
        if options.large:
            large = Path(scratch) / "large"
            print(f"large model made in {timed(sys.executable, '-c', MAKE_LARGE, str(large))[0]:.0f} s")
            show_load("200,000 x 60,000 x 64", large)
    print(f"load average {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
