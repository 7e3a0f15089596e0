"""What look-alikes are worth: half of the users of an item are the seeds, the other half is to be found.

The model is fitted without the interactions of the item (ten items, drawn at random, are left out of each fit), with
parameters that were derived once. Ranked is everybody but the seeds. The ways were compared, and the two constants of
the default chosen, on the first 200 items of a seeded order of those with 20 users or more, of both MovieLens sets; the
table is of the 200 that follow, and of a generated sample that nothing was chosen on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from benchmarks.tools import command, put
from mfrec.applications.lookalikes import Group, Space
from mfrec.arrays import Candidates, Numbers, Values, unit_rows
from mfrec.data.interactions import Interactions
from mfrec.data.movielens import load_movielens
from mfrec.data.synthetic import sample
from mfrec.directions import Side, other
from mfrec.model.factors import Factors
from mfrec.model.fold_in import fold_in
from mfrec.training.als import solve, with_same_side
from mfrec.training.params import ALSParams
from mfrec.training.regularization import derive

ITEMS, FEWEST, TOGETHER, SEED = 200, 20, 10, 7
NEAREST, AT, RESAMPLES = 10, 100, 1000

DATA: dict[str, Callable[[], Interactions]] = {
    "ml-100k": lambda: load_movielens("ml-100k"),
    "ml-latest-small": lambda: load_movielens("ml-latest-small"),
    "generated": lambda: sample(1500, 1200, 45_000, n_genres=10, seed=11).interactions,
}


@dataclass(frozen=True, eq=False)
class Task:
    """The users of one item, half of them seeds, and factors that were fitted without the item.

    Or the items of one user, where the side is that of items.
    """

    factors: Factors
    side: Side
    seeds: Numbers
    rest: Numbers


def tasks(data: Interactions, side: Side, first: int) -> Iterator[Task]:
    """Yield a task per item (or user), from a place of the seeded order on."""
    own, groups = (data.users, data.items) if side == "user" else (data.items, data.users)
    params = derive(data, ALSParams()).params
    rng = np.random.default_rng(SEED)
    drawn = rng.permutation(np.flatnonzero(data.degree[other(side)] >= FEWEST))[first : first + ITEMS]
    for start in range(0, len(drawn), TOGETHER):
        out = drawn[start : start + TOGETHER]
        factors = with_same_side(solve(data.take(np.flatnonzero(~np.isin(groups, out))), params))
        for group in out.tolist():
            members = rng.permutation(own[groups == group])
            half = len(members) // 2
            yield Task(factors, side, np.sort(members[:half]), np.sort(members[half:]))


def _unit(task: Task, relative: bool = False) -> Values:
    unit: Values = unit_rows(task.factors.same_side[task.side]).astype(np.float64)
    return unit - np.asarray(unit.mean(axis=0), np.float64) if relative else unit


def _mean(task: Task, relative: bool = False) -> Values:
    unit = _unit(task, relative)
    return np.asarray(unit @ unit[task.seeds].mean(axis=0), np.float64)


def _votes(task: Task) -> Values:
    unit = _unit(task)
    nearest: Values = np.sort(unit @ unit[task.seeds].T, axis=1)[:, -NEAREST:]
    return np.asarray(nearest.mean(axis=1), np.float64)


def _new_item(task: Task) -> Values:
    return np.asarray(task.factors[task.side] @ fold_in(task.factors, other(task.side), task.seeds), np.float64)


def _lookalikes(task: Task, centres: int | None = None) -> Values:
    degree = task.factors.degree[task.side]
    space = Space.of(Candidates(task.factors.same_side[task.side], "cosine"), degree)
    everybody = np.arange(len(degree))
    if centres is None:
        return Group.of(space, task.seeds).of_rows(space.rows(everybody))
    return Group.with_centres(space, space.rows(task.seeds), centres).of_rows(space.rows(everybody))


WAYS: dict[str, Callable[[Task], Values]] = {
    "most active": lambda task: task.factors.degree[task.side].astype(np.float64),
    "mean of unit vectors": _mean,
    "the same, relative to everybody's mean": lambda task: _mean(task, relative=True),
    f"votes of the {NEAREST} nearest seeds": _votes,
    "scores of an item (user) folded in from the seeds": _new_item,
    "look-alikes with always 2 centres": lambda task: _lookalikes(task, 2),
    "**look-alikes**": _lookalikes,
}


def judge(scores: Values, task: Task) -> tuple[float, float, float]:
    """Return recall at the size of the other half, the same over a random order's, and recall at 100.

    At 100 it is the share of what 100 places can hold.
    """
    ranked = scores.astype(np.float64)
    ranked[task.seeds] = -np.inf
    hits = np.isin(np.argsort(-ranked, kind="stable"), task.rest)
    half = len(task.rest)
    recall = hits[:half].mean()
    return recall, recall * (len(scores) - len(task.seeds)) / half, hits[:AT].sum() / min(AT, half)


def _ratio(own: NDArray[np.float64], base: NDArray[np.float64]) -> str:
    """Return the ratio of two means over items, and its standard error by resampling items."""
    drawn = np.random.default_rng(SEED).integers(len(own), size=(RESAMPLES, len(own)))
    spread = (own[drawn].mean(axis=1) / base[drawn].mean(axis=1)).std()
    return f"{own.mean() / base.mean():.2f} ± {spread:.2f}"


def measured(name: str, side: Side, first: int) -> list[list[str]]:
    """Return one row per way for one data set."""
    figures: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
    for task in tasks(DATA[name](), side, first):
        for way, score in WAYS.items():
            figures[way].append(judge(score(task), task))
    found = {way: np.array(rows) for way, rows in figures.items()}
    active, mean = (found[way][:, 0] for way in list(WAYS)[:2])
    rows = []
    for way, values in found.items():
        recall, error = values[:, 0], values[:, 0].std() / np.sqrt(len(values))
        row = [f"{recall.mean():.3f} ± {error:.3f}", f"{values[:, 2].mean():.3f}", f"{values[:, 1].mean():.1f}"]
        rows.append([name, way, *row, _ratio(recall, active), _ratio(recall, mean)])
    return rows


@command
def main(datasets: tuple[str, ...] = tuple(DATA), side: str = "user", first: int = ITEMS) -> None:
    """Print the table; of all data sets, users and the items that count, put it into docs/lookalikes.md."""
    head = ["data", "way", "recall", f"@{AT}", "lift", "over most active", "over the mean vector"]
    rows = [row for name in datasets for row in measured(name, "user" if side == "user" else "item", first)]
    text = tabulate(rows, head, tablefmt="github", disable_numparse=True) + "\n"
    if (tuple(datasets), side, first) == (tuple(DATA), "user", ITEMS):
        put("docs/lookalikes.md", "lookalikes", text)
    else:
        print(text)
