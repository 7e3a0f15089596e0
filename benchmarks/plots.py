"""The report's pictures; without matplotlib there are none, and the report stands without them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.cells import Cells
from benchmarks.names import DIRECTIONS
from benchmarks.summary import Raw, datasets

COLOURS = {"mfrec": "tab:blue", "mfrec tuned": "tab:cyan", "two-tower": "tab:red", "two-tower tuned": "tab:orange"}
SHOWN = {
    "popularity": "lightgrey",
    "item-kNN": "tab:green",
    "two-tower": "darkred",
    "two-tower, one vector per user": "tab:red",
    "two-tower tuned": "peru",
    "two-tower tuned, one vector per user": "tab:orange",
    "two-tower tuned, without time": "gold",
    "mfrec": "tab:blue",
    "mfrec tuned": "tab:cyan",
}
KINDS = {
    "mfrec": "tab:blue",
    "brute force": "tab:red",
    "brute force, one row per user": "tab:orange",
    "scann": "tab:pink",
}


def draw(raw: Raw, cells: Cells, folder: Path) -> Iterator[str]:
    """Draw every picture that there are figures for; yields what could not be drawn."""
    try:
        import matplotlib as mpl
    except ImportError:
        yield "no plots: matplotlib is not installed (pip install 'mfrec[bench]')"
        return
    mpl.use("Agg")
    for dataset in datasets(raw):
        _training(raw, cells, dataset, folder / f"training-{dataset}.png")
        _latency(raw, dataset, folder / f"latency-{dataset}.png")
        _directions(cells, dataset, folder / f"directions-{dataset}.png")


def _training(raw: Raw, cells: Cells, dataset: str, path: Path) -> None:
    curves = {who: raw.get(f"raw/{dataset}/curve/{who}.json") for who in COLOURS}
    if not any(curves.values()):
        return
    figure, axes = _figure(8, 4)
    for who, curve in curves.items():
        if curve:
            points = curve["points"]
            seconds, values = [p["fit_seconds"] for p in points], [p["value"] for p in points]
            axes.plot(seconds, values, "o-", color=COLOURS[who], label=who, markersize=4)
    popular = cells.value(f"{dataset}|random|popularity|user2item/unseen/hit_rate@100")
    if popular is not None:
        axes.axhline(popular, color="grey", linestyle=":", label="popularity")
    axes.set(xscale="log", xlabel="training, seconds", ylabel="hit rate@100, unseen", title=f"{dataset}, random split")
    _save(figure, axes, path)


def _latency(raw: Raw, dataset: str, path: Path) -> None:
    repeats = raw.get(f"raw/{dataset}/costs/costs.json", {}).get("repeats", [])
    if not repeats:
        return
    figure, all_axes = _figure(12, 3, columns=len(DIRECTIONS))
    for axes, direction in zip(all_axes, DIRECTIONS, strict=True):
        for kind, quantiles in _of_direction(repeats[-1], direction):
            shares = [int(p.removeprefix("p")) / 100 for p in quantiles]
            axes.plot(list(quantiles.values()), shares, color=KINDS[kind], label=kind)
        axes.set(xscale="log", xlabel="microseconds", title=direction)
    all_axes[0].set_ylabel("share of queries answered")
    # only the user indexes come with one row per user
    _save(figure, all_axes[DIRECTIONS.index("item2user")], path)


def _of_direction(repeat: dict[str, Any], direction: str) -> Iterator[tuple[str, dict[str, float]]]:
    for side in ("mfrec", "two-tower"):
        for kind, directions in repeat.get(side, {}).get("latency_us", {}).items():
            if direction in directions:
                yield kind, directions[direction]


def _directions(cells: Cells, dataset: str, path: Path) -> None:
    if not any(cells.line(f"{dataset}|random|{who}|{d}/unseen/recall@10") for who in SHOWN for d in DIRECTIONS):
        return
    figure, axes = _figure(11, 4)
    width = 0.85 / len(SHOWN)
    for number, (who, colour) in enumerate(SHOWN.items()):
        found = [cells.line(f"{dataset}|random|{who}|{d}/unseen/recall@10") for d in DIRECTIONS]
        # who is asked anew for each event has no recall in user2item
        bars = [(place + number * width, f.value, f.spread) for place, f in enumerate(found) if f]
        if bars:
            places, heights, errors = zip(*bars, strict=True)
            axes.bar(places, heights, width, yerr=errors, color=colour, label=who)
    axes.set_xticks([place + 0.42 - width / 2 for place in range(len(DIRECTIONS))], DIRECTIONS)
    axes.set(ylabel="recall@10, unseen", title=f"{dataset}, random split")
    _save(figure, axes, path)


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib import pyplot

    drawn: tuple[Any, Any] = pyplot.subplots(
        1, columns, figsize=(width, height), sharex=columns > 1, sharey=columns > 1, layout="constrained"
    )
    return drawn


def _save(figure: Any, axes: Any, path: Path) -> None:
    from matplotlib import pyplot

    # beside the axes, where it hides nothing
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    # without a date or version inside, the same figures give the same file
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
