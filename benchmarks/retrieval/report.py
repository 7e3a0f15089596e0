"""Tables and figures of what was measured: from ``results.json`` to ``report.md``, figures and docs/indexes.md.

Each large set of vectors has a figure; the table of docs/indexes.md is that of the first set.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tools import command, put

Row = dict[str, Any]
Runs = dict[str, list[Row]]

HERE, PAGE = Path(__file__).parent, "docs/indexes.md"
RESULTS = HERE / "results.json"
TARGET, KS = 0.99, (10, 100)
# settings that take so many times as long as a scan are not followed further
SLOW = 3.0
# mfrec's own indexes count with their default target; other targets are there for the curve
OURS, DEFAULT = ("annoy", "faiss", "exact"), f"target {TARGET}"
# the columns of the small table, and the contenders of which each shows the fastest
COLUMNS = {
    'mfrec `"annoy"`': ("annoy",),
    'mfrec `"faiss"`': ("faiss",),
    "exact scan": ("exact",),
    "Annoy itself": ("Annoy dot", "Annoy angular"),
    "implicit's `AnnoyModel`, defaults": ("implicit AnnoyModel, defaults",),
    "faiss IVF": ("faiss IVF",),
    "best graph": ("faiss HNSW", "hnswlib", "usearch", "voyager"),
    "ScaNN": ("ScaNN",),
    "LoRANN": ("LoRANN",),
}
# a set of vectors gets a figure from so many candidates on
LARGE = 30_000
# Okabe and Ito's colours, and Tol's, which colour-blind readers can tell apart; a marker each, besides
STYLES = {
    "annoy": ("#D55E00", "o"),
    "exact": ("#000000", "X"),
    "faiss": ("#E69F00", "s"),
    "implicit AnnoyModel, tuned": ("#0072B2", "v"),
    "Annoy dot": ("#56B4E9", "^"),
    "Annoy angular": ("#88CCEE", "P"),
    "faiss IVF": ("#009E73", "D"),
    "faiss HNSW": ("#CC79A7", "p"),
    "hnswlib": ("#882255", "<"),
    "usearch": ("#999933", ">"),
    "voyager": ("#332288", "h"),
    "ScaNN": ("#AA4499", "*"),
    "LoRANN": ("#777777", "d"),
}


def of(rows: Iterable[Row], k: int) -> list[Row]:
    """Return the rows of one k."""
    return [row for row in rows if row["k"] == k]


def top(rows: Sequence[Row]) -> Row:
    """Return the fastest row on target, or the row of highest recall where none is."""
    return min(rows, key=lambda row: (0.0, row["us"]) if row["recall"] >= TARGET else (1 - row["recall"], row["us"]))


def reached(row: Row) -> bool:
    """Whether a row is on target."""
    return bool(row["recall"] >= TARGET)


def judged(runs: Runs, name: str) -> list[Row]:
    """Return the rows that count in the tables: of mfrec's own indexes those with the default target."""
    return [row for row in runs.get(name, []) if name not in OURS or row["setting"] == DEFAULT]


def auto(runs: Runs) -> list[Row]:
    """Return what ``index="auto"`` keeps: the fastest at k = 10 of its options on target. All of them are built."""
    options = {name: rows for name in OURS if (rows := judged(runs, name))}
    kept = {name: rows for name, rows in options.items() if all(map(reached, rows))}
    if not kept:
        return []
    name = min(kept, key=lambda name: float(top(of(kept[name], KS[0]))["us"]))
    seconds = sum(rows[0]["build_s"] for rows in options.values())
    return [{**row, "setting": f"keeps {name}", "build_s": seconds} for row in kept[name]]


def told(run: dict[str, Any]) -> str:
    """Say in a line how a contender did."""
    if "left_out" in run:
        return f"left out: {run['left_out']}"
    tops = [(k, top(found)) for k in KS if (found := of(run["rows"], k))]
    return ", ".join(f"@{k} {row['recall']:.3f} in {row['us']:,.0f} us" for k, row in tops)


def directions(data: dict[str, Any], workload: str) -> dict[str, Runs]:
    """Return the rows of every contender of a workload, direction by direction."""
    found: dict[str, Runs] = {}
    for key, run in data["runs"].items():
        of_workload, direction, name = key.split("/", 2)
        if of_workload == workload and "rows" in run:
            found.setdefault(direction, {})[name] = run["rows"]
    return found


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table: the first column to the left, the others to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *lines)) + "\n"


def table(runs: Runs) -> str:
    """Return the table of one direction: the fastest at k = 10 first, those that miss the target last."""
    rows = {name: judged(runs, name) for name in runs} | {"auto": auto(runs)}
    tops = {name: [top(of(found, k)) for k in KS] for name, found in rows.items() if found}
    scans = [row["us"] for row in tops["exact"]]
    lines = []
    for name in sorted(tops, key=lambda name: (not reached(tops[name][0]), tops[name][0]["us"])):
        cells = [f"**mfrec `{name}`**" if name in (*OURS, "auto") else name]
        for k, row, scan in zip(KS, tops[name], scans, strict=True):
            setting, ratio = row["setting"].replace(DEFAULT, "default"), f"{scan / row['us']:.1f}x"
            if not reached(row):
                cut = any(found["us"] > SLOW * scan for found in of(rows[name], k))
                setting, ratio = f"{f'not within {SLOW:.0f}x the scan' if cut else 'never'}; best: {setting}", "-"
            cells += [setting, f"{row['us']:,.0f}", f"{row['p99']:,.0f}", f"{row['recall']:.3f}", ratio]
        lines.append([*cells, f"{tops[name][0]['build_s']:,.1f}", f"{tops[name][0]['bytes'] / 2**20:,.1f}"])
    header = [name for k in KS for name in (f"setting @{k}", "median us", "p99 us", "recall", "speed-up")]
    return markdown(["contender", *header, "build s", "MiB"], lines)


def title(size: dict[str, Any]) -> str:
    """Say what the vectors are."""
    return f"{size['title']}: {size['users']:,} users x {size['items']:,} items x {size['dimensions']}"


def report(data: dict[str, Any], figures: dict[str, str]) -> str:
    """Return the whole report."""
    last, runs = data["sessions"][-1], len(data["sessions"])
    parts = [
        f"""# Retrieval: recall against time

One query at a time on one thread, {"in one run" if runs == 1 else f"in {runs} runs"}, {last["date"]}: {last["cpu"]},
Python {last["python"]}, commit {last["commit"]};
{", ".join(f"{name} {version}" for name, version in last["libraries"].items())}.

* A contender is shown with its fastest setting whose recall is at least {TARGET}, for lists of {KS[0]} and of {KS[1]}.
  Where none of its settings gets there, the row says *never* and shows the setting with the highest recall. A setting
  that takes more than {SLOW:.0f} times as long as mfrec's exact scan is the last one to be tried.
* *Speed-up* is the time of the exact scan divided by the contender's: above 1 is faster.
* mfrec's indexes (bold) are built with their defaults. `auto` is derived from `annoy`, `faiss` and `exact`: it keeps
  the fastest of them that is on target, and takes as long to build as all three.
* *Build* and *MiB* belong to the setting for lists of {KS[0]}. Every build uses one core, and mfrec's times include
  calibration. MiB is the size on disk; mfrec's come on top of the model's vectors, the others contain them.
"""
    ]
    for workload, size in data["workloads"].items():
        parts.append(f"## {workload}\n\n{title(size)}.\n")
        if workload in figures:
            parts.append(f"![Recall against time, {workload}]({figures[workload]})\n")
        for direction, found in directions(data, workload).items():
            parts.append(f"### {workload}, {direction}\n\n{table(found)}")
            start = f"{workload}/{direction}/"
            left_out = [
                f"{key.removeprefix(start)} ({run['left_out']})"
                for key, run in data["runs"].items()
                if key.startswith(start) and "left_out" in run
            ]
            parts += [f"Left out: {'; '.join(left_out)}.\n"] * bool(left_out)
    parts += [f"{workload} was left out: {reason}.\n" for workload, reason in data["left_out"].items()]
    return "\n".join(parts)


def small(data: dict[str, Any]) -> str:
    """Return the small table: medians at the target, of the first workload that took part."""
    workload = next(iter(data["workloads"]))
    lines, slower, beaten, others = [], [], [], 0
    for direction, runs in directions(data, workload).items():
        for k in KS:
            rows = {
                column: [row for name in names for row in of(judged(runs, name), k)]
                for column, names in COLUMNS.items()
            }
            tops = {column: top(found) for column, found in rows.items() if found}
            times = {column: row["us"] if reached(row) else np.inf for column, row in tops.items()}
            cells = {
                column: f"{row['us']:,.0f}" if reached(row) else f"({row['recall']:.2f})"
                for column, row in tops.items()
            }
            quickest = min(times, key=lambda column: times[column])
            cells[quickest] = f"**{cells[quickest]}**"
            lines.append([f"{direction} @{k}", *(cells.get(column, "") for column in COLUMNS)])
            if "annoy" not in runs:
                continue
            own, lists, scan = [times.get(column, np.inf) for column in COLUMNS][:3]
            # where Annoy's backend scans, the two differ by noise
            slower += [f"{direction} @{k}"] * (own > 1.1 * scan)
            beaten += [f"{direction} @{k}"] * (lists < own)
            others += min(times.get(column, np.inf) for column in list(COLUMNS)[3:]) < own
    return f"""{markdown([f"median us, recall >= {TARGET}", *COLUMNS], lines)}
{title(data["workloads"][workload])}.
In brackets: the best recall where no setting within {SLOW:.0f} times the scan's time reaches {TARGET}.
mfrec's Annoy index is slower than the exact scan in {", ".join(slower) or "no row"};
it is slower than mfrec's faiss index in {", ".join(beaten) or "no row"}.
In {others} of the {len(lines)} rows some library, tuned on these queries, is faster than it.
"""


def front(rows: Sequence[Row]) -> list[Row]:
    """Return what no other row beats in both recall and time, lowest recall first."""
    kept: list[Row] = []
    for row in sorted(rows, key=lambda row: (row["us"], -row["recall"])):
        if not kept or row["recall"] > kept[-1]["recall"]:
            kept.append(row)
    return kept


def stretched(recalls: Any) -> Any:
    """Return where recalls stand on an axis that is stretched towards 1; from 0.9995 on they count as 1."""
    return -np.log10(1 - np.minimum(np.asarray(recalls, float), 0.9995))


def figure(found: dict[str, Runs], heading: str, path: Path) -> None:
    """Plot the fronts of one set of vectors: a row per direction, a column per k."""
    import matplotlib as mpl
    from PIL import Image

    mpl.use("agg")
    from matplotlib import pyplot as plt

    height = 2.6 * len(found) + 1
    drawing, axes = plt.subplots(len(found), 2, figsize=(9, height), squeeze=False)
    for line, (direction, runs) in zip(axes, found.items(), strict=True):
        for axis, k in zip(line, KS, strict=True):
            axis.set_title(f"{direction}, k = {k}", fontsize=9)
            _panel(axis, runs, k)
    handles = {h.get_label(): h for axis in axes.flat for h in axis.get_lines()}
    labels = [name for name in STYLES if name in handles]
    shown = [f"mfrec {name}" if name in OURS else name for name in labels]
    drawing.legend([handles[name] for name in labels], shown, loc="lower center", ncol=5, fontsize=7.5, frameon=False)
    drawing.suptitle(heading, fontsize=10)
    drawing.tight_layout(rect=(0, 0.6 / height, 1, 1))
    drawing.savefig(path, dpi=72)
    plt.close(drawing)
    # few colours: a repository is no place for large pictures
    with Image.open(path) as image:
        image.convert("RGB").quantize(128).save(path, optimize=True)


def _panel(axis: Any, runs: Runs, k: int) -> None:
    axis.axvspan(stretched(TARGET), stretched(1) + 0.15, color="#eeeeee", linewidth=0)
    for name, (colour, marker) in STYLES.items():
        points = front(of(runs.get(name, []), k))
        size, order = (7, 5) if name == "annoy" else (3.5, 2)
        if points:
            recalls, times = stretched([p["recall"] for p in points]), [p["us"] for p in points]
            axis.plot(recalls, times, color=colour, marker=marker, markersize=size, lw=1, label=name, zorder=order)
    axis.set_yscale("log")
    axis.set_xticks(stretched((0, 0.5, 0.9, 0.99, 0.999, 1)), ["0", "0.5", "0.9", "0.99", "0.999", "1"])
    axis.tick_params(labelsize=7)
    axis.set_xlabel("recall", fontsize=7)
    axis.set_ylabel("median us", fontsize=7)
    axis.grid(color="#dddddd", linewidth=0.5)


def drawn(data: dict[str, Any]) -> dict[str, str]:
    """Return the names of the figures, by workload."""
    sizes = data["workloads"].items()
    return {name: f"{name}.png" for name, size in sizes if max(size["users"], size["items"]) >= LARGE}


def write(data: dict[str, Any], folder: Path) -> None:
    """Write the report, the table of docs/indexes.md and, where matplotlib is installed, the figures."""
    figures = drawn(data)
    try:
        for workload, name in figures.items():
            figure(directions(data, workload), title(data["workloads"][workload]), folder / name)
    except ImportError as error:
        print(f"the figures are as they were: {error}")
    (folder / "report.md").write_text(report(data, figures))
    if folder == HERE:
        put(PAGE, "retrieval", small(data))


@command
def main() -> None:
    """Write them again."""
    write(json.loads(RESULTS.read_text()), HERE)
