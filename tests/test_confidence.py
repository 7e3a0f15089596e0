"""How interactions become confidences, and that folding in treats a new user as the fit treated its own."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES, Side, other
from mfrec.errors import DataError, ParameterError
from mfrec.model.factors import Factors
from mfrec.model.fold_in import fold_in
from mfrec.training.confidence import weigh
from mfrec.training.fit import fit_als
from mfrec.training.params import ALSParams, given
from tests.conftest import random_interactions
from tests.params import given_params

DAY = 24 * 3600


@pytest.fixture(scope="module")
def rated() -> Interactions:
    """Ratings from 1 to 5 at times spread over a year."""
    frame = random_interactions(80, 50).to_frame()
    rng = np.random.default_rng(1)
    frame = frame.assign(weight=rng.integers(1, 6, len(frame)), time=rng.integers(0, 365 * DAY, len(frame)))
    return Interactions.from_frame(frame, weight="weight", time="time")


@pytest.mark.parametrize(
    "params",
    [
        given_params(),
        given_params(transform="binary"),
        given_params(transform="log", user_exponent=0, item_exponent=0),
        given_params(transform="value", user_exponent=1.0),
        given_params(transform="value", user_exponent=0, item_exponent=0, half_life=30.0),
        given_params(transform="binary", threshold=4, item_exponent=-0.5),
    ],
)
def test_confidences_have_mean_1(rated: Interactions, params: ALSParams) -> None:
    confidences = weigh(rated, params).confidences
    assert confidences.data.mean() == pytest.approx(1.0, rel=1e-5)
    assert (confidences.data > 0).all()
    assert confidences.dtype == np.float32


def test_weights_as_they_are_keep_their_unit(rated: Interactions) -> None:
    weighed = weigh(rated, given_params(transform="value", user_exponent=0, item_exponent=0))
    confidences, weighting = weighed.confidences, weighed.weighting
    np.testing.assert_array_equal(confidences.data, rated.weights)
    assert weighting.mean == 1.0


def test_exponents_are_the_formula_entry_by_entry(rated: Interactions) -> None:
    params = given_params(user_exponent=0.7, item_exponent=0.3, transform="log")
    confidences = weigh(rated, params).confidences
    dense = rated.matrix.toarray().astype(float)
    expected = np.zeros_like(dense)
    for u in range(dense.shape[0]):
        for i in range(dense.shape[1]):
            if dense[u, i]:
                n_user, n_item = np.count_nonzero(dense[u]), np.count_nonzero(dense[:, i])
                expected[u, i] = np.log(1 + dense[u, i]) * n_user**-0.7 * n_item**-0.3
    expected /= expected[dense > 0].mean()
    np.testing.assert_allclose(confidences.toarray(), expected, rtol=1e-5)


def test_below_the_threshold_there_is_no_interaction(rated: Interactions) -> None:
    weighed = weigh(rated, given_params(transform="binary", threshold=4, user_exponent=0.5))
    confidences, weighting = weighed.confidences, weighed.weighting
    kept = rated.take(rated.weights >= 4)
    assert confidences.nnz == len(kept)
    # degrees count what is kept
    expected = np.repeat(kept.degree.user, kept.degree.user) ** -0.5 * kept.degree.item[kept.items] ** -0.25
    np.testing.assert_allclose(confidences.data, expected / expected.mean(), rtol=1e-5)
    assert weighting.mean_degree.user == pytest.approx(len(kept) / 80)


def test_a_threshold_above_everything(rated: Interactions) -> None:
    with pytest.raises(DataError, match="nothing to learn from with threshold 6"):
        weigh(rated, given_params(transform="binary", threshold=6))


def test_after_a_half_life_an_interaction_counts_half() -> None:
    frame = pd.DataFrame({"user": [1, 2, 3], "item": [1, 2, 3], "time": [0, 10 * DAY, 20 * DAY]})
    params = given_params(transform="value", half_life=10.0)
    confidences = weigh(Interactions.from_frame(frame, time="time"), params).confidences
    np.testing.assert_allclose(confidences.data / confidences.data[2], [0.25, 0.5, 1.0], rtol=1e-6)


def test_what_is_very_old_stays_an_interaction() -> None:
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "time": [0, 100_000 * DAY]})
    confidences = weigh(Interactions.from_frame(frame, time="time"), given_params(half_life=1.0)).confidences
    assert confidences.nnz == 2
    assert (confidences.data > 0).all()


def test_a_half_life_needs_times(interactions: Interactions) -> None:
    with pytest.raises(ParameterError, match="half_life needs times"):
        weigh(interactions, given_params(half_life=30))


# exponents and scales on both sides, few factors, and enough iterations to stand still
PARAMS = given_params(
    factors=4,
    regularization=5.0,
    alpha=3.0,
    iterations=100,
    user_exponent=0.6,
    item_exponent=0.4,
    user_scale=0.1,
    item_scale=0.25,
    transform="log",
    seed=3,
)


@pytest.fixture(scope="module")
def fitted(rated: Interactions) -> Factors:
    """A fit that has converged."""
    return fit_als(rated, PARAMS)


def direct(rated: Interactions, factors: Factors, side: Side, number: int) -> NDArray[np.float64]:
    """Solve for one row in float64, from nothing but the data, the parameters and the other side's vectors."""
    across = other(side)
    exponents = {side: float(given(PARAMS, f"{side}_exponent")) for side in SIDES}
    scales = {side: float(given(PARAMS, f"{side}_scale")) for side in SIDES}
    size, penalty = int(given(PARAMS, "factors")), float(given(PARAMS, "regularization"))
    dense = rated.matrix.toarray().astype(float)
    degree = {"user": (dense > 0).sum(1), "item": (dense > 0).sum(0)}
    weights = np.log1p(dense)
    weights *= degree["user"][:, None] ** -exponents["user"] * degree["item"][None, :] ** -exponents["item"]
    weights /= weights[dense > 0].mean()
    row = PARAMS.alpha * (weights[number] if side == "user" else weights[:, number])
    scale = {s: (degree[s] / degree[s].mean()) ** scales[s] for s in SIDES}
    matrix = factors[across].astype(float) / scale[across][:, None]
    confidence = np.where(row > 0, row, 1.0)
    system = matrix.T @ (confidence[:, None] * matrix) + penalty * np.eye(size)
    solution: NDArray[np.float64] = np.linalg.solve(system, matrix.T @ row) * scale[side][number]
    return solution


@pytest.mark.parametrize("side", SIDES)
def test_folding_in_somebody_known_agrees_with_the_closed_form_and_with_the_fit(
    rated: Interactions, fitted: Factors, side: Side
) -> None:
    matrix = rated.matrix if side == "user" else rated.matrix.T.tocsr()
    errors = []
    for number in range(len(fitted[side])):
        row = matrix[number]
        found = fold_in(fitted, side, row.indices.astype(np.int64), row.data)
        expected = direct(rated, fitted, side, number)
        np.testing.assert_allclose(found, expected, atol=1e-5 * float(np.linalg.norm(expected)))
        errors.append(np.linalg.norm(found - fitted[side][number]) / np.linalg.norm(fitted[side][number]))
    assert max(errors) < 1e-2


@pytest.mark.parametrize("side", SIDES)
def test_below_the_threshold_nothing_counts_in_folding_in_either(rated: Interactions, side: Side) -> None:
    """Whoever is folded in gets what the fit found, scales included, with the low ratings in the history or without."""
    own = {"transform": "binary", "threshold": 3.0, "item_scale": 0.2, "user_scale": 0.1, "factors": 4}
    factors = fit_als(rated, given_params(**own, iterations=100, regularization=5.0))
    matrix = rated.matrix if side == "user" else rated.matrix.T.tocsr()
    compared = 0
    for number in range(len(factors[side])):
        row = matrix[number]
        numbers, kept = row.indices.astype(np.int64), row.data >= 3
        if not kept.any():
            with pytest.raises(DataError, match="no weight reaches the model's threshold of 3, the highest is "):
                fold_in(factors, side, numbers, row.data)
            continue
        found = fold_in(factors, side, numbers, row.data)
        np.testing.assert_allclose(found, fold_in(factors, side, numbers[kept], row.data[kept]), rtol=1e-5)
        assert np.linalg.norm(found - factors[side][number]) < 1e-2 * np.linalg.norm(factors[side][number])
        compared += 1
    assert compared > 20
    assert factors.degree[side].sum() == (rated.weights >= 3).sum()
    alone = fold_in(factors, side, np.array([1, 5]))
    np.testing.assert_array_equal(alone, fold_in(factors, side, np.array([1, 5]), [3.0, 5.0]))


def test_scales_multiply_what_the_fit_without_them_found(rated: Interactions) -> None:
    plain = fit_als(rated, given_params(factors=4, iterations=3, regularization=25.0))
    scaled = fit_als(rated, given_params(factors=4, iterations=3, item_scale=0.3, user_scale=-0.2, regularization=25.0))
    degree = rated.degree
    by = {"user": -0.2, "item": 0.3}
    for side in SIDES:
        expected = plain[side] * ((degree[side] / degree[side].mean()) ** by[side])[:, None]
        np.testing.assert_allclose(scaled[side], expected, rtol=1e-5)
        np.testing.assert_allclose(scaled.gram[side], plain.gram[side], rtol=1e-5)
