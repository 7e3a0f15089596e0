"""The parts of the report, as Markdown."""

import json
from collections.abc import Sequence

from benchmarks import verdict as five
from benchmarks.cells import MISSING, Cells, table
from benchmarks.protocols import PROTOCOLS
from benchmarks.raw import Json
from benchmarks.search import best
from benchmarks.summary import Raw, datasets, searched

ORDER = (
    "popularity",
    "random",
    "item-kNN",
    "two-tower",
    "two-tower, one vector per user",
    "two-tower tuned",
    "two-tower tuned, one vector per user",
    "two-tower tuned, without time",
    "mfrec",
    "mfrec tuned",
    "mfrec tuned, at the event's time",
    "mfrec tuned, folding in",
    "mfrec, with titles",
)
DIRECTIONS = ("user2item", "item2item", "user2user", "item2user")
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

METHOD = """## How it was measured

* One judge: `benchmarks/judge.py` ranks every title (or user) for every query with `mfrec.evaluate`, from scores or
  vectors alone; ties count by their expectation. `hit_rate` is per held-out event (the article's top-k categorical
  accuracy); recall and NDCG are means over queries. *plain* ranks all titles, as the article does; *unseen* first takes
  out what the user has in training. mfrec's evaluation README describes the protocols of all four directions.
* TensorFlow Recommenders' own `FactorizedTopK` on the same model is kept in the raw files (`extra.own_hit_rates`) and
  agrees with this judge.
* Items are titles, the same ones for everybody; two ratings of one title by one user count once. The splits are made by
  mfrec and handed over as a file.
* *two-tower* is asked as in the article: the query vector is that of the event's time, similarity is the inner product,
  user indexes hold one row per rating, of which the first 500 are taken and repeated users dropped (a user that these
  do not name is ranked last). *one vector per user* is the fair variant: each user at its last training event, cosine
  within a side. *without time* is the best of those that never see the time. *at the event's time* asks mfrec with the
  user's training history folded in anew for each event; what lies far from that moment, on either side, counts less.
* *tuned* was chosen on validation parts of the training data: the mean of hit rate@10 and @100 over unseen titles.
  mfrec's trials are means over three such parts, by time each the last fifth of what stands before the previous one;
  the two-tower's are of the first part alone, since one of its trainings takes longer than a hundred fits of mfrec. The
  trials are under `raw/*/search-*`, with the seconds that each fit took.
* Costs are of whole processes, run in turns; ratios are medians over the repeats of ratios within one repeat. Memory is
  the kernel's high-water mark of the process. Latencies are single queries from id to ids, one after another;
  TensorFlow runs a compiled graph (`tf.function`). mfrec leaves out what is already seen, TensorFlow does not.
* Every figure above is a line of [summary.jsonl](summary.jsonl), which names its places in `raw/`."""


def verdict(raw: Raw, cells: Cells) -> str:
    """Return the five lines."""
    names = datasets(raw)
    found = five.lines(cells, names[0]) if names else ["Nothing was measured."]
    return "\n".join(f"{n}. {line}" for n, line in enumerate(found, 1))


def about(raw: Raw) -> str:
    """Return commit, versions, machine, and what is missing."""
    seen = [content["about"] for content in raw.values() if "about" in content]
    commits = ", ".join(sorted({a["commit"] for a in seen}))
    last = max(seen, key=lambda a: str(a["at"]))
    machine, libraries = last["machine"], ", ".join(f"{n} {v}" for n, v in last["libraries"].items())
    tensorflow = {str(c["extra"]["tensorflow"]) for c in raw.values() if "tensorflow" in c.get("extra", {})}
    versions = f"Python {last['python']}, {libraries}" + "".join(f", tensorflow {v}" for v in sorted(tensorflow))
    load = max(a["load_average"] for a in seen)
    lines = [
        f"Commit {commits}; {versions}; {machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB, "
        f"{machine['system']}; {last['at']}; highest load average when something started: {load:.1f}."
    ]
    missing = raw.get("raw/status.json", {}).get("missing", {})
    lines += [f"**Missing here:** {what}: {why}" for what, why in missing.items()]
    return "\n\n".join(lines)


def dataset_sections(raw: Raw, cells: Cells, dataset: str) -> list[str]:
    """Return the tables of one data set."""
    parts = []
    for protocol in ("random", "time"):
        parts += [f"### user2item, {PROTOCOLS[protocol]}", user2item(cells, dataset, protocol)]
    parts += ["### The other directions, unseen, random split", directions(cells, dataset)]
    parts += [f"![four directions](directions-{dataset}.png)", "### Strangers", STRANGERS, strangers(cells, dataset)]
    parts += ["### Training time", f"![accuracy against training time](training-{dataset}.png)"]
    parts += [training(cells, dataset), "### Costs", costs(cells, dataset)]
    parts += ["### Latency of a single query, microseconds", latency(raw, cells, dataset)]
    parts += [f"![latency](latency-{dataset}.png)", "### Side by side", side_by_side(raw, dataset)]
    return [part for part in parts if part]


def user2item(cells: Cells, dataset: str, protocol: str) -> str:
    """Return hit rates by contender, plain and unseen, with NDCG and recall."""
    columns = [("plain", "hit_rate", k) for k in (10, 100)] + [("unseen", "hit_rate", k) for k in (1, 5, 10, 50, 100)]
    columns += [("unseen", "ndcg", 10), ("unseen", "recall", 20)]
    header = [f"{seen} {metric.replace('_', ' ')}@{k}" for seen, metric, k in columns]
    names = [f"{dataset}|{protocol}|{{}}|user2item/{seen}/{metric}@{k}" for seen, metric, k in columns]
    return _by_contender(cells, header, names)


def directions(cells: Cells, dataset: str) -> str:
    """Return recall and NDCG of the three other directions."""
    columns = [(direction, metric, 10) for direction in DIRECTIONS[1:] for metric in ("recall", "ndcg")]
    header = [f"{direction} {metric}@{k}" for direction, metric, k in columns]
    names = [f"{dataset}|random|{{}}|{direction}/unseen/{metric}@{k}" for direction, metric, k in columns]
    return _by_contender(cells, header, names)


def _by_contender(cells: Cells, header: Sequence[str], names: Sequence[str]) -> str:
    """Return a table of means with their spread; who has none of the figures has no row."""
    rows = [[who, *(cells.spread(name.format(who)) for name in names)] for who in ORDER]
    found = [name.format(who) for who in ORDER for name in names]
    counts = sorted({cells.lines[name].count for name in found if name in cells.lines})
    shown = table(["contender", *header], [row for row in rows if set(row[1:]) != {MISSING}])
    seeds = " or ".join(map(str, counts))
    return f"{shown}\n\nMean ± standard deviation over {seeds} seeds of split and model." if counts else ""


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


STRANGERS = """What a model can say of titles without any rating (a tenth of the titles, held out whole; ranked among
all titles, and among the cold ones alone) and to users without any (in the split by time). *with titles* gives a cold
title a vector from its words (`mfrec.content`). *folding in* takes each event of a new user in before the next is
asked for, and trains nothing again; what it took in is not offered again. A two-tower with a user id cannot do that."""


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
    """Return what both sides cost, and the ratio."""
    rows = []
    for name, (words, form) in COSTS.items():
        sides = [cells.text(f"{dataset}|costs|{side}|{name}", form) for side in ("mfrec", "two-tower")]
        rows.append([words, *sides, cells.text(f"{dataset}|costs|ratio|{name}", ".1f")])
    extra = [
        ["the environment's whole folder, MB", "", cells.text(f"{dataset}|costs|two-tower|folder_mb", ".0f"), ""],
        ["what serving needs (numpy, annoy), MB", cells.text(f"{dataset}|costs|mfrec|serving_mb", ".0f"), "", ""],
    ]
    return table(["", "mfrec", "two-tower, the article's settings", "ratio"], rows + extra)


def latency(raw: Raw, cells: Cells, dataset: str) -> str:
    """Return p50 and p99 of single queries."""
    kinds = sorted({name.split("|")[2] for name in cells.lines if name.startswith(f"{dataset}|latency|")})
    header = ["index", *(f"{direction} {p}" for direction in DIRECTIONS for p in ("p50", "p99"))]
    rows = []
    for kind in kinds:
        names = [f"{dataset}|latency|{kind}|{direction}|{p}" for direction in DIRECTIONS for p in ("p50", "p99")]
        rows.append([kind, *(cells.text(name, ".0f") for name in names)])
    if "scann" in kinds or "brute force" not in kinds:
        return table(header, rows)
    return table(header, rows) + "\n\nScaNN is not in the table: its operators do not load in this TensorFlow."


def side_by_side(raw: Raw, dataset: str) -> str:
    """Return what each side answers for one user and one title."""
    answers = raw.get(f"raw/{dataset}/costs/costs.json", {}).get("answers", {})
    status = raw.get("raw/status.json", {})
    parts = [f"User {status.get('user')} and {status.get('title')}; mfrec with its defaults, the article's two-tower."]
    for direction in DIRECTIONS if answers else ():
        lists = [answers[side][direction] for side in answers]
        rows = [list(map(str, row)) for row in zip(*lists, strict=False)]
        parts += [f"**{direction}**", table([f"{side}" for side in answers], rows).replace("---:", "---")]
    return "\n\n".join(parts)


SEARCHES = """## What the searches chose

The value is what was maximised, on validation: the mean of hit rate@10 and @100 over unseen titles. The columns on the
right show what it is worth to correct the in-batch softmax for how often a title is drawn as a negative (`log_q`). The
article does not: popular titles are drawn most, and without the correction a model learns to avoid them."""


def chosen(raw: Raw, cells: Cells) -> str:
    """Return what the searches found best, and what the log-Q correction is worth."""
    groups: dict[tuple[str, str, str], list[Json]] = {}
    for path, content in raw.items():
        if "trials" in content:
            _, dataset, group, file = path.split("/")
            who = searched(file)
            groups.setdefault((dataset, group, who), []).extend(content["trials"])
    rows, lines = [], []
    for (dataset, group, who), trials in groups.items():
        found = best(trials)
        settings = {name: value for name, value in found["settings"].items() if name != "seed"}
        words = f"{dataset}, {group.removeprefix('search-')}, {who}"
        kinds = ("best", "best with log_q", "best without log_q")
        rows.append([words, *(cells.text(f"{dataset}|{group}|{who}|{kind}") for kind in kinds)])
        how = f" asked {found['serve']}," if "serve" in found else ""
        lines.append(f"* {words}:{how} `{json.dumps(settings)}`")
    values = table(["search", "best", "best with log_q", "best without log_q"], rows)
    return "\n\n".join([SEARCHES, values, "\n".join(lines)])


def short(raw: Raw, cells: Cells) -> list[str]:
    """Return the parts of the README's table: user2item on ML-100K, costs as ratios, and where it is from."""
    dataset = five.DATASET
    columns = {
        "plain @100": "random|{}|user2item/plain/hit_rate@100",
        "unseen @10": "random|{}|user2item/unseen/hit_rate@10",
        "unseen @100": "random|{}|user2item/unseen/hit_rate@100",
        "by time, unseen @100": "time|{}|user2item/unseen/hit_rate@100",
    }
    figures = _by_contender(
        cells, [f"hit rate {name}" for name in columns], [f"{dataset}|{column}" for column in columns.values()]
    )
    ratios = [
        [words, *(cells.text(f"{dataset}|costs|{side}|{name}", form) for side in ("mfrec", "two-tower", "ratio"))]
        for name, (words, form) in COSTS.items()
    ]
    costs_table = table(["cost", "mfrec", "two-tower, the article's settings", "ratio"], ratios)
    return [figures, costs_table, about(raw)]
