"""The article's four indexes over the two towers: brute force, with one row per rating on the user side."""

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from benchmarks.two_tower_data import SplitFile, VectorFile
from benchmarks.two_tower_first import QUERY_SIDE, Index, K, answer, title_features, user_features
from benchmarks.two_tower_model import TwoTower

# the article asks a user index for so many rows, then drops repeated users
ROWS = 500


def vectors(model: TwoTower) -> VectorFile:
    """Return every vector that some direction needs."""
    split = model.split
    return VectorFile(
        items=model.candidates(),
        users=model.queries(np.arange(len(split.users)), split.last_times()),
        events=model.queries(split.test_user, split.test_time),
        rows=model.queries(split.train_user, split.train_time),
    )


def build_indexes(model: TwoTower, layer: Any = tfrs.layers.factorized_top_k.BruteForce) -> dict[str, Index]:
    """Build the article's four indexes; a user index holds one row per rating."""
    split = model.split
    titles, users = tf.constant(split.titles), tf.constant(split.users[split.train_user])
    items, rows = model.candidates(), model.queries(split.train_user, split.train_time)
    return {
        "user2item": layer(model.query, k=K).index(tf.constant(items), titles),
        "item2item": layer(model.candidate, k=K).index(tf.constant(items), titles),
        "user2user": layer(model.query, k=min(ROWS, len(rows))).index(tf.constant(rows), users),
        "item2user": layer(model.candidate, k=min(ROWS, len(rows))).index(tf.constant(rows), users),
    }


def fair_indexes(model: TwoTower, layer: Any = tfrs.layers.factorized_top_k.BruteForce) -> dict[str, Index]:
    """Build the two user indexes with one row per user, at the time of its last training event."""
    split = model.split
    rows = tf.constant(model.queries(np.arange(len(split.users)), split.last_times()))
    users = tf.constant(split.users)
    return {
        "user2user": layer(model.query, k=K).index(rows, users),
        "item2user": layer(model.candidate, k=K).index(rows, users),
    }


def answer_all(indexes: dict[str, Index], split: SplitFile, user: str, title: str) -> dict[str, list[str]]:
    """Return the lists of one user and one title in all four directions."""
    moment = int(split.last_times()[np.flatnonzero(split.users == user)[0]])
    asked = {"user": user_features(user, moment), "item": title_features(title)}
    return {name: answer(index, asked[QUERY_SIDE[name]]) for name, index in indexes.items()}


def latencies(model: TwoTower, indexes: dict[str, Index], queries: int) -> dict[str, Any]:
    """Return seconds of single queries, one after another, by index kind and direction, and what could not be asked."""
    kinds, missing = {"brute force": indexes, "brute force, one row per user": fair_indexes(model)}, {}
    try:
        kinds["scann"] = build_indexes(model, tfrs.layers.factorized_top_k.ScaNN)
    except (ImportError, tf.errors.NotFoundError) as error:
        # it is built for one TensorFlow release at a time, and not for every machine
        missing["scann"] = str(error).splitlines()[0]
    split, rng = model.split, np.random.default_rng(0)
    users = rng.integers(len(split.users), size=queries)
    items = rng.integers(len(split.titles), size=queries)
    moments = split.last_times()
    asked = {
        "user": [user_features(str(split.users[u]), int(moments[u])) for u in users],
        "item": [title_features(str(split.titles[i])) for i in items],
    }
    latency = {
        kind: {name: time_queries(tf.function(index), asked[QUERY_SIDE[name]]) for name, index in some.items()}
        for kind, some in kinds.items()
    }
    return {"latency": latency, "missing": missing}


def time_queries(index: Index, asked: list[dict[str, tf.Tensor]]) -> list[float]:
    """Time single queries with a compiled graph, from features to ids; the first ones, which compile, do not count."""
    for features in asked[:5]:
        answer(index, features)
    seconds = []
    for features in asked:
        began = time.perf_counter()
        answer(index, features)
        seconds.append(time.perf_counter() - began)
    return seconds


def save(indexes: dict[str, Index], folder: Path) -> dict[str, float]:
    """Save all four indexes as TensorFlow does, and say how large they are and how long it took."""
    shutil.rmtree(folder, ignore_errors=True)
    began = time.perf_counter()
    for name, index in indexes.items():
        tf.saved_model.save(index, str(folder / name))
    seconds = time.perf_counter() - began
    return {"save_seconds": seconds, "saved_mb": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6}
