"""What is compared on one side: a linear map of the factors, which no score across sides knows of."""

from pathlib import Path

import numpy as np
import pytest

import mfrec
from mfrec.arrays import unit_rows
from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES, Pair, Side
from mfrec.model.recommender import Recommender
from mfrec.training.als import solve, with_same_side
from mfrec.training.fit import build, fit_als
from mfrec.training.same_side import same_side_maps
from tests.conftest import random_interactions
from tests.params import given_params


@pytest.fixture(scope="module")
def likes() -> Interactions:
    return random_interactions(120, 80)


@pytest.fixture(scope="module")
def model(likes: Interactions) -> Recommender:
    return build(likes, fit_als(likes, given_params(factors=8, regularization=5.0, user_scale=0.2, item_scale=-0.1)))


def test_scores_across_sides_do_not_know_of_it(likes: Interactions, model: Recommender) -> None:
    plain = solve(likes, given_params(factors=8, regularization=5.0, user_scale=0.2, item_scale=-0.1))
    for side in SIDES:
        np.testing.assert_array_equal(model.factors[side], plain[side])
        assert not np.allclose(model.factors.same_side[side], plain[side])


@pytest.mark.parametrize("side", SIDES)
def test_a_direction_on_one_side_ranks_by_the_cosine_of_mapped_vectors(model: Recommender, side: Side) -> None:
    assert model.factors.maps is not None
    unit = unit_rows(model.factors[side] @ model.factors.maps[side])
    cosines = unit[3] @ unit.T
    cosines[3] = -np.inf
    ranking = model.recommend(f"{side}2{side}", model.ids[side].ids([3]), 5)[0]
    assert ranking.ids == model.ids[side].ids(np.argsort(-cosines)[:5])
    assert ranking.scores == pytest.approx(np.sort(cosines)[::-1][:5], abs=1e-6)


@pytest.mark.parametrize("side", SIDES)
def test_a_vector_that_is_brought_along_is_mapped_like_the_models_own(model: Recommender, side: Side) -> None:
    direction, number = f"{side}2{side}", 7
    found = model.recommend_vectors(direction, model.factors[side][number], 6)[0]
    own = model.recommend(direction, model.ids[side].ids([number]), 5)[0]
    assert found.ids == [*model.ids[side].ids([number]), *own.ids]
    assert found.scores[0] == pytest.approx(1.0, abs=1e-6)


def test_scales_change_no_cosine(likes: Interactions, model: Recommender) -> None:
    plain = fit_als(likes, given_params(factors=8, regularization=5.0))
    for side in SIDES:
        ours, theirs = (unit_rows(factors.same_side[side]) for factors in (model.factors, plain))
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_popularity_is_a_direction_of_items_alone() -> None:
    """Two niches alike in size: the popular titles of both come nearer to each other, the niches stay apart."""
    rng = np.random.default_rng(0)
    niche, popular = rng.integers(0, 2, 200), rng.random(200) < 0.2
    items = np.stack([niche == 0, niche == 1, popular], axis=1) + 0.05 * rng.standard_normal((200, 3))
    items *= np.where(popular, 3.0, 1.0)[:, None]
    users = np.abs(rng.standard_normal((300, 3))) * np.array([1.0, 1.0, 0.3])
    both = Pair(users.astype(np.float32), items.astype(np.float32))
    before, after = unit_rows(both.item), unit_rows(both.item @ same_side_maps(both, 1.0).item)
    hits = np.flatnonzero(popular)
    across = np.ix_(hits[niche[hits] == 0], hits[niche[hits] == 1])
    assert (after @ after.T)[across].mean() > (before @ before.T)[across].mean()
    nearest = np.argsort(-(after @ after.T), axis=1)[:, 1:11]
    assert (niche[nearest] == niche[:, None]).mean() > 0.9


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_vectors_that_tell_nothing_are_left_alone(value: float) -> None:
    same = Pair(np.full((5, 3), value, np.float32), np.full((4, 3), value, np.float32))
    maps = same_side_maps(same, 1.0)
    for side in SIDES:
        assert maps[side].dtype == np.float32
        assert np.isfinite(maps[side]).all()
        if value != 1.0:
            np.testing.assert_array_equal(maps[side], np.eye(3))


def test_lengths_stay_in_their_range(likes: Interactions) -> None:
    factors = with_same_side(solve(likes, given_params(factors=16, regularization=5.0)))
    for side in SIDES:
        was, now = (float(np.square(matrix).sum()) for matrix in (factors[side], factors.same_side[side]))
        assert now == pytest.approx(was, rel=1e-4)


def test_it_is_saved_with_the_model(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    loaded = mfrec.load(tmp_path / "model")
    assert loaded.factors.maps is not None
    assert model.factors.maps is not None
    for side in SIDES:
        np.testing.assert_array_equal(loaded.factors.maps[side], model.factors.maps[side])
        np.testing.assert_array_equal(loaded.factors.same_side[side], model.factors.same_side[side])
    for name in ("user2user", "item2item"):
        ids = list(model.ids[mfrec.DIRECTIONS[name].query])[:20]
        assert [r.ids for r in loaded.recommend(name, ids)] == [r.ids for r in model.recommend(name, ids)]


def test_factors_from_elsewhere_are_compared_as_they_are(likes: Interactions) -> None:
    rng = np.random.default_rng(3)
    users, items = (rng.standard_normal((n, 4)).astype(np.float32) for n in likes.shape)
    factors = mfrec.Factors(users, items)
    model = build(likes, factors, mfrec.IndexParams(index="exact"))
    assert model.factors.maps is None
    unit = unit_rows(factors.item)
    assert model.item2item(next(iter(model.ids.item)), k=3).scores == pytest.approx(
        np.sort(np.delete(unit[0] @ unit.T, 0))[::-1][:3], abs=1e-6
    )
