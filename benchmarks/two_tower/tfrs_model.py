"""The two towers, written afresh after the article's description: user and time against title and its words.

TensorFlow Recommenders needs ``TF_USE_LEGACY_KERAS=1``, which ``tfrs_process.py`` sets before anything imports it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
from numpy.typing import NDArray

from benchmarks.two_tower.exchange import Numbers, Settings, SplitFile, VectorFile, Vectors

MAX_TOKENS = 10_000
PREDICT = 4_096


class Tower(tf.keras.Model):
    """Embeddings side by side, then dense layers, then perhaps scaling to length 1."""

    def __init__(self, parts: dict[str, list[tf.keras.layers.Layer]], settings: Settings) -> None:
        """Take the feature each part reads, ending in one row of values per example."""
        super().__init__()
        self.names = list(parts)
        self.parts = [[*layers] for layers in parts.values()]
        self.dropout = tf.keras.layers.Dropout(settings.dropout)
        *hidden, last = settings.layers
        self.dense = [tf.keras.layers.Dense(width, activation="relu") for width in hidden]
        self.dense.append(tf.keras.layers.Dense(last))
        self.normalise = settings.normalise

    def call(self, features: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Return one vector per example."""
        columns = []
        for name, layers in zip(self.names, self.parts, strict=True):
            value = features[name.split(":")[0]]
            for layer in layers:
                value = layer(value)
            columns.append(value)
        value = self.dropout(tf.concat(columns, axis=1), training=training)
        for layer in self.dense:
            value = layer(value)
        return tf.math.l2_normalize(value, axis=1) if self.normalise else value


def query_tower(split: SplitFile, settings: Settings) -> Tower:
    """Build the query side: the user, and the time as a bucket and as a normalised value."""
    parts = {"user": _lookup(split.users, settings.embedding)}
    if settings.timestamp:
        times = split.clock()
        edges = np.linspace(times.min(), times.max(), num=settings.time_buckets)
        normalise = tf.keras.layers.Normalization(axis=None)
        normalise.adapt(times)
        parts["time:bucket"] = [
            tf.keras.layers.Discretization(edges.tolist()),
            tf.keras.layers.Embedding(settings.time_buckets + 1, settings.embedding),
        ]
        parts["time:value"] = [normalise, tf.keras.layers.Reshape((1,))]
    return Tower(parts, settings)


def candidate_tower(split: SplitFile, settings: Settings) -> Tower:
    """Build the candidate side: the title as one id, and the mean over the words of the title."""
    parts = {"title": _lookup(split.titles, settings.embedding)}
    if settings.title_text:
        words = tf.keras.layers.TextVectorization(max_tokens=MAX_TOKENS)
        words.adapt(split.titles)
        parts["title:text"] = [
            words,
            tf.keras.layers.Embedding(MAX_TOKENS, settings.embedding, mask_zero=True),
            tf.keras.layers.GlobalAveragePooling1D(),
        ]
    return Tower(parts, settings)


def _lookup(vocabulary: NDArray[np.str_], size: int) -> list[tf.keras.layers.Layer]:
    return [
        tf.keras.layers.StringLookup(vocabulary=vocabulary.tolist(), mask_token=None),
        tf.keras.layers.Embedding(len(vocabulary) + 1, size),
    ]


class TwoTower(tfrs.models.Model):
    """Both towers and the in-batch softmax."""

    def __init__(self, split: SplitFile, settings: Settings) -> None:
        """Build the towers and compile the model."""
        super().__init__()
        self.split, self.settings = split, settings
        self.query = query_tower(split, settings)
        self.candidate = candidate_tower(split, settings)
        self.task = tfrs.tasks.Retrieval(
            temperature=settings.temperature if settings.temperature != 1.0 else None,
            remove_accidental_hits=settings.remove_accidental_hits,
        )
        drawn = np.bincount(split.train_item, minlength=len(split.titles)) / len(split.train_item)
        self.drawn = tf.constant(drawn, tf.float32)
        self.compile(optimizer=_optimizer(settings))

    def compute_loss(self, features: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Return the loss of a batch; top-k metrics are computed only when evaluating, as they are slow."""
        queries, candidates = self.query(features, training), self.candidate(features, training)
        if not training:
            return self.task(queries, candidates, candidate_ids=features["number"], compute_metrics=True)
        settings, number = self.settings, features["number"]
        return self.task(
            queries,
            candidates,
            candidate_sampling_probability=tf.gather(self.drawn, number) if settings.log_q else None,
            candidate_ids=number if settings.remove_accidental_hits else None,
            compute_metrics=False,
        )

    def train_batches(self) -> tf.data.Dataset:
        """Return the shuffled training events."""
        split = self.split
        events = _events(split, split.train_user, split.train_item, split.train_time)
        return events.shuffle(len(split.train_user)).batch(self.settings.batch)

    def queries(self, users: Numbers, times: Numbers) -> Vectors:
        """Return the vectors of users at given times, float32 of shape ``(n, size)``."""
        features = {"user": self.split.users[users], "time": self.split.query_times(times)}
        return _predict(self.query, features)

    def candidates(self) -> Vectors:
        """Return the vector of every title, by number."""
        return _predict(self.candidate, {"title": self.split.titles})

    def vectors(self) -> VectorFile:
        """Return every vector that some direction needs."""
        split = self.split
        return VectorFile(
            items=self.candidates(),
            users=self.queries(np.arange(len(split.users)), split.last_times()),
            events=self.queries(split.test_user, split.test_time),
            rows=self.queries(split.train_user, split.train_time),
        )

    def own_hit_rates(self, ks: tuple[int, ...]) -> dict[str, float]:
        """Return TFRS's own top-k accuracy on the test events, to hold our evaluator against."""
        split = self.split
        vectors = self.candidates()
        # by id, because by score a title would compete with its own copy, which rounding can put first
        titles = tf.data.Dataset.from_tensor_slices((np.arange(len(vectors)), vectors)).batch(128)
        self.task.factorized_metrics = [tfrs.metrics.FactorizedTopK(titles, ks=ks)]
        events = _events(split, split.test_user, split.test_item, split.query_times(split.test_time))
        found = self.evaluate(events.batch(PREDICT), return_dict=True, verbose=0)
        return {f"hit@{k}": float(found[f"factorized_top_k/top_{k}_categorical_accuracy"]) for k in ks}


def _events(split: SplitFile, users: Numbers, items: Numbers, times: Numbers) -> tf.data.Dataset:
    features = {"user": split.users[users], "title": split.titles[items], "time": times, "number": items}
    return tf.data.Dataset.from_tensor_slices(features)


def _predict(tower: Tower, features: dict[str, NDArray[np.generic]]) -> Vectors:
    batches = tf.data.Dataset.from_tensor_slices(features).batch(PREDICT)
    return np.concatenate([tower(batch).numpy() for batch in batches])


def _optimizer(settings: Settings) -> tf.keras.optimizers.Optimizer:
    kinds = {"adagrad": tf.keras.optimizers.Adagrad, "adam": tf.keras.optimizers.Adam}
    return kinds[settings.optimizer](settings.rate)


def train(
    split: SplitFile, settings: Settings, snapshots: Sequence[int], at: Callable[[TwoTower, int], None]
) -> tuple[TwoTower, dict[int, float]]:
    """Return a trained model, and by epoch the seconds trained; that clock stands still during the snapshots."""
    tf.keras.utils.set_random_seed(settings.seed)
    model = TwoTower(split, settings)
    began, total, seconds = 0.0, 0.0, dict[int, float]()

    def begin(_: int, logs: Any) -> None:
        nonlocal began
        began = time.perf_counter()

    def end(epoch: int, logs: Any) -> None:
        nonlocal total
        total += time.perf_counter() - began
        if epoch + 1 in {*snapshots, settings.epochs}:
            seconds[epoch + 1] = total
            at(model, epoch + 1)

    clock = tf.keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)
    model.fit(model.train_batches(), epochs=settings.epochs, callbacks=[clock], verbose=0)
    return model, seconds
