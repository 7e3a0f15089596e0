"""What each side costs: whole processes one after the other, in turns, so that ratios are of one run."""

import os
import subprocess
from pathlib import Path

import numpy as np

import mfrec
from benchmarks.two_tower import towers
from benchmarks.two_tower.exchange import Settings, size_mb
from benchmarks.two_tower.results import Json
from benchmarks.two_tower.splits import Split

# what pip is asked for on each side; the rest follows from what they require
INSTALLED = {"mfrec": ["mfrec"], "two-tower": ["tensorflow", "tf-keras", "tensorflow-recommenders"]}
FIGURES = ("fit_seconds", "index_seconds", "peak_mb", "save_seconds", "saved_mb")

# the files of distributions and of all that they require, by pip's own records; run in either environment
SIZE_OF = """
import re, sys
from importlib import metadata
todo, seen, size = sys.argv[1:], set(), 0
while todo:
    name = re.split(r"[^A-Za-z0-9_.-]", todo.pop())[0].lower().replace("_", "-")
    if name not in seen:
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        seen.add(name)
        paths = {path.locate() for path in found.files or []}
        size += sum(path.stat().st_size for path in paths if path.is_file())
        todo += [r for r in found.requires or [] if "extra ==" not in r]
print(size / 1e6, len(seen))
"""


def measure(split: Split, settings: Settings, *, queries: int, repeats: int, user: str, title: str) -> Json:
    """Run both sides' whole processes in turns and return every repeat's figures."""
    sides = [side for side in towers.SIDES if side == "mfrec" or towers.missing() is None]
    result: Json = {"repeats": [], "answers": {}, "missing": {}}
    asked = ["--user", user, "--title", title]
    with towers.split_file(split) as (path, folder):
        for _ in range(repeats):
            once: Json = {"load_average": os.getloadavg()[0]}
            for side in sides:
                out = folder / side
                given = ["--settings", settings.text()] if side == "two-tower" else []
                timed = ["--queries", str(queries), *given]
                ran = towers.process(side, "run", out, str(path), str(out), *asked, *timed)
                loaded = towers.process(side, "first", out, str(out), *asked)
                once[side] = _figures(ran, loaded)
                # the same in every repeat, and so kept once
                result["answers"][side] = ran["answers"]
                result["missing"] |= ran.get("missing", {})
            result["repeats"].append(once)
    return result | {"environment": {side: environment(side) for side in sides}}


def environment(side: str) -> Json:
    """Return the size of what is installed for a side, with everything it requires."""
    python, _ = towers.SIDES[side]
    size, count = _installed(python, *INSTALLED[side])
    found = {"installed_mb": size, "distributions": count}
    if side == "mfrec":
        # the package itself is a link to the checkout here
        sources = Path(mfrec.__file__).parent.rglob("*.py")
        found["installed_mb"] += sum(file.stat().st_size for file in sources) / 1e6
        found["serving_mb"], _ = _installed(python, "numpy", "annoy")
    else:
        found["folder_mb"] = size_mb(python.parent.parent)
    return found


def _installed(python: Path, *names: str) -> tuple[float, int]:
    done = subprocess.run([python, "-c", SIZE_OF, *names], capture_output=True, text=True, check=True)
    size, count = done.stdout.split()
    return float(size), int(count)


def _figures(ran: Json, loaded: Json) -> Json:
    latency = {index: {d: _quantiles(s) for d, s in some.items()} for index, some in ran["latency"].items()}
    return {name: ran[name] for name in FIGURES} | {
        "whole_seconds": ran["first_answer_at"] - ran["spawned_at"],
        "load_seconds": loaded["first_answer_at"] - loaded["spawned_at"],
        "load_peak_mb": loaded["peak_mb"],
        "latency_us": latency,
    }


def _quantiles(seconds: list[float]) -> Json:
    percents = [0, 1, *range(5, 100, 5), 99, 100]
    values = np.percentile(np.array(seconds) * 1e6, percents)
    return {f"p{p}": round(float(v), 2) for p, v in zip(percents, values, strict=True)}
