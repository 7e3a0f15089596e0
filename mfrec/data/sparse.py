"""A sparse matrix of scipy as a table of interactions."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from mfrec.data.frames import column_of
from mfrec.data.refusals import clip
from mfrec.data.table import Table
from mfrec.directions import SIDES, Pair
from mfrec.errors import DataError


def table_of_sparse(matrix: Any, given: Pair[Any]) -> Table:
    """Return the stored values of a matrix with the columns user, item and weight; `Interactions.from_sparse` says how.

    Parameters
    ----------
    matrix
        Rows are users, columns are items.
    given
        The ids of the rows and of the columns, or None for their positions.
    """
    if not issparse(matrix) or len(matrix.shape) != 2:
        raise DataError(f"expected a sparse matrix of scipy, got {type(matrix).__name__}")
    if matrix.dtype.kind not in "buif":
        raise DataError(f"the matrix holds values of type {matrix.dtype}: weights are real numbers")
    # scipy would sum repeated entries in the type of the matrix, which may not hold the sum
    entries = matrix.tocoo()
    values = entries.data.astype(np.float64)
    stored = values != 0
    numbers = Pair(entries.row[stored].astype(np.int64), entries.col[stored].astype(np.int64))
    notes: tuple[str, ...] = (f"{int((~stored).sum())} stored zeros were left out",) if not stored.all() else ()
    columns: dict[str, pd.Series[Any]] = {}
    for side, count in zip(SIDES, matrix.shape, strict=True):
        ids = column_of(np.arange(count) if given[side] is None else given[side], f"{side}_ids")
        if len(ids) != count:
            raise DataError(f"{len(ids)} {side}_ids for a matrix of shape {matrix.shape}")
        if ids.duplicated().any():
            raise DataError(f"{side}_ids has {clip(ids[ids.duplicated()].iloc[0])} more than once")
        columns[side] = ids.iloc[numbers[side]].reset_index(drop=True)
        empty = count - len(np.unique(numbers[side]))
        notes += (f"{empty} of {count} {side}s have no interaction and were left out",) if empty else ()
    columns["weight"] = pd.Series(values[stored])
    table = Table(columns, "the matrix", notes=notes, cells=(numbers.user, numbers.item))
    if not len(table):
        raise DataError("the matrix has no values: there is nothing to learn from")
    return table
