"""The script that holds the search against scikit-learn's sampler."""

from dataclasses import replace
from itertools import islice

import pytest

from benchmarks.accuracy import search_budget
from benchmarks.accuracy.search_budget import Search, draws
from mfrec.training.regularization import derive
from mfrec.tuning import tune as tuning
from mfrec.tuning.space import FACTORS
from tests.clock import Clock
from tests.params import given_params


def test_both_searches_start_from_the_defaults_and_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    # one looks at its clock at every iteration, the other at every trial: either way the time is enough for a few
    monkeypatch.setattr(tuning, "time", Clock(tick=0.004))
    monkeypatch.setattr(search_budget, "time", Clock(tick=0.2))
    found = list(search_budget.searches(search_budget.load("sample:9000"), 1.0, seed=1))
    assert [search.sampler for search in found] == list(search_budget.SAMPLERS)
    first, second = found
    assert first.scores[0] == pytest.approx(second.scores[0])
    for search in found:
        assert 1 < len(search.seconds) == len(search.scores) < 20
        assert search.seconds == sorted(search.seconds)
        assert search.best_after(1e9) == max(search.scores)
        assert search.best_after(0.0) == 0.0
        assert 0 < search.test < 1


def test_random_draws_are_valid_parameters_and_repeat_with_the_seed() -> None:
    # without times, which would be tried, too
    train = replace(search_budget.load("sample:9000"), times=None)
    first, again, other = (list(islice(draws(train, seed), 20)) for seed in (3, 3, 4))
    assert first == again
    assert first[0] == other[0] == derive(train).params
    assert not set(first[1:]) & set(other[1:])
    assert {params.factors for params in first} <= set(FACTORS)


def test_a_row_says_how_much_of_the_best_was_there_when() -> None:
    searches = [
        Search("slow", 1, [10.0, 40.0], [0.1, 0.2], 0.3, given_params(factors=48, regularization=25.0)),
        Search("fast", 1, [10.0, 20.0], [0.0, 0.4], 0.5, given_params(factors=48, regularization=25.0)),
    ]
    slow, fast = search_budget.rows(searches, 61.0)
    assert slow == ["slow", "1", "2", "0.250", "0.250", "0.500", "0.2000", "0.3000"]
    assert fast == ["fast", "1", "2", "0.000", "1.000", "1.000", "0.4000", "0.5000"]
