"""Tables and plots of what `retrieval.py` measured.

Usage: python benchmarks/retrieval_report.py RESULTS.json --out FOLDER

Writes ``report.md`` (every workload, direction and k), ``readme.md`` (the small table) and one figure per workload.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Result = dict[str, Any]

TARGET = 0.99
OURS = "mfrec"
KS = (10, 100)
# Okabe and Ito's colours, which colour-blind readers can tell apart; a marker each, besides
STYLES = {
    "mfrec": ("#D55E00", "o"),
    "mfrec, trees only": ("#E69F00", "s"),
    "exact numpy": ("#000000", "X"),
    "annoy dot": ("#0072B2", "v"),
    "annoy augmented": ("#56B4E9", "^"),
    "faiss flat": ("#777777", "P"),
    "faiss IVF": ("#009E73", "D"),
    "faiss HNSW": ("#CC79A7", "p"),
    "hnswlib": ("#882255", "<"),
    "usearch": ("#999933", ">"),
    "voyager": ("#332288", "h"),
    "ScaNN": ("#AA4499", "*"),
}
# recalls are stretched towards 1, where they matter; from here on they count as 1
CEILING = 0.9995
TICKS = (0.0, 0.5, 0.9, 0.99, 0.999, 1.0)


def of(results: Iterable[Result], **fields: Any) -> list[Result]:
    """Return the results with these values."""
    return [r for r in results if all(r[name] == value for name, value in fields.items())]


def distinct(results: Iterable[Result], name: str) -> list[Any]:
    """Return the values of a field in order of appearance."""
    return list(dict.fromkeys(r[name] for r in results))


def fastest(results: Sequence[Result]) -> Result | None:
    """Return the fastest result on target."""
    return min((r for r in results if r["recall"] >= TARGET), key=lambda r: r["median_us"], default=None)


def best(results: Sequence[Result]) -> Result:
    """Return the result with the highest recall, the fastest of those."""
    return max(results, key=lambda r: (r["recall"], -r["median_us"]))


def row_of(name: str, results: Sequence[Result], ours: Result | None) -> list[str]:
    """Return one contender's cells."""
    bold = f"**{name}**" if name == OURS else name
    top, last = fastest(results), best(results)
    build = f"{last['build_s']:.1f}"
    size = f"{last['bytes'] / 1e6:.0f}" if last["bytes"] else "-"
    if top is None:
        return [bold, f"not reached ({last['recall']:.3f} at {last['median_us']:,.0f} us)", "", "", "", build, size]
    ratio = f"{top['median_us'] / ours['median_us']:.2f}x" if ours else "-"
    setting = "" if name.startswith(OURS) else top["setting"]
    times = [f"{top['median_us']:,.0f}", f"{top['p99_us']:,.0f}"]
    return [" ".join(filter(None, [bold, setting])), f"{top['recall']:.3f}", *times, ratio, build, size]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table: the first column to the left, the others to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows)) + "\n"


def direction_table(results: Sequence[Result]) -> str:
    """Return the table of one workload, direction and k, fastest first, those off target last."""
    ours = fastest(of(results, contender=OURS))
    names = distinct(results, "contender")
    tops = {name: fastest(of(results, contender=name)) for name in names}
    names.sort(key=lambda name: np.inf if (top := tops[name]) is None else top["median_us"])
    header = ["contender", "recall", "median us", "p99 us", f"to {OURS}", "build s", "index MB"]
    return markdown(header, (row_of(name, of(results, contender=name), ours) for name in names))


def report(data: dict[str, Any], figures: dict[str, Path]) -> str:
    """Return the whole report."""
    results = data["results"]
    parts = ["# Retrieval: recall against time\n", _preface(data["machine"])]
    for workload in distinct(results, "workload"):
        size = data["workloads"][workload]
        parts.append(f"## {workload}: {size['users']:,} users x {size['items']:,} items x {size['factors']}-d\n")
        parts.append(f"![Recall against time, {workload}]({figures[workload].name})\n")
        chosen = of(results, workload=workload)
        for direction in distinct(chosen, "direction"):
            for k in KS:
                parts.append(f"### {workload}, {direction}, k = {k}\n")
                parts.append(direction_table(of(chosen, direction=direction, k=k)))
    return "\n".join(parts)


def _preface(machine: dict[str, Any]) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    return (
        f"One query at a time, one thread, one run: {machine['cpu']}, Python {machine['python']}, "
        f"commit {machine['commit']}; {libraries}. Each contender is shown with its fastest setting that reaches "
        f"recall {TARGET}, counted by score threshold; *to {OURS}* is its median time over ours. Build times include "
        "our calibration; index MB come on top of the vectors for ours, and include them for the others; a dash "
        "where the library does not tell.\n"
    )


def readme(results: Sequence[Result]) -> str:
    """Return the small table: medians at recall 0.99 of the ten best, workloads and directions across."""
    places = [
        (workload, direction)
        for workload in distinct(results, "workload")
        for direction in distinct(of(results, workload=workload), "direction")
    ]
    names = distinct(results, "contender")
    rows = []
    for workload, direction in places:
        cells = [f"{workload} {direction}"]
        for name in names:
            found = of(results, workload=workload, direction=direction, contender=name, k=KS[0])
            cells.append(_cell(name, found))
        rows.append(cells)
    header = [f"median us at recall@{KS[0]} >= {TARGET}", *names]
    return markdown(header, rows)


def _cell(name: str, results: Sequence[Result]) -> str:
    if not results:
        return ""
    top = fastest(results)
    if top is None:
        return f"- ({best(results)['recall']:.2f})"
    return f"**{top['median_us']:,.0f}**" if name == OURS else f"{top['median_us']:,.0f}"


def front(results: Sequence[Result]) -> list[Result]:
    """Return what no other result beats in both recall and time, lowest recall first."""
    kept: list[Result] = []
    for result in sorted(results, key=lambda r: (r["median_us"], -r["recall"])):
        if not kept or result["recall"] > kept[-1]["recall"]:
            kept.append(result)
    return kept


def stretched(recalls: Any) -> Any:
    """Return where recalls stand on the axis."""
    return -np.log10(1 - np.minimum(np.asarray(recalls, float), CEILING))


def figure(results: Sequence[Result], title: str, path: Path) -> None:
    """Plot the directions of one workload, for the ten best."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    directions = distinct(results, "direction")
    columns = min(2, len(directions))
    rows = -(-len(directions) // columns)
    drawing, axes = plt.subplots(rows, columns, figsize=(5.4 * columns, 3.6 * rows + 0.9), squeeze=False)
    for axis, direction in zip(axes.flat, directions, strict=False):
        _panel(axis, of(results, direction=direction, k=KS[0]), direction)
    handles = {h.get_label(): h for axis in axes.flat for h in axis.get_lines() if not h.get_label().startswith("_")}
    drawing.suptitle(title, fontsize=11)
    shown = [name for name in STYLES if name in handles]
    drawing.legend(
        [handles[name] for name in shown], shown, loc="lower center", ncol=3 * columns, fontsize=8, frameon=False
    )
    drawing.tight_layout(rect=(0, 0.5 * -(-len(shown) // (3 * columns)) / (3.6 * rows + 0.9) * 0.5 + 0.01, 1, 1))
    drawing.savefig(path, dpi=110)
    plt.close(drawing)


def _panel(axis: Any, results: Sequence[Result], direction: str) -> None:
    axis.axvspan(stretched(TARGET), stretched(1.0) + 0.15, color="#000000", alpha=0.05, linewidth=0)
    for name, (colour, marker) in STYLES.items():
        points = front(of(results, contender=name))
        ours = name == OURS
        axis.plot(
            stretched([p["recall"] for p in points]),
            [p["median_us"] for p in points],
            color=colour,
            marker=marker,
            markersize=10 if ours else 5,
            markeredgecolor="white" if ours else colour,
            linewidth=1.2,
            label=name if points else "_none",
            zorder=5 if ours else 2,
        )
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.set_xlim(-0.03, stretched(1.0) + 0.15)
    axis.set_xticks(stretched(TICKS), ["0", "0.5", "0.9", "0.99", "0.999", "1"], fontsize=8)
    axis.set_title(direction, fontsize=10)
    axis.set_xlabel(f"recall@{KS[0]}  (right is better)", fontsize=8)
    axis.set_ylabel("median us  (lower is better)", fontsize=8)
    axis.tick_params(axis="y", labelsize=8)
    axis.grid(which="major", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)


def main() -> None:
    """Write the report of one results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    data = json.loads(options.results.read_text())
    options.out.mkdir(parents=True, exist_ok=True)
    figures = {}
    for workload in distinct(data["results"], "workload"):
        size = data["workloads"][workload]
        title = f"{workload}: {size['users']:,} users x {size['items']:,} items x {size['factors']}-d, one thread"
        figures[workload] = options.out / f"{workload}.png"
        figure(of(data["results"], workload=workload), title, figures[workload])
    (options.out / "report.md").write_text(report(data, figures))
    (options.out / "readme.md").write_text(readme(data["results"]))
    print(f"wrote report.md, readme.md and {len(figures)} figures to {options.out}")


if __name__ == "__main__":
    main()
