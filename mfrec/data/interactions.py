"""`Interactions`: user-item interactions as one sparse matrix with ids, labels and times."""

import logging
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix, issparse

from mfrec.arrays import Numbers
from mfrec.data import columns
from mfrec.data.columns import Labels
from mfrec.data.faults import Faults
from mfrec.data.files import Reading, read_columns
from mfrec.data.frames import column_of, is_frame, table_of
from mfrec.data.merge import AGGREGATES, merge
from mfrec.data.period import is_near, outlying
from mfrec.data.refusals import clip
from mfrec.data.sparse import table_of_sparse
from mfrec.data.table import Table
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
        frame: Any,
        *,
        user: str = "user",
        item: str = "item",
        weight: str | None = None,
        time: str | None = None,
        item_labels: "Labels | str | None" = None,
        user_labels: "Labels | str | None" = None,
        time_format: str | None = None,
        drop_invalid: bool = False,
        aggregate: str = "sum",
    ) -> "Interactions":
        """Read interactions from a frame of pandas, polars, pyarrow, DuckDB or what else narwhals knows.

        One row is one interaction.

        Parameters
        ----------
        frame
            Any table; it is not changed.
        user, item
            Columns of external ids, integers or strings. They come back as they went in; whole numbers that are
            floats become integers, with a note.
        weight
            Column of weights above zero (ratings, counts, seconds watched); without it every row weighs 1.
        time
            Column of dates (without a zone: in UTC), or of numbers since 1970: seconds, milliseconds, microseconds or
            nanoseconds, as their magnitude tells. Repeated pairs keep the latest.
        item_labels, user_labels
            A mapping or Series from id to text, or the name of a column of ``frame``; of a column, the first label
            of an id that is not missing counts.
        time_format
            How times are written that are text in another order than year-month-day, in the notation of strftime.
        drop_invalid
            Leave out rows that cannot be used (a missing id; a weight that is missing, no number, not finite or not
            above zero; a missing or unreadable time) and note how many, instead of refusing the table.
        aggregate
            The weight of a repeated pair: the ``sum`` of its weights, the ``last`` (by time, where there is one, else
            by row), the ``max``, the ``count`` of its rows, or the ``mean``.

        Raises
        ------
        DataError
            For a missing column, no rows, rows that cannot be used, ids of mixed types, times of several units or of
            an ambiguous order, or a weight that leaves float32.
        """
        named = {"user": user, "item": item, "weight": weight, "time": time}
        _check_named(named)
        labels = Pair(user_labels, item_labels)
        texts = [name for name in labels if isinstance(name, str)]
        wanted = [name for name in named.values() if name is not None]
        table = table_of(frame, [*wanted, *texts])
        return cls.of_table(table, named, labels, time_format, drop_invalid, aggregate)

    @classmethod
    def from_arrays(
        cls,
        users: Any,
        items: Any,
        weights: Any = None,
        times: Any = None,
        *,
        drop_invalid: bool = False,
        aggregate: str = "sum",
    ) -> "Interactions":
        """Read interactions from arrays, lists or Series of one length: an interaction per place.

        Parameters
        ----------
        users, items, weights, times
            As the columns of `from_frame`.
        drop_invalid, aggregate
            As in `from_frame`.

        Raises
        ------
        DataError
            When the lengths differ, and as `from_frame` does.
        """
        given = {"user": users, "item": items, "weight": weights, "time": times}
        columns = {name: column_of(values, name) for name, values in given.items() if values is not None}
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{count} {name}s" for name, count in lengths.items())
            raise DataError(f"arrays of several lengths: {listed}")
        table = Table(columns, "the arrays")
        if not len(table):
            raise DataError("the arrays have no entries: there is nothing to learn from")
        named = {name: name if name in columns else None for name in given}
        return cls.of_table(table, named, Pair(None, None), None, drop_invalid, aggregate)

    @classmethod
    def from_sparse(cls, matrix: Any, user_ids: Any = None, item_ids: Any = None) -> "Interactions":
        """Read interactions from a sparse matrix of scipy: rows are users, columns are items, values are weights.

        Stored zeros are no interactions. Rows and columns without any interaction are left out, and counted in
        ``notes``.

        Parameters
        ----------
        matrix
            Of any sparse format and any type of real numbers; repeated entries are summed as float64, with a note.
        user_ids, item_ids
            The ids of the rows and of the columns; their positions without them.

        Raises
        ------
        DataError
            When it is no sparse matrix of real numbers, has no values above zero or others too, a sum leaves float32,
            or the ids do not fit.
        """
        table = table_of_sparse(matrix, Pair(user_ids, item_ids))
        return cls.of_table(table, {"user": "user", "item": "item", "weight": "weight", "time": None}, Pair(None, None))

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        user: Any = "user",
        item: Any = "item",
        weight: Any = None,
        time: Any = None,
        item_labels: "Labels | str | None" = None,
        user_labels: "Labels | str | None" = None,
        sep: str | None = None,
        decimal: str = ".",
        encoding: str = "utf-8",
        header: bool = True,
        quoting: str = "auto",
        format: str = "auto",
        time_format: str | None = None,
        drop_invalid: bool = False,
        aggregate: str = "sum",
    ) -> "Interactions":
        """Read interactions from a file of text, JSON lines, a Parquet file or a folder of such, or a stream.

        What is read is what is written: rows that are wider or narrower than the header, quotes that are not closed
        or swallow rows, and text in another encoding are refused, with the line. Ids that are not plain integers
        throughout (``007``, ``a1``) stay strings.

        Parameters
        ----------
        path
            A file, plain or compressed (gz, bz2, xz, zst, or a zip of one file), a folder of Parquet parts, or ``-``
            for standard input.
        user, item, weight, time, item_labels, user_labels
            Columns, as in `from_frame`; without a header, their positions from 0.
        sep
            What separates fields; found and noted where it is None.
        decimal
            The decimal sign of weights and times, ``.`` or ``,``.
        encoding
            Of the text.
        header
            Whether the first line names the columns.
        quoting
            ``csv`` takes quoted fields as they are, ``none`` takes quotes as any other character; ``auto`` is as
            ``csv``, but refuses a quoted field that looks as if it had swallowed rows.
        format
            ``csv``, ``jsonl``, ``parquet``, ``lists`` (each line a user, then items), ``triples`` (each line a user,
            an item, a count), or ``auto``, which finds the first three by their first bytes.
        time_format, drop_invalid, aggregate
            As in `from_frame`.

        Raises
        ------
        DataError
            When the file is missing, is no such table, or fails the checks of `from_frame`.
        """
        how = Reading(sep, decimal, encoding, header, quoting, format)
        named = {"user": user, "item": item, "weight": weight, "time": time}
        _check_named(named)
        if not header:
            named = {role: name if name is None else str(name) for role, name in named.items()}
        labels = Pair(user_labels, item_labels)
        texts = [name for name in labels if isinstance(name, str)]
        numbers = [name for name in (named["weight"], named["time"]) if name is not None]
        if time_format is not None and named["time"] is not None:
            # a leading zero would be lost in a number
            numbers, texts = [n for n in numbers if n != named["time"]], [*texts, named["time"]]
        table, implied = read_columns(path, [named["user"], named["item"]], texts, numbers, how)
        # lists and triples have columns of their own
        return cls.of_table(table, {**named, **implied}, labels, time_format, drop_invalid, aggregate)

    @classmethod
    def of_table(
        cls,
        table: Table,
        named: dict[str, Any],
        labels: "Pair[Labels | str | None]",
        time_format: str | None = None,
        drop_invalid: bool = False,
        aggregate: str = "sum",
    ) -> "Interactions":
        """Read interactions from the columns of a table: the one place where rows are judged and merged."""
        if aggregate not in AGGREGATES:
            raise ParameterError(f"aggregate must be one of {', '.join(AGGREGATES)}, got {aggregate!r}")
        faults = Faults(table)
        ids = Pair.of(lambda side: columns.id_column(table, named[side], side, faults))
        weights = columns.weight_column(table, named["weight"], faults)
        times, time_notes = columns.time_column(table, named["time"], time_format, faults)
        keep, dropped = faults.settle(drop_invalid)
        rows = Pair(ids.user.rows, ids.item.rows)
        maps = Pair(ids.user.ids, ids.item.ids)
        known = Pair.of(lambda side: columns.label_column(labels[side], table, rows[side], maps[side]))
        if keep is not None:
            rows = Pair.of(lambda side: rows[side][keep])
            weights = None if weights is None else weights[keep]
            times = None if times is None else times[keep]
        merged = merge(rows.user, rows.item, weights, times, (len(maps.user), len(maps.item)), aggregate)
        told = AGGREGATES[aggregate].told
        repeated = (f"{merged.repeated} repeated (user, item) pairs {told}",) if merged.repeated else ()
        far = outlying(merged.times)
        notes = (*table.notes, *ids.user.notes, *ids.item.notes, *time_notes, *far, *dropped, *repeated)
        say(notes)
        found = cls(merged.matrix, maps, known, merged.times, notes)
        # ids that only rows without use had are not known
        return found._compacted() if keep is not None else found

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

        The age is measured back from the end of `period`; what lies after that is of age 0.

        Raises
        ------
        ParameterError
            When there are no times to measure by.
        """
        if not half_life:
            return np.ones(len(self))
        if self.times is None:
            raise ParameterError("half_life needs times: name the time column, or leave the half-life out")
        ages = np.maximum(self.period[1] - self.times.astype(np.float64), 0)
        decayed: NDArray[np.float64] = 0.5 ** (ages / (DAY * half_life))
        return decayed

    @property
    def period(self) -> tuple[float, float]:
        """The first and the last time, in seconds since 1970, without those that lie far from all others.

        A clock that was wrong, or a date that stands for "unknown", must not decide what is recent. Far is more than
        the time between the first and the last hundredth, before the one or after the other.
        """
        if self.times is None or not len(self):
            return (0.0, 0.0)
        near = self.times[is_near(self.times)]
        return float(near.min()), float(near.max())

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
        merged = merge(users, items, self.weights[chosen], times, self.shape)
        thinned = self.thinned or self._holds_out(chosen)
        part = replace(self, matrix=merged.matrix, times=merged.times, thinned=thinned)
        return replace(part, notes=self.notes + part._without_data("have no interaction left"))

    def compact(self) -> "Interactions":
        """Drop the users and items without any interaction; numbers change, ids and labels do not."""
        notes = self._without_data("had no interaction and were dropped")
        if not notes:
            return self
        say(notes)
        return replace(self._compacted(), notes=self.notes + notes)

    def _compacted(self) -> "Interactions":
        degree = self.degree
        keep = Pair.of(lambda side: np.flatnonzero(degree[side] > 0))
        matrix = csr_matrix(self.matrix[keep.user][:, keep.item])
        ids = Pair.of(lambda side: self.ids[side].take(keep[side]))
        labels = Pair.of(lambda side: (texts := self.labels[side]) and texts.take(keep[side]))
        # rows and columns keep their relative order, so the stored values do too
        return Interactions(matrix, ids, labels, self.times, self.notes, self.thinned)

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


def require_interactions(value: Any) -> "Interactions":
    """Return interactions as they are; for anything else, DataError says what to call."""
    if isinstance(value, Interactions):
        return value
    made = "mfrec.Interactions."
    if isinstance(value, str | Path):
        call = f"{made}read({str(value)!r}, user=..., item=...)"
    elif issparse(value):
        call = f"{made}from_sparse(matrix)"
    elif is_frame(value):
        call = f"{made}from_frame(frame, user=..., item=...)"
    else:
        call = f"{made}from_frame(frame, user=..., item=...), from_arrays(users, items), from_sparse or read"
    module = type(value).__module__.split(".")[0].lstrip("_")
    kind = type(value).__name__ if module == "builtins" else f"{module} {type(value).__name__}"
    raise DataError(f"expected Interactions, got {kind}: call {call} first")


def _check_named(named: dict[str, Any]) -> None:
    """Raise ParameterError unless each is the name of one column, and user and item are two."""
    for role, name in named.items():
        if name is None and role not in SIDES:
            continue
        if name is None or not isinstance(name, Hashable):
            raise ParameterError(f"{role} must be the name of one column, got {clip(name)} ({type(name).__name__})")
    if named["user"] == named["item"]:
        raise ParameterError(f"column {named['user']!r} is named as both user and item: name two columns")


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
