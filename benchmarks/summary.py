"""From raw JSON to the figures of the report: one line of JSON per figure, which names where it comes from."""

import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.raw import Json

# a place in the raw results: the file, then the keys down to the value
Place = tuple[str | int, ...]
Raw = dict[str, Json]

COSTS = ("fit_seconds", "index_seconds", "whole_seconds", "peak_mb", "saved_mb", "save_seconds")
LOADING = ("load_seconds", "load_peak_mb")


@dataclass(frozen=True)
class Line:
    """One figure.

    Parameters
    ----------
    name
        Data set, group, contender and figure, joined by ``|``.
    how
        ``mean``, ``median`` or ``max`` of the values at ``places``, or ``ratio``: the median over repeats of the
        first of each pair of places over the second.
    value, spread, count
        The figure; the sample standard deviation for means; of how many values or pairs.
    places
        Where the values are.
    """

    name: str
    how: str
    value: float
    spread: float
    count: int
    places: tuple[Place, ...]

    def text(self) -> str:
        """Return the figure as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def read(folder: Path) -> Raw:
    """Read every raw result below a report's folder, by its path there."""
    files = sorted((folder / "raw").rglob("*.json"))
    return {path.relative_to(folder).as_posix(): json.loads(path.read_text(encoding="utf-8")) for path in files}


def look_up(raw: Raw, place: Place) -> Any:
    """Return the value at a place."""
    value: Any = raw
    for key in place:
        value = value[key]
    return value


def figure(raw: Raw, how: str, places: tuple[Place, ...]) -> tuple[float, float, int]:
    """Compute value, spread and count of a figure."""
    values = [float(look_up(raw, place)) for place in places]
    if how == "ratio":
        values = [a / b for a, b in zip(values[::2], values[1::2], strict=True)]
    value = statistics.fmean(values) if how == "mean" else max(values) if how == "max" else statistics.median(values)
    spread = statistics.stdev(values) if how == "mean" and len(values) > 1 else 0.0
    return value, spread, len(values)


def summarise(raw: Raw) -> dict[str, Line]:
    """Return every figure by name."""
    lines = {}
    for name, how, places in (*_accuracy(raw), *_curves(raw), *_costs(raw), *_searches(raw)):
        lines[name] = Line(name, how, *figure(raw, how, places), places)
    return lines


def datasets(raw: Raw) -> list[str]:
    """Return the data sets there are results of, the one of the article first."""
    names = {path.split("/")[1] for path in raw if path.count("/") > 2}
    return sorted(names, key=lambda name: (name != "ml-100k", name))


def _accuracy(raw: Raw) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    groups: dict[tuple[str, str, str, str], list[Place]] = {}
    for path, content in raw.items():
        if "metrics" not in content:
            continue
        _, dataset, group, file = path.split("/")
        protocol, who = group.rsplit("-", 1)[0], file.removesuffix(".json")
        groups.setdefault((dataset, protocol, who, "fit_seconds"), []).append((path, "fit_seconds"))
        for metric in content["metrics"]:
            groups.setdefault((dataset, protocol, who, metric), []).append((path, "metrics", metric))
    for key, places in groups.items():
        yield "|".join(key), "mean", tuple(places)


def _curves(raw: Raw) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    for path, content in raw.items():
        if "points" in content:
            _, dataset, _, file = path.split("/")
            for number, point in enumerate(content["points"]):
                for name in ("fit_seconds", "value"):
                    key = f"{dataset}|curve|{file.removesuffix('.json')}|{point['passes']}|{name}"
                    yield key, "median", ((path, "points", number, name),)


def _costs(raw: Raw) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    for path in (p for p in raw if p.endswith("costs/costs.json")):
        dataset, repeats = path.split("/")[1], raw[path]["repeats"]
        sides = [side for side in ("mfrec", "two-tower") if side in repeats[0]]
        for side in sides:
            for name in COSTS + LOADING:
                places = tuple((path, "repeats", n, side, name) for n in range(len(repeats)))
                yield f"{dataset}|costs|{side}|{name}", "median", places
            for name in raw[path]["environment"][side]:
                yield f"{dataset}|costs|{side}|{name}", "median", ((path, "environment", side, name),)
            yield from _latency(path, dataset, side, repeats)
        if len(sides) == 2:
            yield from _ratios(path, dataset, len(repeats))


def _latency(path: str, dataset: str, side: str, repeats: list[Json]) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    for kind, directions in repeats[0][side]["latency_us"].items():
        for direction in directions:
            for percentile in ("p50", "p99"):
                keys = (side, "latency_us", kind, direction, percentile)
                places = tuple((path, "repeats", n, *keys) for n in range(len(repeats)))
                yield f"{dataset}|latency|{kind}|{direction}|{percentile}", "median", places


def _ratios(path: str, dataset: str, count: int) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    for name in COSTS + LOADING:
        pairs = [(path, "repeats", n, side, name) for n in range(count) for side in ("two-tower", "mfrec")]
        yield f"{dataset}|costs|ratio|{name}", "ratio", tuple(pairs)
    pair = tuple((path, "environment", side, "installed_mb") for side in ("two-tower", "mfrec"))
    yield f"{dataset}|costs|ratio|installed_mb", "ratio", pair


def searched(file: str) -> str:
    """Return whose trials a file of a search holds."""
    return file.removesuffix(".json") if file.startswith("mfrec") else "two-tower"


def _searches(raw: Raw) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    """Yield the best validation value of each search, and of its trials with and without the log-Q correction."""
    groups: dict[str, list[Place]] = {}
    for path, content in raw.items():
        _, dataset, group, file = [*path.split("/"), "", ""][:4]
        who = searched(file)
        for number, trial in enumerate(content.get("trials", [])):
            place = (path, "trials", number, "value")
            corrected = trial["settings"].get("log_q")
            kinds = ["best"] + ([] if corrected is None else [f"best {'with' if corrected else 'without'} log_q"])
            for kind in kinds:
                groups.setdefault(f"{dataset}|{group}|{who}|{kind}", []).append(place)
    for name, places in groups.items():
        yield name, "max", tuple(places)
