from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfrec.data.interactions import Interactions
from mfrec.directions import DIRECTIONS, Direction
from mfrec.errors import DataError, ParameterError, UnknownIdError
from mfrec.index import BACKENDS, IndexParams
from mfrec.model.rankings import Ranking
from mfrec.model.recommender import Recommender
from mfrec.training.fit import build, fit, fit_als
from mfrec.training.params import ALSParams
from tests.conftest import Checkerboard, random_interactions, small_model

each_direction = pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=lambda direction: direction.name)
each_backend = pytest.mark.parametrize("backend", BACKENDS)

LIKES = random_interactions()
MODELS = {name: small_model(LIKES, index=name) for name in BACKENDS}
IDS = {"user": list(LIKES.ids.user), "item": list(LIKES.ids.item)}


def seen(direction: Direction, key: Any) -> set[Any]:
    """Return what an id has interacted with, by a plain reading of the table."""
    frame = LIKES.to_frame()
    return set(frame.loc[frame[direction.query] == key, direction.target].tolist())


def reference(
    direction: Direction,
    key: Any,
    k: int,
    *,
    exclude_seen: bool = True,
    allow: Collection[Any] | None = None,
    deny: Collection[Any] = (),
) -> list[Any]:
    """Answer by scoring everything in plain float64 and sorting; MODELS share their factors."""
    factors = MODELS["exact"].factors
    query = factors.vectors(direction.query, direction.similarity)[IDS[direction.query].index(key)].astype(float)
    targets = factors.vectors(direction.target, direction.similarity).astype(float)
    scores = targets @ query
    if direction.similarity == "cosine":
        scores /= np.linalg.norm(targets, axis=1) * np.linalg.norm(query)
    out = (
        set(deny)
        | (seen(direction, key) if direction.across and exclude_seen else set())
        | (set() if direction.across else {key})
    )
    eligible = [
        (-float(np.float32(score)), number)
        for number, (target, score) in enumerate(zip(IDS[direction.target], scores.tolist(), strict=True))
        if target not in out and (allow is None or target in allow)
    ]
    return [IDS[direction.target][number] for _, number in sorted(eligible)[:k]]


# the board: parity decides everything, and one like is withheld


@pytest.fixture(scope="module", params=BACKENDS)
def board_model(request: pytest.FixtureRequest, checkerboard: Checkerboard) -> Recommender:
    params = ALSParams(factors=2, regularization=0.1, alpha=2.0, iterations=15, threads=1)
    return fit(checkerboard.interactions, params, IndexParams(index=request.param))


def test_the_withheld_item_comes_first_for_its_user(board_model: Recommender, checkerboard: Checkerboard) -> None:
    found = board_model.user2item(checkerboard.user, k=3)
    assert found.ids[0] == checkerboard.item
    assert found.scores[0] > 0.5 > found.scores[1] + 0.2


def test_the_withheld_user_comes_first_for_its_item(board_model: Recommender, checkerboard: Checkerboard) -> None:
    found = board_model.item2user(checkerboard.item, k=3)
    assert found.ids[0] == checkerboard.user
    assert found.scores[0] > 0.5 > found.scores[1] + 0.2


@pytest.mark.parametrize("direction", ["item2item", "user2user"])
def test_neighbours_share_parity(board_model: Recommender, direction: str) -> None:
    for key in range(20):
        found = board_model.recommend(direction, [key], k=9)[0]
        assert sorted([*found.ids, key]) == list(range(key % 2, 20, 2))
        assert found.scores.min() > 0.9


def test_likes_come_back_when_seen_is_not_excluded(board_model: Recommender) -> None:
    assert sorted(board_model.user2item(1, k=10, exclude_seen=False).ids) == list(range(1, 20, 2))
    assert sorted(board_model.item2user(1, k=10, exclude_seen=False).ids) == list(range(1, 20, 2))
    assert sorted(board_model.user2item(1, k=20).ids) == list(range(0, 20, 2))


def test_a_new_user_and_a_new_item_are_folded_in(board_model: Recommender) -> None:
    user = board_model.fold_in("user", [1, 3, 5, 7])
    found = board_model.recommend_vectors("user2item", user, k=6, deny=[1, 3, 5, 7])[0]
    assert sorted(found.ids) == [9, 11, 13, 15, 17, 19]
    item = board_model.fold_in("item", [0, 2, 4])
    assert sorted(board_model.recommend_vectors("item2item", item, k=10)[0].ids) == list(range(0, 20, 2))


# against a brute-force reference


@each_backend
@each_direction
@pytest.mark.parametrize("k", [1, 7, 1000])
def test_every_id_in_every_direction(backend: str, direction: Direction, k: int) -> None:
    model = MODELS[backend]
    for key, found in zip(IDS[direction.query], model.recommend(direction.name, IDS[direction.query], k), strict=True):
        expected = reference(direction, key, k)
        if found.exact:
            assert found.ids == expected
        assert len(found) == len(set(found.ids)) == len(expected)
        assert key not in found.ids or direction.across
        assert not (direction.across and set(found.ids) & seen(direction, key))


CHOICE = st.sets(st.integers(0, 59))


@each_backend
@each_direction
@given(
    place=st.integers(0, 59),
    k=st.integers(1, 90),
    exclude_seen=st.booleans(),
    allow=st.none() | CHOICE,
    deny=CHOICE,
)
def test_exclude_seen_allow_and_deny(
    backend: str, direction: Direction, place: int, k: int, exclude_seen: bool, allow: set[int] | None, deny: set[int]
) -> None:
    key, targets = IDS[direction.query][place], IDS[direction.target]
    allowed = None if allow is None else [targets[i] for i in allow]
    denied = [targets[i] for i in deny]
    found = MODELS[backend].recommend(direction.name, [key], k, exclude_seen=exclude_seen, allow=allowed, deny=denied)[
        0
    ]
    everything = reference(direction, key, 1000, exclude_seen=exclude_seen, allow=allowed, deny=denied)
    assert len(found) == len(set(found.ids)) == min(k, len(everything))
    assert set(found.ids) <= set(everything)
    if found.exact:
        assert found.ids == everything[:k]
    assert found.exact or backend != "exact"
    assert (np.diff(found.scores) <= 0).all()


@each_direction
def test_approximate_answers_are_nearly_the_exact_ones(direction: Direction) -> None:
    found = MODELS["annoy"].recommend(direction.name, IDS[direction.query], 10)
    exact = [reference(direction, key, 10) for key in IDS[direction.query]]
    assert np.mean([len(set(f.ids) & set(e)) / 10 for f, e in zip(found, exact, strict=True)]) > 0.95


@each_backend
@each_direction
@given(places=st.lists(st.integers(0, 59), max_size=8), k=st.integers(1, 20))
def test_a_batch_equals_single_questions(backend: str, direction: Direction, places: list[int], k: int) -> None:
    model, keys = MODELS[backend], [IDS[direction.query][i] for i in places]
    together = model.recommend(direction.name, keys, k)
    alone = [getattr(model, direction.name)(key, k) for key in keys]
    assert [(r.ids, r.scores.tolist(), r.labels, r.exact) for r in together] == [
        (r.ids, r.scores.tolist(), r.labels, r.exact) for r in alone
    ]


@each_direction
def test_a_method_exists_for_every_direction(model: Recommender, direction: Direction) -> None:
    method = getattr(Recommender, direction.name)
    assert method.__name__ == direction.name
    assert direction.question in method.__doc__
    key = model.ids[direction.query].id(0)
    asked = getattr(model, direction.name)(key, 3, exclude_seen=False, deny=[model.ids[direction.target].id(1)])
    expected = model.recommend(direction.name, [key], 3, exclude_seen=False, deny=[model.ids[direction.target].id(1)])[
        0
    ]
    assert asked.ids == expected.ids


def test_no_question_gives_no_answer(model: Recommender) -> None:
    assert model.recommend("user2item", []) == []


def test_allow_of_nothing_and_deny_of_everything_give_empty_rankings(model: Recommender) -> None:
    key = model.ids.user.id(0)
    for found in (model.user2item(key, allow=[]), model.user2item(key, deny=list(model.ids.item))):
        assert (found.ids, found.scores.tolist(), found.exact) == ([], [], True)
        assert found.scores.dtype == np.float32


def test_ids_that_the_model_does_not_know_are_passed_over_in_lists(model: Recommender) -> None:
    key, first = model.ids.user.id(0), model.ids.item.id(0)
    found = model.user2item(key, k=100, exclude_seen=False, allow=[first, -1, first], deny=[-2, 10**30])
    assert found.ids == [first]


@pytest.mark.parametrize("k", [0, -1, 1.5, "3", None, True, np.nan])
@each_direction
def test_k_must_be_an_integer_above_zero(model: Recommender, direction: Direction, k: Any) -> None:
    with pytest.raises(ParameterError, match="k must be an integer of at least 1, got"):
        model.recommend(direction.name, [model.ids[direction.query].id(0)], k)
    with pytest.raises(ParameterError, match="k must be an integer of at least 1, got"):
        model.recommend_vectors(direction.name, model.factors[direction.query][:1], k)


def test_k_may_be_a_numpy_integer(model: Recommender) -> None:
    assert len(model.user2item(model.ids.user.id(0), np.int64(3))) == 3


@pytest.mark.parametrize("name", ["user2movie", "", None, 3])
def test_an_unknown_direction_lists_the_names(model: Recommender, name: Any) -> None:
    with pytest.raises(ParameterError, match="choose one of user2item, item2item, user2user, item2user"):
        model.recommend(name, [])
    with pytest.raises(ParameterError, match="choose one of"):
        model.recommend_vectors(name, model.factors.user[:1])


@each_direction
def test_an_unknown_id_is_named(model: Recommender, direction: Direction) -> None:
    with pytest.raises(UnknownIdError, match=f"unknown {direction.query} id -5: the model knows"):
        model.recommend(direction.name, [model.ids[direction.query].id(0), -5])
    with pytest.raises(UnknownIdError, match=f"{direction.query} ids of this model are integers, got '7'"):
        getattr(model, direction.name)("7")


@pytest.mark.parametrize("lists", [{"allow": "abc"}, {"deny": "abc"}, {"allow": 5}, {"deny": ["x"]}, {"deny": [None]}])
def test_lists_of_the_wrong_type_are_refused(model: Recommender, lists: dict[str, Any]) -> None:
    with pytest.raises(UnknownIdError):
        model.user2item(model.ids.user.id(0), **lists)


@pytest.mark.parametrize("make", [list, tuple, set, iter, np.array, pd.Series])
def test_ids_and_lists_may_be_any_iterable(model: Recommender, make: Any) -> None:
    ids, denied = model.ids.user.ids([3]), model.ids.item.ids([1, 2])
    found = model.recommend("user2item", make(ids), 5, deny=make(denied))[0]
    assert found.ids == model.recommend("user2item", ids, 5, deny=denied)[0].ids


@each_direction
def test_the_vector_of_a_known_id_gets_what_the_id_gets(model: Recommender, direction: Direction) -> None:
    own: Iterable[Any] = [] if direction.across else [model.ids[direction.query].id(2)]
    by_vector = model.recommend_vectors(direction.name, model.factors[direction.query][2], 10, deny=own)
    by_id = model.recommend(direction.name, [model.ids[direction.query].id(2)], 10, exclude_seen=False)
    assert [found.ids for found in by_vector] == [found.ids for found in by_id]


def test_vectors_come_alone_or_as_a_table_of_any_number_type(model: Recommender) -> None:
    table = model.factors.user[:3]
    together = model.recommend_vectors("user2item", table)
    assert [r.ids for r in together] == [model.recommend_vectors("user2item", v)[0].ids for v in table]
    assert [r.ids for r in together] == [r.ids for r in model.recommend_vectors("user2item", table.tolist())]
    allowed = model.ids.item.ids([5, 6])
    assert set(model.recommend_vectors("user2item", table[0], allow=allowed)[0].ids) == set(allowed)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.zeros(3), r"vectors have shape \(3,\): the model's have 8 factors"),
        (np.zeros((2, 9)), r"vectors have shape \(2, 9\)"),
        (np.zeros((1, 1, 8)), r"vectors have shape \(1, 1, 8\)"),
        ([], "vectors have shape"),
        (1.0, "vectors have shape"),
        (np.full(8, np.nan), "vectors must be finite"),
        (np.full((2, 8), np.inf), "vectors must be finite"),
        (["a"] * 8, "vectors must be"),
        ([[1.0], [1.0, 2.0]], "vectors"),
    ],
)
def test_vectors_that_do_not_fit(model: Recommender, vectors: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        model.recommend_vectors("user2item", vectors)


def test_ids_and_scores_are_plain(model: Recommender) -> None:
    found = model.user2item(model.ids.user.id(0))
    assert {type(key) for key in found.ids} == {int}
    assert found.scores.dtype == np.float32
    assert found.labels is None


def test_labels_stand_beside_ids_and_the_id_where_there_is_none(text_model: Recommender) -> None:
    found = text_model.user2item(text_model.ids.user.id(0), k=100, exclude_seen=False)
    bare = text_model.ids.item.id(0)
    assert found.labels == [key if key == bare else f"Título «{key}»" for key in found.ids]
    users = text_model.user2user(text_model.ids.user.id(0))
    assert users.labels == [f"name of {key}" for key in users.ids]
    assert {type(key) for key in found.ids} == {str}


def test_a_ranking_becomes_a_frame(model: Recommender, text_model: Recommender) -> None:
    found = model.user2item(model.ids.user.id(0), k=4)
    assert len(found) == 4
    pd.testing.assert_frame_equal(found.to_frame(), pd.DataFrame({"id": found.ids, "score": found.scores}))
    labelled = text_model.user2item(text_model.ids.user.id(0), k=4).to_frame()
    assert list(labelled.columns) == ["id", "score", "label"]
    assert Ranking([], np.zeros(0, np.float32)).to_frame().empty


@each_backend
def test_users_and_items_without_interactions_can_be_asked(backend: str) -> None:
    part = LIKES.take(np.flatnonzero((LIKES.users != 4) & (LIKES.items != 7)))
    model = small_model(part, index=backend)
    for direction in DIRECTIONS.values():
        number = 4 if direction.query == "user" else 7
        found = model.recommend(direction.name, [IDS[direction.query][number]], 10)[0]
        assert len(found) == 10
        if direction.query == "item":
            # nobody knows the item: nothing tells one answer from another
            assert found.scores.tolist() == [0.0] * 10
            ids = [key for n, key in enumerate(IDS[direction.target]) if direction.across or n != number][:10]
            assert not found.exact or found.ids == ids
    # an unknown user gets what most people like
    mean = np.delete(model.factors.user, 4, axis=0).mean(axis=0)
    assert model.user2item(IDS["user"][4]).ids == model.recommend_vectors("user2item", mean)[0].ids


@each_backend
def test_one_user_and_one_item(backend: str) -> None:
    single = Interactions.from_frame(pd.DataFrame({"user": ["u"], "item": ["i"]}))
    model = small_model(single, index=backend)
    answers = {name: model.recommend(name, ["u" if name.startswith("user") else "i"])[0].ids for name in DIRECTIONS}
    assert list(answers.values()) == [[], [], [], []]
    assert model.user2item("u", exclude_seen=False).ids == ["i"]


def test_factors_that_do_not_belong_to_the_interactions_are_refused(interactions: Interactions) -> None:
    other = random_interactions(10, 12)
    with pytest.raises(DataError, match=r"Factors\(10 users x 12 items x 4\) does not fit Interactions\(60 users"):
        build(interactions, fit_als(other, ALSParams(factors=4, iterations=1, regularization=25.0)), IndexParams())


def test_factors_that_are_not_finite_build_no_index(interactions: Interactions) -> None:
    factors = fit_als(interactions, ALSParams(factors=4, iterations=1, regularization=25.0))
    factors.item[3, 1] = np.nan
    with pytest.raises(DataError, match="1 of 80 item vectors are not finite"):
        build(interactions, factors, IndexParams())


def test_repr_says_how_large(model: Recommender) -> None:
    assert repr(model) == "Recommender(60 users x 80 items x 8 factors)"
