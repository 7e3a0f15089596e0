"""Columns become features: words, values, and curves over numbers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfrec.coldstart.content import fit_content
from mfrec.coldstart.features import KNOTS, clean, hats, knots
from mfrec.errors import DataError

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


@given(numbers, numbers)
def test_a_number_is_split_between_the_two_knots_around_it(learnt: list[float], asked: list[float]) -> None:
    places = knots(learnt)
    assert len(places) <= KNOTS
    assert (np.diff(places) > 0).all()
    found = hats(asked, places)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert ((found > 0).sum(axis=1) <= 2).all()
    # read back, the weights give the number itself, or the knot at the end beyond which it lies
    np.testing.assert_allclose(found @ places, np.clip(asked, places[0], places[-1]), rtol=1e-6, atol=1e-6)


def test_what_is_missing_is_no_value() -> None:
    assert hats([np.nan, 1.0], np.array([0.0, 2.0])).tolist() == [[0, 0], [0.5, 0.5]]
    table = pd.DataFrame({"year": [1990, None, 2000], "note": ["x", None, 3]})
    cleaned = clean(table, ["note"], ["year"])
    assert cleaned["note"].tolist() == ["x", "", "3"]
    assert cleaned["year"].isna().tolist() == [False, True, False]


def test_text_of_numbers_counts_as_numbers() -> None:
    assert clean(pd.DataFrame({"age": ["7", " 8.5", None]}), [], ["age"])["age"].tolist()[:2] == [7, 8.5]
    with pytest.raises(DataError, match="column 'age' holds 'old', which is no number: take it as a category"):
        clean(pd.DataFrame({"age": ["7", "old"]}), [], ["age"])


def test_a_curve_is_learnt_and_one_odd_value_does_not_bend_it() -> None:
    """A taste that is strongest in the middle has no slope: only a curve over the number can tell it."""
    ages = np.random.default_rng(0).uniform(10, 70, 400)
    ages[0] = 1e9
    strength = np.where(np.abs(ages - 40) < 12, 1.0, 0.0)
    vectors = np.stack([strength, 1 - strength], axis=1).astype(np.float32)
    content = fit_content(vectors, pd.DataFrame({"age": ages}), numbers=["age"])
    assert content.error < 0.3
    asked = pd.DataFrame({"age": [15.0, 40.0, 65.0, np.nan, 1e12]})
    found = content.vectors(asked)[:, 0]
    assert found[1] > 0.9
    assert max(found[0], found[2], found[4]) < 0.2
    assert np.isfinite(found).all()
