"""The two files between the sides: mfrec writes splits, the two-tower process writes vectors."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SplitFile:
    """One split in plain arrays.

    Parameters
    ----------
    users, titles
        Every user id (as text) and every title, by number: the vocabularies and the candidates.
    train_user, train_item, train_time, test_user, test_item, test_time
        int64, one entry per event: numbers of users and titles, and seconds since 1970.
    train_weight
        float32 ratings; like the article's model, the two-tower does not read them.
    """

    users: NDArray[np.str_]
    titles: NDArray[np.str_]
    train_user: Numbers
    train_item: Numbers
    train_time: Numbers
    test_user: Numbers
    test_item: Numbers
    test_time: Numbers
    train_weight: NDArray[np.float32]

    def write(self, path: Path) -> None:
        """Write the arrays to one ``.npz`` file."""
        _write(path, self)

    @classmethod
    def read(cls, path: Path) -> "SplitFile":
        """Read what `write` wrote; nothing is unpickled."""
        return cls(**_read(path, cls))

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
class VectorFile:
    """Every vector that some direction needs, float32.

    Parameters
    ----------
    items
        Of every title, by number.
    users
        Of every user at the time of its last training event, by number.
    events, rows
        Of the user of each test event and each training event, at the time of that event.
    """

    items: Vectors
    users: Vectors
    events: Vectors
    rows: Vectors

    def write(self, path: Path) -> None:
        """Write the arrays to one ``.npz`` file."""
        _write(path, self)

    @classmethod
    def read(cls, path: Path) -> "VectorFile":
        """Read what `write` wrote; nothing is unpickled."""
        return cls(**_read(path, cls))


def _write(path: Path, record: Any) -> None:
    np.savez(path, **{f.name: getattr(record, f.name) for f in fields(record)})


def _read(path: Path, record: Any) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        return {f.name: arrays[f.name] for f in fields(record)}
