from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mfrec.errors import DataError, UnknownIdError
from mfrec.model.ids import Id, IdMap

INTS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=6)
SOME_IDS = st.one_of(st.sets(INTS, min_size=1), st.sets(TEXTS, min_size=1))

AWKWARD = ["", " ", "007", "7", "a\0", "a", "é", "e\u0301", "\ud800", "\udfff", "\ue000", "🎬", "名前", "a\nb"]


@given(SOME_IDS)
@example({-(2**63), 2**63 - 1})
def test_ids_to_numbers_and_back(ids: set[int] | set[str]) -> None:
    given_ids: list[Id] = list(ids)
    known = IdMap.of("item", given_ids)
    numbers = known.numbers(given_ids)
    assert sorted(numbers.tolist()) == list(range(len(given_ids)))
    assert known.ids(numbers) == given_ids
    assert [known.number(key) for key in given_ids] == numbers.tolist()
    assert [known.id(number) for number in numbers.tolist()] == given_ids
    assert list(known) == sorted(ids)
    assert all(key in known for key in given_ids)


@given(SOME_IDS)
def test_arrays_restore_the_map(ids: set[int] | set[str]) -> None:
    known = IdMap.of("user", list(ids))
    restored = IdMap.from_arrays("user", known.arrays())
    assert (list(restored), restored.kind, restored.side) == (list(known), known.kind, "user")


def test_awkward_strings_stay_apart() -> None:
    known = IdMap.of("item", AWKWARD)
    assert len(known) == len(AWKWARD)
    assert known.ids(known.numbers(AWKWARD)) == AWKWARD


def test_ids_come_back_as_plain_python_values() -> None:
    known = IdMap.of("item", np.array([5, 3], np.int32).tolist())
    assert [type(key) for key in known.ids([0, 1])] == [int, int]
    assert type(known.id(0)) is int
    assert known.number(np.int16(5)) == 1  # type: ignore[arg-type]  # an integer of another make


@pytest.mark.parametrize("width", [np.int8, np.int32, np.int64, np.uint8, np.uint64])
def test_integer_arrays_of_any_width_are_looked_up(width: type[np.integer]) -> None:
    known = IdMap.of("item", [3, 5, 9])
    assert known.numbers(np.array([9, 3], width)).tolist() == [2, 0]
    assert known.find(np.array([9, 4, 3], width)).tolist() == [2, -1, 0]


@pytest.mark.parametrize("key", ["5", 5.0, True, None, b"5", np.True_, (5,)])
def test_an_id_of_the_wrong_type_is_refused_among_integers(key: object) -> None:
    known = IdMap.of("item", [1, 5])
    assert key not in known
    with pytest.raises(UnknownIdError, match="item ids of this model are integers, got"):
        known.number(key)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", [5, 5.0, True, None, b"5"])
def test_an_id_of_the_wrong_type_is_refused_among_strings(key: object) -> None:
    known = IdMap.of("user", ["1", "5"])
    assert key not in known
    with pytest.raises(UnknownIdError, match="user ids of this model are strings, got"):
        known.numbers([key])  # type: ignore[list-item]


@pytest.mark.parametrize("key", [2**63, -(2**63) - 1, 10**30, -(10**30)])
def test_an_integer_beyond_64_bits_is_unknown(key: int) -> None:
    known = IdMap.of("item", [1, 2**63 - 1])
    assert key not in known
    with pytest.raises(UnknownIdError, match="unknown item id"):
        known.number(key)


@pytest.mark.parametrize("key", [2**63, 10**30, -(2**63) - 1])
def test_integers_beyond_64_bits_make_no_map(key: int) -> None:
    with pytest.raises(DataError):
        IdMap.of("item", [1, key])


def test_an_unknown_id_names_itself_and_what_is_known() -> None:
    with pytest.raises(UnknownIdError, match=r"unknown item id 4: the model knows 3 items, from 3 to 9"):
        IdMap.of("item", [3, 5, 9]).number(4)
    with pytest.raises(UnknownIdError, match=r"unknown user ids 'x', 'y': the model knows 2 users, from 'a' to 'b'"):
        IdMap.of("user", ["a", "b"]).numbers(["x", "a", "y"])


def test_many_unknown_ids_are_counted() -> None:
    with pytest.raises(UnknownIdError, match=r"ids 10, 11, 12, 13, 14 and 5 more:"):
        IdMap.of("item", [1]).numbers(range(10, 20))


def test_a_map_without_ids_says_so() -> None:
    empty = IdMap.of("user", [])
    assert (len(empty), list(empty)) == (0, [])
    assert empty.find(np.array([1, 2])).tolist() == [-1, -1]
    with pytest.raises(UnknownIdError, match="the model has no users"):
        empty.number(1)


@pytest.mark.parametrize("keys", ["abc", b"abc", 5, None, np.array(5)])
def test_one_id_where_a_list_is_expected(keys: object) -> None:
    with pytest.raises(UnknownIdError):
        IdMap.of("item", [5]).numbers(keys)  # type: ignore[arg-type]


def test_a_table_of_ids_is_not_a_list_of_ids() -> None:
    with pytest.raises(UnknownIdError):
        IdMap.of("item", [1, 2]).numbers(np.array([[1, 2]]))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, "a"], "not int and str"),
        ([1.5], "not float"),
        ([True], "not bool"),
        ([None, 1], "not NoneType and int"),
        (["a", "b", "a"], "1 of 3 item ids are repeated"),
        ([7, 7, 7], "2 of 3 item ids are repeated"),
    ],
)
def test_ids_that_make_no_map(ids: Sequence[Id], message: str) -> None:
    with pytest.raises(DataError, match=message):
        IdMap.of("item", ids)


def test_repr_shows_the_first_few() -> None:
    assert repr(IdMap.of("item", [4, 2, 1, 3])) == "IdMap(4 item ids: 1, 2, 3, ...)"
