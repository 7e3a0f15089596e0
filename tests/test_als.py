import logging
import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES
from mfrec.errors import DataError, ParameterError
from mfrec.training.fit import fit_als
from mfrec.training.params import ALSParams
from tests.conftest import Checkerboard

PARAMS = ALSParams(factors=8, regularization=0.5, alpha=10.0, iterations=3, seed=1, threads=1, transform="value")


def raw(interactions: Interactions, params: ALSParams) -> tuple[bytes, bytes]:
    factors = fit_als(interactions, params)
    return factors.user.tobytes(), factors.item.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 3, 0])
def test_the_same_seed_gives_the_same_bytes_with_any_number_of_threads(
    interactions: Interactions, threads: int
) -> None:
    assert raw(interactions, replace(PARAMS, threads=threads)) == raw(interactions, PARAMS)


def test_another_seed_gives_other_factors(interactions: Interactions) -> None:
    assert raw(interactions, replace(PARAMS, seed=2)) != raw(interactions, PARAMS)


def test_global_random_state_neither_matters_nor_changes(interactions: Interactions) -> None:
    np.random.seed(1)  # noqa: NPY002
    first, after = raw(interactions, PARAMS), np.random.random()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert np.random.random() == after  # noqa: NPY002
    assert raw(interactions, PARAMS) == first


@pytest.mark.parametrize("name", ["regularization", "alpha", "iterations", "factors"])
def test_every_parameter_reaches_the_solver(interactions: Interactions, name: str) -> None:
    changed = replace(PARAMS, **{name: asdict(PARAMS)[name] * 2})
    assert raw(interactions, changed) != raw(interactions, PARAMS)


def test_weights_change_the_fit(interactions: Interactions) -> None:
    frame = interactions.to_frame()
    frame.loc[0, "weight"] = 5
    assert raw(Interactions.from_frame(frame, weight="weight"), PARAMS) != raw(interactions, PARAMS)


def test_factors_have_the_promised_form(interactions: Interactions) -> None:
    factors = fit_als(interactions, replace(PARAMS, factors=5))
    for side in SIDES:
        matrix = factors[side]
        assert matrix.shape == (len(interactions.ids[side]), 5)
        assert matrix.dtype == np.float32
        assert matrix.flags.c_contiguous
    assert (factors.weighting.regularization, factors.weighting.alpha) == (PARAMS.regularization, PARAMS.alpha)


def test_one_factor_and_one_interaction_are_enough(checkerboard: Checkerboard) -> None:
    fit_als(checkerboard.interactions, replace(PARAMS, factors=1, iterations=1))
    single = checkerboard.interactions.take([0]).compact()
    assert fit_als(single, PARAMS).user.shape == (1, PARAMS.factors)


def test_without_interactions_a_user_gets_the_mean_vector_and_an_item_a_zero_one(
    interactions: Interactions, caplog: pytest.LogCaptureFixture
) -> None:
    part = interactions.take(np.flatnonzero((interactions.users != 4) & (interactions.items != 7)))
    with caplog.at_level(logging.INFO, "mfrec"):
        factors = fit_als(part, PARAMS)
    np.testing.assert_allclose(factors.user[4], np.delete(factors.user, 4, axis=0).mean(axis=0), rtol=1e-5)
    # folding in knows those alone who have interactions, whoever looks at the factors meanwhile
    known = factors.solved("user", np.delete(np.arange(60), 4))
    np.testing.assert_allclose(factors.gram.user, known.T @ known, rtol=1e-4)
    seen = fit_als(part, PARAMS, callback=lambda _, served: served().user.fill(0))
    np.testing.assert_array_equal(seen.gram.user, factors.gram.user)
    assert not factors.item[7].any()
    assert "1 of 60 users have no interaction and get the mean vector" in caplog.messages
    assert "1 of 80 items have no interaction and get a zero vector" in caplog.messages


def test_nothing_to_learn_from(interactions: Interactions) -> None:
    with pytest.raises(DataError, match="nothing to learn from"):
        fit_als(interactions.take([]), PARAMS)


def test_a_fit_that_does_not_stay_finite_says_what_to_change(interactions: Interactions) -> None:
    with pytest.raises(DataError, match="raise the regularization or lower alpha"):
        fit_als(interactions, replace(PARAMS, alpha=1e38, regularization=0.0))


@pytest.mark.parametrize("wanted", [False, True])
def test_a_progress_bar_is_shown_on_stderr_when_asked(
    interactions: Interactions, capfd: pytest.CaptureFixture[str], wanted: bool
) -> None:
    fit_als(interactions, PARAMS, progress=wanted)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert (f"{PARAMS.iterations}/{PARAMS.iterations}" in shown.err) == wanted
    assert bool(shown.err) == wanted


def test_no_warning_about_blas_threads(interactions: Interactions, recwarn: pytest.WarningsRecorder) -> None:
    fit_als(interactions, PARAMS)
    assert [str(w.message) for w in recwarn] == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("factors", [0, -1, 1.5, "8", True, 2**31]),
        ("iterations", [0, -1, 1.5, "8", None, True]),
        ("seed", [-1, 1.5, None, "1", True, 2**31]),
        ("threads", [-1, 1.5, None, True]),
        ("regularization", [-0.1, math.nan, math.inf, "1", 1j]),
        ("item_exponent", [-2.1, 2.1, math.nan, "1", 1j]),
        ("user_scale", [-2.1, 2.1, math.nan]),
        ("alpha", [0, 0.0, -1, math.nan, math.inf, "1", None, 1j]),
    ],
)
def test_parameters_out_of_range_are_named(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ParameterError, match=name):
            ALSParams(**{name: value})


def test_parameters_at_the_edge_of_their_range() -> None:
    ALSParams(factors=1, regularization=0, alpha=1e-3, iterations=1, seed=2**31 - 1, threads=64)
    assert ALSParams(factors=np.int64(4), regularization=25.0).factors == 4  # type: ignore[arg-type]  # an integer of another make
