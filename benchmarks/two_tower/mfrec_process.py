"""The mfrec side of the cost measurements: the same work in the same order as ``tfrs_process``.

Usage: python -m benchmarks.two_tower.mfrec_process run SPLIT OUT [--queries 500] [--user 42] [--title ...]
       python -m benchmarks.two_tower.mfrec_process first OUT [--user 42] [--title ...]

Each writes ``OUT/<command>.json``.
"""

import argparse
import importlib
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mfrec
from benchmarks.two_tower.exchange import K, SplitFile, command_line, peak_mb, size_mb, time_each


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Go from the split to first answers, then measure what serving costs."""
    train = read(args.split)
    # imports are no training, on neither side; mfrec imports what trains when it is first named
    fit_als = mfrec.fit_als
    importlib.import_module("tqdm.auto")
    began = time.perf_counter()
    factors = fit_als(train)
    fitted = time.perf_counter()
    model = mfrec.build(train, factors)
    built = time.perf_counter()
    answers = answer_all(model, args.user, args.title)
    costs = {"first_answer_at": time.time(), "peak_mb": peak_mb(), "answers": answers}
    costs |= {"fit_seconds": fitted - began, "index_seconds": built - fitted}
    costs["latency"] = {"mfrec": latencies(model, args.queries)}
    began = time.perf_counter()
    model.save(args.out / "saved")
    return costs | {"save_seconds": time.perf_counter() - began, "saved_mb": size_mb(args.out / "saved")}


def read(path: Path) -> mfrec.Interactions:
    """Read the training part of a split, straight from its numbers."""
    import pandas as pd

    split = SplitFile.read(path)
    columns: dict[str, NDArray[Any]] = {"user": split.users[split.train_user], "item": split.titles[split.train_item]}
    columns |= {"weight": split.train_weight, "time": split.train_time}
    return mfrec.Interactions.from_frame(pd.DataFrame(columns), weight="weight", time="time")


def first(args: argparse.Namespace) -> dict[str, Any]:
    """Load what `run` saved and answer one query in each direction."""
    answers = answer_all(mfrec.load(args.out / "saved"), args.user, args.title)
    return {"first_answer_at": time.time(), "peak_mb": peak_mb(), "answers": answers}


def answer_all(model: mfrec.Recommender, user: str, title: str) -> dict[str, list[Any]]:
    """Return the lists of one user and one title in all four directions."""
    asked = {"user": user, "item": title}
    return {name: model.recommend(name, [asked[d.query]], K)[0].ids for name, d in mfrec.DIRECTIONS.items()}


def latencies(model: mfrec.Recommender, queries: int) -> dict[str, list[float]]:
    """Return seconds of single queries, one after another, by direction; from id to ids."""
    rng = np.random.default_rng(0)
    numbers = {side: rng.integers(len(model.ids[side]), size=queries) for side in ("user", "item")}
    keys = {name: model.ids[d.query].ids(numbers[d.query]) for name, d in mfrec.DIRECTIONS.items()}
    return {name: time_each(partial(_ask, model, name), some) for name, some in keys.items()}


def _ask(model: mfrec.Recommender, name: str, key: Any) -> Any:
    return model.recommend(name, [key], K)


if __name__ == "__main__":
    command_line(__doc__, run, first)
