"""What recency is worth tomorrow: fit on the first 80 % of the time, judge by what known users and items do next.

It prints one line per data set and direction, and without ``--sources`` puts them into docs/accuracy.md: hit rate @10
over unseen targets without recency, with the defaults, and of the best of recent popularity (or activity) at 7, 30 and
90 days, with 95 % intervals of a bootstrap over queries, and how many times better the defaults are. It takes two
minutes on two cores.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from benchmarks.tools import command, put
from mfrec.data.interactions import Interactions
from mfrec.data.movielens import load_movielens
from mfrec.data.synthetic import drifting
from mfrec.directions import DIRECTIONS
from mfrec.evaluation.baselines import HALF_LIVES, constant, dot
from mfrec.evaluation.metrics import hit_rate
from mfrec.evaluation.ranking import Scorer, Task, by_scores
from mfrec.evaluation.splits import time_split
from mfrec.evaluation.tasks import TASKS, match_parts
from mfrec.training.als import solve
from mfrec.training.params import ALSParams
from mfrec.training.recency import NAMES
from mfrec.training.regularization import derive

K, RESAMPLED = 10, 2_000
SOURCES = ("ml-100k", "ml-latest-small", "drifting 1", "drifting 2", "drifting 3")
OFF: dict[str, Any] = dict.fromkeys(NAMES, 0.0)
OPEN: dict[str, Any] = dict.fromkeys(NAMES)

Values = NDArray[np.float64]


def read(source: str) -> Interactions:
    """Return a MovieLens release, or a generated world that drifts, by its seed."""
    name, _, seed = source.partition(" ")
    return drifting(seed=int(seed)) if name == "drifting" else load_movielens(source)


def hits(task: Task, scorer: Scorer) -> tuple[Values, Values]:
    """Return, per query, how many held-out events are among the first ten, and how many there are."""
    events = task.relevant.degree
    found = hit_rate(by_scores(task, scorer, ("unseen",), (K,))["unseen"].ranks, K)
    return np.add.reduceat(found, task.relevant.starts[:-1]), events.astype(np.float64)


def rates(found: Values, events: Values, drawn: NDArray[np.int64]) -> Values:
    """Return the hit rate of every resample of the queries."""
    shares: Values = found[drawn].sum(axis=1) / events[drawn].sum(axis=1)
    return shares


def compared(source: str) -> list[list[str]]:
    """Return the lines of one data set."""
    train, test = time_split(read(source))
    plain = derive(train, ALSParams(**OFF)).params
    chosen = derive(train, replace(plain, **OPEN)).params
    factors = {"without": solve(train, plain), "defaults": solve(train, chosen)}
    events = match_parts(train, test, max_queries=20_000, warm=True)
    lines = []
    for name in ("user2item", "item2user"):
        direction, task = DIRECTIONS[name], TASKS[name](events)
        scorers = {what: dot(f, direction.query, direction.target) for what, f in factors.items()}
        recent = {days: train.recent_degree(days) for days in HALF_LIVES}
        scorers |= {f"recent {d}": constant(r[direction.target]) for d, r in recent.items() if r is not None}
        found = {what: hits(task, scorer) for what, scorer in scorers.items()}
        total = {what: float(h.sum() / n.sum()) for what, (h, n) in found.items()}
        best = max((what for what in total if what.startswith("recent")), key=lambda what: total[what])
        count = len(task.queries)
        drawn = np.random.default_rng(0).integers(count, size=(RESAMPLED, count))
        shown = {what: rates(*found[what], drawn) for what in ("without", "defaults", best)}
        ratio = shown["defaults"] / np.maximum(shown["without"], 1e-12)
        times = total["defaults"] / total["without"]
        cells = [_interval(total[what], values) for what, values in shown.items()]
        counts = f"{count:,} / {int(found['defaults'][1].sum()):,}"
        what = ", ".join(f"{getattr(chosen, name):g}" for name in NAMES)
        lines.append([source, name, counts, *cells, _interval(times, ratio, 2), what])
    return lines


def _interval(value: float, drawn: Values, digits: int = 4) -> str:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


@command
def main(sources: tuple[str, ...] = ()) -> None:
    """Print the table."""
    lines = [line for source in sources or SOURCES for line in compared(source)]
    head = ["data", "direction", "queries / events", "without recency", "defaults", "best recent", "times"]
    text = tabulate(lines, [*head, ", ".join(NAMES)], tablefmt="github", disable_numparse=True)
    if sources:
        print(text)
    else:
        put("docs/accuracy.md", "tomorrow", f"{text}\n")
