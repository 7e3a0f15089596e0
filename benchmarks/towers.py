"""The two-tower contenders, seen from mfrec's side: a process to start, and vectors to read."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mfrec
from benchmarks.judge import Contender
from benchmarks.protocols import Split
from benchmarks.two_tower_data import VectorFile, Vectors
from benchmarks.two_tower_settings import Settings
from mfrec.evaluation import Scorer
from mfrec.evaluation.baselines import cosine, dot

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv-tfrs" / "bin" / "python"
# the article asks a user index for so many rows, and then drops repeated users
ROWS = 500
# below every score: a user that those rows do not name is ranked last, at random
LAST = np.float32(-1e30)


@dataclass(frozen=True, eq=False)
class Towers:
    """One trained two-tower: its vectors, and what its training took."""

    vectors: VectorFile
    settings: Settings
    epoch: int
    fit_seconds: float
    timings: dict[str, Any]


# the probe imports TensorFlow, which takes seconds
@cache
def missing() -> str | None:
    """Say why the two-tower cannot run here, or None where it can."""
    if not PYTHON.exists():
        return f"{PYTHON.parent.parent.name} is not there: run `make .venv-tfrs/.installed`, which needs the network"
    probe = "import os; os.environ['TF_USE_LEGACY_KERAS'] = '1'; import tensorflow_recommenders"
    done = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=False)
    return (
        None
        if done.returncode == 0
        else f"tensorflow_recommenders: {(done.stderr.strip().splitlines() or ['no output'])[-1]}"
    )


def start(*arguments: str) -> None:
    """Run ``benchmarks.two_tower`` to its end.

    Raises
    ------
    RuntimeError
        With the last line it wrote, where it failed.
    """
    # TensorFlow greets on stderr; what it says matters only when it fails
    done = subprocess.run(
        [PYTHON, "-m", "benchmarks.two_tower", *arguments],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise RuntimeError(f"two_tower {arguments[0]} ended with {done.returncode}: {said}")


@contextmanager
def split_file(split: Split) -> Iterator[tuple[Path, Path]]:
    """Write the split to a temporary folder and give its path, and that of a folder to write to."""
    with tempfile.TemporaryDirectory(prefix="mfrec-bench-") as folder:
        path = Path(folder) / "split.npz"
        split.as_file().write(path)
        yield path, Path(folder)


def train(split: Split, settings: Settings, snapshots: Sequence[int] = (), *, own: bool = False) -> list[Towers]:
    """Train a two-tower and return its vectors after each of some epochs, and at the end."""
    with split_file(split) as (path, out):
        wanted = ["--settings", settings.text(), "--snapshots", ",".join(map(str, snapshots))]
        start("fit", str(path), str(out), *wanted, *(["--own-metrics"] if own else []))
        timings = json.loads((out / "fit.json").read_text())
        seconds = {int(epoch): value for epoch, value in timings.pop("fit_seconds").items()}
        return [_towers(out, settings, epoch, seconds[epoch], timings) for epoch in sorted(seconds)]


def _towers(out: Path, settings: Settings, epoch: int, seconds: float, timings: dict[str, Any]) -> Towers:
    return Towers(VectorFile.read(out / f"epoch-{epoch:04d}.npz"), settings, epoch, seconds, timings)


def as_article(split: Split, towers: Towers) -> Contender:
    """Rank as the article does.

    A query is asked at the time of its event; similarity is the inner product everywhere; the user side is
    one row per rating, of which the first 500 are taken and repeated users dropped.
    """
    owners, known = split.train.users, towers.vectors
    scorers = {
        "item2item": _dot(known.items, known.items),
        "user2user": _by_rows(known.users, known.rows, owners, len(known.users)),
        "item2user": _by_rows(known.items, known.rows, owners, len(known.users)),
    }
    return _contender(scorers, towers, _dot(known.events, known.items))


def one_per_user(split: Split, towers: Towers) -> Contender:
    """Rank with one vector per user, at the time of its last training event; cosine within a side, as in mfrec."""
    factors = mfrec.Factors(towers.vectors.users, towers.vectors.items)
    scorers = {
        "user2item": dot(factors, "user", "item"),
        "item2item": cosine(factors, "item"),
        "user2user": cosine(factors, "user"),
        "item2user": dot(factors, "item", "user"),
    }
    return _contender(scorers, towers, None)


def _contender(scorers: dict[str, Scorer], towers: Towers, events: Scorer | None) -> Contender:
    settings = asdict(towers.settings) | {"epochs": towers.epoch}
    return Contender(scorers, events=events, fit_seconds=towers.fit_seconds, settings=settings, extra=towers.timings)


def _dot(queries: Vectors, targets: Vectors) -> Scorer:
    return lambda numbers: queries[numbers] @ targets.T


def _by_rows(queries: Vectors, rows: Vectors, owners: NDArray[np.int64], n_users: int) -> Scorer:
    """Score each user by the best of its rows among the first 500 of all rows."""
    count = min(ROWS, len(rows))

    def score(numbers: NDArray[np.int64]) -> Vectors:
        scores = np.full((len(numbers), n_users), LAST, np.float32)
        for place, number in enumerate(numbers.tolist()):
            found = rows @ queries[number]
            best = np.argpartition(-found, count - 1)[:count]
            np.maximum.at(scores[place], owners[best], found[best])
        return scores

    return score
