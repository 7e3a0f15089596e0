"""How fast, small and soon ready the service is: one worker, load at rising concurrency.

Usage: python -m benchmarks.service_load [MODEL] [--python ENV/bin/python] [--seconds 5]

Needs ``wrk`` (apt-get install wrk). The load generator shares the machine's cores with the service.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import mfrec
from benchmarks.service_harness import matched, sample_models, serving

LUA = """
local ids = {{ {ids} }}
request = function() return wrk.format("GET", "/v1/{direction}/" .. ids[math.random(#ids)] .. "?k=10") end
"""
CONNECTIONS = (1, 8, 32, 128)


def load(port: int, script: Path, connections: int, seconds: int) -> dict[str, float]:
    """Run wrk and return requests/s, the median and 99th percentile in ms, and failures."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    out = subprocess.run([*command, f"http://127.0.0.1:{port}"], check=True, capture_output=True, text=True).stdout

    def milliseconds(share: str) -> float:
        found = matched(rf"{share}%\s+([\d.]+)(us|ms|s)", out)
        return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]

    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    errors = re.findall(r"(?:connect|read|write|timeout) (\d+)", out)
    failed = int(bad[1]) if bad else 0
    return {
        "rate": float(matched(r"Requests/sec:\s+([\d.]+)", out)[1]),
        "p50": milliseconds("50"),
        "p99": milliseconds("99"),
        "failed": failed + sum(map(int, errors)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment to measure")
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("needs wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as scratch:
        path = options.model or sample_models(Path(scratch), 1)[0]
        model = mfrec.load(path)
        starts = []
        for _ in range(5):
            with serving(path, python=options.python) as service:
                starts.append(service.seconds_to_ready)
        print(f"process start to ready: median {statistics.median(starts):.2f} s, worst {max(starts):.2f} s")
        script = Path(scratch) / "load.lua"
        with serving(path, python=options.python) as service:
            print(f"memory before load: {service.rss:.0f} MiB")
            for row in mfrec.DIRECTIONS.values():
                ids = ", ".join(str(key) for key in list(model.ids[row.query])[:5000])
                script.write_text(LUA.format(ids=ids, direction=row.name))
                for connections in CONNECTIONS if row.name == "user2item" else (32,):
                    found = load(service.port, script, connections, options.seconds)
                    print(
                        f"{row.name:10} {connections:4} connections: {found['rate']:6.0f} requests/s, "
                        f"p50 {found['p50']:6.2f} ms, p99 {found['p99']:6.2f} ms, {found['failed']:.0f} failed"
                    )
            print(f"memory after load: {service.rss:.0f} MiB; tracebacks: {service.traces()}")


if __name__ == "__main__":
    main()
