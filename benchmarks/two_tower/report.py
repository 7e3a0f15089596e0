"""Render the report, its plots and the README's table from the results; measures nothing.

Usage: python -m benchmarks.two_tower.report [--take FOLDER]

``template.md`` is the report with ``{{...}}`` for every figure and table. ``--take`` first makes the results of a run
the committed ones; one that did not measure every figure of the text is refused. What this run found, the text has to
be read against: figures follow, claims do not.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from scipy.stats import norm as normal
from scipy.stats import t as student

from benchmarks.two_tower import plots, results
from benchmarks.two_tower.results import HITS, MFREC, ORDER, OTHERS, SHOWN, TOWERS, Figure, Figures

HERE = Path(__file__).parent
RESULTS, README = HERE / "results.jsonl", HERE.parents[1] / "README.md"
START, END = "<!-- two-tower:start -->\n", "<!-- two-tower:end -->"
MISSING = "-"
PROTOCOLS = {"random": "random split", "time": "split by time"}
# a difference that chance alone would show once in twenty times is none; with two seeds Student's t has one degree of
# freedom, and everything would be level, which says nothing
CHANCE, FEWEST = 0.05, 3
NOT_TESTED = "not tested"
COMPARISONS = SHOWN["comparisons"]
ONCE, *_, UNFAIR = COMPARISONS


def text(figures: Figures, name: str, form: str = ".3f") -> str:
    """Return a figure as text, or a dash where it was not measured."""
    return format(figures[name].value, form) if name in figures else MISSING


def spread(figures: Figures, name: str) -> str:
    """Return a mean with the standard deviation over the seeds."""
    shown = text(figures, name)
    return f"{shown} ± {figures[name].spread:.3f}" if name in figures and figures[name].count > 1 else shown


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: bool = True) -> str:
    """Return a Markdown table; the first column is text, the others are figures. Without any figure it is empty."""
    if all(cell in (MISSING, "") for _, *cells in rows for cell in cells):
        return ""
    lines = [header, ["---", *["---:" if right else "---"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def datasets(figures: Figures) -> list[str]:
    """Return the data sets there are figures of, the one of the article first."""
    names = {name.removesuffix("|data") for name in figures if name.endswith("|data")}
    return sorted(names, key=lambda name: (name != "ml-100k", name))


def best_of(figures: Figures, prefix: str, ours: Sequence[str], theirs: Sequence[str], metric: str) -> tuple[str, str]:
    """Return the best contender of either side; the first where none was measured."""

    def value(who: str) -> float:
        figure = figures.get(f"{prefix}|{who}|{metric}")
        return figure.value if figure else 0.0

    return max(ours, key=value), max(theirs, key=value)


def sign(difference: Figure | None) -> str:
    """Say whether a difference is more than chance would show, and in whose favour."""
    if difference is None or (difference.how == "gap" and difference.count < FEWEST):
        return NOT_TESTED
    sure = 1 - CHANCE / 2
    errors = float(student.ppf(sure, difference.count - 1) if difference.how == "gap" else normal.ppf(sure))
    if abs(difference.value) <= errors * difference.spread or not difference.value:
        return "level"
    return "ahead" if difference.value > 0 else "**behind**"


def versus(figures: Figures, name: str) -> str:
    """Say who is ahead where that was tested, else who is higher; the best of either side, with both figures."""
    dataset, protocol, metric = name.split("|")
    prefix = f"{dataset}|{protocol}"
    ours, theirs = best_of(figures, prefix, (results.WITH_TITLES,) if protocol == "cold" else MFREC, TOWERS, metric)
    a, b = (text(figures, f"{prefix}|{who}|{metric}") for who in (ours, theirs))
    said = sign(figures.get(results.gap_name(dataset, protocol, ours, theirs, metric)))
    if said == NOT_TESTED:
        said = "the same" if a == b else "higher" if a > b else "lower"
    return f"{said} ({a} against {b})"


def compared(figures: Figures, dataset: str, protocol: str, how: str) -> Iterator[tuple[str, str, str, Figure | None]]:
    """Yield metric, both contenders and their difference: tuned against tuned, like against like."""
    terms = COMPARISONS[how]
    for metric in HITS if protocol in terms["splits"] else ():
        ours, theirs = best_of(figures, f"{dataset}|{protocol}", (terms["ours"],), terms["theirs"], metric)
        yield metric, ours, theirs, figures.get(results.gap_name(dataset, protocol, ours, theirs, metric))


def comparisons(figures: Figures) -> str:
    """Return the table of all comparisons."""

    def cell(prefix: str, metric: str, ours: str, theirs: str, difference: Figure | None) -> str:
        if difference is None:
            return MISSING
        a, b = (text(figures, f"{prefix}|{who}|{metric}") for who in (ours, theirs))
        return f"{a} / {b}, {difference.value:+.3f} ± {difference.spread:.3f} {sign(difference)}"

    rows = []
    for dataset in datasets(figures):
        for protocol, words in PROTOCOLS.items():
            for how in COMPARISONS:
                found = list(compared(figures, dataset, protocol, how))
                cells = [cell(f"{dataset}|{protocol}", *one) for one in found]
                rows += [[f"{dataset}, {words}, {how}", *cells]] if cells else []
    return table(["", *(f"{metric.split('/')[1]} hit rate@{metric.split('@')[1]}" for metric in HITS)], rows)


def tally(figures: Figures, dataset: str, which: str) -> str:
    """Count where mfrec is ahead, and name where it is behind: fair, or the two-tower alone given the time."""
    ways = [how for how in COMPARISONS if (how == UNFAIR) == (which == "unfair")]
    counts, behind = {"ahead": 0, "level": 0, "**behind**": 0, NOT_TESTED: 0}, dict[str, list[str]]()
    for how in ways:
        for protocol in ("random",) if which == "unfair" else PROTOCOLS:
            for metric, _, _, difference in compared(figures, dataset, protocol, how):
                counts[sign(difference)] += 1
                if sign(difference) == "**behind**":
                    shown = f"{metric.split('/')[1]} @{metric.split('@')[1]}"
                    behind.setdefault(f"{PROTOCOLS[protocol]}, {how}", []).append(shown)
    named = "; ".join(f"{where}: {', '.join(metrics)}" for where, metrics in behind.items())
    said = f"of {sum(counts.values())} comparisons, mfrec is ahead in {counts['ahead']}, level in {counts['level']}"
    return f"{said} and **behind** in {counts['**behind**']}" + (f" ({named})" if named else "")


def about(figures: Figures) -> str:
    """Return commits, versions, machines, and what is missing."""
    gone = [f"**Missing here:** {n.split('|')[1]}: {f.value}" for n, f in figures.items() if n.startswith("missing|")]
    return "\n\n".join([text(figures, "about", ""), *gone])


def user2item(figures: Figures, dataset: str, protocol: str, seen: str) -> str:
    """Return hit rates by contender, NDCG and recall."""
    return _by_contender(figures, dataset, {protocol: [f"user2item/{seen}/{m}" for m in results.USER2ITEM]})


def directions(figures: Figures, dataset: str, protocol: str) -> str:
    """Return recall and NDCG of the three other directions."""
    return _by_contender(figures, dataset, {protocol: OTHERS})


def cold(figures: Figures, dataset: str) -> str:
    """Return hit rates of cold titles and new users."""
    return _by_contender(figures, dataset, {"cold": results.COLD, "time": results.NEW})


def _by_contender(figures: Figures, dataset: str, metrics: Mapping[str, Sequence[str]]) -> str:
    """Return a table of means with their spread; who has none of the figures has no row."""
    columns = [(protocol, metric) for protocol, some in metrics.items() for metric in some]
    names = {who: [f"{dataset}|{protocol}|{who}|{metric}" for protocol, metric in columns] for who in ORDER}
    rows = [[who, *(spread(figures, name) for name in some)] for who, some in names.items()]
    header = [re.sub("^user2item/(plain|unseen)/", "", metric).replace("s/hit_rate", "s ") for _, metric in columns]
    header = [words.replace("/unseen/", " ").replace("_", " ") for words in header]
    shown = table(["contender", *header], [row for row in rows if set(row[1:]) != {MISSING}])
    counts = sorted({figures[name].count for some in names.values() for name in some if name in figures})
    of = "models on one split" if set(metrics) == {"time"} else "seeds of split and model (one split by time)"
    return shown and f"{shown}\n\nMean ± standard deviation over {' or '.join(map(str, counts))} {of}."


def curve(figures: Figures, dataset: str) -> str:
    """Return what more training brings."""
    rows = []
    for who in ORDER:
        words = "iterations" if who.startswith("mfrec") else "epochs"
        for passes, seconds, value in results.curve(figures, dataset, who):
            rows.append([f"{who}, {passes} {words}", f"{seconds:.2f}", f"{value:.3f}"])
    return table(["contender", "training, s", "unseen hit rate@100"], rows)


def costs(figures: Figures, dataset: str) -> str:
    """Return what both sides cost, and the ratio with its least over the repeats."""
    name, rows = f"{dataset}|costs", []
    for cost, (words, form) in SHOWN["costs"].items():
        sides = [text(figures, f"{name}|{side}|{cost}", form) for side in ("mfrec", "two-tower")]
        rows.append([words, *sides, *(text(figures, f"{name}|{of}|{cost}", ".1f") for of in ("ratio", "least ratio"))])
    return table(["cost", "mfrec", "two-tower, the article's settings", "ratio", "least ratio"], rows)


def latency(figures: Figures, dataset: str) -> str:
    """Return p50 and p99 of single queries."""
    columns = [(direction, p) for direction in plots.DIRECTIONS for p in ("p50", "p99")]
    rows = []
    for index in SHOWN["indexes"]:
        cells = [text(figures, f"{dataset}|latency|{index}|{direction}|{p}", ".0f") for direction, p in columns]
        rows += [[index, *cells]] if set(cells) != {MISSING} else []
    why = figures.get(f"{dataset}|latency|missing|scann")
    return table(["index", *map(" ".join, columns)], rows) + (f"\n\nScaNN is not in it: {why.value}" if why else "")


def searches(figures: Figures) -> str:
    """Return what the searches tried and found."""
    kinds = ("best", "best with log_q", "best without log_q")
    rows, lines = [], []
    for name in (name.removesuffix("|found") for name in figures if name.endswith("|found")):
        dataset, group, who = name.split("|")
        words = f"{dataset}, {group.removeprefix('search-')}, {who}"
        tried = [text(figures, f"{name}|{of}", ".0f") for of in ("judged", "seconds")]
        rows.append([words, *tried, *(text(figures, f"{name}|{kind}") for kind in kinds)])
        lines.append(f"* {words}: {figures[f'{name}|found'].value}")
    return table(["search", "judged", "fitting, s", *kinds], rows) + "\n\n" + "\n".join(lines)


def side_by_side(figures: Figures, dataset: str) -> str:
    """Return what each side answers for one user and one title."""
    parts = []
    for direction in plots.DIRECTIONS:
        found = {side: figures.get(f"{dataset}|answers|{side}|{direction}") for side in ("mfrec", "two-tower")}
        lists = {side: map(str, figure.value) for side, figure in found.items() if figure}
        # the article's user indexes name fewer where the first 500 rows are of fewer users
        rows = [list(row) for row in zip_longest(*lists.values(), fillvalue="")]
        parts += [f"**{direction}**", table(list(lists), rows, right=False)] if lists else []
    return "\n\n".join(parts)


_ALL = (about, comparisons, user2item, directions, cold, curve, costs, latency, searches, side_by_side)
TABLES: Mapping[str, Callable[..., str]] = {f.__name__: f for f in _ALL}


def render(figures: Figures, *, prose: bool = True) -> str:
    """Return the report; without its prose for the figures of another run, about which it says nothing.

    It is a `KeyError` where the prose tells a figure that was not measured.
    """
    template = (HERE / "template.md").read_text(encoding="utf-8")
    before, each, after = template.split("<!-- each data set -->\n\n")
    whole = "".join([before, *(each.replace("DATASET", name) for name in datasets(figures)), after])
    found = (_section(figures, section, prose) for section in re.split(r"(?m)^(?=#)", whole))
    return "\n\n".join(filter(None, found)) + "\n"


def _section(figures: Figures, section: str, prose: bool) -> str:
    """Fill one heading and what stands below it; a section whose tables are all empty is left out."""
    blocks, tables = [], []
    for block in section.strip().split("\n\n"):
        call = re.fullmatch(r"\{\{(\w+)((?: \S+)*)\}\}", block)
        if call:
            tables.append(TABLES[call[1]](figures, *call[2].split()))
            blocks.append(tables[-1])
        elif block.startswith(("#", "![")) or prose:
            blocks.append(re.sub(r"\{\{(.+?)\}\}", lambda found: _inline(figures, found[1]), block))
    only_prose = not tables and "\n\n" in section.strip()
    return "" if (tables and not any(tables)) or (only_prose and not prose) else "\n\n".join(filter(None, blocks))


def _inline(figures: Figures, asked: str) -> str:
    """Return a figure by its name, perhaps with its form; a quotient of two; who is ahead; what is met."""
    command, _, rest = asked.partition(" ")
    if command == "versus":
        return versus(figures, rest)
    if command == "tally":
        return tally(figures, *rest.split())
    least, _, asked = rest.partition(" ") if command == "met" else ("", "", asked)
    name, told, form = asked.partition(" :")
    form = form if told else ".3f"
    over, _, under = name.partition(" / ")
    value = figures[over].value / figures[under].value if under else figures[name].value
    if not least:
        return format(value, form)
    return f"at least {float(least):g}x | {format(value, form)}x | {'met' if value >= float(least) else '**not met**'}"


def headline() -> str:
    """Return the README's table: what mfrec is worth against a two-tower, in five rows on ml-100k."""
    figures, rows = results.read(RESULTS), []
    for words, protocol, metric in (
        ("hit rate@10, unseen titles, random split; both tuned, without the query's time", "random", HITS[2]),
        ("hit rate@100, unseen titles, split by time; both tuned, without the query's time", "time", HITS[3]),
    ):
        found = {one[0]: one for one in compared(figures, "ml-100k", protocol, ONCE)}
        _, ours, theirs, difference = found[metric]
        values = [text(figures, f"ml-100k|{protocol}|{who}|{metric}") for who in (ours, theirs)]
        rows.append([words, *values, f"{difference.value:+.3f} ± {difference.spread:.3f}" if difference else MISSING])
    for cost in ("fit_seconds", "load_seconds", "installed_mb"):
        words, form = SHOWN["costs"][cost]
        values = [text(figures, f"ml-100k|costs|{side}|{cost}", form) for side in ("mfrec", "two-tower")]
        rows.append([words, *values, text(figures, f"ml-100k|costs|ratio|{cost}", ".1f") + "x"])
    return table(["measure", "mfrec", "two-tower", "difference or ratio"], rows)


def put_headline(page: str) -> str:
    """Return a page with the table between its markers; without them it is a `ValueError`."""
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"no {START.strip()} ... {END}")
    return f"{before}{start}{headline()}\n{end}{after}"


def write(figures: Figures, folder: Path, *, prose: bool) -> None:
    """Write the report and its plots."""
    (folder / "report.md").write_text(render(figures, prose=prose), encoding="utf-8")
    for problem in plots.draw(figures, datasets(figures), folder):
        print(problem)


def main() -> None:
    """Parse the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--take", type=Path, metavar="FOLDER", help="of a run")
    args = parser.parse_args()
    if args.take:
        try:
            render(results.read(args.take / RESULTS.name))
        except KeyError as error:
            sys.exit(f"{args.take}: the report tells a figure that was not measured: {error}")
        shutil.copy(args.take / RESULTS.name, RESULTS)
    write(results.read(RESULTS), HERE, prose=True)
    try:
        README.write_text(put_headline(README.read_text(encoding="utf-8")), encoding="utf-8")
    except ValueError as error:
        sys.exit(f"the report is written, but {README.name} has {error}")


if __name__ == "__main__":
    main()
