"""The parts of the report, as Markdown."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from benchmarks import verdict as five
from benchmarks.cells import MISSING, Cells, table
from benchmarks.names import DIRECTIONS, ORDER
from benchmarks.protocols import PROTOCOLS
from benchmarks.summary import Raw, datasets
from benchmarks.wording import COSTLY, CURVES, MEANINGS, STRANGERS, TIME

COSTS = {
    "fit_seconds": ("training, s", ".2f"),
    "index_seconds": ("index build, s", ".2f"),
    "whole_seconds": ("process start to first answers in four directions, s", ".2f"),
    "peak_mb": ("peak memory until then, MB", ".0f"),
    "saved_mb": ("saved model, MB", ".1f"),
    "save_seconds": ("saving, s", ".2f"),
    "load_seconds": ("new process: load and answer four queries, s", ".2f"),
    "load_peak_mb": ("its peak memory, MB", ".0f"),
    "installed_mb": ("environment (distributions and all they require), MB", ".0f"),
}


STATUS = "raw/status.json"


def verdict(raw: Raw, cells: Cells) -> str:
    """Return the five lines."""
    found = five.lines(cells, datasets(raw)) if datasets(raw) else ["Nothing was measured."]
    return "\n".join(f"{n}. {line}" for n, line in enumerate(found, 1))


def about(raw: Raw) -> str:
    """Return commits, versions, machines, and what is missing."""
    # the status is written by every run, also by one that measured nothing; searches may be kept from earlier runs
    judged = [c["about"] for p, c in raw.items() if "about" in c and p != STATUS and "/search-" not in p]
    if not judged:
        return "Nothing was judged yet."
    commits = sorted({f"{a['commit']} (tree {a.get('tree', 'unknown')})" for a in judged})
    tensorflow = {str(c["extra"]["tensorflow"]) for c in raw.values() if "tensorflow" in c.get("extra", {})}
    versions = sorted({f"Python {a['python']}, {_named(a['libraries'])}" for a in judged})
    machines = sorted({_machine(a["machine"]) for a in judged})
    days = sorted({a["at"][:10] for a in judged})
    lines = [
        f"Commit {', '.join(commits)}; {'; or '.join(versions)}"
        + "".join(f", tensorflow {v}" for v in sorted(tensorflow))
        + f"; {' and '.join(machines)}; {' to '.join(dict.fromkeys((days[0], days[-1])))}."
    ]
    missing = raw.get(STATUS, {}).get("missing", {})
    lines += [f"**Missing here:** {what}: {why}" for what, why in missing.items()]
    return "\n\n".join(lines)


def _named(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _machine(told: Mapping[str, Any]) -> str:
    return f"{told['cores']} cores of {told['cpu']}, {told['memory_gb']} GB, {told['system']}"


def words() -> str:
    """Return what the words of the report mean."""
    meanings = table(["word", "what it means"], list(MEANINGS.items())).replace("---:", "---")
    return f"## Words\n\n{meanings}\n\n{TIME}"


def data(raw: Raw, cells: Cells) -> str:
    """Return what was split, and into how much."""
    rows = []
    for dataset in datasets(raw):
        whole = next((c["wanted"]["data"] for p, c in raw.items() if p.startswith(f"raw/{dataset}/random-")), "")
        row = [f"{dataset}: {whole}"]
        for protocol in ("random", "time", "cold"):
            row += [cells.text(f"{dataset}|{protocol}|popularity|{part}", ",.0f") for part in ("train", "test")]
        row.append(cells.text(f"{dataset}|time|popularity|users", ",.0f"))
        row += [cells.text(f"{dataset}|time|popularity|new users/{of}", ",.0f") for of in ("events", "users")]
        rows.append(row)
    header = ["data; items are titles", "random: training events", "test events", "by time: training events"]
    header += ["test events", "cold titles: training events", "test events"]
    header += ["by time: users with test events", "events of new users", "new users"]
    return f"## Data\n\n{table(header, rows)}"


def dataset_sections(raw: Raw, cells: Cells, dataset: str) -> list[str]:
    """Return the tables of one data set."""
    parts = []
    for protocol in ("random", "time"):
        for seen in ("unseen", "plain"):
            parts += [f"### user2item, {seen}: {PROTOCOLS[protocol]}", user2item(cells, dataset, protocol, seen)]
    parts += ["### The other directions, unseen", directions(cells, dataset, "random"), "By time:"]
    parts += [directions(cells, dataset, "time"), f"![four directions](directions-{dataset}.png)"]
    parts += ["### Strangers", STRANGERS, strangers(cells, dataset)]
    if any(name.startswith(f"{dataset}|curve|") for name in cells.lines):
        parts += ["### Training time", f"![accuracy against training time](training-{dataset}.png)"]
        parts += [CURVES, training(cells, dataset)]
    if f"raw/{dataset}/costs/costs.json" in raw:
        parts += ["### Costs", costs(cells, dataset)]
        parts += ["### Latency of a single query, microseconds", latency(raw, cells, dataset)]
        parts += [f"![latency](latency-{dataset}.png)"]
    return [part for part in parts if part]


def user2item(cells: Cells, dataset: str, protocol: str, seen: str) -> str:
    """Return hit rates by contender, NDCG and recall."""
    columns = [("hit_rate", k) for k in (1, 5, 10, 50, 100)] + [("ndcg", 10), ("recall", 20)]
    header = [f"{metric.replace('_', ' ')}@{k}" for metric, k in columns]
    names = [f"{dataset}|{protocol}|{{}}|user2item/{seen}/{metric}@{k}" for metric, k in columns]
    return _by_contender(cells, header, names)


def directions(cells: Cells, dataset: str, protocol: str) -> str:
    """Return recall and NDCG of the three other directions."""
    columns = [(direction, metric, 10) for direction in DIRECTIONS[1:] for metric in ("recall", "ndcg")]
    header = [f"{direction} {metric}@{k}" for direction, metric, k in columns]
    names = [f"{dataset}|{protocol}|{{}}|{direction}/unseen/{metric}@{k}" for direction, metric, k in columns]
    return _by_contender(cells, header, names)


def _by_contender(cells: Cells, header: Sequence[str], names: Sequence[str]) -> str:
    """Return a table of means with their spread; who has none of the figures has no row."""
    rows = [[who, *(cells.spread(name.format(who)) for name in names)] for who in ORDER]
    found = [name.format(who) for who in ORDER for name in names]
    counts = sorted({cells.lines[name].count for name in found if name in cells.lines})
    if not counts:
        return ""
    shown = table(["contender", *header], [row for row in rows if set(row[1:]) != {MISSING}])
    fixed = all("|time|" in name for name in names)
    of = "models on one split" if fixed else "seeds of split and model (one split by time)"
    return f"{shown}\n\nMean ± standard deviation over {' or '.join(map(str, counts))} {of}."


def training(cells: Cells, dataset: str) -> str:
    """Return what more training brings."""
    rows = []
    for name in cells.lines:
        if name.startswith(f"{dataset}|curve|") and name.endswith("|value"):
            who, passes = name.split("|")[2:4]
            words = "iterations" if who.startswith("mfrec") else "epochs"
            seconds = cells.text(name.removesuffix("value") + "fit_seconds", ".2f")
            rows.append([f"{who}, {passes} {words}", seconds, cells.text(name)])
    return table(["contender", "training, s", "unseen hit rate@100"], rows)


def strangers(cells: Cells, dataset: str) -> str:
    """Return hit rates of cold titles and new users."""
    columns = {
        "cold titles @100": "cold|{}|cold titles/hit_rate@100",
        "cold titles among themselves @10": "cold|{}|cold titles among themselves/hit_rate@10",
        "new users @10": "time|{}|new users/hit_rate@10",
        "new users @100": "time|{}|new users/hit_rate@100",
    }
    return _by_contender(cells, list(columns), [f"{dataset}|{column}" for column in columns.values()])


def costs(cells: Cells, dataset: str) -> str:
    """Return what both sides cost, and the ratio with its least over the repeats."""
    extra = [
        ["the environment's whole folder, MB", "", cells.text(f"{dataset}|costs|two-tower|folder_mb", ".0f"), "", ""],
        ["what serving needs (numpy, annoy), MB", cells.text(f"{dataset}|costs|mfrec|serving_mb", ".0f"), "", "", ""],
        ["highest load average when a repeat began", cells.text(f"{dataset}|costs|load_average", ".1f"), "", "", ""],
    ]
    return f"{_cost_table(cells, dataset, extra)}\n\n{COSTLY}"


def _cost_table(cells: Cells, dataset: str, extra: Sequence[Sequence[str]] = ()) -> str:
    rows = []
    for name, (words, form) in COSTS.items():
        sides = [cells.text(f"{dataset}|costs|{side}|{name}", form) for side in ("mfrec", "two-tower")]
        ratios = [cells.text(f"{dataset}|costs|{ratio}|{name}", ".1f") for ratio in ("ratio", "least ratio")]
        rows.append([words, *sides, *ratios])
    if all(cell == MISSING for _, *shown in rows for cell in shown):
        return ""
    return table(["cost", "mfrec", "two-tower, the article's settings", "ratio", "least ratio"], [*rows, *extra])


def latency(raw: Raw, cells: Cells, dataset: str) -> str:
    """Return p50 and p99 of single queries."""
    kinds = sorted({name.split("|")[2] for name in cells.lines if name.startswith(f"{dataset}|latency|")})
    header = ["index", *(f"{direction} {p}" for direction in DIRECTIONS for p in ("p50", "p99"))]
    rows = []
    for kind in kinds:
        names = [f"{dataset}|latency|{kind}|{direction}|{p}" for direction in DIRECTIONS for p in ("p50", "p99")]
        rows.append([kind, *(cells.text(name, ".0f") for name in names)])
    reason = raw[f"raw/{dataset}/costs/costs.json"].get("missing", {}).get("scann")
    return table(header, rows) + (f"\n\nScaNN is not in the table: {reason}" if reason else "")


def side_by_side(raw: Raw, dataset: str) -> str:
    """Return what each side answers for one user and one title."""
    answers = raw.get(f"raw/{dataset}/costs/costs.json", {}).get("answers", {})
    status = raw.get(STATUS, {})
    if not answers:
        return ""
    who = f"User {status.get('user')} and {status.get('title')}; mfrec with its defaults, the article's two-tower"
    parts = [f"### {dataset}", f"{who}, which like the article's lists the query itself and what has been seen."]
    for direction in DIRECTIONS:
        lists = [answers[side][direction] for side in answers]
        # the article's user indexes name fewer where the first 500 rows are of fewer users
        rows = [list(map(str, row)) for row in zip_longest(*lists, fillvalue="")]
        parts += [f"**{direction}**", table([f"{side}" for side in answers], rows).replace("---:", "---")]
    return "\n\n".join(parts)


def short(raw: Raw, cells: Cells) -> list[str]:
    """Return the parts of the README's table: user2item on the first data set, costs, and where it is from."""
    dataset = next(iter(datasets(raw)), "")
    columns = {
        "plain @100": "random|{}|user2item/plain/hit_rate@100",
        "unseen @10": "random|{}|user2item/unseen/hit_rate@10",
        "unseen @100": "random|{}|user2item/unseen/hit_rate@100",
        "by time, unseen @100": "time|{}|user2item/unseen/hit_rate@100",
    }
    figures = _by_contender(
        cells, [f"hit rate {name}" for name in columns], [f"{dataset}|{column}" for column in columns.values()]
    )
    figures = f"{dataset}, user2item:\n\n{figures}"
    return [part for part in (figures, _cost_table(cells, dataset), about(raw)) if part]
