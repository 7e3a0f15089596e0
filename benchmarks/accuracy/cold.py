"""What cold start from attributes is worth, over several seeds.

It prints one line per data set and protocol, each figure as mean and standard deviation over the seeds. Figures are
hit rates over held-out events, higher is better.

* ``titles alone``: a tenth of the titles is held out whole, and the features are its words and year, as for the
  two-tower of the report. All titles are ranked, seen items included.
* ``--cold item``: a tenth of the items is held out and known by all that the release tells, as `mfrec evaluate
  SOURCE --cold item --test-fraction 0.1 --seed SEED --json` has it. A user's training items are taken out.
* ``--cold user``: the same for a fifth of the users, where the release tells about them. Recall instead of hit rates.
"""

import numpy as np

import mfrec
from benchmarks.tools import command
from benchmarks.two_tower import contenders, evaluate, splits
from mfrec.coldstart.catalogue import Catalogue
from mfrec.coldstart.evaluate import EVERYTHING, HELD_OUT, evaluate_cold
from mfrec.data.movielens import tells_users
from mfrec.directions import Side

AMONG, ALL = ("cold titles among themselves", "cold titles")
KS = (10, 100)
# protocol -> how much is held out
FRACTIONS: dict[Side, float] = {"item": 0.1, "user": 0.2}


def titles_alone(dataset: str, seed: int) -> dict[str, float]:
    """Return the figures of one seed, by name."""
    split = splits.split(dataset, splits.load(dataset), "cold", seed)
    found = evaluate.evaluate_cold(split, contenders.titles_in_words(split))
    names = {"themselves": AMONG, "all": ALL}
    return {f"{name} @{k}": found[f"{group}/hit_rate@{k}"] for name, group in names.items() for k in KS}


def attributes(dataset: str, side: Side, seed: int) -> dict[str, float]:
    """Return the figures of one seed, by name."""
    catalogue = Catalogue.movielens(dataset, side)
    report = evaluate_cold(
        mfrec.load_movielens(dataset),
        catalogue.table,
        key=catalogue.key,
        side=side,
        **catalogue.roles,
        fraction=FRACTIONS[side],
        k=KS,
        params=mfrec.ALSParams(seed=seed),
        seed=seed,
    )
    metric = "hit_rate" if side == "item" else "recall"
    groups = {"themselves": HELD_OUT, "all": EVERYTHING} if side == "item" else {"all": EVERYTHING}
    return {f"{n} @{k}": report.value(ranked=group, metric=metric, k=k) for n, group in groups.items() for k in KS}


@command
def main(
    datasets: tuple[str, ...] = ("ml-100k", "ml-latest-small"), seeds: tuple[int, ...] = tuple(range(42, 47))
) -> None:
    """Print a line per data set and protocol, as each is done."""
    for dataset in datasets:
        tell(f"{dataset}, titles alone", [titles_alone(dataset, seed) for seed in seeds])
        sides: list[Side] = ["item", "user"] if tells_users(dataset) else ["item"]
        for side in sides:
            tell(f"{dataset}, --cold {side}", [attributes(dataset, side, seed) for seed in seeds])


def tell(name: str, found: list[dict[str, float]]) -> None:
    """Print one line: every figure's mean and standard deviation."""
    parts = []
    for figure in found[0]:
        values = [each[figure] for each in found]
        parts.append(f"{figure} {np.mean(values):.3f} ± {np.std(values, ddof=1) if len(values) > 1 else 0:.3f}")
    print(f"{name}: {', '.join(parts)}", flush=True)
