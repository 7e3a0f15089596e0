"""The best k of each row of a block of scores, fast: what evaluation spends its time on."""

from dataclasses import dataclass

import numpy as np

from mfrec.arrays import Numbers, Scores

# of so many columns far apart the best is looked at first
FOLDS = 16


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
    """Return the best k or more scores of each row; -inf is never among them."""
    n_rows, width = scores.shape
    bound = _bound(scores, min(k, width))
    entries = np.flatnonzero(scores > bound[:, None])
    higher = np.bincount(entries // width, minlength=n_rows)
    # where fewer are higher, the bound is the k-th best itself: of those that equal it the lowest columns are taken
    border = np.where((higher < k) & (bound > -np.inf), bound, np.float32(np.nan))
    equal = np.flatnonzero(scores == border[:, None])
    rows = equal // width
    entries = np.concatenate([entries, equal[_places(rows, n_rows) < (k - higher)[rows]]])
    rows, values = entries // width, scores.reshape(-1)[entries]
    order = np.lexsort((entries, -values, rows))
    entries, rows = entries[order], rows[order]
    return Best(rows, entries - rows * width, values[order], _places(rows, n_rows), bound, higher)


def _bound(scores: Scores, k: int) -> Scores:
    """Return, per row, a score that at least k are not below; the k-th best, or one below it.

    The row is folded: of several columns far apart only the best counts. The k-th best of these is such a score, and is
    found in a fraction of the time.
    """
    width = scores.shape[1] // min(FOLDS, max(1, scores.shape[1] // (4 * k)))
    folded = scores[:, :width].copy()
    for start in range(width, scores.shape[1] - width + 1, width):
        np.maximum(folded, scores[:, start : start + width], out=folded)
    folded.partition(width - k, axis=1)
    return folded[:, width - k].copy()


def _places(rows: Numbers, n_rows: int) -> Numbers:
    """Return the place of each entry in its row, from 0, where entries of a row stand together, in ascending rows."""
    counts = np.bincount(rows, minlength=n_rows)
    places: Numbers = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return places
