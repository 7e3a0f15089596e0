"""A tail in Annoy's trees; the only importer of ``annoy``.

Random hyperplane trees (spotify/annoy). Its trees split by direction, so they suit a tail of vectors of similar
length, or any vectors by cosine.
"""

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from annoy import AnnoyIndex
from numpy.typing import NDArray

from mfrec.directions import Similarity
from mfrec.errors import BackendError
from mfrec.factors import Vector
from mfrec.index.base import NOTHING, RANDOM_READ, Candidates, Numbers, Settings, exact_search, length_of
from mfrec.index.ranged import Effort, Floor, Probe, effort_for

METRICS: dict[Similarity, Literal["dot", "angular"]] = {"dot": "dot", "cosine": "angular"}

# asked for beyond k, so that rounding inside Annoy cannot displace a hit
SLACK = 4

REMEDY = (
    "reinstall it from source without fast-math: ANNOY_COMPILER_ARGS='-O3,-std=c++14,-fno-fast-math' "
    "pip install --force-reinstall --no-binary annoy annoy==1.17.3"
)


@dataclass(frozen=True)
class TreeSettings:
    """What a forest was built with."""

    metric: Literal["dot", "angular"]
    trees: int
    seed: int


@dataclass(frozen=True, eq=False)
class Trees:
    """A forest over some of the candidates.

    Parameters
    ----------
    grown
        What it was built with.
    search_k
        How many nodes to inspect, by k.
    numbers
        The candidate's number of every item in the forest.
    size
        How many factors a vector has.
    forest
        Annoy's index.
    """

    grown: TreeSettings
    search_k: Effort
    numbers: Numbers
    size: int
    forest: Any
    kind: str = "trees"
    library: str | None = "annoy"

    def probe(self, query: Vector, k: int, extra: int, floor: Floor) -> Probe:
        """Propose what the trees find."""
        count = min(k + extra + SLACK, len(self.numbers))
        inspect = max(effort_for(self.search_k, k + extra), count)
        places = self.forest.get_nns_by_vector(_for_annoy(query, self.grown.metric).tolist(), count, inspect)
        return Probe(self.numbers[np.array(places, np.int64)], False, inspect * self.size * RANDOM_READ)

    def settings(self) -> Settings:
        """Return what the forest was built with and how far it is searched."""
        return {**asdict(self.grown), "search_k": [list(step) for step in self.search_k]}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the numbers."""
        return {"numbers": self.numbers}

    def write(self, path: Path) -> None:
        """Write Annoy's file; the forest is a memory map of it from then on."""
        self.forest.save(str(path))


def grow(candidates: Candidates, numbers: Numbers, settings: TreeSettings) -> Any:
    """Build Annoy's trees over some candidates; one thread, so that the same seed gives the same bytes."""
    forest = AnnoyIndex(candidates.vectors.shape[1], settings.metric)
    forest.set_seed(settings.seed)
    for place, number in enumerate(numbers.tolist()):
        forest.add_item(place, _for_annoy(candidates.vectors[number], settings.metric).tolist())
    forest.build(settings.trees, n_jobs=1)
    return forest


def build(candidates: Candidates, numbers: Numbers, trees: int, seed: int, search_k: Effort) -> Trees:
    """Grow a forest over some candidates.

    Raises
    ------
    BackendError
        When the installed annoy fails its self-test.
    """
    self_test()
    settings = TreeSettings(METRICS[candidates.similarity], trees, seed)
    return Trees(settings, search_k, numbers, candidates.vectors.shape[1], grow(candidates, numbers, settings))


def restore(candidates: Candidates, settings: Settings, numbers: Numbers, path: Path | None) -> Trees:
    """Open a forest from its file; without a file it is grown again.

    Raises
    ------
    BackendError
        When the file does not hold the forest that the settings tell of.
    """
    grown = TreeSettings(**{name: settings[name] for name in TreeSettings.__dataclass_fields__})
    size = candidates.vectors.shape[1]
    if path is None:
        self_test()
        forest = grow(candidates, numbers, grown)
    else:
        forest = AnnoyIndex(size, grown.metric)
        forest.load(str(path))
        if forest.get_n_items() != len(numbers):
            raise BackendError(f"{path.name} holds {forest.get_n_items()} items, expected {len(numbers)}")
    return Trees(grown, tuple((k, n) for k, n in settings["search_k"]), numbers, size, forest)


def _for_annoy(vector: Vector, metric: str) -> Vector:
    """Return unit vectors for angles: Annoy's own products of very short ones vanish in float32."""
    length = length_of(vector) if metric == "angular" else 0.0
    return vector / np.float32(length) if length > 0 else vector


@cache
def self_test() -> None:
    """Ask the installed annoy for neighbours that are known; some builds return one, or wrong ones.

    Raises
    ------
    BackendError
        With the remedy (spotify/annoy#679, #682, #686).
    """
    vectors = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    for similarity, metric in METRICS.items():
        candidates = Candidates(vectors, similarity)
        forest = grow(candidates, np.arange(200), TreeSettings(metric, 5, 1))
        for query in vectors[:10]:
            expected = exact_search(candidates, query, 5, NOTHING).numbers.tolist()
            if forest.get_nns_by_vector(query.tolist(), 5, 10_000) != expected:
                raise BackendError(f"the installed annoy finds wrong {metric} neighbours: {REMEDY}")
