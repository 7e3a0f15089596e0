"""Defaults that follow from the data, and the verdict on what came of them."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.errors import ParameterError
from mfrec.index import IndexParams
from mfrec.model.check import Check, check
from mfrec.training import held_out, regularization
from mfrec.training.als import solve
from mfrec.training.fit import fit_als
from mfrec.training.params import DERIVED, ALSParams
from mfrec.training.regularization import FEWEST, MOST, derive, edge, signals
from tests.params import given_params

EXACT = IndexParams(index="exact")
# what is taken where interactions have no times
WITHOUT_TIMES: dict[str, Any] = dict.fromkeys(("half_life", "recency_half_life", "user_recency", "item_recency"), 0.0)


@cache
def clusters(users: int = 400, items: int = 200, each: int = 6, groups: int = 5, seed: int = 0) -> Interactions:
    """Return users that like items of their own cluster (number modulo 5), but for one in ten."""
    rng = np.random.default_rng(seed)
    pairs = []
    for user in range(users):
        own = np.arange(user % groups, items, groups)
        for item in rng.choice(own, each, replace=False).tolist():
            pairs.append((user, item if rng.random() > 0.1 else int(rng.integers(items))))
    frame = pd.DataFrame(pairs, columns=["user", "item"]).drop_duplicates()
    return Interactions.from_frame(frame)


@cache
def popular_only(users: int = 250, items: int = 120, seed: int = 1) -> Interactions:
    """Return users that take items by their popularity alone, a few each."""
    rng = np.random.default_rng(seed)
    chances = 1 / np.arange(1, items + 1) ** 1.2
    chances /= chances.sum()
    pairs = [
        (user, item)
        for user in range(users)
        for item in rng.choice(items, int(rng.integers(2, 7)), replace=False, p=chances).tolist()
    ]
    return Interactions.from_frame(pd.DataFrame(pairs, columns=["user", "item"]))


def share_in_cluster(model: mfrec.Recommender, groups: int = 5) -> float:
    rows = model.recommend("user2item", list(model.ids.user), 10)
    return float(
        np.mean([np.mean([i % groups == u % groups for i in r.ids]) for u, r in zip(model.ids.user, rows, strict=True)])
    )


def test_the_edge_is_that_of_a_random_matrix_of_the_density() -> None:
    rng = np.random.default_rng(0)
    matrix = csr_matrix(rng.random((600, 400)) < 0.05, dtype=np.float32)
    users, items = matrix.nonzero()
    likes = Interactions.from_frame(pd.DataFrame({"user": users, "item": items}))
    plain = ALSParams(user_exponent=0, item_exponent=0)
    largest = np.linalg.svd(matrix.toarray() - matrix.mean(), compute_uv=False)[0]
    assert edge(likes, plain) == pytest.approx(largest, rel=0.05)
    assert edge(likes, ALSParams(user_exponent=0, item_exponent=0, alpha=6.0)) == pytest.approx(2 * edge(likes, plain))


def test_signals_are_counted_above_the_noise() -> None:
    rng = np.random.default_rng(0)
    noise = csr_matrix(rng.standard_normal((300, 200)).astype(np.float32))
    assert signals(noise) <= 2
    for rank in (3, 12):
        strong = rng.standard_normal((300, rank)) @ rng.standard_normal((rank, 200))
        assert signals(csr_matrix((noise.toarray() + 3 * strong).astype(np.float32))) == rank


def test_numbers_that_are_given_are_taken_and_nothing_is_left_open() -> None:
    given: dict[str, Any] = {"factors": 7, "regularization": 3.5, "user_exponent": 0.1, "item_exponent": 0.2}
    scales: dict[str, Any] = {"user_scale": -0.1, "item_scale": 0.3}
    likes = clusters(80, 60)
    found = derive(likes, ALSParams(**given, **scales))
    assert found.params == ALSParams(**given, **scales, **WITHOUT_TIMES)
    assert (found.reasons, found.lift) == ((), None)
    for name, value in (given | scales).items():
        one = derive(likes, ALSParams(**{name: value})).params
        assert getattr(one, name) == value
        assert all(getattr(one, each) is not None for each in DERIVED)


def test_no_look_is_taken_of_very_many_interactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regularization, "TOO_MANY", len(clusters()) - 1)
    found = derive(clusters())
    assert found.lift is None
    assert "2.0 times the edge of the noise, by formula" in found.reasons[0]
    assert found.params.user_scale == regularization.USER_SCALE


def test_a_user_scale_is_chosen_for_item2user_alone() -> None:
    """Who is active lists the popular and the rest alike: the longer vectors are then the better guesses."""
    rng = np.random.default_rng(1)
    chance = rng.pareto(1.2, 300)[:, None] * rng.pareto(2.0, 80)[None, :]
    pairs = np.argwhere(rng.random(chance.shape) < np.minimum(chance / np.quantile(chance, 0.9), 1) * 0.6)
    active = Interactions.from_frame(pd.DataFrame(pairs, columns=["user", "item"]))
    found = derive(active).params
    assert found.user_scale is not None
    assert found.user_scale > 0
    given = replace(found, user_scale=0.0)
    plain, scaled = solve(active, given), solve(active, found)
    np.testing.assert_array_equal(plain.item, scaled.item)
    lengths = np.linalg.norm(scaled.user, axis=1) / np.linalg.norm(plain.user, axis=1)
    degree = active.degree.user
    assert np.allclose(lengths, (degree / degree.mean()) ** found.user_scale, rtol=1e-4)


def test_a_look_is_taken_only_where_the_regularization_is_open() -> None:
    assert derive(clusters(), ALSParams(regularization=5.0)).lift is None
    found = derive(clusters())
    assert found.lift is not None
    assert found.lift > 2
    text = " ".join(found.reasons)
    assert f"regularization {found.params.regularization:.1f}: " in text
    assert "interactions of 400 x 200" in text
    assert "held-out interactions" in text
    assert f"factors {found.params.factors}: " in text


def test_the_same_seed_derives_the_same() -> None:
    one, two, other = (derive(clusters(80, 60), ALSParams(seed=seed)) for seed in (1, 1, 2))
    assert one == two
    assert (one.params.seed, other.params.seed) == (1, 2)


def test_factors_stay_within_limits_and_the_table() -> None:
    assert FEWEST <= (derive(clusters()).params.factors or 0) <= MOST
    tiny = clusters(12, 20, 3)
    assert derive(tiny).params.factors == 12


@pytest.mark.parametrize("pairs", [[(1, 1)], [(1, 1), (1, 2)], [(1, 1), (2, 1)], [(1, 1), (2, 2), (3, 3)]])
def test_tables_too_small_for_a_look_are_fitted_by_formula(pairs: list[tuple[int, int]]) -> None:
    likes = Interactions.from_frame(pd.DataFrame(pairs, columns=["user", "item"]))
    found = derive(likes)
    assert found.params.regularization is not None
    assert found.params.regularization > 0
    model = mfrec.fit(likes, index_params=EXACT)
    assert model.check is not None


def test_solve_refuses_what_is_still_open() -> None:
    for name in DERIVED:
        params = given_params(**{"factors": 4, name: None})
        with pytest.raises(ParameterError, match=f"{name} is None: derive it from the data first"):
            solve(clusters(), params)
        assert np.isfinite(fit_als(clusters(), params).user).all()


def test_clusters_are_found_with_defaults_and_the_check_says_good() -> None:
    model = mfrec.fit(clusters(), index_params=EXACT)
    assert share_in_cluster(model) >= 0.85
    assert model.check is not None
    assert model.check.verdict == "good"
    assert model.check.effective_rank > 3
    assert model.check.distinct_lists > 200


def test_a_penalty_that_is_far_too_strong_is_called_collapsed() -> None:
    model = mfrec.fit(clusters(), ALSParams(regularization=60.0), EXACT)
    assert model.check is not None
    assert model.check.verdict.startswith("collapsed: everybody gets the same list")
    assert "lower --regularization or run mfrec tune" in model.check.verdict
    assert model.check.distinct_lists <= 20


def test_a_table_of_popularity_alone_is_called_so() -> None:
    model = mfrec.fit(popular_only(), index_params=EXACT)
    assert model.check is not None
    assert model.check.verdict.startswith("close to popularity: ")
    assert model.check.lift is not None
    assert 0.95 < model.check.lift < 1.1
    # nothing beats popularity clearly, so the model comes as near to it as it can
    assert model.info["als"]["item_scale"] == 1.0
    assert model.check.overlap > 0.9


def test_a_check_survives_json_and_a_folder(tmp_path: Path) -> None:
    model = mfrec.fit(clusters(), ALSParams(factors=8, regularization=5.0), EXACT)
    assert model.check is not None
    assert Check.from_json(json.loads(json.dumps(model.check.to_json()))) == model.check
    model.save(tmp_path / "model")
    assert mfrec.load(tmp_path / "model").check == model.check
    assert json.loads((tmp_path / "model" / "manifest.json").read_text())["check"]["verdict"] == model.check.verdict
    assert model.check.lines()[0] == f"check: {model.check.verdict}"


@pytest.mark.parametrize(
    ("users", "items", "note"), [(1, 30, "too small for user2user"), (30, 1, "too small for item2item")]
)
def test_a_side_of_one_is_named(users: int, items: int, note: str) -> None:
    pairs = [(u, i) for u in range(users) for i in range(items)]
    likes = Interactions.from_frame(pd.DataFrame(pairs, columns=["user", "item"]))
    model = mfrec.fit(likes, ALSParams(factors=2, regularization=1.0), EXACT)
    assert model.check is not None
    assert any(note in line for line in model.check.notes)
    assert model.check == check(model.factors, model.adjacency)


def test_what_stays_below_a_threshold_is_not_looked_at() -> None:
    """Whoever rates a few of another kind low must not be judged by them."""
    rng = np.random.default_rng(0)
    low = [(user, int(item)) for user in range(400) for item in rng.choice(20, 8, replace=False) + 1000]
    own = clusters().to_frame().assign(weight=5.0)
    frame = pd.concat([own, pd.DataFrame(low, columns=["user", "item"]).assign(weight=1.0)])
    rated = Interactions.from_frame(frame, weight="weight")
    params = ALSParams(transform="binary", threshold=4.0)
    found = derive(rated, params)
    assert found.lift is not None
    assert found.lift > 2
    likes = rated.take(rated.weights >= 4)
    assert found == derive(likes, params)


def test_of_many_interactions_a_sample_of_users_is_looked_at_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    likes = clusters()
    monkeypatch.setattr(held_out, "INTERACTIONS", len(likes) // 3)
    sample = held_out.some_users(likes, seed=4)
    assert len(likes) // 3 <= len(sample) < len(likes) // 2
    assert sample.shape[0] < likes.shape[0] // 2
    assert all((sample.degree[side] > 0).all() for side in ("user", "item"))
    found = derive(likes)
    assert found.lift is not None
    assert found.lift > 2


def test_threads_change_nothing() -> None:
    one, two = (derive(clusters(80, 60), ALSParams(threads=threads)) for threads in (1, 2))
    assert replace(one.params, threads=0) == replace(two.params, threads=0)
    assert (one.reasons, one.lift) == (two.reasons, two.lift)


def test_where_one_exponent_is_given_the_other_is_by_formula() -> None:
    found = derive(clusters(80, 60), ALSParams(user_exponent=0.4))
    assert any(reason == "item_exponent 0.25: by formula" for reason in found.reasons)


def test_users_without_interactions_are_not_pushed_by_a_scale() -> None:
    likes = clusters()
    part = likes.take(likes.users >= 100)
    factors = solve(part, given_params(factors=8, regularization=5.0, user_scale=-0.5))
    lengths = np.linalg.norm(factors.user, axis=1)
    assert lengths[:100].max() <= lengths[100:].max()
    np.testing.assert_allclose(factors.user[:100], np.tile(factors.user[100:].mean(axis=0), (100, 1)), rtol=1e-4)


def test_users_without_interactions_do_not_collapse_a_model() -> None:
    likes = clusters()
    part = likes.take(likes.users >= 300)
    one = mfrec.fit(part, ALSParams(factors=8, regularization=5.0), EXACT).check
    two = mfrec.fit(part.compact(), ALSParams(factors=8, regularization=5.0), EXACT).check
    assert one is not None
    assert two is not None
    assert one.effective_rank == pytest.approx(two.effective_rank, rel=0.2)
