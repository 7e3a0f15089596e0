"""What each side costs: whole processes one after the other, in turns, so that ratios are of one run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import towers
from benchmarks.protocols import Split
from benchmarks.raw import Json
from benchmarks.two_tower_settings import Settings

# what each side runs: from the split to answers, and from the saved model to answers
SIDES = {
    "mfrec": {"run": ["benchmarks.mfrec_process", "run"], "first": ["benchmarks.mfrec_process", "first"]},
    "two-tower": {"run": ["benchmarks.two_tower", "run"], "first": ["benchmarks.two_tower_first"]},
}
FOUND = ("answers", "missing")
# what pip is asked for on each side; the rest follows from what they require
INSTALLED = {"mfrec": ["mfrec"], "two-tower": ["tensorflow", "tf-keras", "tensorflow-recommenders"]}

# the files of distributions and of all that they require, by pip's own records; run in either environment
SIZE_OF = """
import re, sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
def name_of(text):
    return re.split(r"[^A-Za-z0-9_.-]", text)[0].lower().replace("_", "-")
todo, seen, size = sys.argv[1:], set(), 0
while todo:
    name = name_of(todo.pop())
    if name in seen:
        continue
    try:
        found = distribution(name)
    except PackageNotFoundError:
        continue
    seen.add(name)
    paths = {path.locate() for path in found.files or []}
    size += sum(p.stat().st_size for p in map(Path, paths) if p.is_file())
    todo += [r for r in found.requires or [] if "extra ==" not in r]
print(size / 1e6, len(seen))
"""


def measure(split: Split, settings: Settings, *, queries: int, repeats: int, user: str, title: str) -> Json:
    """Run both sides' whole processes in turns and return every repeat's figures."""
    sides = [side for side in SIDES if side == "mfrec" or towers.missing() is None]
    repeated: list[Json] = []
    with towers.split_file(split) as (path, folder):
        for _ in range(repeats):
            once: Json = {"load_average": os.getloadavg()[0]}
            for side in sides:
                out = folder / side
                more = ["--user", user, "--title", title, "--queries", str(queries)]
                given = ["--settings", settings.text()] if side == "two-tower" else []
                ran = _process(side, "run", out, [str(path), str(out), *more, *given])
                loaded = _process(side, "first", out, [str(out), *more[:4]])
                once[side] = _figures(ran, loaded)
            repeated.append(once)
    # the same in every repeat, and so kept once
    answers, missing = ({side: once[side].pop(name) for once in repeated for side in sides} for name in FOUND)
    return {
        "repeats": repeated,
        "answers": answers,
        "missing": {kind: why for some in missing.values() for kind, why in some.items()},
        "environment": {side: environment(side) for side in sides},
    }


def environment(side: str) -> Json:
    """Return the size of what is installed for a side, with everything it requires."""
    python = Path(sys.executable) if side == "mfrec" else towers.PYTHON
    done = subprocess.run([python, "-c", SIZE_OF, *INSTALLED[side]], capture_output=True, text=True, check=True)
    size, count = done.stdout.split()
    found = {"installed_mb": float(size), "distributions": int(count)}
    if side == "mfrec":
        # the package itself is a link to the checkout here
        package = Path(__file__).parent.parent / "mfrec"
        found["installed_mb"] += sum(f.stat().st_size for f in package.rglob("*.py")) / 1e6
        serving = subprocess.run([python, "-c", SIZE_OF, "numpy", "annoy"], capture_output=True, text=True, check=True)
        found["serving_mb"] = float(serving.stdout.split()[0])
    else:
        whole = python.parent.parent
        found["folder_mb"] = sum(f.lstat().st_size for f in whole.rglob("*") if f.is_file()) / 1e6
    return found


def _process(side: str, command: str, out: Path, arguments: list[str]) -> Json:
    out.mkdir(parents=True, exist_ok=True)
    python = Path(sys.executable) if side == "mfrec" else towers.PYTHON
    spawned = time.time()
    done = subprocess.run(
        [python, "-m", *SIDES[side][command], *arguments],
        cwd=towers.ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(towers.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{side} {command}: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
    found: Json = json.loads((out / f"{command}.json").read_text())
    return found | {"whole_seconds": found["first_answer_at"] - spawned}


def _figures(ran: Json, loaded: Json) -> Json:
    names = ("fit_seconds", "index_seconds", "whole_seconds", "peak_mb", "save_seconds", "saved_mb")
    latency = {kind: {d: _quantiles(s) for d, s in some.items()} for kind, some in ran["latency"].items()}
    return {name: ran[name] for name in names} | {
        "load_seconds": loaded["whole_seconds"],
        "load_peak_mb": loaded["peak_mb"],
        "latency_us": latency,
        "answers": ran["answers"],
        "missing": ran.get("missing", {}),
    }


def _quantiles(seconds: list[float]) -> Json:
    percents = [0, 1, *range(5, 100, 5), 99, 100]
    values = np.percentile(np.array(seconds) * 1e6, percents)
    return {f"p{p}": round(float(v), 2) for p, v in zip(percents, values, strict=True)}
