"""Columns become features: words, values, and curves over numbers."""

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mfrec.coldstart.content import fit_content
from mfrec.coldstart.features import KNOTS, clean, features, knots
from mfrec.errors import DataError

numbers = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


def curve(learnt: Sequence[float | None], asked: Sequence[float | None]) -> NDArray[np.float64]:
    """Return the features of a column of numbers, from knots at those that were learnt from."""
    known, new = (clean(pd.DataFrame({"age": column}), [], ["age"]) for column in (learnt, asked))
    found: NDArray[np.float64] = features(known, [], [], ["age"]).fit(known).transform(new)
    return found


@given(numbers, numbers)
def test_a_number_is_split_between_the_two_knots_around_it(learnt: list[float], asked: list[float]) -> None:
    places = knots(pd.Series(learnt))
    assert 2 <= len(places) <= KNOTS
    assert (np.diff(places) > 0).all()
    found = curve(learnt, asked)
    assert found.shape == (len(asked), len(places))
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert ((found > 1e-12).sum(axis=1) <= 2).all()
    # read back, the weights give the number itself, or the knot at the end beyond which it lies
    np.testing.assert_allclose(found @ places, np.clip(asked, places[0], places[-1]), rtol=1e-6, atol=1e-6)


def test_what_is_missing_is_no_value() -> None:
    found = curve([0.0, 2.0, None], [None, 1.0])
    assert (found[0] == 0).all()
    assert found[1].sum() == pytest.approx(1)
    table = pd.DataFrame({"year": [1990, None, 2000], "note": ["x", None, 3]})
    cleaned = clean(table, ["note"], ["year"])
    assert cleaned["note"].tolist() == ["x", "", "3"]
    assert cleaned["year"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize("value", [0.0, -3.0, 1e300, 5e-324])
def test_a_constant_column_tells_known_from_missing(value: float) -> None:
    found = curve([value, value, None], [value, None, value + 7])
    assert np.isfinite(found).all()
    assert found.sum(axis=1).tolist() == [1, 0, 1]


def test_a_column_of_few_values_has_a_knot_at_each() -> None:
    found = curve([0.0] * 90 + [1.0] * 9 + [5.0], [0.0, 5.0])
    assert found[0].tolist() == [1, *[0] * (found.shape[1] - 1)]
    assert found[1].tolist() == [*[0] * (found.shape[1] - 1), 1]


def test_pairs_of_words_are_features() -> None:
    """Two words in a row tell a series from titles that happen to have one of them."""
    table = clean(pd.DataFrame({"title": ["Star Trek IV", "Trek of a Star", "Die Hard 2"]}), ["title"], [])
    found = features(table, ["title"], [], []).fit(table).get_feature_names_out()
    assert {"star trek", "trek iv", "hard 2", "2"} <= {name.split("__")[1] for name in found}


def test_text_of_numbers_counts_as_numbers() -> None:
    assert clean(pd.DataFrame({"age": ["7", " 8.5", None]}), [], ["age"])["age"].tolist()[:2] == [7, 8.5]
    with pytest.raises(DataError, match="column 'age' holds 'old', which is no number: take it as a category"):
        clean(pd.DataFrame({"age": ["7", "old"]}), [], ["age"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            pd.Series([datetime.datetime(2020, 1, 1), None]),
            r"column 'age' has type datetime64\[\w+\]: a date or a duration is no number",
        ),
        (pd.to_timedelta([1, 2], unit="s"), "a date or a duration is no number; make it one, such as the year"),
        (
            pd.Series([datetime.date(2020, 1, 1), None], dtype=object),
            "has type date: a date or a duration is no number",
        ),
        (pd.Series([datetime.datetime(2020, 1, 1), None]).astype("category"), "a date or a duration is no number"),
        (["4,5", "1"], "column 'age' holds '4,5', which is no number: if the comma is the decimal sign, write a point"),
        ([1.0, np.inf], "holds inf, which is no number"),
    ],
)
def test_what_is_no_number_is_refused_in_one_line(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        clean(pd.DataFrame({"age": values}), [], ["age"])
    assert "\n" not in str(caught.value)


def test_a_missing_moment_among_numbers_is_no_value() -> None:
    table = pd.DataFrame({"age": np.array([pd.NaT, 7], object)}, index=[3, 4])
    cleaned = clean(table, [], ["age"])["age"]
    assert cleaned.isna().to_dict() == {3: True, 4: False}
    assert cleaned[4] == 7


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
