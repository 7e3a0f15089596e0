"""From raw JSON to the figures of the report: one line of JSON per figure, which names where it comes from."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import HOW
from benchmarks.names import pairs
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
        One of `HOW`: what is computed from the values at ``places``.
    value, spread, count
        The figure; how far it varies, where that can be said; of how many values, pairs or triples.
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


def summarise(raw: Raw) -> dict[str, Line]:
    """Return every figure by name."""
    lines = {}
    for name, how, places in (*_accuracy(raw), *_gaps(raw), *_curves(raw), *_costs(raw), *_searches(raw)):
        value, spread, count = HOW[how]([look_up(raw, place) for place in places])
        lines[name] = Line(name, how, value, spread, count, places)
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
        for part in ("train", "test"):
            groups.setdefault((dataset, protocol, who, part), []).append((path, part))
        if content.get("users"):
            groups.setdefault((dataset, protocol, who, "users"), []).append((path, "users", "events"))
        for metric in content["metrics"]:
            groups.setdefault((dataset, protocol, who, metric), []).append((path, "metrics", metric))
    for key, places in groups.items():
        yield "|".join(key), "length" if key[-1] == "users" else "mean", tuple(places)


def gap(ours: str, theirs: str) -> str:
    """Return what a difference of two contenders is called."""
    return f"{ours} minus {theirs}"


def _gaps(raw: Raw) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    """Yield the differences that are looked at: over the users where all seeds have one split, else over seeds."""
    for dataset in datasets(raw):
        for protocol, ours, theirs, metric in pairs():
            folders = sorted({path.rsplit("/", 1)[0] for path in raw if path.startswith(f"raw/{dataset}/{protocol}-")})
            files = [(f"{folder}/{ours}.json", f"{folder}/{theirs}.json") for folder in folders]
            files = [pair for pair in files if all(metric in raw.get(path, {}).get("metrics", {}) for path in pair)]
            if not files:
                continue
            by_user = all(metric in raw[path].get("users", {}) for pair in files for path in pair)
            places: list[Place] = []
            for a, b in files:
                keys: tuple[Place, ...] = ((a, "metrics", metric), (b, "metrics", metric))
                if by_user:
                    keys = ((a, "users", metric), (b, "users", metric), (a, "users", "events"))
                places += keys
            name = f"{dataset}|{protocol}|{gap(ours, theirs)}|{metric}"
            yield name, "gap by user" if by_user else "gap", tuple(places)


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
        loads = tuple((path, "repeats", n, "load_average") for n in range(len(repeats)))
        yield f"{dataset}|costs|load_average", "max", loads
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
        both = [(path, "repeats", n, side, name) for n in range(count) for side in ("two-tower", "mfrec")]
        yield f"{dataset}|costs|ratio|{name}", "ratio", tuple(both)
        yield f"{dataset}|costs|least ratio|{name}", "least ratio", tuple(both)
    pair = tuple((path, "environment", side, "installed_mb") for side in ("two-tower", "mfrec"))
    yield f"{dataset}|costs|ratio|installed_mb", "ratio", pair


def searched(file: str) -> str:
    """Return whose trials a file of a search holds."""
    if file.startswith("mfrec"):
        return file.removesuffix(".json")
    return "two-tower, finals" if file.startswith("two-tower-final") else "two-tower"


def _searches(raw: Raw) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    """Yield what each search tried and took, and the best value, with and without the log-Q correction, too."""
    groups: dict[str, list[Place]] = {}
    taken: dict[str, list[Place]] = {}
    for path, content in raw.items():
        _, dataset, group, file = [*path.split("/"), "", ""][:4]
        who = searched(file)
        if content.get("trials"):
            # the snapshots of one training follow one another
            last = (len(content["trials"]) - 1,) if who == "two-tower" else range(len(content["trials"]))
            places = [(path, "trials", number, "fit_seconds") for number in last]
            taken.setdefault(f"{dataset}|{group}|{who}", []).extend(places)
        for number, trial in enumerate(content.get("trials", [])):
            place = (path, "trials", number, "value")
            corrected = trial["settings"].get("log_q")
            kinds = ["best"] + ([] if corrected is None else [f"best {'with' if corrected else 'without'} log_q"])
            for kind in kinds:
                groups.setdefault(f"{dataset}|{group}|{who}|{kind}", []).append(place)
    for name, found in groups.items():
        yield name, "max", tuple(found)
        if name.endswith("|best"):
            yield name.removesuffix("best") + "judged", "count", tuple(found)
    for name, found in taken.items():
        yield f"{name}|seconds", "sum", tuple(found)
