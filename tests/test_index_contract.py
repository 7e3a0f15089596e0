"""What every index backend promises, whatever it does inside."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annoy import AnnoyIndex
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mfrec.arrays import NOTHING, Similarity, lengths
from mfrec.errors import BackendError, ParameterError
from mfrec.index import BACKENDS, Candidates, Hits, Index, IndexParams, Queries
from mfrec.index import annoy as annoy_backend
from mfrec.index.base import exact_search
from mfrec.training.fit import build, fit_als
from mfrec.training.params import ALSParams
from tests.conftest import random_interactions

Matrix = NDArray[np.float32]

N, FACTORS = 300, 8


def skewed(n: int = N, factors: int = FACTORS, seed: int = 0) -> Matrix:
    """Return vectors whose lengths differ a hundredfold, as those of popular and rare items do."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, factors)) * rng.lognormal(0, 1, (n, 1))).astype(np.float32)


def queries(count: int, factors: int = FACTORS, seed: int = 9) -> Matrix:
    return np.random.default_rng(seed).standard_normal((count, factors)).astype(np.float32)


@dataclass(frozen=True)
class Kind:
    """One backend with one similarity."""

    name: str
    similarity: Similarity

    def build(self, vectors: Matrix, **params: Any) -> Index:
        sample = queries(100, vectors.shape[1], seed=77)
        chosen = IndexParams(index=self.name, **{"trees": 10, "seed": 3, **params})
        return BACKENDS[self.name].build(Candidates(vectors, self.similarity), Queries(sample), chosen)

    def restore(self, index: Index, path: Path | None) -> Index:
        own = {name: array.copy() for name, array in index.arrays().items()}
        candidates = Candidates(index.candidates.vectors.copy(), self.similarity)
        settings = json.loads(json.dumps(index.settings()))
        return BACKENDS[self.name].restore(candidates, settings, own, path)

    def file(self, index: Index, path: Path) -> Path | None:
        """Write the index's file and return its path, or None where it has none."""
        if index.finder is None:
            return None
        index.finder.write(path)
        return path


SIMILARITIES: tuple[Similarity, ...] = ("dot", "cosine")
KINDS = [Kind(name, similarity) for name in BACKENDS for similarity in SIMILARITIES]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.name}-{kind.similarity}")


@cache
def built(kind: Kind) -> Index:
    """Return one index over the skewed vectors, built once."""
    return kind.build(skewed())


def rescored(vectors: Matrix, query: Matrix, similarity: Similarity) -> NDArray[np.float64]:
    """Score every vector in plain float64; the cosine with a zero vector is 0."""
    rows, wide = vectors.astype(np.float64), query.astype(np.float64)
    scores: NDArray[np.float64] = rows @ wide
    if similarity == "dot":
        return scores
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(wide)
    cosines: NDArray[np.float64] = np.divide(scores, norms, out=np.zeros_like(scores), where=norms > 0)
    return cosines


def check(index: Index, query: Matrix, k: int, excluded: NDArray[np.int64] = NOTHING) -> Hits:
    """Search, and hold the answer to every promise but recall."""
    candidates = index.candidates
    hits = index.search(query, k, excluded)
    numbers = hits.numbers.tolist()
    assert len(numbers) == max(0, min(k, len(candidates) - len(excluded)))
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & set(excluded.tolist())
    assert all(0 <= number < len(candidates) for number in numbers)
    assert hits.numbers.dtype == np.int64
    assert hits.scores.dtype == np.float32
    expected = rescored(candidates.vectors, query, candidates.similarity)
    np.testing.assert_allclose(hits.scores, expected[hits.numbers], rtol=2e-6, atol=1e-7 * (1 + abs(expected).max()))
    assert numbers == [n for _, n in sorted(zip((-hits.scores).tolist(), numbers, strict=True))]
    if hits.exact:
        assert numbers == reference(candidates, query, k, excluded)
    return hits


def reference(candidates: Candidates, query: Matrix, k: int, excluded: NDArray[np.int64]) -> list[int]:
    """Sort all eligible candidates by score, as returned, and number."""
    scores = rescored(candidates.vectors, query, candidates.similarity).astype(np.float32)
    eligible = sorted(set(range(len(candidates))) - set(excluded.tolist()))
    return sorted(eligible, key=lambda number: (-float(scores[number]), number))[:k]


@each_kind
@pytest.mark.parametrize("k", [1, 10, N - 1, N, N + 1, 10**9])
def test_exactly_k_or_all_there_are(kind: Kind, k: int) -> None:
    for query in queries(5):
        check(built(kind), query, k)


@each_kind
@given(excluded=st.sets(st.integers(0, N - 1), max_size=N), k=st.integers(1, N + 5), seed=st.integers(0, 99))
def test_nothing_excluded_comes_back_and_the_list_stays_full(kind: Kind, excluded: set[int], k: int, seed: int) -> None:
    check(built(kind), queries(1, seed=seed)[0], k, np.array(sorted(excluded), np.int64))


@each_kind
@given(kept=st.sets(st.integers(0, N - 1), max_size=12), k=st.integers(1, 15))
def test_nearly_everything_excluded(kind: Kind, kept: set[int], k: int) -> None:
    hits = check(built(kind), queries(1)[0], k, np.setdiff1d(np.arange(N), sorted(kept)))
    assert set(hits.numbers.tolist()) <= kept


@each_kind
def test_everything_excluded_but_one_and_everything(kind: Kind) -> None:
    every = np.arange(N)
    hits = check(built(kind), queries(1)[0], 10, np.delete(every, 17))
    assert hits.numbers.tolist() == [17]
    assert check(built(kind), queries(1)[0], 10, every).numbers.tolist() == []


@each_kind
def test_the_best_can_be_excluded_again_and_again(kind: Kind) -> None:
    query, excluded = queries(1)[0], NOTHING
    for _ in range(20):
        excluded = np.union1d(excluded, check(built(kind), query, 5, excluded).numbers)
    assert len(excluded) == 100


@each_kind
def test_a_search_changes_neither_query_nor_exclusions(kind: Kind) -> None:
    query, excluded = queries(1)[0], np.array([3, 9])
    query.flags.writeable = excluded.flags.writeable = False
    check(built(kind), query, 10, excluded)


@each_kind
def test_a_zero_query_scores_nothing_and_ties_go_by_number(kind: Kind) -> None:
    hits = check(built(kind), np.zeros(FACTORS, np.float32), 10)
    assert not hits.scores.any()


@each_kind
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_zero_vectors_are_candidates_that_score_zero(kind: Kind, share: float) -> None:
    vectors = skewed()
    vectors[: int(share * N)] = 0
    index = kind.build(vectors)
    for query in [*queries(5), np.zeros(FACTORS, np.float32)]:
        for k in (1, 10, N):
            check(index, query, k)


@each_kind
@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 20])
def test_few_candidates(kind: Kind, n: int, tmp_path: Path) -> None:
    index = kind.build(skewed(n))
    for k in (1, n, n + 3):
        check(index, queries(1)[0], k)
    check(index, queries(1)[0], 1, np.array([n - 1]))
    restored = kind.restore(index, kind.file(index, tmp_path / "few.ann"))
    assert restored.search(queries(1)[0], n).numbers.tolist() == index.search(queries(1)[0], n).numbers.tolist()


@each_kind
def test_fewer_candidates_than_factors(kind: Kind, tmp_path: Path) -> None:
    index = kind.build(skewed(50, factors=64))
    restored = kind.restore(index, kind.file(index, tmp_path / "wide.ann"))
    check(restored, queries(1, factors=64)[0], 10)


@each_kind
@pytest.mark.parametrize("n", [2, 7, 200])
def test_identical_vectors(kind: Kind, n: int) -> None:
    index = kind.build(np.ones((n, FACTORS), np.float32))
    for k in (1, 5, n):
        hits = check(index, np.ones(FACTORS, np.float32), k, np.array([0]))
        assert len(set(hits.scores.tolist())) <= 1


@each_kind
@pytest.mark.parametrize("factors", [1, 2])
def test_vectors_of_one_or_two_factors(kind: Kind, factors: int) -> None:
    index = kind.build(skewed(50, factors))
    for query in queries(5, factors):
        check(index, query, 10)


@each_kind
@pytest.mark.parametrize("scale", [1e-15, 1e-6, 1e6, 1e15])
def test_vectors_of_any_length(kind: Kind, scale: float) -> None:
    index = kind.build(skewed(100) * np.float32(scale))
    for query in queries(5):
        check(index, query, 10)
        check(index, query * np.float32(scale), 10)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.similarity == "cosine"], ids=str)
def test_neighbours_of_vectors_whose_products_vanish_in_float32(kind: Kind) -> None:
    """A very high regularization shrinks all vectors to such lengths; their angles still differ."""
    index = kind.build(skewed(100) * np.float32(1e-25))
    query = queries(1)[0] * np.float32(1e-25)
    assert index.search(query, 10).numbers.tolist() == reference(index.candidates, query, 10, NOTHING)


@each_kind
def test_recall_on_vectors_of_skewed_lengths(kind: Kind) -> None:
    vectors = skewed(3000, 16)
    index = kind.build(vectors, trees=50)
    shares = []
    for query in queries(100, 16):
        truth = exact_search(index.candidates, query, 10, NOTHING).numbers
        shares.append(len(np.intersect1d(check(index, query, 10).numbers, truth)) / 10)
    assert np.mean(shares) > 0.95


@each_kind
def test_the_same_seed_gives_the_same_bytes(kind: Kind, tmp_path: Path) -> None:
    one, two = kind.build(skewed()), kind.build(skewed())
    files = [kind.file(index, tmp_path / f"{i}") for i, index in enumerate((one, two))]
    assert len({None if path is None else path.read_bytes() for path in files}) == 1
    assert one.settings() == two.settings()
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, two.arrays()[name])


@each_kind
def test_a_restored_index_answers_as_the_original(kind: Kind, tmp_path: Path) -> None:
    index = kind.build(skewed())
    path = kind.file(index, tmp_path / "index.ann")
    assert_same_answers(index, kind.restore(index, path))
    assert_same_answers(index, kind.restore(index, None))


@each_kind
def test_a_written_index_answers_as_before_and_can_be_written_again(kind: Kind, tmp_path: Path) -> None:
    index = kind.build(skewed())
    before = [index.search(query, 10).numbers.tolist() for query in queries(10)]
    first = kind.file(index, tmp_path / "1")
    second = kind.file(index, tmp_path / "2")
    assert [index.search(query, 10).numbers.tolist() for query in queries(10)] == before
    if first is not None and second is not None:
        assert first.read_bytes() == second.read_bytes()


def assert_same_answers(one: Index, two: Index) -> None:
    assert one.backend == two.backend
    assert one.settings() == two.settings()
    for query in queries(20):
        for excluded in (NOTHING, np.arange(0, N, 7)):
            a, b = one.search(query, 10, excluded), two.search(query, 10, excluded)
            assert (a.numbers.tolist(), a.scores.tolist(), a.exact) == (b.numbers.tolist(), b.scores.tolist(), b.exact)


@each_kind
def test_settings_are_json_values(kind: Kind) -> None:
    settings = built(kind).settings()
    assert json.loads(json.dumps(settings, allow_nan=False)) == settings
    assert built(kind).backend == kind.name


@pytest.mark.parametrize("similarity", SIMILARITIES)
@given(k=st.integers(1, 60), seed=st.integers(0, 10**6), data=st.data())
def test_exact_search_is_a_sort(similarity: Similarity, k: int, seed: int, data: st.DataObject) -> None:
    # small integers make many exact ties
    rng = np.random.default_rng(seed)
    candidates = Candidates(rng.integers(-2, 3, (50, 3)).astype(np.float32), similarity)
    query = rng.integers(-2, 3, 3).astype(np.float32)
    excluded = np.array(sorted(data.draw(st.sets(st.integers(0, 49)))), np.int64)
    hits = exact_search(candidates, query, k, excluded)
    assert hits.exact
    assert hits.numbers.tolist() == reference(candidates, query, k, excluded)


def test_near_ties_beyond_float32_rounding_are_settled_in_float64() -> None:
    """The order in float32 depends on the machine; each score is the rounded float64 one."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal(64).astype(np.float32) * 100
    vectors = np.repeat(base[None], 200, axis=0)
    vectors[:, 0] += np.linspace(0, 1e-3, 200, dtype=np.float32)[rng.permutation(200)]
    for similarity in SIMILARITIES:
        candidates = Candidates(vectors, similarity)
        for query in queries(10, 64):
            found = exact_search(candidates, query, 10, NOTHING).numbers.tolist()
            assert found == reference(candidates, query, 10, NOTHING)


def test_lengths_are_summed_in_float64() -> None:
    assert lengths(np.full((1, 2), 1e30, np.float32))[0] == pytest.approx(np.sqrt(2) * 1e30)


def test_an_unknown_backend_lists_the_names() -> None:
    likes = random_interactions(10, 12)
    factors = fit_als(likes, ALSParams(factors=4, iterations=1, regularization=25.0))
    with pytest.raises(ParameterError, match=f"unknown index 'faiss-gpu': choose one of {', '.join(BACKENDS)}, auto"):
        build(likes, factors, IndexParams(index="faiss-gpu"))


OUT_OF_RANGE: dict[str, list[Any]] = {
    "trees": [0, -1, 1.5, "9", True, 2**31],
    "seed": [-1, 1.5, None, True, 2**31],
    "target_recall": [0, -0.1, 1.1, float("nan"), "a", None],
    "at_k": [(), (0,), (1.5,), (True,), 10, None, "10"],
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_parameters_out_of_range_are_named(name: str) -> None:
    for value in OUT_OF_RANGE[name]:
        with pytest.raises(ParameterError, match=name):
            IndexParams(**{name: value})


class WrongTrees:
    """An annoy that returns the first items, whatever is asked."""

    def __init__(self, factors: int, metric: str) -> None:
        self.factors, self.metric = factors, metric

    def set_seed(self, seed: int) -> None: ...

    def add_item(self, place: int, vector: list[float]) -> None: ...

    def build(self, trees: int, n_jobs: int = -1) -> None: ...

    def get_nns_by_vector(self, vector: list[float], n: int, search_k: int = -1) -> list[int]:
        return list(range(n))


def test_an_annoy_that_finds_wrong_neighbours_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    annoy_backend.self_test.cache_clear()
    own = next(name for name, value in vars(annoy_backend).items() if value is AnnoyIndex)
    monkeypatch.setattr(annoy_backend, own, WrongTrees)
    try:
        with pytest.raises(BackendError, match="finds wrong neighbours: reinstall it from source without fast-math"):
            Kind("annoy", "dot").build(skewed())
    finally:
        annoy_backend.self_test.cache_clear()


def test_a_file_of_another_number_of_items_is_refused(tmp_path: Path) -> None:
    kind = Kind("annoy", "cosine")
    path = kind.file(kind.build(skewed(200)), tmp_path / "other.ann")
    assert path is not None
    with pytest.raises(BackendError, match="holds 200 items, expected 300"):
        kind.restore(built(kind), path)
