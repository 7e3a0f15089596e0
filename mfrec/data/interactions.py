"""`Interactions`: user-item interactions as one sparse matrix with ids, labels and times."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from mfrec.arrays import Numbers
from mfrec.data import columns
from mfrec.data.columns import Labels
from mfrec.data.files import read_table
from mfrec.directions import SIDES, Pair, Side
from mfrec.errors import DataError, ParameterError
from mfrec.model import html
from mfrec.model.adjacency import Adjacency
from mfrec.model.ids import IdMap
from mfrec.model.string_array import StringArray

log = logging.getLogger("mfrec")

DAY = 24 * 3600
# the least recent degree of what has an interaction, as a part of their mean
LEAST_RECENT = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """User-item interactions, one per (user, item) pair.

    Parameters
    ----------
    matrix
        float32 CSR of shape ``(n_users, n_items)``; the values are weights above zero, 1 where no weight
        was given. Indices are sorted within a row and no pair stands twice.
    ids
        External ids of the rows and of the columns.
    labels
        Names or titles by number, for people to read; None where there are none.
    times
        int64 seconds since 1970, one per stored value of ``matrix``, the latest of a repeated pair; or None.
    notes
        What was changed on the way in (repeated pairs summed, rows dropped), one sentence each.
    thinned
        Whether others of the same period were held out, as by `take` and `mfrec.splits.random_split`. Half-lives and
        recency are then not derived: what such a part is judged by is not what comes next.
    """

    matrix: csr_matrix
    ids: Pair[IdMap]
    labels: Pair[StringArray | None] = field(default_factory=lambda: Pair(None, None))
    times: Numbers | None = None
    notes: tuple[str, ...] = ()
    thinned: bool = False

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        expected = (len(self.ids.user), len(self.ids.item))
        if self.matrix.shape != expected:
            raise DataError(f"the matrix has shape {self.matrix.shape}, the ids are for {expected}")
        if self.times is not None and len(self.times) != self.matrix.nnz:
            raise DataError(f"{len(self.times)} times for {self.matrix.nnz} interactions")

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        user: str = "user",
        item: str = "item",
        weight: str | None = None,
        time: str | None = None,
        item_labels: "Labels | str | None" = None,
        user_labels: "Labels | str | None" = None,
    ) -> "Interactions":
        """Read interactions from a DataFrame; one row is one interaction.

        Parameters
        ----------
        frame
            Any table; it is not changed.
        user, item
            Columns of external ids, integers or strings. They come back as they went in.
        weight
            Column of weights above zero (ratings, counts, seconds watched); without it every row weighs 1.
            Repeated pairs are summed.
        time
            Column of seconds since 1970 or of dates. Repeated pairs keep the latest.
        item_labels, user_labels
            A mapping or Series from id to text, or the name of a column of ``frame``.

        Raises
        ------
        DataError
            For a missing column, missing values, no rows, ids of mixed types, or weights that are not
            finite numbers above zero.
        """
        columns.require(frame, [n for n in (user, item, weight, time) if n is not None])
        users, rows = columns.id_column(frame, user, "user")
        items, cols = columns.id_column(frame, item, "item")
        weights = columns.weight_column(frame, weight)
        times = columns.time_column(frame, time)
        matrix, merged, repeated = _merge(rows, cols, weights, times, (len(users), len(items)))
        notes = (f"{repeated} repeated (user, item) pairs were summed",) if repeated else ()
        say(notes)
        labels = Pair(
            columns.label_column(user_labels, frame, user, users),
            columns.label_column(item_labels, frame, item, items),
        )
        return cls(matrix, Pair(users, items), labels, merged, notes)

    @classmethod
    def read(cls, path: str | Path, **names: Any) -> "Interactions":
        """Read interactions from a CSV (plain or compressed), TSV or Parquet file.

        ``names`` are those of `from_frame`. Ids that are not plain integers throughout (``007``, ``a1``)
        stay strings.

        Raises
        ------
        DataError
            When the file is missing, is no such table, or fails the checks of `from_frame`.
        """
        ids = [names.setdefault(side, side) for side in SIDES]
        wanted = [n for n in names.values() if isinstance(n, str)]
        return cls.from_frame(read_table(Path(path), wanted, ids), **names)

    def __len__(self) -> int:
        """Return the number of (user, item) pairs."""
        return int(self.matrix.nnz)

    def __repr__(self) -> str:
        """Say how many users, items and interactions."""
        n_users, n_items = self.shape
        return f"Interactions({n_users} users x {n_items} items, {len(self)} interactions)"

    def _repr_html_(self) -> str:
        """Return a small table of the first interactions for notebooks."""
        places = np.arange(min(5, len(self)))
        users = np.searchsorted(self.matrix.indptr, places, side="right") - 1
        columns: list[list[Any]] = [
            self.ids.user.ids(users),
            self.ids.item.ids(self.matrix.indices[places]),
            self.weights[places].tolist(),
        ]
        header = ["user", "item", "weight"]
        if self.times is not None:
            header.append("time")
            columns.append(self.times[places].astype("datetime64[s]").astype(str).tolist())
        rows = list(zip(*columns, strict=True))
        return html.block(repr(self), html.table(header, rows), notes=self.notes)

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_users, n_items)``."""
        return len(self.ids.user), len(self.ids.item)

    @property
    def users(self) -> Numbers:
        """The user number of every interaction, int64, in the order of the matrix."""
        return np.repeat(np.arange(self.shape[0], dtype=np.int64), np.diff(self.matrix.indptr))

    @property
    def items(self) -> Numbers:
        """The item number of every interaction, int64, in the order of the matrix."""
        numbers: Numbers = self.matrix.indices.astype(np.int64)
        return numbers

    @property
    def weights(self) -> NDArray[np.float32]:
        """The weight of every interaction, float32, in the order of the matrix."""
        data: NDArray[np.float32] = self.matrix.data
        return data

    @property
    def degree(self) -> Pair[Numbers]:
        """How many interactions each user and each item has."""
        return Pair(
            np.diff(self.matrix.indptr).astype(np.int64),
            np.bincount(self.matrix.indices, minlength=self.shape[1]).astype(np.int64),
        )

    def decay(self, half_life: float) -> NDArray[np.float64]:
        """Return what each interaction counts: half for every half-life (days) of its age; 1 where that is 0.

        The age is measured back from the latest time.

        Raises
        ------
        ParameterError
            When there are no times to measure by.
        """
        if not half_life:
            return np.ones(len(self))
        if self.times is None:
            raise ParameterError("half_life needs times: name the time column, or leave the half-life out")
        decayed: NDArray[np.float64] = 0.5 ** ((self.times.max() - self.times) / (DAY * half_life))
        return decayed

    def recent_degree(self, half_life: float) -> "Pair[NDArray[np.float32]] | None":
        """Return the degrees of `degree`, in which an interaction counts half for every half-life (days) of its age.

        float32; 0 where there is no interaction, and above 0 where there is one, however old. None without times, or
        with a half-life of 0.
        """
        if self.times is None or not half_life or not len(self):
            return None
        counts, sides, degree = self.decay(half_life), Pair(self.users, self.items), self.degree

        def summed(side: Side) -> NDArray[np.float32]:
            found = np.bincount(sides[side], counts, minlength=len(degree[side]))
            known = degree[side] > 0
            least = LEAST_RECENT * found.sum() / known.sum()
            return np.where(known, np.maximum(found, least), 0).astype(np.float32)

        return Pair.of(summed)

    @property
    def adjacency(self) -> Pair[Adjacency]:
        """What each user and each item has interacted with, by number."""
        by_item = self.matrix.T.tocsr()
        by_item.sort_indices()
        parts = Pair(self.matrix, by_item)
        return Pair.of(lambda side: Adjacency.from_csr(parts[side].indptr, parts[side].indices))

    def take(self, rows: ArrayLike) -> "Interactions":
        """Return the interactions at these positions (or where this mask is true), over the same ids.

        Users and items keep their numbers, so a training part and a test part fit each other; those that
        have no interaction left are reported in ``notes`` and removed by `compact`. The part is ``thinned`` where some
        of the rest lies within its period.
        """
        chosen = _positions(rows, len(self))
        users, items = self.users[chosen], self.items[chosen]
        times = None if self.times is None else self.times[chosen]
        matrix, merged, _ = _merge(users, items, self.weights[chosen], times, self.shape)
        part = replace(self, matrix=matrix, times=merged, thinned=self.thinned or self._holds_out(chosen))
        return replace(part, notes=self.notes + part._without_data("have no interaction left"))

    def compact(self) -> "Interactions":
        """Drop the users and items without any interaction; numbers change, ids and labels do not."""
        degree = self.degree
        keep = Pair.of(lambda side: np.flatnonzero(degree[side] > 0))
        if all(len(keep[side]) == len(self.ids[side]) for side in SIDES):
            return self
        notes = self._without_data("had no interaction and were dropped")
        say(notes)
        matrix = csr_matrix(self.matrix[keep.user][:, keep.item])
        ids = Pair.of(lambda side: self.ids[side].take(keep[side]))
        labels = Pair.of(lambda side: (texts := self.labels[side]) and texts.take(keep[side]))
        # rows and columns keep their relative order, so the stored values do too
        return Interactions(matrix, ids, labels, self.times, self.notes + notes, self.thinned)

    def filter(self, *, min_user_interactions: int = 1, min_item_interactions: int = 1) -> "Interactions":
        """Keep users and items with at least so many interactions, repeated until both hold.

        Raises
        ------
        DataError
            When nothing is left.
        """
        keep = np.ones(len(self), bool)
        users, items = self.users, self.items
        while True:
            n_user = np.bincount(users[keep], minlength=self.shape[0])
            n_item = np.bincount(items[keep], minlength=self.shape[1])
            still = keep & (n_user[users] >= min_user_interactions) & (n_item[items] >= min_item_interactions)
            if still.sum() == keep.sum():
                break
            keep = still
        if not keep.any():
            raise DataError(
                f"no user with {min_user_interactions} and item with {min_item_interactions} interactions "
                f"is left of {self!r}: lower the limits"
            )
        # what is dropped here is held out of nothing
        return self if keep.all() else replace(self.take(keep), notes=self.notes, thinned=self.thinned).compact()

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with columns ``user``, ``item``, ``weight`` and, where known, ``time``."""
        table: dict[str, Any] = {
            "user": self.ids.user.ids(self.users),
            "item": self.ids.item.ids(self.items),
            "weight": self.weights,
        }
        return pd.DataFrame(table if self.times is None else {**table, "time": self.times})

    def _holds_out(self, chosen: Numbers) -> bool:
        """Tell whether some of the others lie within the period of those at some positions."""
        if self.times is None or not 0 < len(chosen) < len(self):
            return False
        others = np.ones(len(self), bool)
        others[chosen] = False
        own, rest = self.times[chosen], self.times[others]
        return bool(rest.min() <= own.max() and rest.max() >= own.min())

    def _without_data(self, what: str) -> tuple[str, ...]:
        degree = self.degree
        empty = {side: int((degree[side] == 0).sum()) for side in SIDES}
        return tuple(f"{n} of {len(self.ids[side])} {side}s {what}" for side, n in empty.items() if n)


def say(notes: Iterable[str]) -> None:
    """Write notes to the log."""
    for note in notes:
        log.warning(note)


def _merge(
    rows: Numbers,
    cols: Numbers,
    weights: NDArray[Any] | None,
    times: Numbers | None,
    shape: tuple[int, int],
) -> tuple[csr_matrix, Numbers | None, int]:
    """Sort by (row, column), sum the weights of repeated pairs and keep their latest time."""
    key = rows * shape[1] + cols
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    values = np.ones(len(key)) if weights is None else weights[order]
    merged = values if len(starts) == len(key) else np.add.reduceat(values, starts)
    latest = None
    if times is not None:
        latest = np.maximum.reduceat(times[order], starts) if len(starts) else times[:0]
    indptr = np.zeros(shape[0] + 1, np.int64)
    np.cumsum(np.bincount(key[starts] // shape[1], minlength=shape[0]), out=indptr[1:])
    index_type = np.int32 if max(len(starts), *shape) < 2**31 else np.int64
    indices = (key[starts] % shape[1]).astype(index_type)
    matrix = csr_matrix((merged.astype(np.float32), indices, indptr.astype(index_type)), shape=shape)
    matrix.has_sorted_indices = True
    return matrix, latest, len(key) - len(starts)


def _positions(rows: ArrayLike, count: int) -> Numbers:
    chosen = np.asarray(rows)
    if chosen.dtype == bool:
        if chosen.shape != (count,):
            raise ParameterError(f"a mask of {chosen.shape} entries for {count} interactions")
        return np.flatnonzero(chosen)
    if chosen.size == 0:
        return np.zeros(0, np.int64)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
        raise ParameterError(f"rows must be a list of positions or a mask, got {chosen.dtype} of {chosen.shape}")
    if chosen.min() < 0 or chosen.max() >= count:
        raise ParameterError(f"rows go from {chosen.min()} to {chosen.max()}: there are {count} interactions")
    if len(np.unique(chosen)) != len(chosen):
        raise ParameterError("rows names the same interaction more than once")
    return chosen.astype(np.int64)
