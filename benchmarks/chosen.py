"""The part of the report about the searches: what was tried, and what was found."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.cells import Cells, table
from benchmarks.plan import Plan
from benchmarks.raw import Json
from benchmarks.search import MFREC_SPACE, TOWER_SPACE, best
from benchmarks.summary import Raw, searched
from benchmarks.wording import SEARCHES

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
        lines.append(f"* {words}: {_found(best(trials), who)}")
    header = ["search", "judged", "fitting, s", *KINDS]
    return "\n\n".join([SEARCHES, table(header, rows), "\n".join(lines)])


def _found(trial: Json, who: str) -> str:
    settings = {name: value for name, value in trial["settings"].items() if name != "seed"}
    how = f"asked {trial['serve']}, " if "serve" in trial and settings["timestamp"] else ""
    edges = ", ".join(_edges(settings, MFREC_SPACE if who.startswith("mfrec") else _tower_space()))
    return f"{how}`{json.dumps(settings)}`" + (f"; at an edge of what was tried: {edges}" if edges else "")


def _tower_space() -> Mapping[str, tuple[Any, ...]]:
    plan = Plan()
    return {**TOWER_SPACE, "epochs": plan.snapshots + plan.longer}


def _edges(settings: Json, space: Mapping[str, tuple[Any, ...]]) -> Iterator[str]:
    for name, tried in space.items():
        value = settings.get(name)
        numbers = [one for one in tried if isinstance(one, int | float) and not isinstance(one, bool)]
        unused = (
            name in ("temperature", "time_buckets")
            and not settings["normalise" if name == "temperature" else "timestamp"]
        )
        if len(numbers) == len(tried) and value in (min(numbers), max(numbers)) and not unused:
            yield f"{name} {value}"
