"""`recommend_all`: the same answers as one exact search after the other."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfrec.arrays import NOTHING, Matrix
from mfrec.directions import DIRECTIONS, Direction
from mfrec.errors import ParameterError
from mfrec.index import IndexParams
from mfrec.index.base import exact_search
from mfrec.model import batch
from mfrec.model.batch import recommend_all
from mfrec.model.factors import Factors
from mfrec.model.rankings import Rankings
from mfrec.model.recommender import Recommender
from mfrec.training.fit import build
from tests.conftest import random_interactions

LIKES = random_interactions()
each_direction = pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=lambda direction: direction.name)

Rows = list[tuple[Any, Any, int, float]]


def of_vectors(user: Matrix, item: Matrix) -> Recommender:
    return build(LIKES, Factors(user, item), IndexParams(index="exact"))


def random_model(seed: int = 0, factors: int = 6) -> Recommender:
    rng = np.random.default_rng(seed)
    user, item = (
        (rng.standard_normal((n, factors)) * rng.lognormal(0, 1, (n, 1))).astype(np.float32) for n in LIKES.shape
    )
    return of_vectors(user, item)


def integer_model(seed: int = 0) -> Recommender:
    """Return a model of many duplicate vectors, zero vectors and exact ties."""
    rng = np.random.default_rng(seed)
    user, item = (rng.integers(-1, 2, (n, 2)).astype(np.float32) for n in LIKES.shape)
    return of_vectors(user, item)


def answers(blocks: Iterator[Rankings]) -> Rows:
    return [
        direction
        for b in blocks
        for direction in zip(b.queries, b.ids, b.ranks.tolist(), b.scores.tolist(), strict=True)
    ]


def expected(model: Recommender, direction: Direction, k: int, exclude_seen: bool = True) -> Rows:
    """Answer one query after the other by `exact_search`."""
    rows: Rows = []
    for number, key in enumerate(model.ids[direction.query]):
        excluded = model.adjacency[direction.query].of(number) if direction.across and exclude_seen else NOTHING
        if not direction.across:
            excluded = np.array([number])
        hits = exact_search(
            model.indexes[direction.index].candidates,
            model.factors.vectors(direction.query, direction.similarity)[number],
            k,
            excluded,
        )
        ids = model.ids[direction.target].ids(hits.numbers)
        rows += [(key, i, rank, s) for rank, (i, s) in enumerate(zip(ids, hits.scores.tolist(), strict=True), 1)]
    return rows


@each_direction
@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("k", [1, 3, 10, 59, 80, 500])
def test_the_answers_of_one_exact_search_after_the_other(direction: Direction, exclude_seen: bool, k: int) -> None:
    model = random_model()
    found = answers(model.recommend_all(direction.name, k, exclude_seen=exclude_seen))
    assert found == expected(model, direction, k, exclude_seen)


@each_direction
@pytest.mark.parametrize("k", [1, 7, 100])
def test_ties_duplicates_and_zero_vectors_go_by_number(direction: Direction, k: int) -> None:
    model = integer_model()
    assert answers(model.recommend_all(direction.name, k)) == expected(model, direction, k)


@each_direction
@given(
    seed=st.integers(0, 10**6),
    k=st.integers(1, 90),
    values=st.sampled_from([1, 81, 200, 1000, 10**6]),
    width=st.sampled_from([1, 3, 64]),
    ties=st.booleans(),
)
def test_any_block_and_group_size(direction: Direction, seed: int, k: int, values: int, width: int, ties: bool) -> None:
    model = integer_model(seed) if ties else random_model(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "BLOCK_VALUES", values)
        patch.setattr(batch, "WIDTH", width)
        patch.setattr(batch, "GROUPS_PER_HIT", 1)
        patch.setattr(batch, "RANKED_VALUES", values)
        assert answers(recommend_all(model, direction.name, k)) == expected(model, direction, k)


@each_direction
@pytest.mark.parametrize("scale", [1e-25, 1e-15, 1e15])
def test_vectors_of_any_length(direction: Direction, scale: float) -> None:
    model = random_model()
    user, item = (np.asarray(matrix * np.float32(scale)) for matrix in (model.factors.user, model.factors.item))
    scaled = of_vectors(user, item)
    assert answers(scaled.recommend_all(direction.name, 5)) == expected(scaled, direction, 5)


def test_near_ties_beyond_float32_are_settled_in_float64() -> None:
    rng = np.random.default_rng(0)
    user = rng.standard_normal((LIKES.shape[0], 64)).astype(np.float32)
    item = np.repeat(rng.standard_normal((1, 64)).astype(np.float32) * 100, LIKES.shape[1], axis=0)
    item[:, 0] += np.linspace(0, 1e-3, len(item), dtype=np.float32)[rng.permutation(len(item))]
    model = of_vectors(user, item)
    for direction in DIRECTIONS.values():
        assert answers(model.recommend_all(direction.name, 5)) == expected(model, direction, 5)


def test_blocks_hold_whole_queries_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model()
    monkeypatch.setattr(batch, "BLOCK_VALUES", 7 * LIKES.shape[1])
    blocks = list(model.recommend_all("user2item", 4))
    assert [len(block) for block in blocks] == [28] * 8 + [16]
    assert [key for block in blocks for key in block.queries[::4]] == list(model.ids.user)


def test_a_query_that_has_seen_everything_has_no_row() -> None:
    everything = LIKES.to_frame()[["user", "item"]]
    first = everything["user"].iloc[0]
    more = [(first, item) for item in LIKES.ids.item]
    likes = type(LIKES).from_frame(
        type(everything)(more + list(everything.itertuples(index=False)), columns=["user", "item"]).drop_duplicates()
    )
    factors = random_model().factors
    model = build(likes, Factors(factors.user, factors.item), IndexParams(index="exact"))
    found = answers(model.recommend_all("user2item", 3))
    assert first not in {key for key, *_ in found}
    assert found == expected(model, DIRECTIONS["user2item"], 3)


def test_indexes_of_any_kind_give_the_same_exact_answers(model: Recommender) -> None:
    for direction in DIRECTIONS.values():
        assert answers(model.recommend_all(direction.name, 5)) == expected(model, direction, 5)


@each_direction
def test_a_frame_names_its_columns(direction: Direction, text_model: Recommender) -> None:
    block = next(text_model.recommend_all(direction.name, 2))
    frame = block.to_frame()
    target = direction.target if direction.across else f"similar_{direction.target}"
    assert list(frame.columns) == [direction.query, target, "rank", "score"]
    assert len(frame) == len(block)
    assert frame[target].tolist() == block.ids
    assert {type(i) for i in block.ids} == {str}


def test_progress_is_only_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    model = random_model()
    list(model.recommend_all("user2item", 2))
    assert capsys.readouterr() == ("", "")
    list(model.recommend_all("user2item", 2, progress=True))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "recommend_all" in shown.err


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None])
def test_a_wrong_k_is_named(k: Any) -> None:
    with pytest.raises(ParameterError, match="k must be"):
        next(random_model().recommend_all("user2item", k))


def test_an_unknown_direction_is_named() -> None:
    with pytest.raises(ParameterError, match="user2user"):
        next(random_model().recommend_all("users2items"))
