"""What the comparison has to show against the article's settings, and whether it does."""

from benchmarks.cells import MISSING, Cells, table
from benchmarks.names import ARTICLE

HIT = "user2item/{}/hit_rate@100"
TEXT = """## What had to be shown

Set before anything was measured, for ml-100k, mfrec's defaults against the article's settings."""

# what is divided, in words: the figure over the other, how many times it has to be
RATIOS = {
    "hit rate@100 over all titles": (HIT.format("plain"), 1.6),
    "hit rate@100 over unseen titles": (HIT.format("unseen"), 1.8),
}
COSTS = {
    "training time": ("fit_seconds", 40.0),
    "process start to first answers": ("whole_seconds", 4.0),
    "peak memory": ("peak_mb", 4.0),
    "environment": ("installed_mb", 5.0),
}


def section(cells: Cells, dataset: str = "ml-100k") -> str:
    """Return a table of all of them; nothing where the two-tower did not run."""
    rows = []
    for words, (metric, least) in RATIOS.items():
        ours, theirs = (cells.value(f"{dataset}|random|{who}|{metric}") for who in ("mfrec", ARTICLE))
        ratio = ours / theirs if ours is not None and theirs else None
        shown = cells.ratio(*(f"{dataset}|random|{who}|{metric}" for who in ("mfrec", ARTICLE)))
        rows.append(
            [f"{words}: mfrec's, as a multiple", f"at least {cells.show(least, '.1f')}x", shown, _met(ratio, least)]
        )
    for words, (name, least) in COSTS.items():
        ratio = cells.value(f"{dataset}|costs|ratio|{name}")
        shown = cells.text(f"{dataset}|costs|ratio|{name}", ".1f")
        shown = shown if shown == MISSING else shown + "x"
        rows.append(
            [
                f"{words}: the two-tower's, as a multiple",
                f"at least {cells.show(least, '.0f')}x",
                shown,
                _met(ratio, least),
            ]
        )
    if all(row[2] == MISSING for row in rows):
        return ""
    return f"{TEXT}\n\n{table(['', 'asked', 'found', ''], rows)}"


def _met(ratio: float | None, least: float) -> str:
    return "not measured" if ratio is None else "met" if ratio >= least else "**not met**"
