"""Annoy's random projection trees (spotify/annoy) as a finder; the only importer of ``annoy``."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from annoy import AnnoyIndex

from mfrec.arrays import NOTHING, Candidates, Numbers, Similarity, Vector, unit, unit_rows
from mfrec.errors import BackendError
from mfrec.index.base import LOOKED_UP, Growing, Index, Settings, exact_search
from mfrec.index.calibrate import Answered, Queries, calibrated, heads_by_rank
from mfrec.index.params import IndexParams

TREES: dict[Similarity, int] = {"dot": 20, "cosine": 30}
# of the quantiles tried as heads, the one for the shortest lists that no head is shorter than
IN_EVERY_HEAD = 2
# what a call costs before it inspects its first node, in nodes
CALL = 300

REMEDY = (
    "reinstall it from source without fast-math: ANNOY_COMPILER_ARGS='-O3,-std=c++14,-fno-fast-math' "
    "pip install --force-reinstall --no-binary annoy annoy==1.17.3"
)


@dataclass(frozen=True, eq=False)
class Forest:
    """A forest by angle over the candidates from ``first`` on, in the index's order.

    Among vectors of similar length the angle decides about the inner product, too.
    """

    annoy: AnnoyIndex
    first: int
    trees: int
    seed: int
    backend: ClassVar[str] = "annoy"
    library: ClassVar[str] = "annoy"
    effort: ClassVar[str] = "search_k"
    efforts = (100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600)

    def neighbours(self, query: Vector, effort: int, asked: int) -> Numbers:
        """Return places in the order, the nearest first."""
        # at length 1, as the items are: Annoy's own products of very short vectors vanish in float32
        found = self.annoy.get_nns_by_vector(unit(query).tolist(), asked, max(effort, asked))
        return np.array(found, np.int64) + self.first

    def cost(self, effort: int, asked: int) -> float:
        """Return what `neighbours` costs, in scanned rows."""
        return LOOKED_UP * (CALL + max(effort, asked) + asked)

    def settings(self) -> Settings:
        """Return what it was built with, as JSON values."""
        return {"trees": self.trees, "seed": self.seed, "in_no_tree": self.first}

    def write(self, path: Path) -> None:
        """Write Annoy's file; the forest is a memory map of it from then on."""
        self.annoy.save(str(path))


def prepare(candidates: Candidates, queries: Queries, params: IndexParams) -> Growing:
    """Read the heads off the exact answers of the queries, and add all other candidates to a forest.

    Raises
    ------
    BackendError
        When the installed annoy fails its self-test.
    """
    self_test()
    sample = Answered.of(candidates, queries, params)
    order = by_length(candidates)
    heads, first = {k: [0] for k in sample.ks}, 0
    if order is not None:
        sizes = heads_by_rank(Index(candidates, order=order), sample)
        first = min(sizes[sample.ks[0]][IN_EVERY_HEAD], len(candidates) - 1)
        heads = {k: [head for head in sizes[k] if head >= first] or [first] for k in sample.ks}
    trees = params.trees or TREES[candidates.similarity]
    forest = Forest(_with_items(candidates, order, first, params.seed), first, trees, params.seed)
    index = Index(candidates, forest, order)
    # with one job the same seed gives the same bytes
    return lambda: forest.annoy.build(trees, n_jobs=1), lambda: calibrated(index, sample, heads)


def restore(candidates: Candidates, settings: Settings, order: Numbers | None, path: Path | None) -> Forest:
    """Open a forest from its file; without a file it is grown again.

    Raises
    ------
    BackendError
        When the file does not hold the forest that the settings tell of.
    """
    first, trees, seed = settings["in_no_tree"], settings["trees"], settings["seed"]
    if path is None:
        self_test()
        annoy = _with_items(candidates, order, first, seed)
        annoy.build(trees, n_jobs=1)
    else:
        annoy = AnnoyIndex(candidates.vectors.shape[1], "angular")
        annoy.load(str(path))
        # (a small forest does not know how many trees it has)
        if annoy.get_n_items() != len(candidates) - first:
            raise BackendError(f"the file holds {annoy.get_n_items()} items, expected {len(candidates) - first}")
    return Forest(annoy, first, trees, seed)


def by_length(candidates: Candidates) -> Numbers | None:
    """Return all numbers, the longest vector first, ties by number; None by cosine, where lengths do not count."""
    return None if candidates.similarity == "cosine" else np.argsort(-candidates.norms, kind="stable")


def _with_items(candidates: Candidates, order: Numbers | None, first: int, seed: int) -> AnnoyIndex:
    """Return a forest of the candidates from ``first`` on at length 1, without trees yet."""
    numbers = slice(None) if order is None else order[first:]
    forest = AnnoyIndex(candidates.vectors.shape[1], "angular")
    forest.set_seed(seed)
    for place, vector in enumerate(unit_rows(candidates.vectors[numbers], candidates.norms[numbers])):
        forest.add_item(place, vector.tolist())
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
    candidates = Candidates(vectors, "cosine")
    forest = Forest(_with_items(candidates, None, 0, 1), 0, 5, 1)
    forest.annoy.build(5, n_jobs=1)
    for query in vectors[:10]:
        expected = exact_search(candidates, query, 5, NOTHING).numbers.tolist()
        if forest.neighbours(query, 10_000, 5).tolist() != expected:
            raise BackendError(f"the installed annoy finds wrong neighbours: {REMEDY}")
