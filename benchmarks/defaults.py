"""What each default is worth: one parameter changed at a time, on validation parts alone.

Usage: MFREC_DATA_HOME=... python benchmarks/defaults.py [--data ml-100k ml-latest-small] [--parts 3]

Of each data set the test part of the README (a random fifth, seed 42) is left out altogether; of the rest, fifths are
held out in turn. Shown are the defaults' NDCG@20 and hit rates @10 and @100 over unseen items, and by how much each
change moves them, in thousandths: what is above 0 in every column would be the better default.
"""

import argparse
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from tabulate import tabulate

import mfrec
from mfrec.evaluation import measure
from mfrec.evaluation.splits import Parts, k_fold_split, random_split
from mfrec.training.als import fit_als
from mfrec.training.params import ALSParams

METRICS = ("ndcg@20", "hit_rate@10", "hit_rate@100")
CHANGES: Mapping[str, tuple[Any, ...]] = {
    "factors": (32, 40, 64, 96),
    "regularization": (15.0, 20.0, 30.0, 40.0),
    "alpha": (1.0, 2.0, 5.0, 10.0),
    "iterations": (5, 12, 20),
    "user_exponent": (0.0, 0.25, 0.75),
    "item_exponent": (0.0, 0.5, 0.75),
    "item_scale": (-0.1, 0.1, 0.2),
    "transform": ("value", "binary"),
    "half_life": (365.0,),
}


def variants() -> Iterator[tuple[str, ALSParams]]:
    """Yield the defaults, then every change."""
    yield "the defaults", ALSParams()
    for name, values in CHANGES.items():
        for value in values:
            yield f"{name} {value}", replace(ALSParams(), **{name: value})


def values(folds: list[Parts], params: ALSParams) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the metrics, means over the folds."""
    found = [measure(fit_als(train, params), train, held_out, k=(10, 20, 100)) for train, held_out in folds]
    return np.array([np.mean([one[metric] for one in found]) for metric in METRICS])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["ml-100k", "ml-latest-small"])
    parser.add_argument("--parts", type=int, default=3)
    options = parser.parse_args()
    logging.getLogger("mfrec").setLevel(logging.ERROR)
    rows: dict[str, list[str]] = {name: [] for name, _ in variants()}
    for data in options.data:
        rest, _ = random_split(mfrec.load_movielens(data), 0.2, seed=42)
        folds = list(islice(k_fold_split(rest, 5, seed=42), options.parts))
        own = values(folds, ALSParams())
        for name, params in variants():
            plain = params == ALSParams()
            rows[name] += (
                [f"{v:.4f}" for v in own] if plain else [f"{1000 * gap:+.1f}" for gap in values(folds, params) - own]
            )
    header = ["", *(f"{data} {metric}" for data in options.data for metric in METRICS)]
    print(tabulate([[name, *cells] for name, cells in rows.items()], header, "github", disable_numparse=True))


if __name__ == "__main__":
    main()
