"""Recency: what it counts, where it is derived and where not, and that it serves tomorrow."""

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mfrec
from mfrec.arrays import unit_rows
from mfrec.data.interactions import DAY, Interactions
from mfrec.data.movielens import load_movielens
from mfrec.data.synthetic import drifting
from mfrec.directions import DIRECTIONS, SIDES, Pair
from mfrec.errors import DataError, ParameterError
from mfrec.evaluation.baselines import constant, dot
from mfrec.evaluation.metrics import hit_rate
from mfrec.evaluation.ranking import Scorer, Task, by_scores
from mfrec.evaluation.splits import (
    k_fold_split,
    leave_last_n_split,
    random_split,
    read_split,
    rolling_time_split,
    time_split,
)
from mfrec.evaluation.tasks import TASKS, match_parts
from mfrec.index import IndexParams
from mfrec.training.als import solve, with_same_side
from mfrec.training.params import ALSParams
from mfrec.training.recency import NAMES, USUAL_HALF_LIFE
from mfrec.training.regularization import derive
from tests.params import given_params

EXACT = IndexParams(index="exact")
# every parameter that does not concern time, so that little is searched
FIXED: dict[str, Any] = {
    "factors": 32,
    "regularization": 20.0,
    "user_exponent": 0.5,
    "item_exponent": 0.25,
    "user_scale": 0.1,
    "item_scale": 0.0,
}
OFF: dict[str, Any] = dict.fromkeys(NAMES, 0.0)
DERIVED: dict[str, Any] = dict.fromkeys(NAMES)

NO_RECENCY = ALSParams(**FIXED, **OFF)


@cache
def world() -> Interactions:
    return drifting(900, 500, 40_000, n_genres=8, seed=3)


@cache
def tomorrow() -> tuple[Interactions, Interactions]:
    return time_split(world(), 0.2)


def rate(task: Task, scorer: Scorer) -> float:
    """Return the hit rate at ten over unseen targets."""
    return float(hit_rate(by_scores(task, scorer, ("unseen",), (10,))["unseen"].ranks, 10).mean())


def timed(rows: list[tuple[int, int, float]]) -> Interactions:
    """Return interactions of users and items at so many days since 2000."""
    frame = pd.DataFrame(rows, columns=["user", "item", "day"])
    seconds = 946_684_800 + (frame["day"] * DAY).astype("int64")
    return Interactions.from_frame(frame.assign(time=seconds), time="time")


def test_an_interaction_counts_half_for_every_half_life() -> None:
    some = timed([(1, 1, 0), (1, 2, 10), (2, 1, 20), (2, 3, 15)])
    recent = some.recent_degree(10.0)
    assert recent is not None
    np.testing.assert_allclose(recent.user, [0.25 + 0.5, 1 + 0.5**0.5], rtol=1e-6)
    np.testing.assert_allclose(recent.item, [0.25 + 1, 0.5, 0.5**0.5], rtol=1e-6)
    assert recent.item.dtype == np.float32


def test_what_is_old_counts_little_but_never_nothing_and_what_is_not_there_counts_nothing() -> None:
    some = timed([(1, 1, 0), (2, 2, 9000), (3, 2, 9000)])
    recent = some.take(some.users != 2).recent_degree(1.0)
    assert recent is not None
    assert 0 < recent.user[0] < 1e-5
    assert recent.user[2] == 0


def test_there_is_no_recent_degree_without_times_or_half_life(interactions: Interactions) -> None:
    assert interactions.recent_degree(30.0) is None
    assert world().recent_degree(0.0) is None


@given(st.floats(0.1, 1e4), st.integers(0, 2**40))
def test_moving_all_times_changes_nothing(half_life: float, by: int) -> None:
    some = timed([(1, 1, 0), (1, 2, 10), (2, 1, 20.5), (2, 3, 15)])
    assert some.times is not None
    moved = replace(some, times=some.times + by)
    before, after = some.recent_degree(half_life), moved.recent_degree(half_life)
    assert before is not None
    assert after is not None
    for side in SIDES:
        np.testing.assert_array_equal(after[side], before[side])


def test_vectors_are_scaled_by_the_recent_degree_and_back() -> None:
    plain = given_params(factors=8, threads=1)
    recency = replace(plain, recency_half_life=20.0, user_recency=0.3, item_recency=0.7)
    before, after = solve(world(), plain), solve(world(), recency)
    recent = world().recent_degree(20.0)
    assert recent is not None
    exponents = Pair(0.3, 0.7)
    for side in SIDES:
        exponent = exponents[side]
        scale = (recent[side] / recent[side].mean()) ** exponent
        np.testing.assert_allclose(after[side], before[side] * scale[:, None], rtol=1e-4)
        solved = after.solved(side, np.arange(len(after[side])))
        np.testing.assert_allclose(solved, before[side], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(after.gram.item, before.gram.item, rtol=1e-3)
    # what is compared on one side is a matter of angles
    for side in SIDES:
        a, b = (with_same_side(f).same_side[side] for f in (before, after))
        np.testing.assert_allclose(unit_rows(a), unit_rows(b), atol=1e-3)


def test_recency_is_kept_with_the_model(tmp_path: Path) -> None:
    params = given_params(factors=8, recency_half_life=20.0, user_recency=0.3, item_recency=0.7)
    model = mfrec.fit(world(), params, EXACT)
    model.save(tmp_path / "m")
    loaded = mfrec.load(tmp_path / "m")
    assert loaded.factors.weighting == model.factors.weighting
    assert loaded.factors.recent is not None
    recent = world().recent_degree(20.0)
    assert recent is not None
    np.testing.assert_array_equal(loaded.factors.recent.item, recent.item)
    some = list(model.ids.item)[:5]
    np.testing.assert_array_equal(loaded.fold_in("user", some), model.fold_in("user", some))
    assert loaded.popular("item").ids == model.popular("item").ids


def test_somebody_new_is_as_recent_as_can_be() -> None:
    """Folded in, a user who did everything at the last moment gets the vector of the fit."""
    rng = np.random.default_rng(0)
    rows = [(user, item, 0.0) for user in range(60) for item in rng.choice(40, 8, replace=False).tolist()]
    rows += [(99, item, 50.0) for item in (1, 2, 3, 5, 8)]
    params = given_params(
        factors=8, regularization=2.0, iterations=30, recency_half_life=10.0, user_recency=0.5, item_recency=0.5
    )
    model = mfrec.fit(timed(rows), params, EXACT)
    fitted = model.factors.user[model.ids.user.number(99)]
    folded = model.fold_in("user", [1, 2, 3, 5, 8])
    assert fitted @ folded / np.linalg.norm(fitted) / np.linalg.norm(folded) > 0.999
    assert np.linalg.norm(folded) == pytest.approx(np.linalg.norm(fitted), rel=0.02)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"item_recency": 0.5, "recency_half_life": 0}, "needs a recency_half_life above 0"),
        ({"item_recency": -0.1}, "item_recency must be at least 0"),
        ({"user_recency": 2.5}, "user_recency must be at least 0 and at most 2"),
        ({"recency_half_life": -1}, "recency_half_life must be finite and at least 0"),
    ],
)
def test_bad_parameters(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        ALSParams(**values)


def test_recency_needs_times(interactions: Interactions) -> None:
    for name in ("half_life", "user_recency", "item_recency"):
        with pytest.raises(ParameterError, match=f"{name} needs times: name the time column"):
            mfrec.fit(interactions, given_params(**{"recency_half_life": 30.0, name: 0.5}))
        with pytest.raises(ParameterError, match=f"{name} needs times"):
            derive(interactions, replace(ALSParams(), **dict[str, Any]({name: 0.5})))


def test_without_times_nothing_is_derived_and_nothing_said(interactions: Interactions) -> None:
    derived = derive(interactions, ALSParams(**FIXED))
    assert {name: getattr(derived.params, name) for name in NAMES} == OFF
    assert derived.reasons == ()


def test_what_pays_tomorrow_is_derived() -> None:
    """A validation part by time finds half-lives that bring tomorrow's lists ahead of all that knows no tomorrow."""
    train, test = tomorrow()
    off, on = derive(train, ALSParams(**FIXED, **OFF)).params, derive(train, ALSParams(**FIXED))
    assert on.params.half_life
    assert on.params.item_recency
    assert "took next" in on.reasons[0]
    events = match_parts(train, test, max_queries=10_000, warm=True)
    recent = train.recent_degree(30.0)
    assert recent is not None
    now, before = solve(train, on.params), solve(train, off)
    for name in ("user2item", "item2user"):
        direction = DIRECTIONS[name]
        scorers = [dot(factors, direction.query, direction.target) for factors in (now, before)]
        own, other, popular = (rate(TASKS[name](events), s) for s in (*scorers, constant(recent[direction.target])))
        assert own > 1.15 * other
        assert own > popular


def test_where_nothing_drifts_nothing_is_taken() -> None:
    """With its times dealt out at random the same world has no tomorrow that differs from its past."""
    some = world()
    assert some.times is not None
    still = replace(some, times=np.random.default_rng(1).permutation(some.times))
    # scales that do not suit the data would be mended by recency, so everything is derived
    found = derive(still).params
    assert (found.half_life, found.user_recency, found.item_recency) == (0, 0, 0)


def test_the_same_data_give_the_same_parameters() -> None:
    train, _ = tomorrow()
    assert derive(train, ALSParams(**FIXED)) == derive(train, ALSParams(**FIXED))


def test_given_numbers_are_taken() -> None:
    train, _ = tomorrow()
    given: dict[str, Any] = {"half_life": 100.0, "recency_half_life": 5.0, "item_recency": 0.25}
    found = asdict(derive(train, ALSParams(**FIXED, **given)).params)
    assert {name: found[name] for name in given} == given
    assert found["user_recency"] is not None
    everything = ALSParams(**FIXED, **given, user_recency=0.1)
    assert derive(train, everything).params == everything


def test_where_the_same_period_is_held_out_nothing_is_derived(tmp_path: Path) -> None:
    """A random split has no tomorrow, and a model that serves one is judged there by what it was not made for."""
    some = world()
    folds = next(iter(k_fold_split(some, 5)))
    listed = read_split(*(part.to_frame() for part in random_split(some)), time="time")
    for train in (random_split(some)[0], folds[0], leave_last_n_split(some)[0], listed.train):
        assert train.thinned
        assert train.compact().thinned
        derived = derive(train, ALSParams(**FIXED))
        assert derived.params == replace(NO_RECENCY, recency_half_life=USUAL_HALF_LIFE)
        assert "interactions of the same period were held out" in derived.reasons[0]
    for whole in (some, time_split(some)[0], *(train for train, _ in rolling_time_split(some))):
        assert not whole.thinned


@pytest.mark.parametrize(
    "some",
    [
        timed([(user, item, user / 10) for user in range(200) for item in (user % 30, (user * 7 + 1) % 30)]),
        timed([(user, item, 5) for user in range(50) for item in (user % 20, (user * 7 + 1) % 20)]),
    ],
    ids=["nobody comes back", "one moment"],
)
def test_where_nobody_comes_back_nothing_is_chosen(some: Interactions) -> None:
    derived = derive(some, ALSParams(**FIXED))
    assert derived.params == replace(NO_RECENCY, recency_half_life=USUAL_HALF_LIFE)
    assert "too few users come back" in derived.reasons[0]
    model = mfrec.fit(some, derived.params, EXACT)
    assert len(model.popular("item", 3)) == 3


@pytest.mark.parametrize("day", [-20_000.0, 300_000.0, 2_500.0])
def test_a_clock_that_was_wrong_decides_nothing(day: float) -> None:
    """One time far before or after all others changes neither what is recent nor what is derived."""
    some = world()
    assert some.times is not None
    times = some.times.copy()
    times[100] = times.max() + day * DAY
    wrong = replace(some, times=times)
    assert wrong.period == pytest.approx(some.period, abs=DAY)
    before, after = some.recent_degree(20.0), wrong.recent_degree(20.0)
    assert before is not None
    assert after is not None
    assert np.abs(after.item - before.item).max() <= 1
    if day == 2_500:
        assert derive(wrong, ALSParams(**FIXED)).params == derive(some, ALSParams(**FIXED)).params
    frame = some.to_frame()
    dates = some.times.astype("datetime64[s]")
    dates[100] = np.datetime64("9999-12-31")
    notes = Interactions.from_frame(frame.assign(time=pd.Series(dates)), time="time").notes
    assert any("1 of" in note and "far from the others, such as 9999-12-31" in note for note in notes)


def test_a_window_of_strangers_is_passed_over() -> None:
    """Where a new generation replaced the old one, the latest window alone tells what pays."""
    rng = np.random.default_rng(0)
    old = [
        (user, item, rng.uniform(0, 50)) for user in range(100) for item in rng.choice(40, 12, replace=False).tolist()
    ]
    new = [
        (1000 + user, 1000 + item, rng.uniform(60, 100))
        for user in range(100)
        for item in rng.choice(40, 14, replace=False).tolist()
    ]
    derived = derive(timed(old + new), ALSParams(**FIXED))
    assert "took next" in derived.reasons[0]


def test_a_rolling_split_goes_back_in_time() -> None:
    some = world()
    parts = list(rolling_time_split(some, 3, 0.2))
    assert len(parts) == 3
    for train, test in parts:
        assert train.times is not None
        assert test.times is not None
        assert train.times.max() < test.times.min()
        assert len(test) == pytest.approx(0.2 * len(some), rel=0.01)
    whole = time_split(some, 0.2)
    assert len(parts[0][0]) == len(whole[0])
    assert sum(len(test) for _, test in parts) + len(parts[-1][0]) == len(some)


def test_a_rolling_split_ends_where_too_little_is_left(interactions: Interactions) -> None:
    assert len(list(rolling_time_split(world(), 9, 0.2))) == 4
    with pytest.raises(DataError, match="no times"):
        list(rolling_time_split(interactions))


def test_evaluation_by_time_has_recent_baselines_and_a_random_one_has_none() -> None:
    train, test = tomorrow()
    model = mfrec.fit(train, given_params(factors=8, recency_half_life=30.0), EXACT)
    report = mfrec.evaluate(model, test, 10, train=train, warm=True)
    names = {(row.direction, row.contender) for row in report.rows}
    for days in (7, 30, 90):
        for direction in ("user2item", "item2item", "user2user"):
            assert (direction, f"recent popularity, {days} days") in names
        assert ("item2user", f"recent activity, {days} days") in names
    # the figure is that of the order of the recent degree
    recent = train.recent_degree(7.0)
    assert recent is not None
    task = TASKS["user2item"](match_parts(train, test, max_queries=10_000, warm=True))
    ranks = by_scores(task, constant(recent.item), ("unseen",), (10,))["unseen"].ranks
    found = report.value("user2item", "hit_rate", 10, contender="recent popularity, 7 days")
    assert found == pytest.approx(hit_rate(ranks, 10).mean())

    apart, rest = random_split(world())
    again = mfrec.evaluate(mfrec.fit(apart, given_params(factors=8), EXACT), rest, 10, train=apart)
    assert not any("recent" in row.contender for row in again.rows)


def test_the_world_drifts_and_is_the_same_for_a_seed() -> None:
    a, b = drifting(300, 200, 9_000, seed=5), drifting(300, 200, 9_000, seed=5)
    assert (a.matrix != b.matrix).nnz == 0
    assert a.times is not None
    np.testing.assert_array_equal(a.times, b.times)
    assert (
        len(drifting(300, 200, 9_000, seed=6)) != len(a) or (drifting(300, 200, 9_000, seed=6).matrix != a.matrix).nnz
    )
    # what is popular early is not what is popular late
    early, late = a.times < np.quantile(a.times, 0.3), a.times > np.quantile(a.times, 0.7)
    counts = [np.bincount(a.items[part], minlength=a.shape[1]).astype(np.float64) for part in (early, late)]
    assert np.corrcoef(counts[0], counts[1])[0, 1] < 0.5
    with pytest.raises(ParameterError, match="n_genres must be at most"):
        drifting(10, 3, 100, n_genres=4)


@pytest.mark.parametrize("source", ["ml-100k", "ml-latest-small"])
def test_tomorrow_on_movielens(source: str, movielens_home: Path) -> None:
    """The derived recency beats no recency by time, where users and items have a history."""
    train, test = time_split(load_movielens(source, movielens_home))
    events = match_parts(train, test, max_queries=10_000, warm=True)
    task = TASKS["user2item"](events)
    off = given_params(factors=96, regularization=25.0)
    on = derive(train, replace(off, **DERIVED)).params
    rates = [rate(task, dot(solve(train, params), "user", "item")) for params in (on, off)]
    assert rates[0] > 1.05 * rates[1]
