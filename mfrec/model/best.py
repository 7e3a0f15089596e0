"""The best k of each row of a block of scores, fast: what evaluation spends its time on."""

from dataclasses import dataclass

import numpy as np

from mfrec.arrays import Numbers, Scores

# of so many columns far apart the best is looked at first
FOLDS = 32


@dataclass(frozen=True, eq=False)
class Best:
    """The best scores of each row of a block, as flat arrays: row by row, best first, ties by column.

    Parameters
    ----------
    rows, columns, scores
        Of each entry; at least k per row, where a row has so many scores above -inf.
    place
        The entry's place in its row, from 0.
    bound
        Per row: every score above it is an entry.
    higher
        Per row, how many scores are above the bound.
    """

    rows: Numbers
    columns: Numbers
    scores: Scores
    place: Numbers
    bound: Scores
    higher: Numbers

    def ties(self) -> tuple[Numbers, Numbers]:
        """Return, per entry, the first entry of the same row and score, and how many there are."""
        new = np.ones(len(self.rows), bool)
        new[1:] = (np.diff(self.rows) != 0) | (np.diff(self.scores) != 0)
        starts = np.flatnonzero(new)
        sizes = np.diff(np.append(starts, len(new)))
        return np.repeat(starts, sizes), np.repeat(sizes, sizes)


def best_of(scores: Scores, k: int) -> Best:
    """Return the best k or more scores of each row; -inf is never among them.

    A row is folded: of several columns far apart only the best counts. The k-th best of these is a score that at least
    k reach, and only what was folded into those that reach it has to be looked at.
    """
    n_rows, width = scores.shape
    k = min(k, width)
    columns = width // min(FOLDS, max(1, width // (4 * k)))
    folded = scores[:, :columns].copy()
    for start in range(columns, width, columns):
        part = scores[:, start : start + columns]
        np.maximum(folded[:, : part.shape[1]], part, out=folded[:, : part.shape[1]])
    bound = np.partition(folded, columns - k, axis=1)[:, columns - k]
    rows, first = np.divmod(np.flatnonzero((folded >= bound[:, None]) & (folded > -np.inf)), columns)
    behind = first[:, None] + np.arange(0, width, columns)
    entries = ((rows * width)[:, None] + behind)[behind < width]
    rows = entries // width
    values = scores.reshape(-1)[entries]
    above = values > bound[rows]
    higher = np.bincount(rows[above], minlength=n_rows)
    # where fewer are higher, the bound is the k-th best itself: of those that equal it the lowest columns are taken
    equal = np.sort(entries[(values == bound[rows]) & (higher < k)[rows] & (values > -np.inf)])
    rows = equal // width
    equal = equal[places_in(rows, n_rows) < (k - higher)[rows]]
    entries = np.concatenate([entries[above], equal])
    rows, values = entries // width, scores.reshape(-1)[entries]
    order = np.lexsort((entries, -values, rows))
    entries, rows = entries[order], rows[order]
    return Best(rows, entries - rows * width, values[order], places_in(rows, n_rows), bound, higher)


def places_in(rows: Numbers, n_rows: int) -> Numbers:
    """Return the place of each entry in its row, from 0, where entries of a row stand together, in ascending rows."""
    counts = np.bincount(rows, minlength=n_rows)
    places: Numbers = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return places
