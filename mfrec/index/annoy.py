"""Annoy, made fit for matrix-factorisation vectors; the only importer of ``annoy``.

Vectors of a factor model differ greatly in length, and a short list by inner product is mostly made of long
ones, which Annoy's trees do not see. So the longest (the *head*) are scanned densely, and only the rest (the
*tail*) goes into the trees, after Yan et al., "Norm-Ranging LSH for Maximum Inner Product Search" (2018).
By cosine all vectors count alike: the head is empty and everything is tail.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from annoy import AnnoyIndex as Trees
from numpy.typing import NDArray

from mfrec.errors import BackendError
from mfrec.factors import Vector
from mfrec.index.base import (
    NOTHING,
    ROUNDING,
    Candidates,
    Hits,
    Numbers,
    Scores,
    Settings,
    exact_search,
    lengths,
    near_top,
    without,
)
from mfrec.index.params import IndexParams

Metric = Literal["dot", "angular"]

# what a tail search is asked for beyond k, so that rounding inside Annoy cannot displace a hit
SLACK = 4
# with more exclusions in the tail than this share of it, trees mostly find what must not be returned
MOST_EXCLUDED = 1 / 16

REMEDY = (
    "reinstall it from source without fast-math: ANNOY_COMPILER_ARGS='-O3,-fno-fast-math' "
    "pip install --force-reinstall --no-binary annoy annoy==1.17.3"
)


@dataclass(frozen=True)
class TreeSettings:
    """What a forest was built with and how far it is searched."""

    metric: Metric
    trees: int
    search_k: int
    seed: int


@dataclass(frozen=True, eq=False)
class NormRangedIndex:
    """A dense scan of the head, trees over the tail, and one exact ranking of what both found."""

    candidates: Candidates
    tree_settings: TreeSettings
    head: Numbers
    tail: Numbers
    head_vectors: NDArray[np.float32]
    longest_in_tail: float
    forest: Any
    backend: str = "annoy"

    def search(self, query: Vector, k: int, excluded: Numbers = NOTHING) -> Hits:
        """Return the best k candidates that are not excluded."""
        k = min(k, len(self.candidates) - len(excluded))
        if k <= 0:
            return Hits(NOTHING, np.zeros(0, np.float32), True)
        in_head, in_tail = self._split(excluded)
        if len(in_tail) > MOST_EXCLUDED * len(self.tail):
            return exact_search(self.candidates, query, k, excluded)
        found, kth = self._scan_head(query, k, in_head)
        limit = self._tail_limit(query)
        if kth >= limit:
            return Hits(*self.candidates.best(query, found, k), exact=True)
        from_tail = self._search_tail(query, k + len(in_tail) + SLACK)
        found = np.concatenate([found, without(from_tail, excluded)])
        if len(found) < k:
            return exact_search(self.candidates, query, k, excluded)
        numbers, scores = self.candidates.best(query, found, k)
        return Hits(numbers, scores, exact=bool(scores[-1] > limit))

    def _split(self, excluded: Numbers) -> tuple[Numbers, Numbers]:
        """Return the positions of the excluded in the head, and those that are in the tail."""
        if not len(excluded) or not len(self.head):
            return NOTHING, excluded
        places = np.minimum(np.searchsorted(self.head, excluded), len(self.head) - 1)
        hit = self.head[places] == excluded
        return places[hit], excluded[~hit]

    def _scan_head(self, query: Vector, k: int, positions_out: Numbers) -> tuple[Numbers, float]:
        """Return the best of the head, and the k-th score: -inf where the head has fewer than k to give."""
        if not len(self.head):
            return NOTHING, -np.inf
        scores: Scores = self.head_vectors @ query
        scores[positions_out] = -np.inf
        eligible = len(scores) - len(positions_out)
        margin = self.candidates.margin(query)
        near = near_top(scores, min(k, eligible), margin) if eligible else NOTHING
        near = near[scores[near] > -np.inf]
        kth = float(np.sort(scores[near])[-k]) - margin if eligible >= k else -np.inf
        return self.head[near], kth

    def _tail_limit(self, query: Vector) -> float:
        """Return what no tail candidate can score above."""
        if not len(self.tail):
            return -np.inf
        if self.candidates.similarity == "cosine":
            return np.inf
        return float(lengths(query)) * self.longest_in_tail * (1 + ROUNDING)

    def _search_tail(self, query: Vector, count: int) -> Numbers:
        count = min(count, len(self.tail))
        inspect = max(self.tree_settings.search_k, count)
        places = self.forest.get_nns_by_vector(query.tolist(), count, inspect)
        return self.tail[np.array(places, np.int64)]

    def settings(self) -> Settings:
        """Return the size of the head and what the trees were built with."""
        return {"head": len(self.head), **asdict(self.tree_settings)}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the head's numbers and vectors; nothing where there is no head."""
        return {"head": self.head, "head_vectors": self.head_vectors} if len(self.head) else {}

    def write(self, path: Path) -> None:
        """Write Annoy's file; the forest is a memory map of it from then on."""
        self.forest.save(str(path))


def build(candidates: Candidates, params: IndexParams) -> NormRangedIndex:
    """Build a norm-ranged index.

    Raises
    ------
    BackendError
        When the installed annoy fails its self-test.
    """
    self_test()
    share = params.head if candidates.similarity == "dot" else 0.0
    metric: Metric = "dot" if candidates.similarity == "dot" else "angular"
    head = longest(candidates, int(np.ceil(share * len(candidates))))
    settings = TreeSettings(metric, params.trees, params.search_k, params.seed)
    tail = tail_of(len(candidates), head)
    forest = grow(candidates.vectors, tail, settings)
    return _assemble(candidates, settings, head, tail, candidates.vectors[head], forest)


def restore(
    candidates: Candidates, settings: Settings, arrays: Mapping[str, NDArray[Any]], path: Path | None
) -> NormRangedIndex:
    """Restore an index from what it kept; without a file the trees are built again."""
    tree_settings = TreeSettings(**{name: settings[name] for name in TreeSettings.__dataclass_fields__})
    head = arrays.get("head", NOTHING)
    tail = tail_of(len(candidates), head)
    if path is None:
        self_test()
        forest = grow(candidates.vectors, tail, tree_settings)
    else:
        forest = Trees(candidates.vectors.shape[1], tree_settings.metric)
        forest.load(str(path))
        if forest.get_n_items() != len(tail) or forest.get_n_trees() != (tree_settings.trees if len(tail) else 0):
            raise BackendError(
                f"{path.name} holds {forest.get_n_items()} items in {forest.get_n_trees()} trees, "
                f"expected {len(tail)} in {tree_settings.trees}"
            )
    return _assemble(candidates, tree_settings, head, tail, arrays.get("head_vectors", candidates.vectors[:0]), forest)


def _assemble(
    candidates: Candidates,
    settings: TreeSettings,
    head: Numbers,
    tail: Numbers,
    head_vectors: NDArray[np.float32],
    forest: Any,
) -> NormRangedIndex:
    longest_in_tail = float(candidates.norms[tail].max(initial=0))
    return NormRangedIndex(candidates, settings, head, tail, head_vectors, longest_in_tail, forest)


def longest(candidates: Candidates, count: int) -> Numbers:
    """Return the numbers of the longest vectors, ascending; ties by number."""
    order = np.argsort(-candidates.norms, kind="stable")
    return np.sort(order[:count]).astype(np.int64)


def tail_of(count: int, head: Numbers) -> Numbers:
    """Return the numbers that are not in the head, ascending."""
    keep = np.ones(count, bool)
    keep[head] = False
    return np.flatnonzero(keep)


def grow(vectors: NDArray[np.float32], numbers: Numbers, settings: TreeSettings) -> Any:
    """Build Annoy's trees over some vectors; one thread, so that the same seed gives the same bytes."""
    forest = Trees(vectors.shape[1], settings.metric)
    forest.set_seed(settings.seed)
    for place, number in enumerate(numbers.tolist()):
        forest.add_item(place, vectors[number].tolist())
    forest.build(settings.trees, n_jobs=1)
    return forest


@cache
def self_test() -> None:
    """Ask the installed annoy for neighbours that are known; some builds return one, or wrong ones.

    Raises
    ------
    BackendError
        With the remedy (spotify/annoy#679, #682, #686).
    """
    vectors = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    for metric, similarity in (("dot", "dot"), ("angular", "cosine")):
        candidates = Candidates(vectors, similarity)  # type: ignore[arg-type]  # mypy widens the literals
        settings = TreeSettings(metric, 5, 10_000, 1)  # type: ignore[arg-type]
        forest = grow(vectors, np.arange(200), settings)
        for query in vectors[:10]:
            expected = exact_search(candidates, query, 5, NOTHING).numbers.tolist()
            found = forest.get_nns_by_vector(query.tolist(), 5, settings.search_k)
            if found != expected:
                raise BackendError(f"the installed annoy finds wrong {metric} neighbours: {REMEDY}")
