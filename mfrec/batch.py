"""Whole catalogues at once: exact, in blocks of bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import Direction, direction
from mfrec.factors import Matrix
from mfrec.index.base import NOTHING, Candidates, Numbers, exact_search, length_of
from mfrec.recommender import Recommender, check_k

if TYPE_CHECKING:
    import pandas as pd

# scores of one block, float32: 64 MiB
BLOCK_VALUES = 16 * 2**20
# found beyond k, so that rounding cannot keep one of the best out
SLACK = 8


@dataclass(frozen=True, eq=False)
class Rankings:
    """The answers to many queries, one row per hit; queries in order, hits best first.

    Parameters
    ----------
    queries, ids
        External ids of the query and of the hit.
    ranks
        int64, from 1.
    scores
        float32.
    names
        What the two id columns are called in a table.
    """

    queries: list[Any]
    ids: list[Any]
    ranks: NDArray[np.int64]
    scores: NDArray[np.float32]
    names: tuple[str, str]

    def __len__(self) -> int:
        """Return the number of hits."""
        return len(self.ids)

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with the query's id, the hit's id, rank and score."""
        import pandas as pd

        query, target = self.names
        return pd.DataFrame({query: self.queries, target: self.ids, "rank": self.ranks, "score": self.scores})


def recommend_all(
    model: Recommender, name: str, k: int = 10, *, exclude_seen: bool = True, progress: bool = False
) -> Iterator[Rankings]:
    """Answer one direction for every id of its query side, exactly; yields block after block.

    Parameters
    ----------
    model
        A fitted model.
    name
        A key of `mfrec.DIRECTIONS`.
    k, exclude_seen
        As in `Recommender.recommend`.
    progress
        Show a progress bar on stderr, or in the notebook.
    """
    row = direction(name)
    check_k(k)
    count = len(model.ids[row.query])
    rows_per_block = max(1, min(count, BLOCK_VALUES // max(1, len(model.ids[row.target]))))
    blocks = range(0, count, rows_per_block)
    for first in _bar(blocks, progress):
        numbers = np.arange(first, min(first + rows_per_block, count))
        yield _block(model, row, numbers, k, exclude_seen)


def _block(model: Recommender, row: Direction, numbers: Numbers, k: int, exclude_seen: bool) -> Rankings:
    candidates = model.indexes[row.index].candidates
    queries = np.ascontiguousarray(model.factors[row.query][numbers])
    excluded = [_excluded(model, row, n, exclude_seen) for n in numbers.tolist()]
    wanted = min(k + SLACK, len(candidates))
    proposed, scores = _top(candidates, queries, wanted, excluded)
    hits, found = _settle(candidates, queries, proposed, scores, excluded, k)
    lengths = np.array([len(h) for h in hits])
    flat = np.concatenate(hits) if hits else NOTHING
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return Rankings(
        model.ids[row.query].ids(np.repeat(numbers, lengths)),
        model.ids[row.target].ids(flat),
        np.arange(len(flat)) - starts + 1,
        np.concatenate(found) if found else np.zeros(0, np.float32),
        (row.query, row.target if row.across else f"similar_{row.target}"),
    )


def _excluded(model: Recommender, row: Direction, number: int, exclude_seen: bool) -> Numbers:
    if not row.across:
        return np.array([number])
    return model.links[row.query].of(number) if exclude_seen else NOTHING


def _top(
    candidates: Candidates, queries: Matrix, count: int, excluded: list[Numbers]
) -> tuple[Numbers, NDArray[np.float32]]:
    """Return the best ``count`` of every query by float32 score, -inf where fewer are eligible."""
    return (_implicit_top() or _numpy_top)(candidates, queries, count, excluded)


def _numpy_top(
    candidates: Candidates, queries: Matrix, count: int, excluded: list[Numbers]
) -> tuple[Numbers, NDArray[np.float32]]:
    scores = queries @ candidates.vectors.T
    if candidates.similarity == "cosine":
        scores /= np.maximum(candidates.norms, np.float32(1e-30))
    for place, out in enumerate(excluded):
        scores[place, out] = -np.inf
    best = np.argpartition(scores, scores.shape[1] - count, axis=1)[:, scores.shape[1] - count :]
    return best, np.take_along_axis(scores, best, axis=1)


def _implicit_top() -> Callable[..., tuple[Numbers, NDArray[np.float32]]] | None:
    """Return the multi-threaded heap of ``implicit``, where it is installed."""
    try:
        from implicit.cpu.topk import topk
        from scipy.sparse import csr_matrix
    except ImportError:
        return None

    def top(
        candidates: Candidates, queries: Matrix, count: int, excluded: list[Numbers]
    ) -> tuple[Numbers, NDArray[np.float32]]:
        starts = np.cumsum([0, *map(len, excluded)]).astype(np.int32)
        columns = np.concatenate(excluded).astype(np.int32)
        shape = (len(queries), len(candidates))
        filtered = csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=shape)
        norms = np.maximum(candidates.norms, np.float32(1e-30)) if candidates.similarity == "cosine" else None
        vectors = np.ascontiguousarray(candidates.vectors)
        numbers, scores = topk(vectors, queries, count, item_norms=norms, filter_query_items=filtered)
        # filtered slots come back with the lowest float
        scores[scores <= np.finfo(np.float32).min] = -np.inf
        return numbers.astype(np.int64), scores

    return top


def _settle(
    candidates: Candidates,
    queries: Matrix,
    proposed: Numbers,
    scores: NDArray[np.float32],
    excluded: list[Numbers],
    k: int,
) -> tuple[list[Numbers], list[NDArray[np.float32]]]:
    """Rank every query's proposals in float64; where a near tie may have been cut off, search again in full."""
    ordered = -np.sort(-scores, axis=1)
    hits, found = [], []
    for place, query in enumerate(queries):
        eligible = proposed[place][scores[place] > -np.inf]
        length = length_of(query)
        margin = candidates.margin(length) * (length if candidates.similarity == "cosine" else 1.0)
        cut_off = len(eligible) == proposed.shape[1] < len(candidates) and (
            ordered[place, -1] >= ordered[place, min(k, proposed.shape[1]) - 1] - 2 * margin
        )
        if cut_off:
            hit = exact_search(candidates, query, k, excluded[place])
            best, score = hit.numbers, hit.scores
        else:
            best, score = candidates.best(query, eligible, k)
        hits.append(best)
        found.append(score)
    return hits, found


def _bar(blocks: range, progress: bool) -> Any:
    if not progress:
        return blocks
    from tqdm.auto import tqdm

    return tqdm(blocks, desc="recommend_all", unit="block")
