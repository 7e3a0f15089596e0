"""Raw JSON of a run, one file per result, and the figures that follow from it, one line per figure.

Raw files are kept so that a run that was cut short goes on from there; only the figures are committed.
"""

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

import mfrec

Json = dict[str, Any]
# raw results by their path below the folder of a run
Raw = Mapping[str, Json]
# name, how figures of that name are put together (`HOW`), one value
Value = tuple[str, str, Any]

LIBRARIES = ("mfrec", "numpy", "scipy", "implicit", "annoy")

# contenders, costs and comparisons, in the order of the tables
SHOWN = tomllib.loads((Path(__file__).parent / "report.toml").read_text(encoding="utf-8"))
ORDER = tuple(SHOWN["contenders"])
TOWERS = tuple(name for name in ORDER if name.startswith("two-tower"))
MFREC = ("mfrec", "mfrec tuned")
WITH_TITLES = "mfrec, with titles"

# metrics, in the order of the tables
SEEN = ("plain", "unseen")
USER2ITEM = (*(f"hit_rate@{k}" for k in (1, 5, 10, 50, 100)), "ndcg@10", "recall@20")
HITS = tuple(f"user2item/{seen}/hit_rate@{k}" for seen in SEEN for k in (10, 100))
OTHERS = tuple(f"{name}/unseen/{m}@10" for name in ("item2item", "user2user", "item2user") for m in ("recall", "ndcg"))
COLD = ("cold titles/hit_rate@100", "cold titles among themselves/hit_rate@10")
NEW = ("new users/hit_rate@10", "new users/hit_rate@100")
# the last is drawn beside the other directions
KEPT = {*(f"user2item/{s}/{m}" for s in SEEN for m in USER2ITEM), *OTHERS, *COLD, *NEW, "user2item/unseen/recall@10"}


def about() -> Json:
    """Say which commit, versions and machine a result is from, and how busy the machine was.

    A plus sign after the commit tells of tracked files that differ from it. The tree names the source itself: it stays
    what it is when commits are rewritten, and ``git log --format='%h %T'`` finds it.
    """
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1.024e9
    return {
        "commit": _git("describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"),
        "tree": _git("rev-parse", "--short=10", "HEAD^{tree}"),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "machine": f"{os.cpu_count()} cores of {model[1] if model else platform.machine()}, {memory:.1f} GB, Linux",
        "load_average": os.getloadavg()[0],
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _git(*arguments: str) -> str:
    """Return what git prints; outside a checkout, "unknown"."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    if shutil.which("git") is None:
        return "unknown"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "unknown" if done.returncode else done.stdout.strip()


def keep(path: Path, settings: Json, make: Callable[[], Json]) -> Json:
    """Return what the file holds if it was made with the same settings; else make it, write it and say so."""
    wanted = json.loads(json.dumps(settings))
    if path.exists():
        found: Json = json.loads(path.read_text())
        if found.get("wanted") == wanted:
            return found
    began = time.perf_counter()
    result = {"wanted": wanted, "about": about()} | make()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_raw(path, result)
    print(f"{path.parent.name}/{path.stem}: {time.perf_counter() - began:.1f} s", flush=True)
    return result


def write_raw(path: Path, content: Any) -> None:
    """Write JSON with one value per line, all of it or nothing."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)


def read_raw(folder: Path) -> Raw:
    """Read every raw result below a folder, by its path there."""
    files = sorted(folder.rglob("*.json"))
    return {path.relative_to(folder).as_posix(): json.loads(path.read_text(encoding="utf-8")) for path in files}


@dataclass(frozen=True)
class Figure:
    """One figure, or a text that stands for one: how far it varies, of how many values, and how (`HOW`, `PLAIN`)."""

    value: Any
    spread: float
    count: int
    how: str


Figures = dict[str, Figure]
Computed = tuple[Any, float, int]
# of the splits that are drawn anew for each seed
TEST_OVER_TRAIN = 0.25


def mean(values: Sequence[float]) -> Computed:
    """Return mean and sample standard deviation."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values)


def gap(differences: Sequence[float]) -> Computed:
    """Return the mean difference, and its standard error over splits that overlap.

    Random splits of one data set share most of their training parts, so their differences are less independent than
    they look: Nadeau and Bengio, "Inference for the Generalization Error" (2003), put ``1 / n + test / train`` in
    place of ``1 / n``.
    """
    value, spread, count = mean(differences)
    return value, spread * (1 / count + TEST_OVER_TRAIN) ** 0.5, count


def gap_by_user(triples: Sequence[Sequence[Sequence[float]]]) -> Computed:
    """Return the difference of two rates per event, and its standard error over the users.

    A triple holds hits of one contender, hits of the other, and events, each by user; hits are averaged over the
    triples (several models on one split). The error is that of a ratio of means (Cochran, "Sampling Techniques",
    section 2.11): users, who come with all their events, are what was drawn.
    """
    ours, theirs = (np.mean([triple[n] for triple in triples], axis=0) for n in (0, 1))
    events = np.asarray(triples[0][2], float)
    value = float((ours - theirs).sum() / events.sum())
    left, n_users = ours - theirs - value * events, len(events)
    error = float(np.sqrt(n_users / max(n_users - 1, 1) * (left**2).sum()) / events.sum())
    return value, error, len(triples)


# without spread
PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "median": statistics.median,
    "max": max,
    "min": min,
    "sum": sum,
    "count": len,
    "first": itemgetter(0),
}
HOW: Mapping[str, Callable[[Any], Computed]] = {"mean": mean, "gap": gap, "gap by user": gap_by_user}


def summarise(raw: Raw) -> Figures:
    """Return every figure that the report can show, by name: data set, group, contender and metric, joined by ``|``."""
    values: dict[tuple[str, str], list[Any]] = {}
    for part in (_about, _accuracy, _gaps, _curves, _costs, _searches):
        for name, how, value in part(raw):
            values.setdefault((name, how), []).append(value)
    return {
        name: Figure(*(HOW[how](found) if how in HOW else (PLAIN[how](found), 0.0, len(found))), how)
        for (name, how), found in values.items()
    }


def write(path: Path, figures: Figures) -> None:
    """Write one line of JSON per figure, with six significant digits."""

    def rounded(value: Any) -> Any:
        return float(f"{value:.6g}") if isinstance(value, float) else value

    def line(name: str) -> str:
        content = {"name": name} | {key: rounded(value) for key, value in asdict(figures[name]).items()}
        return json.dumps(content, ensure_ascii=False)

    path.write_text("".join(line(name) + "\n" for name in sorted(figures)), encoding="utf-8")


def read(path: Path) -> Figures:
    """Read what `write` wrote."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {line.pop("name"): Figure(**line) for line in lines}


def curve(figures: Figures, dataset: str, who: str) -> list[tuple[int, float, float]]:
    """Return epochs or iterations, seconds and accuracy of one contender's curve."""
    start = f"{dataset}|curve|{who}|"
    passes = sorted({int(name.split("|")[3]) for name in figures if name.startswith(start)})
    return [(n, figures[f"{start}{n}|fit_seconds"].value, figures[f"{start}{n}|value"].value) for n in passes]


def pairs() -> Iterator[tuple[str, str, str, str]]:
    """Yield protocol, mfrec's contender, the other one and metric of every difference that is looked at."""
    terms = SHOWN["comparisons"].values()
    compared = ((split, one["ours"], who) for one in terms for split in one["splits"] for who in one["theirs"])
    for protocol, ours, theirs in dict.fromkeys(compared):
        yield from ((protocol, ours, theirs, metric) for metric in HITS)
    for theirs in (*TOWERS, "item-kNN"):
        yield from (("random", ours, theirs, metric) for ours in MFREC for metric in OTHERS if "recall" in metric)
    for theirs in TOWERS:
        yield from (("cold", WITH_TITLES, theirs, metric) for metric in COLD)


def _about(raw: Raw) -> Iterator[Value]:
    # every run writes the status, also one that measured nothing; searches may be kept from earlier runs
    judged = [c["about"] for path, c in raw.items() if "about" in c and path.count("/") > 1 and "/search-" not in path]
    if judged:
        commits = sorted({f"{a['commit']} (tree {a['tree']})" for a in judged})
        versions = sorted({", ".join(map(" ".join, {"Python": a["python"], **a["libraries"]}.items())) for a in judged})
        extras = [c["extra"]["tensorflow"] for c in raw.values() if "tensorflow" in c.get("extra", {})]
        tensorflow = [f", tensorflow {name}" for name in sorted(set(extras))]
        machines = sorted({a["machine"] for a in judged})
        days = sorted({a["at"][:10] for a in judged})
        told = [f"Commit {', '.join(commits)}", "; or ".join(versions) + "".join(tensorflow), " and ".join(machines)]
        yield "about", "first", "; ".join([*told, " to ".join(dict.fromkeys((days[0], days[-1])))]) + "."
    for what, why in raw.get("status.json", {}).get("missing", {}).items():
        yield f"missing|{what}", "first", why


def _accuracy(raw: Raw) -> Iterator[Value]:
    for path, content in raw.items():
        if "metrics" not in content:
            continue
        dataset, group, file = path.split("/")
        protocol, who = group.rsplit("-", 1)[0], file.removesuffix(".json")
        name = f"{dataset}|{protocol}|{who}"
        if who == "popularity":
            yield f"{dataset}|data", "first", content["wanted"]["data"]
            counts = {part: content[part] for part in ("train", "test")}
            counts |= {of: content["metrics"].get(f"new users/{of}") for of in ("events", "users")}
            counts["users with test events"] = len(content.get("users", {}).get("events", []))
            yield from ((f"{dataset}|data|{protocol}|{of}", "mean", count) for of, count in counts.items() if count)
        kept = COLD if protocol == "cold" else KEPT
        yield from ((f"{name}|{metric}", "mean", v) for metric, v in content["metrics"].items() if metric in kept)
        # TFRS's own are asked at the time of the event; with one vector per user there is nothing to compare
        if who in ("two-tower", "two-tower tuned"):
            for hit, own in content.get("extra", {}).get("own_hit_rates", {}).items():
                yield f"{name}|TFRS's own user2item/plain/hit_rate@{hit.removeprefix('hit@')}", "mean", own


def gap_name(dataset: str, protocol: str, ours: str, theirs: str, metric: str) -> str:
    """Return what a difference of two contenders is called."""
    return f"{dataset}|{protocol}|{ours} minus {theirs}|{metric}"


def _gaps(raw: Raw) -> Iterator[Value]:
    """Yield the differences that are looked at: over the users where all seeds have one split, else over seeds."""
    groups = list(dict.fromkeys(path.rsplit("/", 1)[0] for path in raw if path.count("/") > 1))
    for protocol, ours, theirs, metric in pairs():
        for group in (g for g in groups if f"/{protocol}-" in g):
            a, b = (raw.get(f"{group}/{who}.json", {}) for who in (ours, theirs))
            if metric in a.get("metrics", {}) and metric in b.get("metrics", {}):
                name = gap_name(group.split("/")[0], protocol, ours, theirs, metric)
                if protocol == "time":
                    yield name, "gap by user", (a["users"][metric], b["users"][metric], a["users"]["events"])
                else:
                    yield name, "gap", a["metrics"][metric] - b["metrics"][metric]


def _curves(raw: Raw) -> Iterator[Value]:
    for path, content in raw.items():
        dataset, who = path.split("/")[0], path.split("/")[-1].removesuffix(".json")
        for point in content.get("points", []):
            for name in ("fit_seconds", "value"):
                yield f"{dataset}|curve|{who}|{point['passes']}|{name}", "first", point[name]


def _costs(raw: Raw) -> Iterator[Value]:
    for path in (p for p in raw if p.endswith("costs/costs.json")):
        dataset, content = path.split("/")[0], raw[path]
        name, repeats = f"{dataset}|costs", content["repeats"]
        sides = [side for side in ("mfrec", "two-tower") if side in repeats[0]]
        for repeat in repeats:
            yield f"{name}|load_average", "max", repeat["load_average"]
            for cost in SHOWN["costs"].keys() - {"installed_mb"}:
                yield from ((f"{name}|{side}|{cost}", "median", repeat[side][cost]) for side in sides)
                if len(sides) == 2:
                    ratio = repeat["two-tower"][cost] / repeat["mfrec"][cost]
                    yield f"{name}|ratio|{cost}", "median", ratio
                    yield f"{name}|least ratio|{cost}", "min", ratio
            for index, direction, quantiles in _latency(repeat, sides):
                for percentile in ("p50", "p99"):
                    yield f"{dataset}|latency|{index}|{direction}|{percentile}", "median", quantiles[percentile]
        for index, direction, quantiles in _latency(repeats[-1], sides):
            yield f"{dataset}|latency|{index}|{direction}|last repeat", "first", quantiles
        for side in sides:
            yield from ((f"{name}|{side}|{of}", "first", mb) for of, mb in content["environment"][side].items())
            for direction, ids in content["answers"][side].items():
                yield f"{dataset}|answers|{side}|{direction}", "first", ids
        if len(sides) == 2:
            ours, theirs = (content["environment"][side]["installed_mb"] for side in sides)
            yield f"{name}|ratio|installed_mb", "first", theirs / ours
        for index, why in content.get("missing", {}).items():
            yield f"{dataset}|latency|missing|{index}", "first", why


def _latency(repeat: Json, sides: Sequence[str]) -> Iterator[tuple[str, str, Json]]:
    for side in sides:
        for index, directions in repeat[side]["latency_us"].items():
            yield from ((index, direction, quantiles) for direction, quantiles in directions.items())


def _searches(raw: Raw) -> Iterator[Value]:
    """Yield what each search tried, took and found, and what the log-Q correction is worth."""
    searches: dict[tuple[str, str], list[list[Json]]] = {}
    for path, content in raw.items():
        if content.get("trials"):
            dataset, group, file = path.split("/")
            final = "two-tower, finals" if "-final-" in file else "two-tower"
            who = file.removesuffix(".json") if file.startswith("mfrec") else final
            searches.setdefault((f"{dataset}|{group}|{who}", who), []).append(content["trials"])
    for (name, who), files in searches.items():
        trials = [trial for file in files for trial in file]
        for trial in trials:
            yield f"{name}|best", "max", trial["value"]
            yield f"{name}|judged", "count", trial
            if "log_q" in trial["settings"]:
                corrected = "with" if trial["settings"]["log_q"] else "without"
                yield f"{name}|best {corrected} log_q", "max", trial["value"]
        for some in files:
            # the snapshots of one training follow one another
            taken = some[-1:] if who == "two-tower" else some
            yield from ((f"{name}|seconds", "sum", trial["fit_seconds"]) for trial in taken)
        yield f"{name}|found", "first", _found(trials, who)


# settings that mean nothing where another one is off
UNUSED = {"temperature": "normalise", "time_buckets": "timestamp"}


def _found(trials: Sequence[Json], who: str) -> str:
    """Return the best settings, and which of them are the least or the most of all that this search tried."""
    trial = max(trials, key=lambda one: one["value"])
    settings = {name: value for name, value in trial["settings"].items() if name != "seed"}
    # these searches knew no recency, and took no half-life where they named none
    defaults = {**asdict(mfrec.ALSParams()), "half_life": 0.0} if who.startswith("mfrec") else {}
    edges = []
    for name, value in {**defaults, **settings}.items():
        tried = [{**defaults, **one["settings"]}[name] for one in trials]
        numbers = {v for v in tried if isinstance(v, int | float) and not isinstance(v, bool)}
        off = name in UNUSED and not settings[UNUSED[name]]
        if len(numbers) > 1 and value in (min(numbers), max(numbers)) and not off:
            edges.append(f"{name} {value}")
    how = f"asked {trial['serve']}, " if "serve" in trial and settings["timestamp"] else ""
    at_edges = f"; at an edge of what was tried: {', '.join(edges)}" if edges else ""
    return f"{how}`{json.dumps(settings)}`{at_edges}"
