"""The search: reproducible, resumable, stoppable; what it finds is written and read back."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfrec import sample
from mfrec.data.interactions import DAY, Interactions
from mfrec.data.synthetic import drifting
from mfrec.errors import DataError, DivergedError, MfrecError, ParameterError
from mfrec.evaluation import measure
from mfrec.evaluation.metrics import RANK_METRICS
from mfrec.evaluation.splits import k_fold_split, random_split, rolling_time_split
from mfrec.model.factors import Factors
from mfrec.training.als import StopFit, solve
from mfrec.training.params import ALSParams, given
from mfrec.tuning import tune as tuning
from mfrec.tuning.folds import folds_of
from mfrec.tuning.params_file import read_params, write_params
from mfrec.tuning.space import EXTENSIONS, SPACE, Space
from mfrec.tuning.tune import Tuned, tune
from tests.conftest import random_interactions
from tests.params import given_params

pytest.importorskip("optuna")

LIKES = random_interactions(120, 60)


def search(trials: int, **options: Any) -> Tuned:
    options = {
        "metric": "ndcg@5",
        "base": given_params(factors=8, threads=1, regularization=25.0),
        "parts": 1,
        **options,
    }
    return tune(options.pop("data", LIKES), trials=trials, **options)


def drawn(found: Tuned) -> list[tuple[ALSParams, float]]:
    return [(trial.params, trial.score) for trial in found.trials]


def test_the_same_seed_makes_the_same_trials_and_another_seed_others() -> None:
    first = search(14)
    assert drawn(first) == drawn(search(14))
    assert drawn(first)[1:] != drawn(search(3, seed=7))[1:]
    assert len(first.trials) == 14
    assert len({trial.params for trial in first.trials}) == 14
    assert not first.interrupted


def test_the_first_trial_is_the_base_and_the_best_is_the_highest_score() -> None:
    found = search(5)
    assert found.trials[0].params == given_params(factors=8, threads=1, regularization=25.0)
    assert found.best.score == max(trial.score for trial in found.trials)


def test_a_score_is_what_measure_says_of_the_validation_part() -> None:
    train, held_out = random_split(LIKES, seed=42)
    params = given_params(factors=8, threads=1, regularization=25.0)
    assert search(1).best.score == measure(solve(train, params), train, held_out, k=5)["ndcg@5"]


@pytest.mark.parametrize("parts", [2, 5])
def test_the_score_of_several_parts_is_their_mean(parts: int) -> None:
    params = given_params(factors=8, threads=1, regularization=25.0)
    folds = list(k_fold_split(LIKES, 5, seed=42))[:parts]
    scores = [measure(solve(train, params), train, held_out, k=5)["ndcg@5"] for train, held_out in folds]
    assert search(1, parts=parts).best.score == pytest.approx(np.mean(scores))


@pytest.mark.parametrize(("count", "parts"), [(6_000, 5), (80_000, 4), (150_000, 2), (700_000, 1)])
def test_the_fewer_interactions_the_more_parts(count: int, parts: int) -> None:
    interactions = sample(3_000, 2_000, count).interactions
    assert len(folds_of(interactions, None, None, 42)) == parts


@pytest.mark.parametrize("parts", [0, 6, 2.0, True])
def test_parts_out_of_range(parts: Any) -> None:
    with pytest.raises(ParameterError, match="parts must be an integer from 1 to 5, got"):
        search(1, parts=parts)


def test_parts_beside_a_validation_part_are_refused() -> None:
    train, held_out = random_split(LIKES, 0.3, seed=5)
    with pytest.raises(ParameterError, match="leave them out where a validation part is given"):
        search(1, data=train, validation=held_out, parts=2)


def test_the_end_of_the_time_ends_a_trial_but_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factors = solve(LIKES, given_params(factors=8, threads=1, regularization=25.0))
    looks: list[int] = []

    def slow(train: Interactions, params: ALSParams, *, callback: Any) -> Factors:
        looks.append(0)
        # all but the first would go on for minutes
        while looks[-1] < (50 if len(looks) == 1 else 50_000):
            callback(looks[-1], lambda: factors)
            looks[-1] += 1
            time.sleep(0.002)
        return factors

    monkeypatch.setattr(tuning, "solve", slow)
    # the first alone takes longer than that
    assert len(search(5, minutes=0.001, resume=tmp_path / "log").trials) == 1
    assert len(looks) == 1
    looks[:] = [50]
    found = search(5, minutes=0.002, resume=tmp_path / "log")
    assert len(looks) == 2
    assert looks[-1] < 1_000
    assert len(found.trials) == 1


def test_the_starts_are_points_of_the_space() -> None:
    base = given_params(factors=48, regularization=25.0)
    space = Space.of(sample(2_000, 1_600, 9_000).interactions, plain=False)
    starts = list(space.starts(base))
    assert [space.params(base, values).factors for values in starts] == [48, 96, 192, 24]
    assert space.params(base, starts[0]) == base
    for values in space.starts(replace(base, alpha=1e3, iterations=50, item_exponent=0.9)):
        assert all(low <= values[name] <= high for name, (_, low, high) in SPACE.items())


@pytest.mark.parametrize(("made", "seed"), [(2, 42), (7, 1)])
def test_a_resumed_search_goes_on_just_as_it_would_have(tmp_path: Path, made: int, seed: int) -> None:
    search(made, resume=tmp_path / "log", seed=seed)
    assert drawn(search(12 - made, resume=tmp_path / "log", seed=seed)) == drawn(search(12, seed=seed))


def test_ctrl_c_keeps_the_best_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = drawn(search(8))
    with monkeypatch.context() as patched:
        patched.setattr(tuning, "solve", interrupted_after(3))
        found = search(10, resume=tmp_path / "log")
    assert found.interrupted
    assert drawn(found) == expected[:3]
    # what was interrupted is made again
    assert drawn(search(5, resume=tmp_path / "log")) == expected


def interrupted_after(fits: int) -> Any:
    real = solve
    made: list[int] = []

    def fit(*args: Any, **options: Any) -> Any:
        if len(made) == fits:
            raise KeyboardInterrupt
        made.append(1)
        return real(*args, **options)

    return fit


def test_ctrl_c_before_the_first_trial_leaves_nothing_to_choose_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "solve", interrupted_after(0))
    found = search(3)
    with pytest.raises(DataError, match="was stopped before its first trial was done"):
        _ = found.best
    # a time that was over at once
    with pytest.raises(DataError, match="the time was over before the first trial began: give it more minutes"):
        _ = replace(found, interrupted=False).best


def test_plain_leaves_every_extension_off() -> None:
    found = search(4, plain=True)
    assert {getattr(t.params, name) for t in found.trials for name in EXTENSIONS} == {0.0}
    assert len({t.params.regularization for t in found.trials}) == 4


def test_a_hopeless_trial_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that stays behind the median is no finished trial, and spares iterations."""
    iterations: list[int] = []

    def counted(train: Interactions, params: ALSParams, *, callback: Any) -> Factors:
        iterations.append(0)

        def look(iteration: int, factors: Callable[[], Factors]) -> None:
            iterations[-1] += 1
            callback(iteration, factors)

        return solve(train, params, callback=look)

    monkeypatch.setattr(tuning, "solve", counted)
    found = search(20)
    stopped = [trial for trial in found.trials if trial.stopped]
    assert stopped
    assert not found.best.stopped
    for trial, made in zip(found.trials, iterations, strict=True):
        assert made == (tuning.RUNG if trial.stopped else trial.params.iterations)
        assert not trial.stopped or trial.score < found.best.score


def test_a_diverging_fit_is_a_bad_trial_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*args: Any, **options: Any) -> Any:
        raise DivergedError("the fit diverged")

    monkeypatch.setattr(tuning, "solve", diverge)
    found = search(2)
    assert [(t.score, t.stopped) for t in found.trials] == [(0.0, True)] * 2
    with pytest.raises(DataError, match="none of the 2 trials came to its end, since fits diverged: start from"):
        _ = found.best


def test_vectors_that_are_not_finite_get_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(train: Interactions, params: ALSParams, *, callback: Any) -> Any:
        bad = Factors(np.full((120, 2), np.nan, np.float32), np.full((60, 2), np.nan, np.float32))
        callback(tuning.RUNG - 1, lambda: bad)

    monkeypatch.setattr(tuning, "solve", diverge)
    assert [(t.score, t.stopped) for t in search(2).trials] == [(0.0, True)] * 2


def test_a_fit_that_diverges_says_so_by_its_own_error() -> None:
    bad = Factors(np.full((2, 2), np.nan, np.float32), np.ones((2, 2), np.float32))
    with pytest.raises(DivergedError, match="2 of 2 user vectors are not finite"):
        bad.check_finite()


def test_a_mistake_in_the_data_ends_the_search_at_once() -> None:
    base = given_params(factors=8, transform="binary", threshold=100.0, threads=1, regularization=25.0)
    with pytest.raises(DataError, match="there is nothing to learn from with threshold 100") as raised:
        tune(LIKES, metric="ndcg@5", base=base)
    assert not isinstance(raised.value, DivergedError)


def test_a_given_validation_part_is_what_counts() -> None:
    train, held_out = random_split(LIKES, 0.3, seed=5)
    found = tune(
        train,
        validation=held_out,
        metric="recall@10",
        trials=1,
        base=given_params(factors=8, threads=1, regularization=25.0),
        minutes=1,
    )
    expected = measure(solve(train, found.best.params), train, held_out, k=10)["recall@10"]
    assert found.best.score == expected


@pytest.mark.parametrize(
    "metric",
    [
        "ndcg",
        "ndcg@",
        "ndcg@0",
        "ndcg@-1",
        "ndcg@x",
        "auc@10",
        "coverage@5",
        "",
        "ndcg@²",
        "ndcg@" + "9" * 5000,
    ],
)
def test_an_unknown_metric(metric: str) -> None:
    with pytest.raises(ParameterError, match=r"unknown metric .*: choose one of .*ndcg@K"):
        tune(LIKES, metric=metric)


def test_a_metric_of_a_list_longer_than_any() -> None:
    with pytest.raises(ParameterError, match=r"k must be an integer below 2\*\*31, got 2147483648"):
        tune(LIKES, metric="ndcg@2147483648")


def test_a_metric_is_named_as_measure_names_it() -> None:
    assert search(1, metric="ndcg@005").metric == "ndcg@5"


@pytest.mark.parametrize("name", RANK_METRICS)
def test_every_metric_of_ranks_can_be_tuned_for(name: str) -> None:
    assert search(1, metric=f"{name}@5").best.score > 0


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"minutes": 0}, "minutes must be finite and above 0, got 0"),
        ({"minutes": -1}, "minutes must be finite and above 0, got -1"),
        ({"minutes": float("nan")}, "minutes must be finite and above 0, got nan"),
        ({"trials": 0}, "trials must be an integer of at least 1, got 0"),
    ],
)
def test_a_budget_that_is_none(budget: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        tune(LIKES, **budget)


def test_without_optuna_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MfrecError, match=r"^tuning needs optuna: pip install 'mfrec\[tune\]'$"):
        search(1)


def test_parameters_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    params = given_params(factors=13, regularization=0.1, item_scale=-0.05, transform="binary", threshold=3.5)
    write_params(path, params)
    assert given_params(**read_params(path)) == params


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"factor": 3}', '{"factors": "3"}', '{"factors": 0}', '{"transform": ["log"]}', '{"alpha": null}'],
)
def test_a_file_that_holds_no_parameters(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"params\.json (is not a parameter file|cannot be read)"):
        read_params(path)


def test_a_parameter_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as a parameter file"):
        read_params(tmp_path / "none.json")


def test_a_callback_ends_a_fit() -> None:
    seen = []

    def look(iteration: int, factors: Callable[[], Factors]) -> None:
        seen.append((iteration, len(factors().item)))
        if iteration == 1:
            raise StopFit

    with pytest.raises(StopFit):
        solve(LIKES, given_params(factors=4, threads=1, regularization=25.0), callback=look)
    assert seen == [(0, 60), (1, 60)]


def test_a_table_too_small_for_the_factors_searched() -> None:
    """The base is fitted as given, as mfrec fit would; what is searched stays below half the table."""
    tiny: Interactions = random_interactions(12, 10)
    base = given_params(factors=32, threads=1, regularization=25.0)
    found = tune(tiny, metric="ndcg@5", trials=4, base=base)
    assert found.trials[0].params == base
    assert {t.params.factors for t in found.trials[1:]} == {8}


def test_the_first_trial_is_the_base_where_the_search_never_goes(tmp_path: Path) -> None:
    base = given_params(factors=50, alpha=100.0, iterations=2, threads=1, regularization=25.0)
    log = tmp_path / "trials.jsonl"
    found = search(4, base=base, resume=log)
    assert found.trials[0].params == base
    train, held_out = random_split(LIKES, seed=42)
    score = measure(solve(train, base), train, held_out, k=5)["ndcg@5"]
    assert found.trials[0].score == score
    assert found.best.score >= score
    for trial in found.trials[1:]:
        assert 8 <= given(trial.params, "factors") <= 30
        assert trial.params.alpha <= 60
    resumed = search(3, base=base, resume=log)
    assert drawn(resumed) == drawn(search(7, base=base))


def test_plain_turns_the_extensions_of_the_base_off_and_nothing_else() -> None:
    base = given_params(factors=50, alpha=100.0, user_scale=0.3, threads=1, regularization=25.0)
    found = tune(LIKES, metric="ndcg@5", trials=1, base=base, plain=True)
    off = replace(base, user_exponent=0.0, item_exponent=0.0, user_scale=0.0, item_scale=0.0)
    assert found.trials[0].params == off


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    base = given_params(factors=np.int64(8), alpha=np.float32(2.5), threads=np.int8(1), regularization=25.0)
    assert base == given_params(factors=8, alpha=2.5, threads=1, regularization=25.0)
    write_params(tmp_path / "params.json", base)
    assert given_params(**read_params(tmp_path / "params.json")) == base
    assert search(2, base=base, resume=tmp_path / "log.jsonl", seed=np.int64(3)).trials[0].params == base


WORLD = drifting(200, 120, 6_000, n_genres=4, seed=2)
RECENT = given_params(factors=8, threads=1, recency_half_life=20.0, user_recency=0.2, item_recency=0.3, half_life=90.0)


STRANGERS = Interactions.from_arrays(
    np.repeat(np.arange(50), 4), np.arange(200) % 17, times=np.repeat(np.arange(50) * DAY + 10**9, 4)
)


def test_a_search_by_time_judges_by_what_known_users_take_next() -> None:
    found = search(7, data=WORLD, base=RECENT, split="time", parts=2)
    folds = folds_of(WORLD, None, 2, 42, "time")
    assert [len(train) for train, _ in folds] == [len(train) for train, _ in rolling_time_split(WORLD, 2)]
    first = found.trials[0]
    assert first.params == RECENT
    by_hand = [measure(solve(train, RECENT), train, test, 5, warm=True)["ndcg@5"] for train, test in folds]
    assert first.score == pytest.approx(np.mean(by_hand))
    for name in ("half_life", "recency_half_life", "item_recency"):
        assert len({getattr(trial.params, name) for trial in found.trials}) > 3
    # user2item, which is what a search judges by, does not depend on it
    assert {trial.params.user_recency for trial in found.trials} == {0.2}
    assert drawn(found) == drawn(search(7, data=WORLD, base=RECENT, split="time", parts=2))


def test_a_search_by_time_derives_what_is_none_and_writes_numbers() -> None:
    found = search(1, data=WORLD, base=replace(RECENT, half_life=None, item_recency=None), split="time")
    assert None not in vars(found.params).values()


def test_no_half_life_stands_for_a_long_one() -> None:
    space = Space.of(WORLD, plain=False, by_time=True)
    far = space.params(RECENT, space.nearest(replace(RECENT, half_life=0.0))).half_life
    assert WORLD.times is not None
    assert far == pytest.approx(4 * np.ptp(WORLD.times) / DAY)
    assert space.params(RECENT, space.nearest(RECENT)).half_life == pytest.approx(90)
    plain = Space.of(WORLD, plain=True, by_time=True)
    assert "half_life" in plain.rows
    assert "item_recency" not in plain.rows


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"split": "last"}, "unknown split 'last': choose one of random, time"),
        ({"split": "time", "parts": 4}, "parts must be an integer from 1 to 3, got 4"),
        ({"split": "time", "data": LIKES}, "has no times"),
        ({"split": "time", "data": STRANGERS}, "no held-out event by time has a user and an item with training data"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(MfrecError, match=says):
        search(1, **{"data": WORLD, "parts": None, **options})


def test_a_log_of_a_search_by_time_is_not_one_of_a_random_search(tmp_path: Path) -> None:
    search(1, data=WORLD, base=RECENT, split="time", resume=tmp_path / "log.jsonl")
    with pytest.raises(DataError, match="is the log of another search"):
        search(1, data=WORLD, base=RECENT, resume=tmp_path / "log.jsonl")
