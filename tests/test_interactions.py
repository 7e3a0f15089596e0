import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES
from mfrec.errors import DataError, ParameterError

PAIRS = st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=40)


def frame_of(pairs: list[tuple[int, int, int]]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["user", "item", "weight"])


def triples(interactions: Interactions) -> list[tuple[Any, Any, float]]:
    frame = interactions.to_frame()
    return list(zip(frame["user"].tolist(), frame["item"].tolist(), frame["weight"].tolist(), strict=True))


@given(PAIRS)
def test_repeated_pairs_are_summed_and_everything_else_comes_back(pairs: list[tuple[int, int, int]]) -> None:
    expected: dict[tuple[int, int], float] = {}
    for user, item, weight in pairs:
        expected[user, item] = expected.get((user, item), 0) + weight
    likes = Interactions.from_frame(frame_of(pairs), weight="weight")
    assert triples(likes) == [(*pair, weight) for pair, weight in sorted(expected.items())]
    assert list(likes.ids.user) == sorted({user for user, _, _ in pairs})
    assert list(likes.ids.item) == sorted({item for _, item, _ in pairs})
    repeated = len(pairs) - len(expected)
    assert likes.notes == ((f"{repeated} repeated (user, item) pairs were summed",) if repeated else ())


@given(PAIRS)
def test_the_matrix_keeps_its_promises(pairs: list[tuple[int, int, int]]) -> None:
    likes = Interactions.from_frame(frame_of(pairs), weight="weight")
    matrix = likes.matrix
    assert (matrix.shape, matrix.dtype, matrix.nnz) == (likes.shape, np.float32, len(likes))
    keys = likes.users * likes.shape[1] + likes.items
    assert (np.diff(keys) > 0).all()
    assert likes.degree.user.tolist() == np.bincount(likes.users).tolist()
    assert likes.degree.item.tolist() == np.bincount(likes.items).tolist()


@given(PAIRS, st.data())
def test_take_keeps_numbers_and_compact_keeps_ids(pairs: list[tuple[int, int, int]], data: st.DataObject) -> None:
    frame = frame_of(pairs)
    likes = Interactions.from_frame(frame.assign(time=range(len(frame))), weight="weight", time="time")
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(likes), max_size=len(likes))), bool)
    part = likes.take(mask)
    assert part.ids is likes.ids
    whole = likes.to_frame()[mask].reset_index(drop=True)
    typed = bool(mask.any())  # a column of no ids has no type
    pd.testing.assert_frame_equal(part.to_frame(), whole, check_dtype=typed)
    small = part.compact()
    pd.testing.assert_frame_equal(small.to_frame(), whole, check_dtype=typed)
    assert list(small.ids.user) == sorted(set(whole["user"].tolist()))
    assert list(small.ids.item) == sorted(set(whole["item"].tolist()))
    positions = np.flatnonzero(mask)
    pd.testing.assert_frame_equal(likes.take(positions[::-1]).to_frame(), whole, check_dtype=typed)


@pytest.mark.parametrize(
    ("users", "items"),
    [
        (["b", "a", "é", " ", "007", "🎬"], ["x", "X", " x", "y", "7", "NA"]),
        ([3, -1, 2**62, 0, 7, 8], [5, 4, 3, 2, 1, 0]),
        (["a\0", "a", "b", "c", "d", "e"], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_ids_come_back_as_they_went_in(users: list[Any], items: list[Any]) -> None:
    likes = Interactions.from_frame(pd.DataFrame({"who": users, "what": items}), user="who", item="what")
    got = [(user, item) for user, item, _ in triples(likes)]
    assert sorted(got) == sorted(zip(users, items, strict=True))
    assert {type(value) for pair in got for value in pair} == {type(users[0]), type(items[0])}


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint16", "uint64", "Int64", "category", "int64[pyarrow]"])
def test_integer_columns_of_any_dtype(dtype: Any) -> None:
    frame = pd.DataFrame({"user": pd.Series([3, 1, 3]).astype(dtype), "item": [1, 1, 2]})
    likes = Interactions.from_frame(frame)
    assert (list(likes.ids.user), likes.ids.user.kind) == ([1, 3], "int")


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category", "string[pyarrow]"])
def test_text_columns_of_any_dtype(dtype: Any) -> None:
    frame = pd.DataFrame({"user": pd.Series(["b", "a", "b"]).astype(dtype), "item": [1, 1, 2]})
    likes = Interactions.from_frame(frame)
    assert (list(likes.ids.user), likes.ids.user.kind) == (["a", "b"], "str")


def test_any_column_names_are_fine() -> None:
    frame = pd.DataFrame({"Kunde Nr.": [1], 7: [2], "": [0.5], "wann": [3]})
    likes = Interactions.from_frame(frame, user="Kunde Nr.", item=7, weight="", time="wann")  # type: ignore[arg-type]
    assert triples(likes) == [(1, 2, 0.5)]


def test_the_input_frame_is_unchanged() -> None:
    frame = pd.DataFrame(
        {"user": [2, 1, 2], "item": [1, 1, 1], "w": [1, 2, 3], "t": ["2020-01-01"] * 3, "l": list("abc")}
    )
    frame.index = pd.Index([9, 9, 4])
    before = frame.copy(deep=True)
    Interactions.from_frame(frame, weight="w", time="t", item_labels="l")
    pd.testing.assert_frame_equal(frame, before)


def frame_with(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"user": [1, 2], "item": [1, 2], "w": [1.0, 2.0], "t": [1, 2], **columns})


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (frame_with().drop(columns="item"), "the table has no column 'item': it has 'user', 'w', 't'"),
        (pd.DataFrame(), "the table has no column 'user', 'item', 'w', 't': it has no columns"),
        (frame_with()[:0], "the table has no rows"),
        (frame_with(user=[1, None]), r"1 of 2 rows .*: user column 'user': 1 missing \(first in row 1\)"),
        (frame_with(item=["a", None]), "item column 'item': 1 missing"),
        (frame_with(user=[1.0, 2.5]), r"user column 'user' has type float64, and 2\.5 is no whole number"),
        (frame_with(user=[1.0, 2.0**53 + 2]), r"user column 'user' has float64 from 2\*\*53 on"),
        (frame_with(user=[1, "a"]), "user column 'user' holds values of type int, str"),
        (frame_with(user=[True, False]), "user column 'user' holds values of type bool"),
        (frame_with(item=[b"a", b"b"]), "item column 'item' holds values of type bytes"),
        (frame_with(item=[(1,), (2,)]), "item column 'item' holds values of type tuple"),
        (frame_with(item=pd.to_datetime(["2020", "2021"])), "item column 'item' holds values of type"),
        (frame_with(user=np.array([1, 2**63], np.uint64)), r"integers above 2\*\*63 - 1: pass them as strings"),
        (frame_with(user=[1, 2**70]), "2\\*\\*63"),
        (frame_with(w=[1.0, np.nan]), "weight column 'w': 1 missing"),
        (frame_with(w=[1.0, np.inf]), r"weight column 'w': 1 infinite \(first in row 1\)"),
        (frame_with(w=[0, -3]), r"1 zero \(first in row 0\), 1 negative \(first in row 1\)"),
        (frame_with(w=["x", "y"]), r"weight column 'w' must be numeric, got 'x' \(str\)"),
        (frame_with(t=[1, None]), "time column 't': 1 missing"),
        (frame_with(t=[1, np.inf]), r"time column 't': 1 not read as seconds since 1970 such as inf"),
        (frame_with(t=["yesterday", "today"]), "time column 't' holds neither numbers nor dates"),
        (frame_with(t=[[1], [2]]), "time column 't' holds neither numbers nor dates"),
        (pd.DataFrame([[1, 2, 3, 4, 5]], columns=["user", "item", "w", "t", "w"]), "column 'w' stands 2 times"),
        ([(1, 2)], "expected a frame .* got list: .*from_arrays"),
        (None, "expected a frame .* got NoneType"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Interactions.from_frame(frame, weight="w", time="t")


@pytest.mark.parametrize("weight", [1e-60, 1e60])
def test_a_weight_that_float32_cannot_hold_is_refused(weight: float) -> None:
    with pytest.raises(DataError, match="weight column 'w'"):
        Interactions.from_frame(frame_with(w=[1.0, weight]), weight="w")


def test_repeated_pairs_keep_the_latest_time_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame({"user": [1, 1, 2, 1], "item": [5, 5, 5, 6], "t": [10**9 + t for t in (3, 9, 1, 2)]})
    with caplog.at_level(logging.WARNING, "mfrec"):
        likes = Interactions.from_frame(frame, time="t")
    assert likes.times is not None
    assert likes.times.tolist() == [10**9 + 9, 10**9 + 2, 10**9 + 1]
    assert likes.weights.tolist() == [2, 1, 1]
    assert caplog.messages == list(likes.notes) == ["1 repeated (user, item) pairs were summed"]


@pytest.mark.parametrize(
    "times",
    [
        ["1970-01-02", "1970-01-03"],
        pd.to_datetime(["1970-01-02", "1970-01-03"]),
        pd.to_datetime(["1970-01-02", "1970-01-03"]).tz_localize("UTC"),
        pd.to_datetime(["1970-01-02", "1970-01-03"]).tz_localize("Asia/Tokyo") + pd.Timedelta("9h"),
        ["1970-01-02T02:00:00+02:00", "1970-01-03T02:00:00+02:00"],
        [86400, 172800],
        [86400.9, 172800.0],
        pd.array([86400, 172800], dtype="Int64"),
    ],
)
def test_times_are_seconds_since_1970(times: Any) -> None:
    likes = Interactions.from_frame(frame_with(t=times), time="t")
    assert likes.times is not None
    assert likes.times.tolist() == [86400, 172800]
    assert likes.times.dtype == np.int64
    assert likes.to_frame()["time"].tolist() == [86400, 172800]


@pytest.mark.parametrize("labels", [{1: "one", 3: "unused"}, pd.Series({1: "one", 3: "unused"}), "title"])
def test_labels_from_a_mapping_a_series_or_a_column(labels: Any) -> None:
    likes = Interactions.from_frame(frame_with(title=["one", None]), item_labels=labels)
    assert likes.labels.item is not None
    assert list(likes.labels.item) == ["one", ""]
    assert likes.labels.user is None


def test_labels_of_users_and_labels_that_stay_with_their_ids() -> None:
    likes = Interactions.from_frame(frame_with(), user_labels={1: "Ann", 2: "Bob"}, item_labels={1: "A", 2: "B"})
    small = likes.take([1]).compact()
    assert [None if labels is None else list(labels) for labels in small.labels] == [["Bob"], ["B"]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"1": "one"}, "none of the 2 item ids has a label .*ids are of type int; labels are keyed by '1'"),
        ({}, "none of the 2 item ids has a label"),
        (["one", "two"], "item labels must be a mapping from id to text, got list"),
        ("titel", "no column 'titel'"),
    ],
)
def test_labels_that_fit_no_id(labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Interactions.from_frame(frame_with(), item_labels=labels)


def test_take_says_who_has_nothing_left() -> None:
    likes = Interactions.from_frame(pd.DataFrame({"user": [1, 1, 2], "item": [1, 2, 2]}))
    part = likes.take([0])
    assert part.notes == ("1 of 2 users have no interaction left", "1 of 2 items have no interaction left")
    assert part.compact().notes[-2:] == (
        "1 of 2 users had no interaction and were dropped",
        "1 of 2 items had no interaction and were dropped",
    )
    assert likes.compact() is likes


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 3], "rows go from 0 to 3: there are 3 interactions"),
        ([-1], "rows go from -1"),
        ([0, 0], "more than once"),
        ([0.5], "must be a list of positions or a mask"),
        (["0"], "must be a list of positions or a mask"),
        ([[0, 1]], "must be a list of positions or a mask"),
        ([True, False], "a mask of"),
    ],
)
def test_rows_that_cannot_be_taken(rows: Any, message: str) -> None:
    likes = Interactions.from_frame(pd.DataFrame({"user": [1, 1, 2], "item": [1, 2, 2]}))
    with pytest.raises(ParameterError, match=message):
        likes.take(rows)


def test_nothing_can_be_taken() -> None:
    likes = Interactions.from_frame(frame_with(), time="t")
    assert len(likes.take([])) == 0
    assert likes.take([]).to_frame().empty


@given(PAIRS, st.integers(1, 3), st.integers(1, 3))
def test_filter_leaves_the_largest_part_that_meets_both_limits(
    pairs: list[tuple[int, int, int]], per_user: int, per_item: int
) -> None:
    expected = frame_of(pairs)[["user", "item"]].drop_duplicates()
    while True:
        kept = expected[expected.groupby("user")["item"].transform("size") >= per_user]
        kept = kept[kept.groupby("item")["user"].transform("size") >= per_item]
        if len(kept) == len(expected):
            break
        expected = kept
    likes = Interactions.from_frame(frame_of(pairs))
    if expected.empty:
        with pytest.raises(DataError, match="lower the limits"):
            likes.filter(min_user_interactions=per_user, min_item_interactions=per_item)
        return
    left = likes.filter(min_user_interactions=per_user, min_item_interactions=per_item)
    assert [t[:2] for t in triples(left)] == sorted(expected.itertuples(index=False, name=None))
    assert all(left.degree[side].min() > 0 for side in SIDES)


@given(PAIRS)
def test_a_frame_of_interactions_makes_the_same_interactions(pairs: list[tuple[int, int, int]]) -> None:
    likes = Interactions.from_frame(
        frame_of(pairs).assign(t=range(10**9, 10**9 + len(pairs))), weight="weight", time="t"
    )
    again = Interactions.from_frame(likes.to_frame(), weight="weight", time="time")
    pd.testing.assert_frame_equal(again.to_frame(), likes.to_frame())
    assert again.notes == ()


def test_parts_that_do_not_fit_are_refused() -> None:
    likes = Interactions.from_frame(frame_with())
    other = Interactions.from_frame(pd.DataFrame({"user": [1], "item": [1]}))
    with pytest.raises(DataError, match=r"the matrix has shape \(1, 1\), the ids are for \(2, 2\)"):
        Interactions(other.matrix, likes.ids)
    with pytest.raises(DataError, match="3 times for 2 interactions"):
        Interactions(likes.matrix, likes.ids, times=np.arange(3))


def test_repr_says_how_much() -> None:
    assert repr(Interactions.from_frame(frame_with())) == "Interactions(2 users x 2 items, 2 interactions)"
