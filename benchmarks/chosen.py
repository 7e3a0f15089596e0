"""The part of the report about the searches: what was tried, and what was found."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import mfrec
from benchmarks.cells import Cells, table
from benchmarks.raw import Json
from benchmarks.search import best
from benchmarks.summary import Raw, searched
from benchmarks.wording import SEARCHES

# settings that mean nothing where another one is off
UNUSED = {"temperature": "normalise", "time_buckets": "timestamp"}
KINDS = ("best", "best with log_q", "best without log_q")


def section(raw: Raw, cells: Cells) -> str:
    """Return what the searches found best, and what the log-Q correction is worth."""
    groups: dict[tuple[str, str, str], list[list[Json]]] = {}
    for path, content in raw.items():
        if "trials" in content:
            _, dataset, group, file = path.split("/")
            groups.setdefault((dataset, group, searched(file)), []).append(content["trials"])
    rows, lines = [], []
    for (dataset, group, who), files in groups.items():
        trials = [trial for file in files for trial in file]
        name, words = f"{dataset}|{group}|{who}", f"{dataset}, {group.removeprefix('search-')}, {who}"
        values = [cells.text(f"{name}|{kind}") for kind in KINDS]
        rows.append([words, cells.text(f"{name}|judged", ".0f"), cells.text(f"{name}|seconds", ".0f"), *values])
        lines.append(f"* {words}: {_found(trials, who)}")
    header = ["search", "judged", "fitting, s", *KINDS]
    return "\n\n".join([SEARCHES, table(header, rows), "\n".join(lines)])


def _found(trials: Sequence[Json], who: str) -> str:
    trial = best(list(trials))
    settings = {name: value for name, value in trial["settings"].items() if name != "seed"}
    how = f"asked {trial['serve']}, " if "serve" in trial and settings["timestamp"] else ""
    # these searches knew no recency, and took no half-life where they named none
    filled = {**asdict(mfrec.ALSParams()), "half_life": 0.0} if who.startswith("mfrec") else {}
    edges = ", ".join(_edges({**filled, **settings}, [{**filled, **one["settings"]} for one in trials]))
    return f"{how}`{json.dumps(settings)}`" + (f"; at an edge of what was tried: {edges}" if edges else "")


def _edges(settings: Json, tried: Sequence[Json]) -> Iterator[str]:
    """Yield what is the least or the most of all that this search tried."""
    for name, value in settings.items():
        numbers = {v for v in (one[name] for one in tried) if isinstance(v, int | float) and not isinstance(v, bool)}
        off = name in UNUSED and not settings[UNUSED[name]]
        if len(numbers) > 1 and value in (min(numbers), max(numbers)) and name != "seed" and not off:
            yield f"{name} {value}"
