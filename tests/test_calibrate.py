"""Calibration: the recall that an index promises, and what it keeps."""

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import mfrec
from mfrec.als import ALSParams
from mfrec.artifact import load
from mfrec.directions import DIRECTIONS, Similarity
from mfrec.errors import BackendError
from mfrec.factors import Factors
from mfrec.index import BACKENDS, Candidates, Hits, Index, IndexParams, Queries
from mfrec.index import sketch as sketches
from mfrec.index.base import NOTHING, exact_search
from mfrec.index.calibrate import MOST_SAMPLE, Trial, draw, recall
from mfrec.index.norm_ranged import SMALL
from mfrec.index.ranged import RangedIndex, by_length, effort_for, head_of
from mfrec.pipeline import build
from mfrec.recommender import Recommender
from tests.conftest import random_interactions

Matrix = NDArray[np.float32]

N, SIZE = 5_000, 16
FEW_TREES: dict[str, Any] = {"trees": 20}
SIMILARITIES: tuple[Similarity, ...] = ("dot", "cosine")
each_similarity = pytest.mark.parametrize("similarity", SIMILARITIES)
TAILS = [("dot", "sketch"), ("dot", "trees"), ("cosine", "cells"), ("cosine", "trees"), ("dot", "none")]


def skewed(n: int = N, seed: int = 0, size: int = SIZE) -> Matrix:
    """Return clustered vectors of skewed lengths with most weight on the first axes, as factors have."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1234).standard_normal((30, size))
    rows = centres[rng.integers(30, size=n)] + 0.5 * rng.standard_normal((n, size))
    rows *= np.linspace(2, 0.3, size) * rng.lognormal(0, 0.8, (n, 1))
    return rows.astype(np.float32)


@cache
def built(similarity: Similarity, tail: str = "auto", name: str = "annoy") -> Index:
    candidates = Candidates(skewed(), similarity)
    queries = draw(skewed(seed=1), len(candidates), False, 42)
    return BACKENDS[name].build(candidates, queries, IndexParams(index=name, tail=tail, **FEW_TREES))


def fresh_recall(index: Index, k: int, params: IndexParams | None = None) -> float:
    trial = Trial.of(index.candidates, Queries(skewed(400, seed=7)), replace(params or IndexParams(), at_k=(k,)))
    return trial.recall(index, k)


# recall


def test_recall_counts_by_score_so_that_a_tie_is_no_miss() -> None:
    floors = np.array([0.5, 0.5], np.float32)
    hits = [
        Hits(np.array([7, 8]), np.array([0.9, 0.5], np.float32), False),
        Hits(np.array([1, 2]), np.array([0.9, 0.4], np.float32), False),
    ]
    assert recall(hits, floors, 2) == 0.75


def test_a_query_with_too_few_targets_says_nothing_about_recall() -> None:
    hits = [Hits(NOTHING, np.zeros(0, np.float32), True)]
    assert recall(hits, np.array([-np.inf], np.float32), 10) == 1.0
    assert recall([], np.zeros(0, np.float32), 10) == 1.0


@each_similarity
def test_duplicate_vectors_are_no_misses(similarity: Similarity) -> None:
    vectors = np.repeat(skewed(700), 8, axis=0)
    assert len(vectors) > SMALL
    candidates = Candidates(vectors, similarity)
    index = BACKENDS["annoy"].build(candidates, Queries(skewed(200, seed=1)), IndexParams(**FEW_TREES))
    # ten of eight-fold duplicates: the last place is always tied
    assert fresh_recall(index, 10) >= 0.98


# the promise


@each_similarity
@pytest.mark.parametrize("k", [10, 100])
def test_the_chosen_index_reaches_the_target_on_fresh_queries(similarity: Similarity, k: int) -> None:
    index = built(similarity)
    found = fresh_recall(index, k)
    assert found >= 0.985
    assert abs(found - index.measured[f"recall@{k}"]) <= 0.01


@pytest.mark.parametrize(("similarity", "tail"), TAILS)
def test_a_forced_tail_is_taken_and_keeps_the_promise(similarity: Similarity, tail: str) -> None:
    index = built(similarity, tail)
    assert index.settings()["tail"] == tail
    assert abs(fresh_recall(index, 10) - index.measured["recall@10"]) <= 0.01
    assert index.measured["recall@10"] >= 0.99


@pytest.mark.parametrize(("similarity", "tail"), [("cosine", "sketch"), ("dot", "cells")])
def test_a_tail_that_does_not_fit_gives_way_to_one_that_does(similarity: Similarity, tail: str) -> None:
    index = built(similarity, tail)
    assert index.settings()["tail"] != tail
    assert fresh_recall(index, 10) >= 0.985


@each_similarity
def test_a_target_that_nothing_else_reaches_falls_to_the_full_scan(similarity: Similarity) -> None:
    # directions without any structure, a target without any miss
    vectors = np.random.default_rng(0).standard_normal((4_200, 48)).astype(np.float32)
    asked = np.random.default_rng(1).standard_normal((100, 48)).astype(np.float32)
    params = IndexParams(target_recall=1.0, trees=2, at_k=(10,))
    index = BACKENDS["annoy"].build(Candidates(vectors, similarity), Queries(asked), params)
    assert index.measured["recall@10"] == 1.0
    assert index.settings()["tail"] == "none"
    assert all(index.search(query, 10).exact for query in asked[:20])


@each_similarity
def test_few_candidates_are_scanned(similarity: Similarity) -> None:
    candidates = Candidates(skewed(SMALL), similarity)
    index = BACKENDS["annoy"].build(candidates, Queries(skewed(100, seed=1)), IndexParams())
    assert index.settings() == {"head": 0, "tail": "none"}
    assert index.measured["exact"] == 1.0


@each_similarity
def test_the_same_seed_gives_the_same_settings_and_arrays(similarity: Similarity) -> None:
    one = built(similarity)
    two = built.__wrapped__(similarity)
    assert one.settings() == two.settings()
    assert one.measured == two.measured
    assert one.arrays().keys() == two.arrays().keys()
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, two.arrays()[name])


@each_similarity
def test_what_is_measured(similarity: Similarity) -> None:
    measured = built(similarity).measured
    assert set(measured) == {"queries", "recall@10", "recall@100", "exact"}
    assert all(0 <= measured[name] <= 1 for name in ("recall@10", "recall@100", "exact"))
    assert measured["queries"] == MOST_SAMPLE


# the queries


def test_queries_are_drawn_by_seed_and_never_of_length_zero() -> None:
    vectors = skewed(300)
    vectors[::2] = 0
    one, two, other = (draw(vectors, 100, True, seed) for seed in (1, 1, 2))
    assert one.own is not None
    assert two.own is not None
    assert other.own is not None
    assert (one.own % 2 == 1).all()
    assert one.own.tolist() == two.own.tolist() != other.own.tolist()
    np.testing.assert_array_equal(one.vectors, vectors[one.own])
    assert one.excluded(3).tolist() == [one.own[3]]
    assert draw(vectors, 100, False, 1).own is None


def test_no_queries_at_all_still_make_an_index() -> None:
    index = BACKENDS["annoy"].build(
        Candidates(skewed(), "dot"), Queries(np.zeros((0, SIZE), np.float32)), IndexParams(trees=2)
    )
    assert len(index.search(skewed(1)[0], 10).numbers) == 10


# the sketch


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(20, 400),
    size=st.integers(1, 12),
    k=st.integers(1, 12),
    out=st.integers(0, 15),
    scale=st.sampled_from([1e-12, 1.0, 1e12]),
    data=st.data(),
)
def test_a_sketch_with_slack_1_is_exact_and_says_so(
    seed: int, n: int, size: int, k: int, out: int, scale: float, data: st.DataObject
) -> None:
    vectors = skewed(n, seed, size) * np.float32(scale)
    candidates = Candidates(vectors, "dot")
    dims, head = data.draw(st.integers(1, size)), data.draw(st.integers(1, n - 1))
    order, axes = by_length(candidates), sketches.principal_axes(candidates)
    tail = sketches.build(candidates, order, np.ascontiguousarray(axes[:, :dims]), 1.0).beyond(head)
    index = RangedIndex(candidates, head_of(candidates, order[:head]), tail)
    query = skewed(1, seed + 1, size)[0]
    excluded = np.sort(np.random.default_rng(seed).choice(n, min(out, n), replace=False)).astype(np.int64)
    for left_out in (NOTHING, excluded, np.sort(order[:out])):
        hits, truth = index.search(query, k, left_out), exact_search(candidates, query, k, left_out)
        assert hits.exact
        assert hits.numbers.tolist() == truth.numbers.tolist()
        assert hits.scores.tolist() == truth.scores.tolist()


@given(
    steps=st.lists(st.tuples(st.integers(1, 500), st.integers(1, 10_000)), min_size=1, max_size=4),
    k=st.integers(1, 2_000),
)
def test_effort_grows_with_k_and_meets_every_step(steps: list[tuple[int, int]], k: int) -> None:
    ks = sorted({k for k, _ in steps})
    effort = tuple(zip(ks, sorted(n for _, n in steps)[: len(ks)], strict=True))
    for limit, enough in effort[:1]:
        assert effort_for(effort, limit) == enough
    assert 1 <= effort_for(effort, k) <= effort_for(effort, k + 1)
    assert effort_for(effort, k) <= max(effort[-1][1], -(-effort[-1][1] * k // effort[-1][0]))


# the backends, and what a folder keeps


@each_similarity
def test_the_exact_backend_measures_itself(similarity: Similarity) -> None:
    index = built(similarity, name="exact")
    assert (index.settings(), index.arrays(), index.library) == ({}, {}, None)
    assert index.measured["recall@100"] == index.measured["exact"] == 1.0


def test_auto_takes_one_of_both_and_times_it() -> None:
    params = ALSParams(factors=4, iterations=1)
    model = mfrec.fit(random_interactions(), params, IndexParams(index="auto", **FEW_TREES))
    for index in model.indexes.values():
        assert index.backend in ("annoy", "exact")
        assert index.measured["microseconds"] > 0


def wide_model(index: str, tail: str) -> Recommender:
    """Return a model of more than SMALL items and users."""
    n = 4_400
    frame = mfrec.sample(n, n, 40_000, n_genres=10, seed=3).interactions
    users, items = frame.shape
    params = IndexParams(index=index, tail=tail, trees=5)
    return build(frame, Factors(skewed(users, 1), skewed(items)), params)


@pytest.mark.parametrize(
    ("index", "tail"), [("annoy", "sketch"), ("annoy", "cells"), ("annoy", "trees"), ("faiss", "auto")]
)
def test_a_saved_model_answers_as_before(index: str, tail: str, tmp_path: Path) -> None:
    if index == "faiss":
        pytest.importorskip("faiss")
    model = wide_model(index, tail)
    kinds = {own.settings().get("tail", own.backend) for own in model.indexes.values()}
    assert tail == "auto" or tail in kinds
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    for row in DIRECTIONS.values():
        assert again.indexes[row.index].settings() == model.indexes[row.index].settings()
        assert dict(again.indexes[row.index].measured) == dict(model.indexes[row.index].measured)
        keys = model.ids[row.query].ids(np.arange(0, len(model.ids[row.query]), 300))
        denied = model.ids[row.target].ids(np.arange(0, 4000, 90))
        pairs = zip(
            model.recommend(row.name, keys, 20, deny=denied),
            again.recommend(row.name, keys, 20, deny=denied),
            strict=True,
        )
        for one, two in pairs:
            assert (one.ids, one.scores.tolist(), one.exact) == (two.ids, two.scores.tolist(), two.exact)


def test_without_faiss_its_backend_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(BackendError) as refused:
        mfrec.fit(random_interactions(), ALSParams(factors=4, iterations=1), IndexParams(index="faiss"))
    assert str(refused.value) == "index='faiss' needs faiss: pip install 'mfrec[faiss]'"
