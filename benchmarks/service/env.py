"""The small environment: built by the documented script, measured, started and asked."""

import subprocess
import sys
import tempfile
from pathlib import Path

import mfrec
from benchmarks.service.harness import sample_models, serving
from benchmarks.tools import ROOT, Figures, command

MOST_MEGABYTES, MOST_MEMORY = 130, 110
TRAINING = ("scipy", "pandas", "sklearn", "implicit", "faiss", "pip")


@command
def main(model: str = "") -> Figures:
    """Build, measure, start, ask."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = Path(scratch) / "env"
        subprocess.run([ROOT / ".ci" / "serving-env", environment, sys.executable], check=True)
        size = sum(path.lstat().st_blocks * 512 for path in environment.rglob("*")) / 1e6
        (packages,) = environment.glob("lib/python*/site-packages")
        path = Path(model) if model else sample_models(Path(scratch), 1)[0]
        key = mfrec.load(path).ids.user.id(0)
        with serving(path, python=str(environment / "bin" / "python")) as service:
            status, body = service.ask(f"/v1/user2item/{key}")
            memory, seconds = service.rss, service.seconds_to_ready
    held = {
        f"at most {MOST_MEGABYTES} MB": size < MOST_MEGABYTES,
        f"at most {MOST_MEMORY} MiB resident": memory < MOST_MEMORY,
        "ten answers": status == 200 and len(body["results"]) == 10,
        "nothing of training": not any((packages / name).exists() for name in TRAINING),
    }
    missed = [what for what, holds in held.items() if not holds]
    return {"installed_mb": round(size), "seconds_to_ready": seconds, "rss_mib": memory, "missed": missed}
