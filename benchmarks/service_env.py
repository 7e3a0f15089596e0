"""The small environment: built by the documented script, measured, started and asked.

Usage: python -m benchmarks.service_env [MODEL]      (exits with 1 when a bound does not hold)
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import mfrec
from benchmarks.service_harness import sample_models, serving

ROOT = Path(__file__).parent.parent
MOST_MEGABYTES = 130
MOST_MEMORY = 110
TRAINING = ("scipy", "pandas", "sklearn", "implicit", "faiss", "pip")


def main() -> None:
    """Build, measure, start, ask."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = Path(scratch) / "env"
        subprocess.run([ROOT / ".ci" / "serving-env", environment, sys.executable], check=True)
        size = sum(path.lstat().st_blocks * 512 for path in environment.rglob("*")) / 1e6
        (packages,) = environment.glob("lib/python*/site-packages")
        present = [name for name in TRAINING if (packages / name).exists()]
        model = Path(sys.argv[1]) if len(sys.argv) > 1 else sample_models(Path(scratch), 1)[0]
        key = mfrec.load(model).ids.user.id(0)
        with serving(model, python=str(environment / "bin" / "python")) as service:
            status, body = service.ask(f"/v1/user2item/{key}")
            memory, start = service.rss, service.seconds_to_ready
    answered = status == 200 and len(body["results"]) == 10
    print(
        f"{size:.0f} MB installed, ready after {start:.2f} s, {memory:.0f} MiB, answers: {answered}, beside: {present}"
    )
    raise SystemExit(not (size < MOST_MEGABYTES and memory < MOST_MEMORY and answered and not present))


if __name__ == "__main__":
    main()
