"""The two-tower side of the benchmark; runs in ``.venv-tfrs`` and never imports mfrec.

Usage: python -m benchmarks.two_tower fit SPLIT OUT [--settings JSON] [--snapshots 1,5] [--own-metrics]
       python -m benchmarks.two_tower run SPLIT OUT [--settings JSON] [--queries 500] [--user 42] [--title ...]

``fit`` trains, and at every snapshot writes vectors by number to ``OUT/epoch-NNNN.npz`` and the seconds trained
so far to ``OUT/fit.json``. ``run`` goes from the split to first answers in all four directions, then times
single queries and saves the indexes, which ``two_tower_first`` loads. Both write ``OUT/<command>.json``.
"""

import argparse
import json
import os
import time

STARTED = time.time()
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable, Sequence  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import tensorflow as tf  # noqa: E402

from benchmarks import two_tower_serve as serve  # noqa: E402
from benchmarks.two_tower_data import SplitFile  # noqa: E402
from benchmarks.two_tower_first import peak_mb  # noqa: E402
from benchmarks.two_tower_model import TwoTower  # noqa: E402
from benchmarks.two_tower_settings import Settings  # noqa: E402

IMPORT_SECONDS = time.time() - STARTED
KS = (1, 5, 10, 50, 100)


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model, and how long it took to build and, by epoch, to train."""

    model: TwoTower
    prepare_seconds: float
    fit_seconds: dict[int, float]


class Clock(tf.keras.callbacks.Callback):
    """Adds up the seconds of the epochs alone, and calls back after some of them."""

    def __init__(self, snapshots: Sequence[int], at: Callable[[TwoTower, int], None]) -> None:
        """Take the epochs after which to call ``at(model, epoch)``."""
        super().__init__()
        self.snapshots, self.at = set(snapshots), at
        self.total, self.began = 0.0, 0.0
        self.seconds: dict[int, float] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop the clock."""
        self.total += time.perf_counter() - self.began
        if epoch + 1 in self.snapshots:
            self.seconds[epoch + 1] = self.total
            self.at(self.model, epoch + 1)


def train(
    split: SplitFile, settings: Settings, snapshots: Sequence[int], at: Callable[[TwoTower, int], None]
) -> Trained:
    """Train a model; the clock of the training stands still during the snapshots."""
    began = time.perf_counter()
    tf.keras.utils.set_random_seed(settings.seed)
    model = TwoTower(split, settings)
    clock = Clock([*snapshots, settings.epochs], at)
    prepared = time.perf_counter() - began
    model.fit(model.train_batches(), epochs=settings.epochs, callbacks=[clock], verbose=0)
    return Trained(model, prepared, clock.seconds)


def fit(args: argparse.Namespace) -> dict[str, Any]:
    """Train and write vectors at the snapshots."""

    def export(model: TwoTower, epoch: int) -> None:
        serve.vectors(model).write(args.out / f"epoch-{epoch:04d}.npz")

    trained = train(SplitFile.read(args.split), args.settings, args.snapshots, export)
    own = trained.model.own_hit_rates(KS) if args.own_metrics else {}
    return {
        "prepare_seconds": trained.prepare_seconds,
        "fit_seconds": trained.fit_seconds,
        "own_hit_rates": own,
    }


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Go from the split to first answers, then measure what serving costs."""
    split = SplitFile.read(args.split)
    trained = train(split, args.settings, [], lambda *_: None)
    began = time.perf_counter()
    indexes = serve.build_indexes(trained.model)
    built = time.perf_counter() - began
    answers = serve.answer_all(indexes, split, args.user, args.title)
    costs = {
        "first_answer_at": time.time(),
        "peak_mb": peak_mb(),
        "prepare_seconds": trained.prepare_seconds,
        "fit_seconds": trained.fit_seconds[args.settings.epochs],
        "index_seconds": built,
        "answers": answers,
    }
    return costs | serve.latencies(trained.model, indexes, args.queries) | serve.save(indexes, args.out / "saved")


def main() -> None:
    """Parse the command line and run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for command in (fit, run):
        sub = commands.add_parser(command.__name__)
        sub.set_defaults(command=command)
        sub.add_argument("split", type=Path)
        sub.add_argument("--settings", type=Settings.parse, default=Settings())
        sub.add_argument("out", type=Path)
        sub.add_argument("--user", default="42")
        sub.add_argument("--title", default="Toy Story (1995)")
        sub.add_argument("--queries", type=int, default=500)
        sub.add_argument("--snapshots", type=lambda text: [int(n) for n in text.split(",") if n], default=[])
        sub.add_argument("--own-metrics", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    result = args.command(args)
    about = {"import_seconds": IMPORT_SECONDS, "started_at": STARTED, "tensorflow": tf.__version__}
    (args.out / f"{args.command.__name__}.json").write_text(json.dumps(about | result))


if __name__ == "__main__":
    main()
