"""Calibration: the recall that an index promises, how it is reached, and what filters do to it."""

import json
import shutil
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annoy import AnnoyIndex
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import mfrec
from mfrec.arrays import NOTHING, Similarity, products
from mfrec.directions import DIRECTIONS
from mfrec.errors import BackendError
from mfrec.index import BACKENDS, Candidates, IndexParams, Queries
from mfrec.index.annoy import TREES, Forest
from mfrec.index.base import exact_search
from mfrec.index.calibrate import FEW_QUERIES, SMALL, Answered, draw
from mfrec.model.factors import Factors
from mfrec.model.recommender import Recommender
from mfrec.storage.folder import load
from mfrec.training.fit import build
from mfrec.training.params import ALSParams
from tests.conftest import random_interactions
from tests.folders import rewrite_file

Matrix = NDArray[np.float32]

N, SIZE = 5_000, 16
SIMILARITIES: tuple[Similarity, ...] = ("dot", "cosine")
each_similarity = pytest.mark.parametrize("similarity", SIMILARITIES)


def skewed(n: int = N, seed: int = 0, size: int = SIZE) -> Matrix:
    """Return clustered vectors of skewed lengths with most weight on the first axes, as factors have."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1234).standard_normal((30, size))
    rows = centres[rng.integers(30, size=n)] + 0.5 * rng.standard_normal((n, size))
    rows *= np.linspace(2, 0.3, size) * rng.lognormal(0, 0.8, (n, 1))
    return rows.astype(np.float32)


@cache
def built(similarity: Similarity, n: int = N, name: str = "annoy") -> Any:
    queries = draw(skewed(seed=1), False, FEW_QUERIES, 42)
    return BACKENDS[name].build(Candidates(skewed(n), similarity), queries, IndexParams(index=name))


def fresh_recall(index: Any, k: int) -> float:
    """Return the share of the k best that the index finds for queries it was not calibrated on; a tie is no miss."""
    queries = skewed(400, seed=7)
    floors = [exact_search(index.candidates, query, k, NOTHING).scores[-1] for query in queries]
    found = [index.search(query, k).scores >= floor for query, floor in zip(queries, floors, strict=True)]
    return float(np.mean(found))


# recall


@each_similarity
def test_duplicate_vectors_are_no_misses(similarity: Similarity) -> None:
    candidates = Candidates(np.repeat(skewed(700), 8, axis=0), similarity)
    index = BACKENDS["annoy"].build(candidates, Queries(skewed(200, seed=1)), IndexParams())
    # ten of eight-fold duplicates: the last place is always tied
    assert fresh_recall(index, 10) >= 0.98


@each_similarity
def test_the_exact_answers_of_a_trial_are_those_of_an_exact_search(similarity: Similarity) -> None:
    candidates = Candidates(np.repeat(skewed(300), 3, axis=0), similarity)
    queries = Queries(skewed(40, seed=1), np.arange(40))
    answered = Answered.of(candidates, queries, IndexParams(at_k=(10, 4)))
    assert answered.ks == (4, 10)
    for place, query in enumerate(queries.vectors):
        truth = exact_search(candidates, query, 10, queries.excluded(place))
        assert answered.answers[place][:10].tolist() == truth.numbers.tolist()
        np.testing.assert_array_equal(answered.scores[place], candidates.scores(query, answered.answers[place]))
        scores = candidates.scores(query, np.setdiff1d(np.arange(len(candidates)), queries.excluded(place)))
        assert len(answered.answers[place]) == np.count_nonzero(scores >= truth.scores[-1])
        for k in (4, 10):
            assert answered.floors(k)[place] == truth.scores[k - 1]


def other_forest(own: Forest) -> AnnoyIndex:
    """Return a forest of as many other vectors."""
    other = AnnoyIndex(SIZE, "angular")
    other.set_seed(1)
    for place, vector in enumerate(np.random.default_rng(5).standard_normal((own.annoy.get_n_items(), SIZE))):
        other.add_item(place, vector.tolist())
    other.build(own.trees, n_jobs=1)
    return other


# the promise


@each_similarity
@pytest.mark.parametrize("k", [10, 100])
@pytest.mark.parametrize("n", [500, N, 12_000])
def test_the_index_reaches_the_target_on_fresh_queries(similarity: Similarity, k: int, n: int) -> None:
    index = built(similarity, n)
    found = fresh_recall(index, k)
    assert found >= 0.985
    assert abs(found - index.measured["recall"][str(k)]) <= 0.01


@each_similarity
@pytest.mark.parametrize("n", [120, 500, N])
def test_small_catalogues_are_answered_by_a_forest_at_every_k(similarity: Similarity, n: int) -> None:
    settings = built(similarity, n).settings()
    assert n <= SMALL
    assert list(settings["search_k"]) == ["10", "100"]
    assert settings["scan_from_k"] == 101
    assert settings["trees"] == TREES[similarity]


@each_similarity
def test_lists_come_from_the_forest(similarity: Similarity) -> None:
    index = built(similarity)
    wrong = replace(index, finder=replace(index.finder, annoy=other_forest(index.finder)))
    changed = [
        index.search(query, k).numbers.tolist() != wrong.search(query, k).numbers.tolist()
        for query in skewed(100, seed=7)
        for k in (10, 100)
    ]
    assert sum(changed) > 20


def test_every_head_is_a_beginning_of_one_array_that_is_ordered_by_length() -> None:
    index = built("dot")
    heads = list(index.settings()["heads"].values())
    assert heads == sorted(heads)
    assert 0 < index.finder.first <= heads[0] < N
    assert len(index.longest) == heads[-1]
    np.testing.assert_array_equal(index.longest, index.candidates.vectors[index.order[: heads[-1]]])
    assert (np.diff(index.candidates.norms[index.order]) <= 0).all()
    assert index.finder.annoy.get_n_items() == N - index.finder.first


def test_by_cosine_there_is_no_head() -> None:
    index = built("cosine")
    assert set(index.settings()["heads"].values()) == {0}
    assert (index.finder.first, index.arrays(), len(index.longest)) == (0, {}, 0)


@each_similarity
def test_a_target_that_the_forest_does_not_reach_is_met_by_scans(similarity: Similarity) -> None:
    # directions without any structure, a target without any miss
    vectors = np.random.default_rng(0).standard_normal((12_000, 48)).astype(np.float32)
    queries = np.random.default_rng(1).standard_normal((100, 48)).astype(np.float32)
    params = IndexParams(target_recall=1.0, trees=2, at_k=(10,))
    index = BACKENDS["annoy"].build(Candidates(vectors, similarity), Queries(queries), params)
    assert index.measured["recall"] == {"10": 1.0}
    assert index.settings()["scan_from_k"] == 1
    assert all(index.search(query, 10).exact for query in queries[:20])


@each_similarity
def test_a_list_uses_the_settings_of_the_next_larger_k_and_beyond_the_largest_it_is_scanned(
    similarity: Similarity,
) -> None:
    index = built(similarity)
    ten, hundred = index.levels
    short, long = replace(index, levels=(ten,)), replace(index, levels=(hundred,))
    for query in skewed(30, seed=7):
        assert index.search(query, 7).numbers.tolist() == short.search(query, 7).numbers.tolist()
        assert index.search(query, 60).numbers.tolist() == long.search(query, 60).numbers.tolist()
        beyond = index.search(query, 400)
        assert beyond.exact
        assert beyond.numbers.tolist() == exact_search(index.candidates, query, 400, NOTHING).numbers.tolist()


@pytest.mark.parametrize("n", [N, 12_000])
@each_similarity
@pytest.mark.parametrize("count", [1, 8, 40, 90, 400])
def test_recall_holds_where_the_best_are_excluded(similarity: Similarity, count: int, n: int) -> None:
    index, shares = built(similarity, n), []
    for query in skewed(100, seed=7):
        excluded = np.sort(exact_search(index.candidates, query, count, NOTHING).numbers)
        truth = exact_search(index.candidates, query, 10, excluded)
        found = index.search(query, 10, excluded)
        assert len(found.numbers) == 10
        assert not np.isin(found.numbers, excluded).any()
        shares.append(np.mean(found.scores >= truth.scores[-1]))
    assert np.mean(shares) >= 0.98


@each_similarity
def test_recall_holds_under_random_exclusions(similarity: Similarity) -> None:
    index, rng, shares = built(similarity), np.random.default_rng(3), []
    for query in skewed(200, seed=7):
        best = exact_search(index.candidates, query, 300, NOTHING).numbers
        size = int(rng.integers(1, 300))
        mixed = np.concatenate([rng.choice(best, size // 2, replace=False), rng.choice(N, size, replace=False)])
        excluded, k = np.unique(mixed), int(rng.integers(1, 101))
        truth = exact_search(index.candidates, query, k, excluded)
        found = index.search(query, k, excluded)
        assert len(found.numbers) == k
        shares.append(np.mean(found.scores >= truth.scores[-1]))
    assert np.mean(shares) >= 0.985


@each_similarity
def test_the_same_seed_gives_the_same_settings_arrays_and_bytes(similarity: Similarity, tmp_path: Path) -> None:
    one = built(similarity)
    two = built.__wrapped__(similarity)
    assert one.settings() == two.settings()
    assert one.measured == two.measured
    assert one.arrays().keys() == two.arrays().keys()
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, two.arrays()[name])
    for name, index in (("one", one), ("two", two)):
        index.finder.write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@each_similarity
def test_what_is_measured(similarity: Similarity) -> None:
    measured = built(similarity).measured
    assert set(measured) == {"queries", "recall"}
    assert set(measured["recall"]) == {"10", "100"}
    assert all(0.99 <= share <= 1 for share in measured["recall"].values())
    assert measured["queries"] == FEW_QUERIES


# the queries


def test_queries_are_drawn_by_seed_and_never_of_length_zero() -> None:
    vectors = skewed(300)
    vectors[::2] = 0
    one, two, other = (draw(vectors, True, 100, seed) for seed in (1, 1, 2))
    assert one.own is not None
    assert two.own is not None
    assert other.own is not None
    assert len(one) == 100
    assert (one.own % 2 == 1).all()
    assert one.own.tolist() == two.own.tolist() != other.own.tolist()
    np.testing.assert_array_equal(one.vectors, vectors[one.own])
    assert one.excluded(3).tolist() == [one.own[3]]
    assert draw(vectors, False, 100, 1).own is None


@each_similarity
def test_no_queries_at_all_still_make_an_index(similarity: Similarity) -> None:
    none = Queries(np.zeros((0, SIZE), np.float32))
    index = BACKENDS["annoy"].build(Candidates(skewed(), similarity), none, IndexParams(trees=2))
    assert len(index.search(skewed(1)[0], 10).numbers) == 10


# one thread


@given(n=st.integers(0, 700), size=st.sampled_from([1, 2, 16, 64, 128, 8191, 8192, 9000]), seed=st.integers(0, 99))
def test_products_are_those_of_the_whole_matrix(n: int, size: int, seed: int) -> None:
    n = min(n, 200_000 // size)
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, size)).astype(np.float32)
    query = rng.standard_normal(size).astype(np.float32)
    expected = vectors.astype(np.float64) @ query
    np.testing.assert_allclose(products(vectors, query), expected, atol=1e-5 * size**0.5 * 4)


# the backends, and what a folder keeps


@each_similarity
def test_the_exact_backend_scans(similarity: Similarity) -> None:
    index = built(similarity, name="exact")
    assert (index.settings(), index.arrays(), index.finder) == ({"scan_from_k": 1}, {}, None)
    assert index.measured["recall"] == {"10": 1.0, "100": 1.0}


def test_auto_keeps_the_fastest_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    params = ALSParams(factors=4, iterations=1, regularization=25.0)
    for missing in (False, True):
        if missing:
            monkeypatch.setitem(sys.modules, "faiss", None)
        model = mfrec.fit(random_interactions(), params, IndexParams(index="auto"))
        assert {index.backend for index in model.indexes.values()} <= {"annoy", "exact", "faiss"}


def test_auto_takes_what_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    from mfrec.index import backends

    for fast in ("annoy", "exact"):
        monkeypatch.setattr(backends, "median_us", lambda index, *_, fast=fast: 1.0 if index.backend == fast else 2.0)
        model = mfrec.fit(
            random_interactions(), ALSParams(factors=4, iterations=1, regularization=25.0), IndexParams(index="auto")
        )
        assert {index.backend for index in model.indexes.values()} == {fast}


@cache
def wide_model(index: str) -> Recommender:
    n = 4_400
    interactions = mfrec.sample(n, n, 40_000, n_genres=10, seed=3).interactions
    users, items = interactions.shape
    return build(interactions, Factors(skewed(users, 1), skewed(items)), IndexParams(index=index))


@pytest.mark.parametrize("backend", ["annoy", "faiss"])
def test_a_saved_model_answers_as_before(backend: str, tmp_path: Path) -> None:
    if backend == "faiss":
        pytest.importorskip("faiss")
    model = wide_model(backend)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    for row in DIRECTIONS.values():
        one, two = model.indexes[row.index], again.indexes[row.index]
        assert two.backend == backend
        assert two.settings() == one.settings()
        assert dict(two.measured) == dict(one.measured)
        keys = model.ids[row.query].ids(np.arange(0, len(model.ids[row.query]), 300))
        denied = model.ids[row.target].ids(np.arange(0, 4000, 90))
        pairs = zip(
            model.recommend(row.name, keys, 20, deny=denied),
            again.recommend(row.name, keys, 20, deny=denied),
            strict=True,
        )
        for before, after in pairs:
            assert (before.ids, before.scores.tolist()) == (after.ids, after.scores.tolist())


def test_a_folder_has_a_forest_per_index_and_answers_by_it(tmp_path: Path) -> None:
    """A forest over other vectors in its place changes the lists, in every direction."""
    model = wide_model("annoy")
    model.save(tmp_path / "model")
    names = sorted(path.name for path in (tmp_path / "model").glob("*.ann"))
    assert names == [
        "index.item.cosine.ann",
        "index.item.dot.ann",
        "index.user.cosine.ann",
        "index.user.dot.ann",
    ]
    shutil.copytree(tmp_path / "model", tmp_path / "wrong")
    for name in names:
        side, similarity = name.split(".")[1:3]
        own = model.indexes[side, similarity].finder  # type: ignore[index]
        assert isinstance(own, Forest)
        other = other_forest(own)
        other.save(str(tmp_path / "other.ann"))
        # what is mapped must not be written to: a copy is changed
        rewrite_file(tmp_path / "wrong", name, (tmp_path / "other.ann").read_bytes())
    wrong = load(tmp_path / "wrong")
    for row in DIRECTIONS.values():
        keys = model.ids[row.query].ids(np.arange(0, 4000, 40))
        pairs = zip(model.recommend(row.name, keys), wrong.recommend(row.name, keys), strict=True)
        assert sum(before.ids != after.ids for before, after in pairs) >= 5


def test_manifest_tells_how_each_index_searches(tmp_path: Path) -> None:
    wide_model("annoy").save(tmp_path / "model")
    content = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert content["format_version"] == 5
    for entry in content["indexes"]:
        assert entry["backend"] == "annoy"
        assert set(entry["settings"]) >= {"trees", "heads", "search_k", "scan_from_k"}
        assert set(entry["measured"]["recall"]) == {"10", "100"}
        assert "microseconds" not in json.dumps(entry)


def test_without_faiss_its_backend_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(BackendError) as refused:
        mfrec.fit(
            random_interactions(), ALSParams(factors=4, iterations=1, regularization=25.0), IndexParams(index="faiss")
        )
    assert str(refused.value) == "index='faiss' needs faiss: pip install 'mfrec[faiss]'"
