"""The raw results: one JSON file per thing measured, kept so that a run that was cut short goes on from there."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

Json = dict[str, Any]

LIBRARIES = ("mfrec", "numpy", "scipy", "implicit", "annoy")


def about() -> Json:
    """Say which commit, versions and machine a result is from, and how busy the machine was.

    The tree names the source itself: it stays what it is when commits are rewritten, and ``git log --format='%h %T'``
    finds it.
    """
    return {
        "commit": commit(),
        "tree": _git("rev-parse", "--short=10", "HEAD^{tree}") or "unknown",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "machine": machine(),
        "load_average": os.getloadavg()[0],
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def commit() -> str:
    """Return the commit that is checked out, with a plus sign where tracked source differs from it."""
    head = _git("rev-parse", "--short=10", "HEAD")
    if head is None:
        return "unknown"
    unchanged = _git("diff", "--quiet", "HEAD", "--", ":/mfrec", ":/benchmarks/*.py") is not None
    return head + ("" if unchanged else "+")


def _git(*arguments: str) -> str | None:
    """Return what git prints, or None where it fails or is not there."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()


def machine() -> Json:
    """Describe the machine."""
    model = platform.machine()
    info, memory = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    total = int(memory.read_text().split()[1]) / 1e6 if memory.exists() else 0.0
    return {"cpu": model, "cores": os.cpu_count(), "memory_gb": round(total, 1), "system": platform.system()}


def keep(path: Path, settings: Json, make: Callable[[], Json]) -> Json:
    """Return what the file holds if it was made with the same settings; else make it, write it and say so."""
    wanted = json.loads(json.dumps(settings))
    if path.exists():
        found: Json = json.loads(path.read_text())
        if found.get("wanted") == wanted:
            return found
    began = time.perf_counter()
    header = {"wanted": wanted, "about": about()}
    result = header | make()
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, result)
    print(f"{path.parent.name}/{path.stem}: {time.perf_counter() - began:.1f} s", flush=True)
    return result


def write(path: Path, content: Any) -> None:
    """Write JSON with one value per line, all of it or nothing."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
