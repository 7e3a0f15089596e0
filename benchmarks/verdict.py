"""The five lines that the report opens with; every claim follows from the figures, whichever way they fall."""

from benchmarks.cells import MISSING, Cells

DATASET = "ml-100k"
TUNED = ("two-tower tuned", "two-tower tuned, one vector per user")
ARTICLE = "two-tower"
DIRECTIONS = ("item2item", "user2user", "item2user")
# like against like: neither side is told when an event happens, or both are
PAIRS = {
    "asked once per user": ("mfrec tuned", (TUNED[1], f"{TUNED[0]}, without time")),
    "asked at the event's time": ("mfrec tuned, at the event's time", (TUNED[0],)),
}
PROTOCOLS = {"random": "the random split", "time": "the split by time"}


def lines(cells: Cells, dataset: str = DATASET) -> list[str]:
    """Return the verdict on one data set."""
    if cells.value(f"{dataset}|random|{ARTICLE}|fit_seconds") is None:
        return ["The two-tower did not run here, so there is no verdict: only mfrec and the baselines were measured."]
    return [
        _article(cells, dataset),
        _tuned(cells, dataset),
        _directions(cells, dataset),
        _costs(cells, dataset),
        _strangers(cells, dataset),
    ]


def better(cells: Cells, dataset: str, protocol: str, metric: str, who: tuple[str, ...] = TUNED) -> str:
    """Return the contender that is best at a figure, or the first where none was measured."""
    return max(who, key=lambda name: cells.value(f"{dataset}|{protocol}|{name}|{metric}") or 0.0)


def _article(cells: Cells, dataset: str) -> str:
    parts = []
    for seen, words in (("plain", "over all titles"), ("unseen", "over unseen ones")):
        metric = f"user2item/{seen}/hit_rate@100"
        ours, theirs = (f"{dataset}|random|{who}|{metric}" for who in ("mfrec", ARTICLE))
        parts.append(f"{cells.text(ours)} against {cells.text(theirs)} {words} ({cells.ratio(ours, theirs)})")
    return f"**The article's settings.** Hit rate@100 of mfrec's defaults is {' and '.join(parts)}; random split."


def _tuned(cells: Cells, dataset: str) -> str:
    parts = []
    for how, (ours, theirs) in PAIRS.items():
        found = [f"{_ahead(cells, dataset, name, ours, theirs)} on {words}" for name, words in PROTOCOLS.items()]
        parts.append(f"{how}, is {', '.join(found)}")
    alone = _ahead(cells, dataset, "random", "mfrec tuned", (TUNED[0],))
    return (
        f"**The tuned two-tower.** Over unseen titles mfrec tuned, {'; '.join(parts)}. Where the two-tower alone is "
        f"told the time of the event, mfrec is {alone} on the random split: that split leaves most of a sitting in the "
        "training part, and the time says which sitting, which no recommender is told of the future."
    )


def _ahead(cells: Cells, dataset: str, protocol: str, ours: str, theirs: tuple[str, ...]) -> str:
    """Say at 10 and at 100 whether one contender is ahead of the best of others."""
    parts = []
    for k in (10, 100):
        metric = f"user2item/unseen/hit_rate@{k}"
        best = better(cells, dataset, protocol, metric, theirs)
        a, b = (f"{dataset}|{protocol}|{who}|{metric}" for who in (ours, best))
        parts.append(f"{sign(cells, a, b)} @{k} ({cells.text(a)} against {cells.text(b)})")
    return " and ".join(parts)


def sign(cells: Cells, ours: str, theirs: str) -> str:
    """Say who is ahead, as the tables show it: what rounds to the same is level."""
    if cells.value(ours) is None or cells.value(theirs) is None:
        return "not compared"
    gap = round(cells.value(ours) or 0.0, 3) - round(cells.value(theirs) or 0.0, 3)
    return "ahead" if gap > 0 else "**behind**" if gap < 0 else "level"


def _directions(cells: Cells, dataset: str) -> str:
    parts = []
    for direction in DIRECTIONS:
        metric = f"{direction}/unseen/recall@10"
        theirs = better(cells, dataset, "random", metric, (*TUNED, ARTICLE, f"{ARTICLE}, one vector per user"))
        ours = better(cells, dataset, "random", metric, ("mfrec", "mfrec tuned"))
        a, b = (f"{dataset}|random|{who}|{metric}" for who in (ours, theirs))
        parts.append(f"{direction} {sign(cells, a, b)} ({cells.text(a)} against {cells.text(b)})")
    return f"**The other directions.** Recall@10, the best of each side: {', '.join(parts)}."


def _costs(cells: Cells, dataset: str) -> str:
    named = {
        "fit_seconds": "{} the training time",
        "whole_seconds": "{} the time from start to first answers",
        "peak_mb": "{} the memory",
        "installed_mb": "{} the installation",
        "saved_mb": "{} the saved model",
    }
    shown = {name: cells.text(f"{dataset}|costs|ratio|{name}", ".1f") for name in named}
    parts = [words.format(f"{shown[name]}x") for name, words in named.items() if shown[name] != MISSING]
    return f"**Cost.** The article's two-tower takes, of mfrec's, {', '.join(parts)}."


def _strangers(cells: Cells, dataset: str) -> str:
    def both(protocol: str, metric: str, ours: str) -> str:
        theirs = better(cells, dataset, protocol, metric, (*TUNED, ARTICLE))
        a, b = (f"{dataset}|{protocol}|{who}|{metric}" for who in (ours, theirs))
        return f"{cells.text(b)} (mfrec {{}}: {cells.text(a)}, {sign(cells, a, b)}; its factors alone: {{}})"

    cold, new = "cold titles among themselves/hit_rate@10", "new users/hit_rate@100"
    alone = [cells.text(f"{dataset}|{protocol}|mfrec|{name}") for protocol, name in (("cold", cold), ("time", new))]
    titles = both("cold", cold, "mfrec, with titles").format("reading titles", alone[0])
    users = both("time", new, "mfrec tuned, folding in").format("folding in what each has touched so far", alone[1])
    metric = "user2item/unseen/hit_rate@100"
    now, last = (cells.text(f"{dataset}|random|{ARTICLE}{suffix}|{metric}") for suffix in ("", ", one vector per user"))
    return (
        "**Where a two-tower is at home.** It reads titles and the moment of the query. Among titles nobody has rated "
        f"it finds {titles} in the first 10; for users nobody has seen {users} in the first 100. Asked at the event's "
        f"time, not the user's last, the article's model goes from {last} to {now} @100 on the random split."
    )
