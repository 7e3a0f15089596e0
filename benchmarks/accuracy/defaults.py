"""The derived defaults on data of many shapes: against the best that a search finds, and against every baseline.

Ten data sets: MovieLens thinned in five ways, three generated ones, and two read from this machine's list of Debian
packages, where it has one. Nothing in mfrec was chosen on them. Of each a random fifth is the test part; the model
is fitted with the derived defaults, and with what ``mfrec tune`` finds on the training part in so many minutes.

Every figure is a line of ``results.jsonl``; what is there is not made again. The tables are put into
docs/accuracy.md: NDCG@20 of user2item, and hit rates @10 of all directions for the first seed.
"""

import json
import logging
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tabulate import tabulate

import mfrec
from benchmarks.tools import command, put
from mfrec.data.interactions import Interactions
from mfrec.evaluation import measure, splits
from mfrec.training.fit import fit_als
from mfrec.tuning.tune import tune

RESULTS = Path(__file__).with_name("results.jsonl")
SEED = 7


def _part(source: str, kept: Callable[[Interactions], Any]) -> Callable[[], Interactions]:
    """Return how to load a part of a MovieLens release."""

    def load() -> Interactions:
        data = mfrec.load_movielens(source)
        return data.take(kept(data)).filter(min_user_interactions=1, min_item_interactions=1)

    return load


def _first_by_time(data: Interactions) -> Any:
    assert data.times is not None  # noqa: S101 - MovieLens has times
    return data.times <= np.quantile(data.times, 0.6)


def _without_the_active(data: Interactions) -> Any:
    return ~np.isin(data.users, np.argsort(-data.degree.user)[:50])


def _at_most_thirty_each(data: Interactions) -> Any:
    order = np.lexsort((np.random.default_rng(SEED).random(len(data)), data.users))
    users = data.users[order]
    return np.sort(order[np.arange(len(users)) - np.searchsorted(users, users) < 30])


def _generated(users: int, items: int, interactions: int, genres: int) -> Callable[[], Interactions]:
    return lambda: mfrec.sample(users, items, interactions, n_genres=genres, seed=SEED).interactions


@cache
def _packages() -> tuple[dict[str, str], ...]:
    """Return the fields of every Debian package that this machine's lists describe."""
    text = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, errors="replace", check=True)
    blocks = [re.sub(r"\n\s+", " ", block) for block in text.stdout.split("\n\n")]
    return tuple(dict(re.findall(r"^([\w-]+): (.*)$", block, re.MULTILINE)) for block in blocks if block)


def _pairs(pairs: Iterator[tuple[str, str]], least_users: int, least_items: int) -> Interactions:
    """Count repeated pairs as weights, and leave out what is rare."""
    counts = pd.DataFrame(pairs, columns=["user", "item"]).value_counts().reset_index(name="weight")
    data = Interactions.from_frame(counts, weight="weight")
    return data.filter(min_user_interactions=least_users, min_item_interactions=least_items)


def _recommended_packages() -> Interactions:
    fields = ("Recommends", "Suggests")
    name = re.compile(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)")
    return _pairs(
        ((p["Package"], other) for p in _packages() for f in fields for other in name.findall(p.get(f, ""))), 2, 3
    )


def _words_of_maintainers() -> Interactions:
    word = re.compile(r"[a-z]{4,}")
    told = ((p["Maintainer"], p.get("Description", p.get("Description-en", ""))) for p in _packages())
    return _pairs(((who, w) for who, text in told for w in word.findall(text.lower())), 5, 5)


SETS: Mapping[str, Callable[[], Interactions]] = {
    "ml-100k, first 60 % by time": _part("ml-100k", _first_by_time),
    "ml-100k, ratings of 4 and 5": _part("ml-100k", lambda data: data.weights >= 4),
    "ml-100k, at most 30 per user": _part("ml-100k", _at_most_thirty_each),
    "ml-latest-small without the 50 most active": _part("ml-latest-small", _without_the_active),
    "ml-latest-small, every other item": _part("ml-latest-small", lambda data: data.items % 2 == 0),
    "generated, 12 genres": _generated(20_000, 5_000, 150_000, 12),
    "generated, 25 genres": _generated(3_000, 8_000, 100_000, 25),
    "generated, 8 genres": _generated(1_500, 1_500, 60_000, 8),
    "Debian: packages that recommend packages": _recommended_packages,
    "Debian: maintainers by words, counted": _words_of_maintainers,
}


def split(name: str, seed: int) -> tuple[Interactions, Interactions]:
    """Return the parts of one data set; ids and numbers are those of what is left of it."""
    return splits.random_split(SETS[name](), 0.2, seed)


def searched(name: str, seed: int, minutes: float, threads: int) -> dict[str, Any]:
    """Return what the defaults and a search reach on the test part."""
    train, test = split(name, seed)
    base = mfrec.ALSParams(seed=seed, threads=threads)
    model = mfrec.fit(train, base, mfrec.IndexParams(index="exact"))
    found = tune(train, minutes=minutes, base=base, seed=seed)
    tuned = fit_als(train, found.params)
    return {
        "shape": [*train.shape, len(train), len(test)],
        "defaults": measure(model.factors, train, test, 20)["ndcg@20"],
        "tuned": measure(tuned, train, test, 20)["ndcg@20"],
        "reasons": model.info["reasons"],
        "verdict": model.check.verdict if model.check else "",
        "params": asdict(found.params),
        "trials": len(found.trials),
    }


def compared(name: str, seed: int) -> dict[str, Any]:
    """Return hit rates @10 of every contender in every direction, with defaults, and the verdicts."""
    train, test = split(name, seed)
    model = mfrec.fit(train, mfrec.ALSParams(seed=seed), mfrec.IndexParams(index="exact"))
    report = mfrec.evaluate(model, test, 10, protocols=["unseen"], train=train)
    rates = {d: {} for d in mfrec.DIRECTIONS}  # type: dict[str, dict[str, float]]
    for row in report.rows:
        if (row.metric, row.segment) == ("hit_rate", "all"):
            rates[row.direction][row.contender] = round(row.value, 5)
    return {"hit_rates": rates, "verdicts": list(report.verdicts)}


@command
def main(
    minutes: float = 2.0,
    seeds: tuple[int, ...] = (1, 2, 3),
    sets: tuple[str, ...] = tuple(SETS),
    threads: int = 1,
    kinds: tuple[str, ...] = ("compare", "search"),
) -> None:
    """Make what is missing, and write the tables."""
    logging.getLogger("mfrec").setLevel(logging.ERROR)
    for seed, name in product(seeds, sets):
        key = {"set": name, "seed": seed}
        jobs: dict[str, tuple[dict[str, Any], Callable[[], dict[str, Any]]]] = {
            "compare": ({"kind": "compare", **key}, partial(compared, name, seed)),
            "search": ({"kind": "search", **key, "minutes": minutes}, partial(searched, name, seed, minutes, threads)),
        }
        for kind, (made, make) in jobs.items():
            wanted = kind in kinds and (kind == "search" or seed == seeds[0])
            if wanted and not any(made.items() <= line.items() for line in lines()):
                with RESULTS.open("a") as file:
                    file.write(json.dumps({**made, **make()}) + "\n")
    put("docs/accuracy.md", "defaults", tables())


def tables() -> str:
    """Return what the results say as Markdown."""
    return f"{_searches()}\n\n{_comparisons()}\n"


def lines() -> list[dict[str, Any]]:
    """Return the results so far."""
    return [json.loads(line) for line in RESULTS.read_text().splitlines()]


def _searches() -> str:
    found = [line for line in lines() if line["kind"] == "search"]
    rows = []
    for name in SETS:
        own = [line for line in found if line["set"] == name]
        if own:
            defaults, tuned = (float(np.mean([line[which] for line in own])) for which in ("defaults", "tuned"))
            users, items, train, test = own[0]["shape"]
            shape = f"{users:,} x {items:,}, {train + test:,}"
            trials = round(float(np.mean([line["trials"] for line in own])))
            rows.append([name, shape, f"{defaults:.4f}", f"{tuned:.4f}", f"{defaults / tuned:.3f}", len(own), trials])
    head = ["data", "users x items, interactions", "defaults", "tuned", "share", "seeds", "trials"]
    return tabulate(rows, head, tablefmt="github", disable_numparse=True)


def _comparisons() -> str:
    rows = []
    for line in (line for line in lines() if line["kind"] == "compare"):
        for direction, rates in line["hit_rates"].items():
            others = {who: rate for who, rate in rates.items() if who != "mfrec"}
            best = max(others, key=lambda who: others[who])
            rows.append([line["set"], direction, f"{rates['mfrec']:.4f}", f"{others[best]:.4f}", best])
    head = ["data", "direction", "mfrec", "best baseline", "which"]
    return tabulate(rows, head, tablefmt="github", disable_numparse=True)
