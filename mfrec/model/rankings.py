"""What a model answers with: `Ranking` for one query, `Rankings` for many."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Numbers, Scores
from mfrec.model.ids import IdMap

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Ranking:
    """An answer: external ids, best first, never padded.

    Parameters
    ----------
    ids
        Plain Python integers or strings.
    scores
        float32, descending; higher is better. Ties are in the order of the ids.
    labels
        One text per id (the id itself where there is no label), or None when that side has none.
    exact
        Whether this is provably the answer of an exhaustive search.
    """

    ids: list[Any]
    scores: NDArray[np.float32]
    labels: list[str] | None = None
    exact: bool = False

    def __len__(self) -> int:
        """Return how many ids there are."""
        return len(self.ids)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, but for the scores, which stay float32: whoever writes them decides on the digits.

        ``results`` holds one object per id with ``id``, ``label`` where there are labels, and ``score``.
        """
        results: list[dict[str, Any]]
        if self.labels is None:
            results = [{"id": i, "score": s} for i, s in zip(self.ids, self.scores, strict=True)]
        else:
            rows = zip(self.ids, self.labels, self.scores, strict=True)
            results = [{"id": i, "label": text, "score": s} for i, text, s in rows]
        return {"exact": self.exact, "results": results}

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with columns ``id``, ``score`` and, where there are labels, ``label``."""
        import pandas as pd

        table: dict[str, Any] = {"id": self.ids, "score": self.scores}
        return pd.DataFrame(table if self.labels is None else {**table, "label": self.labels})


@dataclass(frozen=True, eq=False)
class Rankings:
    """The answers to many queries, one row per hit; queries in order, hits best first.

    Parameters
    ----------
    query_numbers, numbers
        int64, the internal numbers of the query and of the hit.
    ranks
        int64, from 1.
    scores
        float32.
    names
        What the two id columns are called in a table.
    maps
        The ids of the query side and of the target side.
    """

    query_numbers: Numbers
    numbers: Numbers
    ranks: NDArray[np.int64]
    scores: Scores
    names: tuple[str, str]
    maps: tuple[IdMap, IdMap]

    def __len__(self) -> int:
        """Return the number of hits."""
        return len(self.numbers)

    @cached_property
    def queries(self) -> list[Any]:
        """The external id of every row's query."""
        return self.maps[0].ids(self.query_numbers)

    @cached_property
    def ids(self) -> list[Any]:
        """The external id of every row's hit."""
        return self.maps[1].ids(self.numbers)

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with the query's id, the hit's id, rank and score."""
        import pandas as pd

        # without rows, too, a column has the type of its ids
        kinds = ["int64" if ids.kind == "int" else "str" for ids in self.maps]
        columns = zip(self.names, (self.queries, self.ids), kinds, strict=True)
        table: dict[str, Any] = {name: pd.Series(ids, dtype=kind) for name, ids, kind in columns}
        return pd.DataFrame({**table, "rank": self.ranks, "score": self.scores})
