"""The two-tower contenders, seen from mfrec's side: a process to run, and vectors to read."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mfrec
from benchmarks.two_tower.evaluate import Contender, by_factors
from benchmarks.two_tower.exchange import Settings, VectorFile, Vectors
from benchmarks.two_tower.results import Json
from benchmarks.two_tower.splits import Split
from mfrec.evaluation import Scorer

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-tfrs" / "bin" / "python"
# what each side is measured in, and the module of its commands
SIDES = {"mfrec": (Path(sys.executable), "mfrec_process"), "two-tower": (PYTHON, "tfrs_process")}
# the article asks a user index for so many rows, and then drops repeated users
ROWS = 500
View = Callable[[Split, "Towers"], Contender]
# below every score: a user that those rows do not name is ranked last, at random
LAST = np.float32(-1e30)


@dataclass(frozen=True, eq=False)
class Towers:
    """One trained two-tower: its vectors, and what its training took."""

    vectors: VectorFile
    settings: Settings
    epoch: int
    fit_seconds: float
    extra: Json


# the probe imports TensorFlow, which takes seconds
@cache
def missing() -> str | None:
    """Say why the two-tower cannot run here, or None where it can."""
    if not PYTHON.exists():
        return f"{PYTHON.parent.parent.name} is not there: run `make .venv-tfrs/.installed`, which needs the network"
    probe = "import os; os.environ['TF_USE_LEGACY_KERAS'] = '1'; import tensorflow_recommenders"
    done = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=False)
    return f"tensorflow_recommenders: {_last_line(done.stderr)}" if done.returncode else None


def process(side: str, command: str, out: Path, *arguments: str) -> Json:
    """Run one command of a side's process to its end; return what it wrote to ``out``, and when it was spawned."""
    python, module = SIDES[side]
    spawned = time.time()
    # TensorFlow greets on stderr; what it says matters only when it fails
    done = subprocess.run(
        [python, "-m", f"benchmarks.two_tower.{module}", command, *arguments],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {command} ended with {done.returncode}: {_last_line(done.stderr)}")
    found: Json = json.loads((out / f"{command}.json").read_text())
    return found | {"spawned_at": spawned}


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]


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
        given = ["--settings", settings.text(), "--snapshots", json.dumps(snapshots)]
        extra = process("two-tower", "fit", out, str(path), str(out), *given, *(["--own-metrics"] if own else []))
        seconds = {int(epoch): value for epoch, value in extra.pop("fit_seconds").items()}
        files = {epoch: VectorFile.read(out / f"epoch-{epoch:04d}.npz") for epoch in sorted(seconds)}
    return [Towers(vectors, settings, epoch, seconds[epoch], extra) for epoch, vectors in files.items()]


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
    return _contender(by_factors(mfrec.Factors(towers.vectors.users, towers.vectors.items)), towers, None)


VIEWS: Mapping[str, View] = {"at the event's time": as_article, "one vector per user": one_per_user}


def _contender(scorers: dict[str, Scorer], towers: Towers, events: Scorer | None) -> Contender:
    settings = asdict(towers.settings) | {"epochs": towers.epoch}
    return Contender(scorers, events=events, fit_seconds=towers.fit_seconds, settings=settings, extra=towers.extra)


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
