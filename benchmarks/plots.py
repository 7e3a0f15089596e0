"""The report's pictures; without matplotlib there are none, and the report stands without them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.sections import DIRECTIONS
from benchmarks.summary import Line, Raw, datasets

COLOURS = {"mfrec": "tab:blue", "mfrec tuned": "tab:cyan", "two-tower": "tab:red", "two-tower tuned": "tab:orange"}
SHOWN = {
    "popularity": "tab:gray",
    "item-kNN": "tab:green",
    "two-tower, one vector per user": "tab:red",
    "two-tower tuned, one vector per user": "tab:orange",
    "mfrec": "tab:blue",
    "mfrec tuned": "tab:cyan",
}
KINDS = {
    "mfrec": "tab:blue",
    "brute force": "tab:red",
    "brute force, one row per user": "tab:orange",
    "scann": "tab:pink",
}


def draw(raw: Raw, lines: Mapping[str, Line], folder: Path) -> Iterator[str]:
    """Draw every picture; yields what could not be drawn."""
    try:
        import matplotlib as mpl
    except ImportError:
        yield "no plots: matplotlib is not installed (pip install 'mfrec[bench]')"
        return
    mpl.use("Agg")
    for dataset in datasets(raw):
        _training(raw, lines, dataset, folder / f"training-{dataset}.png")
        _latency(raw, dataset, folder / f"latency-{dataset}.png")
        _directions(lines, dataset, folder / f"directions-{dataset}.png")


def _training(raw: Raw, lines: Mapping[str, Line], dataset: str, path: Path) -> None:
    figure, axes = _figure(7, 4)
    for who, colour in COLOURS.items():
        curve = raw.get(f"raw/{dataset}/curve/{who}.json")
        if curve:
            points = curve["points"]
            seconds, values = [p["fit_seconds"] for p in points], [p["value"] for p in points]
            axes.plot(seconds, values, "o-", color=colour, label=who, markersize=4)
    popular = lines.get(f"{dataset}|random|popularity|user2item/unseen/hit_rate@100")
    if popular:
        axes.axhline(popular.value, color="grey", linestyle=":", label="popularity")
    axes.set(xscale="log", xlabel="training, seconds", ylabel="hit rate@100, unseen", title=dataset)
    _save(figure, axes, path)


def _latency(raw: Raw, dataset: str, path: Path) -> None:
    repeats = raw.get(f"raw/{dataset}/costs/costs.json", {}).get("repeats", [])
    if not repeats:
        return
    figure, all_axes = _figure(11, 3, columns=len(DIRECTIONS))
    for axes, direction in zip(all_axes, DIRECTIONS, strict=True):
        for kind, quantiles in _of_direction(repeats[-1], direction):
            shares = [int(p.removeprefix("p")) / 100 for p in quantiles]
            axes.plot(list(quantiles.values()), shares, color=KINDS[kind], label=kind)
        axes.set(xscale="log", xlabel="microseconds", title=direction)
    all_axes[0].set_ylabel("share of queries answered")
    # both user indexes of the two-tower are in the third picture
    _save(figure, all_axes[DIRECTIONS.index("user2user")], path)


def _of_direction(repeat: dict[str, Any], direction: str) -> Iterator[tuple[str, dict[str, float]]]:
    for side in ("mfrec", "two-tower"):
        for kind, directions in repeat.get(side, {}).get("latency_us", {}).items():
            if direction in directions:
                yield kind, directions[direction]


def _directions(lines: Mapping[str, Line], dataset: str, path: Path) -> None:
    figure, axes = _figure(9, 4)
    width = 0.8 / len(SHOWN)
    for number, (who, colour) in enumerate(SHOWN.items()):
        found = [lines.get(f"{dataset}|random|{who}|{d}/unseen/recall@10") for d in DIRECTIONS]
        places = [place + number * width for place in range(len(DIRECTIONS))]
        heights, errors = [f.value if f else 0.0 for f in found], [f.spread if f else 0.0 for f in found]
        axes.bar(places, heights, width, yerr=errors, color=colour, label=who)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(DIRECTIONS))], DIRECTIONS)
    axes.set(ylabel="recall@10, unseen", title=dataset)
    _save(figure, axes, path)


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib import pyplot

    drawn: tuple[Any, Any] = pyplot.subplots(
        1, columns, figsize=(width, height), sharex=columns > 1, sharey=columns > 1, layout="constrained"
    )
    return drawn


def _save(figure: Any, axes: Any, path: Path) -> None:
    from matplotlib import pyplot

    axes.legend(fontsize=7)
    # without a date or version inside, the same figures give the same file
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
