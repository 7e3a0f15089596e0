"""Random filters on indexes that matter, against an exact filtered search written out in plain numpy."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mfrec
from mfrec.directions import DIRECTIONS, Direction
from mfrec.index import IndexParams
from mfrec.model.recommender import Recommender
from mfrec.training.params import ALSParams

QUERIES, MOST_K, LEAST_RECALL = 60, 100, 0.98


@pytest.fixture(scope="module")
def model() -> Recommender:
    """Large enough that every list comes from a forest."""
    sample = mfrec.sample(1500, 2000, 40_000, seed=7).interactions
    params = ALSParams(factors=16, iterations=3, seed=7, threads=1)
    return mfrec.fit(sample, params, IndexParams(seed=7))


def drawn(rng: np.random.Generator, scores: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return up to so many numbers; half of the lists hold what would have come first, which is harder."""
    size = int(np.exp(rng.uniform(0, np.log(most))))
    best = np.argsort(-scores)[:size]
    return rng.permutation(best) if rng.random() < 0.5 else rng.choice(len(scores), size, replace=False)


def recalls(model: Recommender, direction: Direction, seed: int) -> Iterator[float]:
    """Ask random queries with random filters; check every answer and yield its recall."""
    rng = np.random.default_rng(seed)
    ids = model.ids[direction.target]
    queries, targets = (
        model.factors.vectors(side, direction.similarity).astype(float) for side in (direction.query, direction.target)
    )
    if direction.similarity == "cosine":
        queries, targets = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (queries, targets))
    for number in rng.integers(len(queries), size=QUERIES).tolist():
        scores = targets @ queries[number]
        k, exclude_seen = int(np.exp(rng.uniform(0, np.log(MOST_K + 1)))), bool(rng.random() < 0.7)
        allow = drawn(rng, scores, 1000) if rng.random() < 0.25 else None
        deny = drawn(rng, scores, 1200) if rng.random() < 0.6 else None
        eligible = np.full(len(ids), allow is None)
        eligible[[] if allow is None else allow] = True
        eligible[[] if deny is None else deny] = False
        own = [number] if not direction.across else model.adjacency[direction.query].of(number) if exclude_seen else []
        eligible[own] = False
        lists: dict[str, Any] = {
            name: None if n is None else ids.ids(n) for name, n in (("allow", allow), ("deny", deny))
        }
        key = model.ids[direction.query].id(number)
        found = model.recommend(direction.name, [key], k, exclude_seen=exclude_seen, **lists)[0]
        numbers = ids.numbers(found.ids)
        assert len(numbers) == len(set(numbers.tolist())) == min(k, int(eligible.sum()))
        assert eligible[numbers].all()
        assert (np.diff(found.scores) <= 0).all()
        np.testing.assert_allclose(found.scores, scores[numbers], rtol=1e-5, atol=1e-6)
        if len(numbers):
            # answers are ranked by scores rounded to float32: what ties then is no miss
            last = np.sort(scores[eligible])[-len(numbers)] - 1e-6
            yield float((scores[numbers] >= last).mean())


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=lambda direction: direction.name)
def test_filters_never_shorten_a_list_and_recall_holds(model: Recommender, direction: Direction) -> None:
    assert model.indexes[direction.index].finder is not None
    assert np.mean(list(recalls(model, direction, seed=3))) >= LEAST_RECALL
