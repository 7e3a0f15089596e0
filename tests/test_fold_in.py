from typing import Any

import numpy as np
import pandas as pd
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES, Side, other
from mfrec.errors import DataError, ParameterError, UnknownIdError
from mfrec.model.factors import Factors
from mfrec.model.fold_in import fold_in
from mfrec.model.ids import Id
from mfrec.model.recommender import Recommender
from mfrec.model.weighting import Weighting
from mfrec.training.fit import build, fit_als
from tests.conftest import random_interactions
from tests.params import given_params


@pytest.fixture(scope="module")
def rated() -> Recommender:
    """A model fitted on weights from 1 to 5."""
    frame = random_interactions().to_frame()
    frame["weight"] = np.random.default_rng(3).integers(1, 6, len(frame))
    return plain_model(Interactions.from_frame(frame, weight="weight"))


def plain_model(likes: Interactions) -> Recommender:
    """Fit what implicit fits: confidences are alpha times the weight."""
    params = given_params(factors=8, user_exponent=0, item_exponent=0, transform="value")
    return build(likes, fit_als(likes, params))


def implicit_solver(factors: Factors, side: Side) -> Any:
    """Return implicit's model with our factors in it; for an item the sides change places."""
    with threadpool_limits(1, user_api="blas"):
        solver = AlternatingLeastSquares(
            factors=factors.size,
            regularization=factors.weighting.regularization,
            alpha=factors.weighting.alpha,
            num_threads=1,
        )
    solver.user_factors, solver.item_factors = factors[side], factors[other(side)]
    return solver


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_closed_form_agrees_with_implicits_solver(rated: Recommender, side: Side, weighted: bool) -> None:
    factors, rng = rated.factors, np.random.default_rng(0)
    solver = implicit_solver(factors, side)
    for size in (1, 2, 5, 30):
        numbers = np.sort(rng.choice(len(factors[other(side)]), size, replace=False))
        weights = rng.integers(1, 6, size).astype(np.float64) if weighted else np.ones(size)
        row = csr_matrix((weights, (np.zeros(size, int), numbers)), (1, len(factors[other(side)])), np.float32)
        expected = solver.recalculate_user(0, row)
        found = fold_in(factors, side, numbers, weights if weighted else None)
        assert found.dtype == np.float32
        assert found.shape == (factors.size,)
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def minimised(factors: Factors, side: Side, numbers: NDArray[np.int64], weights: NDArray[np.float64]) -> Any:
    """Solve the same problem as a plain least-squares system over *all* rows of the other side."""
    matrix = factors[other(side)].astype(np.float64)
    confidence, wanted = np.ones(len(matrix)), np.zeros(len(matrix))
    confidence[numbers], wanted[numbers] = factors.weighting.alpha * weights, 1.0
    rows = np.concatenate(
        [matrix * np.sqrt(confidence)[:, None], np.sqrt(factors.weighting.regularization) * np.eye(factors.size)]
    )
    return np.linalg.lstsq(rows, np.concatenate([wanted * np.sqrt(confidence), np.zeros(factors.size)]), rcond=None)[0]


@pytest.mark.parametrize("side", SIDES)
def test_the_vector_minimises_the_weighted_squared_error(rated: Recommender, side: Side) -> None:
    numbers, weights = np.array([2, 3, 11, 40]), np.array([1.0, 5.0, 0.5, 2.0])
    found = fold_in(rated.factors, side, numbers, weights)
    np.testing.assert_allclose(found, minimised(rated.factors, side, numbers, weights), atol=1e-5)


def test_without_regularization_a_singular_system_still_has_an_answer() -> None:
    ones = np.ones((4, 3), np.float32)
    vector = fold_in(Factors(ones, ones, Weighting(regularization=0.0, alpha=2.0)), "user", np.array([0, 1]))
    assert np.isfinite(vector).all()
    np.testing.assert_allclose(vector, np.full(3, vector[0]), rtol=1e-4)


@pytest.mark.parametrize("side", SIDES)
def test_a_repeated_id_counts_once_or_with_the_sum_of_its_weights(model: Recommender, side: Side) -> None:
    ids = model.ids[other(side)].ids([3, 9, 20])
    once = model.fold_in(side, ids)
    np.testing.assert_array_equal(model.fold_in(side, [*ids, ids[0], *ids]), once)
    np.testing.assert_array_equal(model.fold_in(side, ids[::-1]), once)
    np.testing.assert_allclose(model.fold_in(side, ids, [3, 1, 2]), model.fold_in(side, [*ids, ids[0]], [1, 1, 2, 2]))
    np.testing.assert_array_equal(model.fold_in(side, ids, [1, 1, 1]), once)
    assert not np.allclose(model.fold_in(side, ids, [1, 9, 1]), once)


@pytest.mark.parametrize("side", SIDES)
def test_a_decay_multiplies_confidences(rated: Recommender, model: Recommender, side: Side) -> None:
    numbers, decay = np.array([2, 3, 11]), np.array([1.0, 0.25, 0.5])
    # where confidence is alpha times the weight, that is the same as multiplying the weights
    found = fold_in(rated.factors, side, numbers, [4.0, 2.0, 3.0], decay)
    np.testing.assert_allclose(found, fold_in(rated.factors, side, numbers, [4.0, 0.5, 1.5]), rtol=1e-6)
    ids = model.ids[other(side)].ids(numbers)
    np.testing.assert_array_equal(model.fold_in(side, ids, decay=[1, 1, 1]), model.fold_in(side, ids))
    np.testing.assert_allclose(model.fold_in(side, ids, decay=decay), model.fold_in(side, ids, decay), rtol=1e-6)


def test_a_decay_is_no_weight_where_weights_are_transformed() -> None:
    likes = random_interactions()
    model = build(likes, fit_als(likes, given_params(factors=8, transform="log")))
    ids, decay = model.ids.item.ids([2, 3, 11]), [1.0, 0.25, 0.5]
    assert not np.allclose(
        model.fold_in("user", ids, decay=decay), model.fold_in("user", ids, decay), rtol=0.01, atol=0
    )


def test_of_a_repeated_id_the_largest_decay_counts(model: Recommender) -> None:
    ids = model.ids.item.ids([3, 9])
    repeated = model.fold_in("user", [*ids, ids[0]], decay=[0.1, 0.5, 0.9])
    np.testing.assert_array_equal(repeated, model.fold_in("user", ids, decay=[0.9, 0.5]))


@pytest.mark.parametrize(
    ("decay", "message"), [([1.0], "1 decay for 2 ids: give one each"), ([1.0, 0.0], "decay must be finite numbers")]
)
def test_a_decay_that_does_not_fit(model: Recommender, decay: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        model.fold_in("user", model.ids.item.ids([0, 1]), decay=decay)


@pytest.mark.parametrize("side", SIDES)
def test_an_unknown_id_or_an_empty_history_is_refused(model: Recommender, side: Side) -> None:
    with pytest.raises(UnknownIdError, match=f"unknown {other(side)} id -1"):
        model.fold_in(side, [-1])
    with pytest.raises(DataError, match="empty history: give at least one id"):
        model.fold_in(side, [])
    with pytest.raises(DataError, match="empty history: give at least one id"):
        model.fold_in(side, [], [])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "1 weights for 2 ids: give one each"),
        ([1.0, 2.0, 3.0], "3 weights for 2 ids"),
        ([[1.0, 2.0]], "2 weights for 2 ids"),
        ([1.0, 0.0], "above 0"),
        ([1.0, -1.0], "above 0"),
        ([np.nan, 1.0], "above 0"),
        ([np.inf, 1.0], "above 0"),
        (["a", "b"], "weights"),
    ],
)
def test_weights_that_do_not_fit(model: Recommender, weights: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        model.fold_in("user", model.ids.item.ids([0, 1]), weights)


def test_a_negative_weight_is_not_hidden_by_a_repeated_id(model: Recommender) -> None:
    first = model.ids.item.id(0)
    with pytest.raises(DataError, match="above 0"):
        model.fold_in("user", [first, first], [5.0, -3.0])


def test_an_unknown_side(model: Recommender) -> None:
    with pytest.raises(ParameterError, match="unknown side 'movie': choose user or item"):
        model.fold_in("movie", [1])  # type: ignore[arg-type]


def overlap(model: Recommender, direction: str, side: Side, key: Id) -> float:
    """Return the share of the top 10 that the folded-in twin of a known id has in common with it."""
    number = model.ids[side].number(key)
    linked = model.ids[other(side)].ids(model.adjacency[side].of(number))
    own = model.recommend(direction, [key])[0].ids
    twin = model.recommend_vectors(direction, model.fold_in(side, linked), deny=linked)[0].ids
    return len(set(own) & set(twin)) / len(own)


@pytest.mark.parametrize(("direction", "side"), [("user2item", "user"), ("item2user", "item")])
def test_the_twin_of_a_known_user_or_item_gets_nearly_what_it_gets(
    model: Recommender, direction: str, side: Side
) -> None:
    shares = [overlap(model, direction, side, key) for key in model.ids[side]]
    assert np.mean(shares) > 0.75


def test_a_frame_of_one_user_folds_in_like_its_ids(model: Recommender) -> None:
    ids = model.ids.item.ids([1, 2])
    np.testing.assert_array_equal(model.fold_in("user", pd.Series(ids)), model.fold_in("user", ids))
