"""`Segmentation`: one side of a model in groups, and what tells each group from the others.

`mfrec.applications.segments` finds it with scikit-learn; reading one, be it from a folder, takes numpy alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Matrix, Numbers, Scores, unit_rows
from mfrec.directions import Pair, Side
from mfrec.errors import check_integer
from mfrec.model import html
from mfrec.model.ids import IdMap
from mfrec.model.rankings import Ranking
from mfrec.model.string_array import StringArray

if TYPE_CHECKING:
    import pandas as pd

# the segment of what has no vector
NONE = -1
# items that describe a segment at most, how many of them make its name, and characters of each
DESCRIBING, NAMED, WIDEST = 10, 3, 40
# of a cosine in float32
_ROUNDING = 1e-4


@dataclass(frozen=True, eq=False)
class Segment:
    """One group.

    Parameters
    ----------
    number
        From 0, the largest segment first.
    size
        How many belong to it.
    name
        The labels of the first items that describe it.
    describing
        The items that describe it, with their lift as the score: of an item segment its own most typical items, of a
        user segment what its users take so many times as often as all users.
    """

    number: int
    size: int
    name: str
    describing: Ranking

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, but for the lifts, which stay float32."""
        results = self.describing.to_json()["results"]
        described = [{("lift" if name == "score" else name): v for name, v in row.items()} for row in results]
        return {"segment": self.number, "size": self.size, "name": self.name, "describing": described}


@dataclass(frozen=True, eq=False)
class Segmentation(Sequence[Segment]):
    """One side in segments, a sequence of `Segment`, the largest first.

    Parameters
    ----------
    side
        ``"user"`` or ``"item"``: what is in the segments.
    ids, labels
        External ids of both sides, and texts, by number.
    segment
        int32 by number: the segment of each; -1 for what has no vector.
    distance
        float32 by number: 1 minus the cosine with the segment's centre, from 0 to 2; 1 for what has no vector.
    centres
        float32 of shape ``(segments, factors)``: unit vectors, to compare with vectors of the same side.
    described
        int64 of shape ``(segments, 10)``: the numbers of the items that describe each, then -1.
    lifts
        float32 of the shape of ``described``, descending; 0 where there is no item.
    stability
        The adjusted Rand index with the segments that another seed finds: 1 where they are the same, about 0 where
        they have nothing in common.
    seed
        The seed that these were found with.
    silhouettes
        Mean silhouette by number of segments, where the number was chosen by it.
    """

    side: Side
    ids: Pair[IdMap]
    labels: Pair[StringArray | None]
    segment: NDArray[np.int32]
    distance: Scores
    centres: Matrix
    described: Numbers
    lifts: Scores
    stability: float
    seed: int = 0
    silhouettes: dict[int, float] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many segments there are."""
        return len(self.centres)

    @overload
    def __getitem__(self, number: int) -> Segment: ...
    @overload
    def __getitem__(self, number: slice) -> list[Segment]: ...
    def __getitem__(self, number: int | slice) -> Segment | list[Segment]:
        """Return one segment by its number, or a list of them for a slice."""
        if isinstance(number, slice):
            return [self[place] for place in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(f"segment {number} of {len(self)}")
        place = range(len(self))[number]
        count = int((self.described[place] >= 0).sum())
        described = self._ranking("item", self.described[place, :count], self.lifts[place, :count])
        return Segment(place, int(self.sizes[place]), self._name(place, described), described)

    def __iter__(self) -> Iterator[Segment]:
        """Yield the segments, the largest first."""
        return (self[place] for place in range(len(self)))

    @cached_property
    def sizes(self) -> Numbers:
        """How many are in each segment, by its number."""
        return np.bincount(self.segment[self.segment >= 0], minlength=len(self)).astype(np.int64)

    def belongs_to(self, ids: IdMap, same_side: Matrix) -> bool:
        """Whether these are the ids and the vectors that the segments were found for."""
        own, given = self.ids[self.side].arrays(), ids.arrays()
        alike = own.keys() == given.keys() and all(np.array_equal(own[name], given[name]) for name in own)
        if not alike or same_side.shape != (len(self.segment), self.centres.shape[1]):
            return False
        cosines = np.einsum("ij,ij->i", unit_rows(same_side), self.centres[self.segment])
        # what is in no segment has a vector of zeros, whose cosine is 0
        return bool(np.allclose(1 - cosines, self.distance, atol=_ROUNDING))

    def members(self, number: int, limit: int | None = None) -> Ranking:
        """Return who or what is in a segment, nearest to its centre first; the score is the cosine with the centre.

        Raises
        ------
        ParameterError
            When there is no such segment, or the limit is not an integer above 0.
        """
        check_integer("segment", number, 0, len(self) - 1)
        if limit is not None:
            check_integer("limit", limit, 1)
        inside = np.flatnonzero(self.segment == number)
        order = inside[np.lexsort((inside, self.distance[inside]))][:limit]
        return self._ranking(self.side, order, np.float32(1) - self.distance[order])

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with a row per id: ``id``, ``segment``, ``distance`` and the segment's ``name``.

        What is in no segment has -1 and an empty name.
        """
        import pandas as pd

        # the last is that of -1
        names = np.array([*(segment.name for segment in self), ""], object)
        ids = self.ids[self.side]
        return pd.DataFrame(
            {
                "id": pd.Series(ids.ids(np.arange(len(ids))), dtype="int64" if ids.kind == "int" else "str"),
                "segment": self.segment,
                "distance": self.distance,
                "name": pd.Series(names[self.segment], dtype="str"),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, but for the lifts, which stay float32; without the members."""
        return {
            "side": self.side,
            "stability": self.stability,
            "seed": self.seed,
            "silhouettes": [{"segments": n, "silhouette": value} for n, value in self.silhouettes.items()],
            "segments": [segment.to_json() for segment in self],
        }

    def lines(self) -> list[str]:
        """Return what to print beside the segments: how stable they are, and what is in none."""
        said = [
            f"stability {self.stability:.2f}: the adjusted Rand index with the segments of another seed (1: the same)"
        ]
        if self.silhouettes:
            tried = ", ".join(f"{n}: {value:.3f}" for n, value in self.silhouettes.items())
            said.append(f"{len(self)} segments have the best mean silhouette of those tried ({tried})")
        without = int((self.segment == NONE).sum())
        if without:
            said.append(f"without a vector, and in no segment: {without} {self.side}s")
        return said

    def __repr__(self) -> str:
        """Say how many segments there are and of what, with a line for each of the first."""
        head = f"Segmentation({len(self)} segments of {len(self.ids[self.side])} {self.side}s)"
        rows = [f"{s.number:4} {s.size:8}  {s.name!r}" for s in self[: html.ROWS]]
        more = [f"{len(self) - html.ROWS} more"] if len(self) > html.ROWS else []
        return "\n".join([head, *rows, *more])

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        head = f"{len(self)} segments of {len(self.ids[self.side])} {self.side}s"
        rows = [(s.number, s.size, s.name) for s in self]
        return html.block(head, html.table(("segment", "size", "name"), rows), notes=self.lines())

    def _name(self, number: int, described: Ranking) -> str:
        texts = [str(key) for key in described.ids] if described.labels is None else described.labels
        short = [text if len(text) <= WIDEST else text[: WIDEST - 1] + "…" for text in texts[:NAMED]]
        return " / ".join(short) or f"segment {number}"

    def _ranking(self, side: Side, numbers: Numbers, scores: Scores) -> Ranking:
        return Ranking.of(self.ids[side], self.labels[side], numbers, scores, exact=True)
