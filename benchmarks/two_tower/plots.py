"""The report's pictures; without matplotlib there are none, and the report stands without them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.two_tower.results import SHOWN, Figures, curve

DIRECTIONS = ("user2item", "item2item", "user2user", "item2user")


def draw(figures: Figures, datasets: Sequence[str], folder: Path) -> Iterator[str]:
    """Draw every picture that there are figures for; yields what could not be drawn."""
    try:
        import matplotlib as mpl
    except ImportError:
        yield "no plots: matplotlib is not installed (pip install 'mfrec[plots]')"
        return
    mpl.use("Agg")
    for dataset in datasets:
        for kind, picture in (("training", _training), ("latency", _latency), ("directions", _directions)):
            picture(figures, dataset, folder / f"{kind}-{dataset}.png")


def _training(figures: Figures, dataset: str, path: Path) -> None:
    curves = {who: points for who in SHOWN["curves"] if (points := curve(figures, dataset, who))}
    if not curves:
        return
    figure, axes = _figure(8, 4)
    for who, points in curves.items():
        _, seconds, values = zip(*points, strict=True)
        axes.plot(seconds, values, "o-", color=SHOWN["curves"][who], label=who, markersize=4)
    popular = figures.get(f"{dataset}|random|popularity|user2item/unseen/hit_rate@100")
    if popular is not None:
        axes.axhline(popular.value, color="grey", linestyle=":", label="popularity")
    axes.set(xscale="log", xlabel="training, seconds", ylabel="hit rate@100, unseen", title=f"{dataset}, random split")
    _save(figure, axes, path)


def _latency(figures: Figures, dataset: str, path: Path) -> None:
    if f"{dataset}|latency|mfrec|user2item|last repeat" not in figures:
        return
    figure, all_axes = _figure(12, 3, columns=len(DIRECTIONS))
    for axes, direction in zip(all_axes, DIRECTIONS, strict=True):
        for index, colour in SHOWN["indexes"].items():
            found = figures.get(f"{dataset}|latency|{index}|{direction}|last repeat")
            if found:
                shares = [int(p.removeprefix("p")) / 100 for p in found.value]
                axes.plot(list(found.value.values()), shares, color=colour, label=index)
        axes.set(xscale="log", xlabel="microseconds", title=direction)
    all_axes[0].set_ylabel("share of queries answered")
    # only the user indexes come with one row per user
    _save(figure, all_axes[DIRECTIONS.index("item2user")], path)


def _directions(figures: Figures, dataset: str, path: Path) -> None:
    figure, axes = _figure(11, 4)
    colours = {who: colour for who, colour in SHOWN["contenders"].items() if colour}
    width = 0.85 / len(colours)
    for number, (who, colour) in enumerate(colours.items()):
        found = [figures.get(f"{dataset}|random|{who}|{d}/unseen/recall@10") for d in DIRECTIONS]
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
