"""Another basis changes no score, but cosines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfrec.arrays import Matrix
from mfrec.directions import Pair
from mfrec.errors import ParameterError
from mfrec.training.fit import fit_als
from mfrec.training.params import ALSParams
from mfrec.training.whitening import CONSENSUS, whitened
from tests.conftest import random_interactions


def vectors(seed: int, n_users: int = 30, n_items: int = 20, size: int = 5) -> Pair[Matrix]:
    rng = np.random.default_rng(seed)
    spread = np.array([3.0, 1.0, 0.5, 0.2, 0.1])[:size]
    return Pair(*((rng.normal(size=(n, size)) * spread).astype(np.float32) for n in (n_users, n_items)))


@given(seed=st.integers(0, 100), strength=st.floats(0.0, 1.0))
def test_no_score_changes(seed: int, strength: float) -> None:
    solved = vectors(seed)
    turned, _ = whitened(solved, strength)
    np.testing.assert_allclose(turned.user @ turned.item.T, solved.user @ solved.item.T, atol=1e-4)


@given(seed=st.integers(0, 100), strength=st.floats(0.0, 1.0))
def test_the_penalty_is_the_length_before(seed: int, strength: float) -> None:
    solved = vectors(seed)
    turned, penalty = whitened(solved, strength)
    for before, after, weight in zip(solved, turned, penalty, strict=True):
        np.testing.assert_allclose(((after @ weight) * after).sum(1), (before**2).sum(1), rtol=1e-3, atol=1e-4)


def crowd(users: Matrix) -> Matrix:
    """Return the users and eight times as many copies of the mean user."""
    return np.vstack([users, np.tile(users.mean(axis=0), (int(CONSENSUS) * len(users), 1))])


def test_at_full_strength_items_are_as_alike_as_their_scores_over_all_users_and_the_mean_user_again() -> None:
    solved = vectors(1)
    turned, _ = whitened(solved, 1.0)
    unit = turned.item / np.linalg.norm(turned.item, axis=1, keepdims=True)
    scores = solved.item @ crowd(solved.user).T
    scores /= np.linalg.norm(scores, axis=1, keepdims=True)
    np.testing.assert_allclose(unit @ unit.T, scores @ scores.T, atol=1e-4)
    everybody = crowd(turned.user)
    gram = everybody.T @ everybody
    np.testing.assert_allclose(gram, np.eye(5) * gram[0, 0], atol=1e-3 * gram[0, 0])


def test_users_without_interactions_change_nothing() -> None:
    solved = vectors(4)
    more = Pair(np.vstack([solved.user, np.zeros((10, 5), np.float32)]), solved.item)
    np.testing.assert_allclose(whitened(more, 0.75)[0].item, whitened(solved, 0.75)[0].item, rtol=1e-5)


def test_without_strength_nothing_changes() -> None:
    solved = vectors(2)
    turned, penalty = whitened(solved, 0.0)
    for before, after, weight in zip(solved, turned, penalty, strict=True):
        np.testing.assert_allclose(after, before, atol=1e-6)
        np.testing.assert_allclose(weight, np.eye(5), atol=1e-9)


@pytest.mark.parametrize("n_users", [1, 3])
def test_directions_without_users_stay_finite(n_users: int) -> None:
    solved = vectors(3, n_users)
    turned, penalty = whitened(solved, 1.0)
    assert all(np.isfinite(matrix).all() for matrix in (*turned, *penalty))
    np.testing.assert_allclose(turned.user @ turned.item.T, solved.user @ solved.item.T, atol=1e-3)
    zeros = Pair(np.zeros((4, 2), np.float32), np.zeros((3, 2), np.float32))
    assert not whitened(zeros, 1.0)[0].user.any()


def test_a_fit_scores_the_same_whatever_its_basis() -> None:
    likes = random_interactions()
    plain, turned = (
        fit_als(likes, ALSParams(factors=8, whitening=strength, regularization=25.0)) for strength in (0.0, 0.75)
    )
    np.testing.assert_allclose(turned.user @ turned.item.T, plain.user @ plain.item.T, atol=1e-5)
    assert not np.allclose(turned.item, plain.item, atol=1e-2)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan"), "much"])
def test_whitening_out_of_range(wrong: float) -> None:
    with pytest.raises(ParameterError, match="whitening must be"):
        ALSParams(whitening=wrong, factors=48, regularization=25.0)
