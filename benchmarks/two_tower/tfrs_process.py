"""The two-tower side of the benchmark; runs in ``.venv-tfrs`` and never imports mfrec.

Usage: python -m benchmarks.two_tower.tfrs_process fit SPLIT OUT [--settings JSON] [--snapshots 1,5] [--own-metrics]
       python -m benchmarks.two_tower.tfrs_process run SPLIT OUT [--settings JSON] [--queries 500] [--user 42] [...]
       python -m benchmarks.two_tower.tfrs_process first OUT [--user 42] [--title ...]

``fit`` trains, and at every snapshot writes vectors by number to ``OUT/epoch-NNNN.npz``. ``run`` goes from the split
to first answers in all four directions, then times single queries and saves the indexes, which ``first`` loads: it
imports TensorFlow and nothing above it. Each writes ``OUT/<command>.json``.
"""

import argparse
import os
import shutil
import time

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from benchmarks.two_tower.exchange import K, SplitFile, command_line, peak_mb, size_mb, time_each

if TYPE_CHECKING:
    from benchmarks.two_tower.tfrs_model import TwoTower

KS = (1, 5, 10, 50, 100)
# the article asks a user index for so many rows, then drops repeated users
ROWS = 500
QUERY_SIDE = {"user2item": "user", "item2item": "item", "user2user": "user", "item2user": "item"}

Features = dict[str, tf.Tensor]
Index = Callable[[Features], tuple[tf.Tensor, tf.Tensor]]
Answers = dict[str, list[str]]


def fit(args: argparse.Namespace) -> dict[str, Any]:
    """Train and write vectors at the snapshots."""
    from benchmarks.two_tower.tfrs_model import train

    def export(model: "TwoTower", epoch: int) -> None:
        model.vectors().write(args.out / f"epoch-{epoch:04d}.npz")

    model, seconds = train(SplitFile.read(args.split), args.settings, args.snapshots, export)
    own = model.own_hit_rates(KS) if args.own_metrics else {}
    return {"fit_seconds": seconds, "own_hit_rates": own}


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Go from the split to first answers, then measure what serving costs."""
    import tensorflow_recommenders as tfrs

    from benchmarks.two_tower.tfrs_model import train

    split = SplitFile.read(args.split)
    model, seconds = train(split, args.settings, [], lambda *_: None)
    began = time.perf_counter()
    indexes = build_indexes(model, tfrs.layers.factorized_top_k.BruteForce)
    built = time.perf_counter() - began
    moment = int(split.last_times()[np.flatnonzero(split.users == args.user)[0]])
    answers = answer_all(indexes, args.user, moment, args.title)
    costs = {"first_answer_at": time.time(), "peak_mb": peak_mb(), "answers": answers}
    costs |= {"fit_seconds": seconds[args.settings.epochs], "index_seconds": built}
    kinds, missing = {"brute force": indexes, "brute force, one row per user": fair_indexes(model)}, {}
    try:
        kinds["scann"] = build_indexes(model, tfrs.layers.factorized_top_k.ScaNN)
    except (ImportError, tf.errors.NotFoundError) as error:
        # it is built for one TensorFlow release at a time, and not for every machine
        missing["scann"] = str(error).splitlines()[0]
    costs |= {"latency": latencies(split, kinds, args.queries), "missing": missing}
    saved = args.out / "saved"
    shutil.rmtree(saved, ignore_errors=True)
    began = time.perf_counter()
    for name, index in indexes.items():
        tf.saved_model.save(index, str(saved / name))
    return costs | {"save_seconds": time.perf_counter() - began, "saved_mb": size_mb(saved)}


def first(args: argparse.Namespace) -> dict[str, Any]:
    """Load what `run` saved and answer one query in each direction, at any time: here at the epoch's start."""
    indexes = {name: tf.saved_model.load(str(args.out / "saved" / name)) for name in QUERY_SIDE}
    answers = answer_all(indexes, args.user, 0, args.title)
    return {"first_answer_at": time.time(), "peak_mb": peak_mb(), "answers": answers}


def build_indexes(model: "TwoTower", layer: Any) -> dict[str, Index]:
    """Build the article's four indexes; a user index holds one row per rating."""
    split = model.split
    titles, users = tf.constant(split.titles), tf.constant(split.users[split.train_user])
    items, rows = model.candidates(), model.queries(split.train_user, split.train_time)
    n_rows = min(ROWS, len(rows))
    return {
        "user2item": layer(model.query, k=K).index(tf.constant(items), titles),
        "item2item": layer(model.candidate, k=K).index(tf.constant(items), titles),
        "user2user": layer(model.query, k=n_rows).index(tf.constant(rows), users),
        "item2user": layer(model.candidate, k=n_rows).index(tf.constant(rows), users),
    }


def fair_indexes(model: "TwoTower") -> dict[str, Index]:
    """Build the two user indexes with one row per user, at the time of its last training event."""
    from tensorflow_recommenders.layers.factorized_top_k import BruteForce

    users = tf.constant(model.split.users)
    rows = tf.constant(model.queries(np.arange(len(model.split.users)), model.split.last_times()))
    towers = {"user2user": model.query, "item2user": model.candidate}
    return {name: BruteForce(tower, k=K).index(rows, users) for name, tower in towers.items()}


def answer_all(indexes: dict[str, Index], user: str, moment: int, title: str) -> Answers:
    """Return the lists of one user and one title in all four directions."""
    asked = features(user, moment, title)
    return {name: answer(index, asked[QUERY_SIDE[name]]) for name, index in indexes.items()}


def answer(index: Index, asked: Features) -> list[str]:
    """Return the first ids of one query, each once."""
    _, ids = index(asked)
    return [key.decode() for key in dict.fromkeys(ids.numpy()[0].tolist())][:K]


def features(user: str, moment: int, title: str) -> dict[str, Features]:
    """Return a batch of one user and one of one title."""
    asked = {"user": tf.constant([user]), "time": tf.constant([moment], tf.int64)}
    return {"user": asked, "item": {"title": tf.constant([title])}}


def latencies(split: SplitFile, kinds: dict[str, dict[str, Index]], queries: int) -> dict[str, Any]:
    """Return seconds of single queries, one after another, by index kind and direction."""
    rng, moments = np.random.default_rng(0), split.last_times()
    users, items = (rng.integers(count, size=queries) for count in (len(split.users), len(split.titles)))
    keys = zip(split.users[users].tolist(), moments[users].tolist(), split.titles[items].tolist(), strict=True)
    pairs = [features(*key) for key in keys]
    asked = {side: [pair[side] for pair in pairs] for side in ("user", "item")}
    return {
        kind: {
            # a compiled graph, from features to ids
            name: time_each(partial(answer, tf.function(index)), asked[QUERY_SIDE[name]])
            for name, index in indexes.items()
        }
        for kind, indexes in kinds.items()
    }


if __name__ == "__main__":
    command_line(__doc__, fit, run, first, tensorflow=tf.__version__)
