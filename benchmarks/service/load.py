"""How fast, small and soon ready the service is: one worker, load at rising concurrency.

Needs ``wrk`` (apt-get install wrk). The load generator shares the machine's cores with the service. ``--python`` is
the interpreter of the environment to measure, ``--model`` a saved model.
"""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import mfrec
from benchmarks.service.harness import matched, sample_models, serving
from benchmarks.tools import Figures, command

LUA = """
local ids = {{ {ids} }}
request = function() return wrk.format("GET", "/v1/{direction}/" .. ids[math.random(#ids)] .. "?k=10") end
"""
CONNECTIONS = (1, 8, 32, 128)
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def load(port: int, script: Path, connections: int, seconds: int) -> Figures:
    """Run wrk and return requests/s, the median and 99th percentile in ms, and failures."""
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    out = subprocess.run([*wrk, f"http://127.0.0.1:{port}"], check=True, capture_output=True, text=True).stdout
    times = [matched(rf"{share}%\s+([\d.]+)(us|ms|s)", out) for share in (50, 99)]
    p50, p99 = (round(float(time[1]) * MILLISECONDS[time[2]], 2) for time in times)
    failed = re.findall(r"(?:Non-2xx or 3xx responses:|connect|read|write|timeout) (\d+)", out)
    rate = float(matched(r"Requests/sec:\s+([\d.]+)", out)[1])
    return {"requests_per_second": round(rate), "p50_ms": p50, "p99_ms": p99, "failed": sum(map(int, failed))}


@command
def main(model: str = "", python: str = sys.executable, seconds: int = 5) -> Figures:
    """Measure."""
    if not shutil.which("wrk"):
        sys.exit("needs wrk: apt-get install wrk")
    found: Figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(model) if model else sample_models(Path(scratch), 1)[0]
        ids, starts = mfrec.load(path).ids, []
        for _ in range(5):
            with serving(path, python=python) as service:
                starts.append(service.seconds_to_ready)
        found["seconds_to_ready"] = {"median": statistics.median(starts), "worst": max(starts)}
        script = Path(scratch) / "load.lua"
        with serving(path, python=python) as service:
            found["rss_mib_before"] = service.rss
            for row in mfrec.DIRECTIONS.values():
                known = ", ".join(map(str, list(ids[row.query])[:5000]))
                script.write_text(LUA.format(ids=known, direction=row.name))
                for connections in CONNECTIONS if row.name == "user2item" else (32,):
                    found[f"{row.name}, {connections} connections"] = load(service.port, script, connections, seconds)
            return {**found, "rss_mib_after": service.rss, "tracebacks": service.traces}
