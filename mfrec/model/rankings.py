"""What a model answers with: `Ranking` for one query, `Rankings` for many."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Numbers, Scores
from mfrec.model import html
from mfrec.model.ids import IdMap
from mfrec.model.string_array import StringArray

if TYPE_CHECKING:
    import pandas as pd


class Hit(NamedTuple):
    """One entry of a ranking; ``label`` is None where its side has none."""

    id: Any
    score: float
    label: str | None


@dataclass(frozen=True, eq=False)
class Ranking:
    """An answer: external ids, best first, never padded.

    It is a sequence of hits: ``for id, score, label in ranking``, ``ranking[0].id``; ``ranking[:5]`` is a ranking
    again. Two rankings are equal where all of their parts are.

    Parameters
    ----------
    ids
        Plain Python integers or strings.
    scores
        float32, descending (but where diversity decided on the order); higher is better. Ties are in the order of the
        ids.
    labels
        One text per id (the id itself where there is no label), or None when that side has none.
    exact
        Whether this is provably the answer of an exhaustive search.
    """

    ids: list[Any]
    scores: NDArray[np.float32]
    labels: list[str] | None = None
    exact: bool = False

    @classmethod
    def of(cls, ids: IdMap, labels: StringArray | None, numbers: Numbers, scores: Scores, exact: bool) -> "Ranking":
        """Return the ranking of some numbers of a side."""
        keys, texts = ids.ids(numbers), None
        if labels is not None:
            texts = [labels[n] or str(key) for n, key in zip(numbers.tolist(), keys, strict=True)]
        return cls(keys, scores, texts, exact)

    def __len__(self) -> int:
        """Return how many ids there are."""
        return len(self.ids)

    def __iter__(self) -> Iterator[Hit]:
        """Yield the hits, best first."""
        return (self[place] for place in range(len(self)))

    @overload
    def __getitem__(self, place: int) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> "Ranking": ...
    def __getitem__(self, place: int | slice) -> "Hit | Ranking":
        """Return the hit at a place, from 0, or the ranking of a slice.

        Raises
        ------
        IndexError
            Where there is no such place.
        TypeError
            For anything but an integer or a slice.
        """
        if isinstance(place, slice):
            labels = None if self.labels is None else self.labels[place]
            return Ranking(self.ids[place], self.scores[place], labels, self.exact)
        at = index(place)
        if not -len(self) <= at < len(self):
            raise IndexError(f"place {at} of a ranking of {len(self)}")
        return Hit(self.ids[at], float(self.scores[at]), None if self.labels is None else self.labels[at])

    def __eq__(self, other: object) -> bool:
        """Whether the other is a ranking of the same ids, scores and labels, found as exactly."""
        return self.to_dict() == other.to_dict() if isinstance(other, Ranking) else NotImplemented

    # what holds lists and arrays has no hash
    __hash__ = None  # type: ignore[assignment]

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        header = ("#", "id", "score") if self.labels is None else ("#", "id", "score", "label")
        rows = [(place, hit.id, f"{hit.score:.3f}", hit.label)[: len(header)] for place, hit in enumerate(self, 1)]
        return html.block(f"Ranking of {len(self)}", html.table(header, rows))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain Python values: lists of ids, of floats and of texts, and a bool."""
        ids = [key.item() if isinstance(key, np.generic) else key for key in self.ids]
        labels = None if self.labels is None else list(self.labels)
        return {"ids": ids, "scores": np.asarray(self.scores).tolist(), "labels": labels, "exact": bool(self.exact)}

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
