"""The five lines that the report opens with; every claim follows from the figures, whichever way they fall."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.cells import MISSING, Cells
from benchmarks.duel import NOT_TESTED, Duel, best_of, duels
from benchmarks.names import ARTICLE, COLD, DUELS, HITS, KNN, MFREC, NEW, OTHERS, POPULAR, PROTOCOLS, TOWERS, TUNED

SIGNS = ("ahead", "level", "**behind**")
# what the two-tower with the article's settings takes
COSTS = {
    "fit_seconds": "the training time",
    "whole_seconds": "the time from start to first answers",
    "peak_mb": "the memory",
    "installed_mb": "the installation",
    "saved_mb": "the saved model",
}


NOT_MEASURED = "not measured"
NOT_YET = "Not measured yet: the searches have not come to their end."


def lines(cells: Cells, datasets: Sequence[str]) -> list[str]:
    """Return the verdict."""
    measured = [name for name in datasets if cells.value(f"{name}|random|{ARTICLE}|fit_seconds") is not None]
    if not measured:
        return ["The two-tower did not run here, so there is no verdict: only mfrec and the baselines were measured."]

    def each(part: Callable[[Cells, str], str]) -> str:
        found = ((dataset, part(cells, dataset)) for dataset in measured)
        return " ".join(f"{dataset}: {text}." for dataset, text in found if text)

    return [
        f"**The article's settings,** hit rate@100 of mfrec's defaults against theirs, random split. {each(_article)}",
        f"**The tuned two-tower,** hit rates of user2item. {each(_tuned) or NOT_YET}",
        f"**The other directions,** recall@10, the best of each side; *higher* and *lower* are as the figures stand, "
        f"without a test. {each(_directions)}",
        f"**Cost,** as multiples of mfrec's. {each(_costs) or 'Not measured yet.'}",
        f"**Where a two-tower is at home:** what nobody has touched. {each(_strangers)}",
    ]


def _article(cells: Cells, dataset: str) -> str:
    parts = []
    for seen, words in (("plain", "over all titles"), ("unseen", "over unseen ones")):
        metric = f"user2item/{seen}/hit_rate@100"
        ours, theirs = (f"{dataset}|random|{who}|{metric}" for who in ("mfrec", ARTICLE))
        popular = cells.text(f"{dataset}|random|{POPULAR}|{metric}")
        told = f"{cells.text(ours)} against {cells.text(theirs)} {words}"
        parts.append(f"{told} ({cells.ratio(ours, theirs)}; popularity {popular})")
    return " and ".join(parts)


def _tuned(cells: Cells, dataset: str) -> str:
    """Count, like against like, where mfrec is ahead, and name where it is behind."""
    fair = [how for how, terms in DUELS.items() if terms.fair]
    found = [(how, duel) for how in fair for protocol in PROTOCOLS for duel in duels(cells, dataset, protocol, how)]
    signs = {sign: [one for one in found if one[1].sign(cells) == sign] for sign in SIGNS}
    compared = sum(map(len, signs.values()))
    if not compared:
        return ""
    counts = f"of {compared} comparisons, mfrec is ahead in {len(signs['ahead'])}, level in {len(signs['level'])}"
    behind = _named(signs["**behind**"])
    alone = [duel for duel in duels(cells, dataset, "random", list(DUELS)[-1]) if duel.sign(cells) == "**behind**"]
    told = f"; where the two-tower alone is told the time, {_named([('', duel) for duel in alone])}" if alone else ""
    popular = "; ".join(_beaten_by_popularity(cells, dataset))
    return f"{counts} and {behind}{told}" + (f"; popularity is higher than mfrec at {popular}" if popular else "")


def _beaten_by_popularity(cells: Cells, dataset: str) -> Iterator[str]:
    for protocol, words in PROTOCOLS.items():
        for metric in HITS:
            duel = Duel(dataset, protocol, "mfrec tuned", POPULAR, metric)
            if by_figures(cells, duel) == "lower":
                ours, theirs = duel.figures(cells)
                yield f"{words}, {metric.split('/')[1]} @{metric.split('@')[1]} ({theirs} against {ours})"


def _named(found: Sequence[tuple[str, Duel]]) -> str:
    if not found:
        return "behind in none"
    figures: dict[str, list[str]] = {}
    for how, duel in found:
        _, seen, metric = duel.metric.split("/")
        where = ", ".join(filter(None, (PROTOCOLS[duel.protocol], how)))
        figures.setdefault(where, []).append(f"{seen} @{metric.split('@')[1]}")
    words = "; ".join(f"{where}: {', '.join(some)}" for where, some in figures.items())
    return f"**behind** in {len(found)} ({words})"


def _directions(cells: Cells, dataset: str) -> str:
    parts = []
    for protocol, words in PROTOCOLS.items():
        found = [best_of(cells, dataset, protocol, MFREC, TOWERS, metric) for metric in OTHERS]
        shown = [f"{duel.metric.split('/')[0]} {sign(cells, duel)}" for duel in found]
        parts.append(f"{words}: {', '.join(shown)}")
    for who in (KNN, POPULAR):
        found = [best_of(cells, dataset, protocol, MFREC, (who,), m) for protocol in PROTOCOLS for m in OTHERS]
        lost = [duel for duel in found if sign_of(cells, duel) in ("**behind**", "lower")]
        named = [f"{duel.metric.split('/')[0]}, {PROTOCOLS[duel.protocol]}, {sign(cells, duel)}" for duel in lost]
        parts += [f"mfrec against {who}: {'; '.join(named)}"] if named else []
    return "; ".join(parts)


def sign(cells: Cells, duel: Duel) -> str:
    """Say who is ahead, and show both figures."""
    ours, theirs = duel.figures(cells)
    return f"{sign_of(cells, duel)} ({ours} against {theirs})"


def sign_of(cells: Cells, duel: Duel) -> str:
    """Say who is ahead where that was tested, else who is higher."""
    said = duel.sign(cells)
    return by_figures(cells, duel) if said == NOT_TESTED else said


def by_figures(cells: Cells, duel: Duel) -> str:
    """Say whose figure is higher, as the tables show it."""
    ours, theirs = (cells.value(f"{duel.dataset}|{duel.protocol}|{w}|{duel.metric}") for w in (duel.ours, duel.theirs))
    if ours is None or theirs is None:
        return NOT_MEASURED
    gap = round(ours, 3) - round(theirs, 3)
    return "higher" if gap > 0 else "lower" if gap < 0 else "the same"


def _costs(cells: Cells, dataset: str) -> str:
    parts = []
    for name, words in COSTS.items():
        shown = cells.text(f"{dataset}|costs|ratio|{name}", ".1f")
        parts += [f"{shown}x {words}"] if shown != MISSING else []
    least = cells.text(f"{dataset}|costs|least ratio|fit_seconds", ".1f")
    return ", ".join(parts) + (f" (in the worst repeat {least}x the training time)" if parts else "")


def _strangers(cells: Cells, dataset: str) -> str:
    among, all_titles = (
        best_of(cells, dataset, "cold", ("mfrec, with titles",), (ARTICLE, *TUNED), metric) for metric in COLD[::-1]
    )
    knowing = ("popularity, without what was touched",)
    new = best_of(cells, dataset, "time", ("mfrec tuned, folding in",), knowing, NEW)
    tower = best_of(cells, dataset, "time", ("mfrec tuned, folding in",), (ARTICLE, *TUNED), NEW)
    cold = (
        f"cold titles, mfrec reading their words: {sign(cells, among)} among themselves @10, {sign(cells, all_titles)} "
        f"among all @100"
    )
    if sign_of(cells, new) == NOT_MEASURED:
        return cold
    return (
        f"{cold}; new users @100, mfrec folding in what each has touched so far against popularity that knows as much: "
        f"{sign(cells, new)}; the two-tower, which is not told, reaches {tower.figures(cells)[1]}"
    )
