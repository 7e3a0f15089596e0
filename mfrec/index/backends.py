"""`BACKENDS`, and building the indexes of a model: one per (target side, similarity)."""

import copyreg
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Candidates, Matrix, Numbers, Similarity, lengths
from mfrec.directions import DIRECTIONS, Direction, Pair, Side
from mfrec.errors import BackendError, ParameterError
from mfrec.index import annoy, faiss
from mfrec.index.base import Finder, Growing, Index, Level, Settings
from mfrec.index.calibrate import MARGIN, Queries, draw, sample_size
from mfrec.index.params import IndexParams

Indexes = dict[tuple[Side, Similarity], Index]
TIMED = 50


@dataclass(frozen=True)
class Backend:
    """How to build one kind of index on real queries, and how to open its library's file, which may be missing."""

    prepare: Callable[[Candidates, Queries, IndexParams], Growing]
    open_finder: Callable[[Candidates, Settings, Numbers | None, Path | None], Finder | None]

    def build(self, candidates: Candidates, queries: Queries, params: IndexParams) -> Index:
        """Build one index."""
        grow, finish = self.prepare(candidates, queries, params)
        grow()
        return finish()

    def restore(
        self, candidates: Candidates, settings: Settings, arrays: Mapping[str, NDArray[Any]], path: Path | None
    ) -> Index:
        """Restore an index from its settings, its arrays, and its library's file; without a file it is built again."""
        order = arrays.get("order")
        finder = self.open_finder(candidates, settings, order, path)
        if finder is None:
            return Index(candidates)
        levels = tuple(Level(int(k), settings[finder.effort][k], head) for k, head in settings["heads"].items())
        return Index(candidates, finder, order, arrays.get("longest", candidates.vectors[:0]), levels)


def _scan(candidates: Candidates, queries: Queries, params: IndexParams) -> Growing:
    measured = {"queries": 0, "recall": {str(k): 1.0 for k in params.at_k}}
    return lambda: None, lambda: Index(candidates, measured=measured)


BACKENDS: dict[str, Backend] = {
    "annoy": Backend(annoy.prepare, annoy.restore),
    "exact": Backend(_scan, lambda *_: None),
    "faiss": Backend(faiss.prepare, faiss.restore),
}


def _again(
    backend: str, candidates: Candidates, settings: Settings, arrays: Mapping[str, NDArray[Any]], measured: Any
) -> Index:
    return replace(BACKENDS[backend].restore(candidates, settings, arrays, None), measured=measured)


def _pickled(index: Index) -> tuple[Callable[..., Index], tuple[Any, ...]]:
    return _again, (index.backend, index.candidates, index.settings(), index.arrays(), dict(index.measured))


# a library's forest lives outside of Python: where an index is unpickled it is grown again, from the same seed
copyreg.pickle(Index, _pickled)


def build_indexes(
    across: Pair[Matrix], same_side: Pair[Matrix], params: IndexParams, done: Callable[[], object] = lambda: None
) -> Indexes:
    """Build one index per (target side, similarity); their trees grow side by side, each on one thread.

    Parameters
    ----------
    across, same_side
        float32 of shape ``(n, factors)`` per side: what is compared across sides by inner product, and on one side by
        cosine. Queries to calibrate on are drawn from them.
    params
        ``index="auto"`` builds an index of every backend that is installed and keeps the fastest.
    done
        Called whenever one of the indexes is finished.

    Raises
    ------
    ParameterError
        For an unknown backend; the message lists the names.
    """
    vectors: dict[Similarity, Pair[Matrix]] = {"dot": across, "cosine": same_side}
    # one direction of each index lends it its queries; the longest indexes are begun first
    directions = {direction.index: direction for direction in DIRECTIONS.values()}
    keys = sorted(directions, key=lambda key: (-len(across[key[0]]), key))
    built: dict[tuple[Side, Similarity], tuple[list[Index], Queries]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        begun = []
        for side, similarity in keys:
            own = vectors[similarity]
            candidates = Candidates(own[side], similarity, lengths(own[side]))
            queries = queries_of(own, directions[side, similarity], sample_size(len(candidates)), params.seed)
            options = _prepared(candidates, queries, params)
            begun.append((queries, [finish for _, finish in options], [pool.submit(grow) for grow, _ in options]))
        # calibration is left to this thread alone: several would wait for each other at the interpreter's lock
        for key, (queries, finishes, growths) in zip(keys, begun, strict=True):
            for growth in growths:
                growth.result()
            built[key] = [finish() for finish in finishes], queries
            done()
    return {key: _fastest(*built[key], params) for key in directions}


def queries_of(vectors: Pair[Matrix], direction: Direction, size: int, seed: int) -> Queries:
    """Draw real queries of a direction."""
    return draw(vectors[direction.query], not direction.across, size, seed)


def _prepared(candidates: Candidates, queries: Queries, params: IndexParams) -> list[Growing]:
    if params.index not in (*BACKENDS, "auto"):
        raise ParameterError(f"unknown index {params.index!r}: choose one of {', '.join(BACKENDS)}, auto")
    if params.index != "auto":
        return [BACKENDS[params.index].prepare(candidates, queries, params)]
    options = []
    for name, backend in BACKENDS.items():
        try:
            options.append(backend.prepare(candidates, queries, params))
        except BackendError:
            # faiss is an extra; a broken annoy is an error
            if name != "faiss":
                raise
    return options


def _fastest(options: Sequence[Index], queries: Queries, params: IndexParams) -> Index:
    """Return the option that is fastest at the smallest k, of those on target; timed one after another."""
    if len(options) == 1:
        return options[0]
    target = params.target_recall - MARGIN
    on_target = [option for option in options if min(option.measured["recall"].values()) >= target]
    return min(on_target, key=lambda option: median_us(option, queries, min(params.at_k)))


def median_us(index: Index, queries: Queries, k: int) -> float:
    """Return the median microseconds of some searches, one after the other; NaN without queries."""
    times = []
    for place, query in enumerate(queries.vectors[:TIMED]):
        excluded = queries.excluded(place)
        started = time.perf_counter_ns()
        index.search(query, k, excluded)
        times.append(time.perf_counter_ns() - started)
    return float(np.median(times)) / 1000 if times else float("nan")
