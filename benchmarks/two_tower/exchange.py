"""What both sides share: settings, splits that mfrec writes, vectors that the two-tower writes, the command line.

Both environments read it, so that it imports nothing but numpy.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Vectors = NDArray[np.float32]

# whose lists are shown side by side, and how long they are
USER, TITLE, K = "42", "Toy Story (1995)", 10


@dataclass(frozen=True)
class Settings:
    """Settings of the two-tower; the defaults are the article's."""

    epochs: int = 5
    batch: int = 2048
    optimizer: str = "adagrad"
    rate: float = 0.1
    embedding: int = 32  # length of each: user, timestamp bucket, title, title text
    layers: tuple[int, ...] = (32,)  # widths of the dense layers that end each tower, the last that of the vectors
    timestamp: bool = True  # whether the query tower sees the time, as its bucket and as a normalised value
    time_buckets: int = 1_000  # of equal length
    title_text: bool = True  # whether the candidate tower sees the words of the title beside the title itself
    normalise: bool = False  # whether vectors are scaled to length 1
    temperature: float = 1.0  # divides the scores in the softmax
    remove_accidental_hits: bool = False  # whether the batch's other events of a title are no negatives of it
    # whether scores in the softmax are corrected for how often a title is drawn as a negative (Yi et al.,
    # "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", 2019)
    log_q: bool = False
    dropout: float = 0.0  # share of the embedding values dropped while training
    seed: int = 42

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Read settings from JSON values; what is not named keeps its default."""
        return cls(**{**given, "layers": tuple(given.get("layers", cls.layers))})

    def text(self) -> str:
        """Return the settings as JSON."""
        return json.dumps(asdict(self))

    def but(self, **changes: Any) -> Self:
        """Return settings that differ in some values."""
        return replace(self, **changes)


ARTICLE = Settings()


class ArrayFile:
    """A record of arrays in one ``.npz`` file."""

    def write(self, path: Path) -> None:
        """Write the arrays."""
        np.savez(path, **{f.name: getattr(self, f.name) for f in fields(self)})  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote; nothing is unpickled."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{f.name: arrays[f.name] for f in fields(cls)})  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class SplitFile(ArrayFile):
    """One split: the vocabularies by number, then per event the numbers of user and title, and seconds since 1970."""

    users: NDArray[np.str_]
    titles: NDArray[np.str_]
    train_user: Numbers
    train_item: Numbers
    train_time: Numbers
    test_user: Numbers
    test_item: Numbers
    test_time: Numbers
    # ratings; like the article's model, the two-tower does not read them
    train_weight: NDArray[np.float32]

    @property
    def by_time(self) -> bool:
        """Whether all training events come before all test events, so that the test events' times are the future."""
        return bool(self.train_time.max() <= self.test_time.min())

    def clock(self) -> Numbers:
        """Return the times that buckets and normalisation are fitted on.

        Like the article, those of all events; but not the future's, which nobody knows while training.
        """
        return self.train_time if self.by_time else np.concatenate([self.train_time, self.test_time])

    def query_times(self, times: Numbers) -> Numbers:
        """Return when a query is asked, as far as the clock goes: a later time has no embedding that was trained."""
        return np.minimum(times, self.train_time.max()) if self.by_time else times

    def last_times(self) -> Numbers:
        """Return the time of each user's last training event; the last of all for users without one."""
        last = np.full(len(self.users), self.train_time.max(), np.int64)
        order = np.argsort(self.train_time, kind="stable")
        last[self.train_user[order]] = self.train_time[order]
        return last


@dataclass(frozen=True, eq=False)
class VectorFile(ArrayFile):
    """Every vector that some direction needs."""

    items: Vectors
    # by user number, at the time of the user's last training event
    users: Vectors
    # of the user of each test event and each training event, at the time of that event
    events: Vectors
    rows: Vectors


def peak_mb() -> float:
    """Return the most memory this process ever held, in MB; not that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def size_mb(folder: Path) -> float:
    """Return the size of all files of a folder, in MB."""
    return sum(f.lstat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6


def time_each(ask: Callable[[Any], object], asked: Sequence[Any]) -> list[float]:
    """Return seconds of single queries, one after another; the first ones, which may compile, come once before."""
    for query in asked[:5]:
        ask(query)
    seconds = []
    for query in asked:
        began = time.perf_counter()
        ask(query)
        seconds.append(time.perf_counter() - began)
    return seconds


def command_line(doc: str | None, *commands: Callable[[argparse.Namespace], dict[str, Any]], **about: Any) -> None:
    """Run one of a side's commands, and write what it found to ``OUT/<command>.json``."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = parser.add_subparsers(required=True)
    for command in commands:
        sub = choices.add_parser(command.__name__)
        sub.set_defaults(command=command)
        if command.__name__ != "first":
            sub.add_argument("split", type=Path)
        sub.add_argument("out", type=Path)
        sub.add_argument("--settings", type=lambda text: Settings.of(json.loads(text)), default=ARTICLE)
        sub.add_argument("--snapshots", type=json.loads, default=[])
        sub.add_argument("--own-metrics", action="store_true")
        sub.add_argument("--user", default=USER)
        sub.add_argument("--title", default=TITLE)
        sub.add_argument("--queries", type=int, default=500)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / f"{args.command.__name__}.json").write_text(json.dumps(about | args.command(args)))
