"""Load what ``two_tower run`` saved and answer one query in each direction; imports TensorFlow and nothing above it.

Usage: python -m benchmarks.two_tower_first OUT [--user 42] [--title ...]

Writes ``OUT/first.json``.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

K = 10
QUERY_SIDE = {"user2item": "user", "item2item": "item", "user2user": "user", "item2user": "item"}

Index = Callable[[dict[str, tf.Tensor]], tuple[tf.Tensor, tf.Tensor]]


def answer(index: Index, features: dict[str, tf.Tensor]) -> list[str]:
    """Return the first ids of one query, each once."""
    _, ids = index(features)
    return [key.decode() for key in dict.fromkeys(ids.numpy()[0].tolist())][:K]


def user_features(user: str, moment: int) -> dict[str, tf.Tensor]:
    """Return a batch of one user."""
    return {"user": tf.constant([user]), "time": tf.constant([moment], tf.int64)}


def title_features(title: str) -> dict[str, tf.Tensor]:
    """Return a batch of one title."""
    return {"title": tf.constant([title])}


def load(folder: Path) -> dict[str, Index]:
    """Load the saved indexes."""
    return {name: tf.saved_model.load(str(folder / name)) for name in QUERY_SIDE}


def first_answers(indexes: dict[str, Index], user: str, title: str) -> dict[str, list[str]]:
    """Return the first lists of loaded indexes; the time of the query is any time, here the epoch's start."""
    asked = {"user": user_features(user, 0), "item": title_features(title)}
    return {name: answer(index, asked[QUERY_SIDE[name]]) for name, index in indexes.items()}


def peak_mb() -> float:
    """Return the most memory this process ever held, in MB; not that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def main() -> None:
    """Parse the command line, load and answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--user", default="42")
    parser.add_argument("--title", default="Toy Story (1995)")
    args = parser.parse_args()
    answers = first_answers(load(args.out / "saved"), args.user, args.title)
    result = {"first_answer_at": time.time(), "peak_mb": peak_mb(), "answers": answers}
    (args.out / "first.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
