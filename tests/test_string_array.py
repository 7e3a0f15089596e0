import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfrec.model.string_array import StringArray

# every code point, lone surrogates among them
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=6)


@given(st.lists(ANY_TEXT))
def test_strings_come_back_as_they_went_in(strings: list[str]) -> None:
    packed = StringArray.pack(strings)
    assert list(packed) == strings
    assert [packed[i] for i in range(len(packed))] == strings
    assert [packed[i] for i in range(-len(packed), 0)] == strings
    assert list(packed[1:]) == strings[1:]
    assert list(packed[::-2]) == strings[::-2]


@given(st.sets(ANY_TEXT), ANY_TEXT)
def test_find_is_the_place_in_pythons_own_order(strings: set[str], probe: str) -> None:
    ordered = sorted(strings)
    packed = StringArray.pack(ordered)
    assert [packed.find(text) for text in ordered] == list(range(len(ordered)))
    assert packed.find(probe) == (ordered.index(probe) if probe in strings else -1)


def test_the_arrays_are_utf8_and_positions() -> None:
    packed = StringArray.pack(["", "é", "ab"])
    assert packed.blob.tobytes() == "éab".encode()
    assert packed.blob.dtype == np.uint8
    assert packed.offsets.tolist() == [0, 0, 2, 4]
    assert packed.bytes_at(1) == "é".encode()


@pytest.mark.parametrize("number", [2, -3, 10**6])
def test_a_position_outside_is_an_index_error(number: int) -> None:
    with pytest.raises(IndexError):
        StringArray.pack(["a", "b"])[number]


def test_nothing_and_empty_strings_can_be_packed() -> None:
    assert list(StringArray.pack([])) == []
    assert list(StringArray.pack(["", ""])) == ["", ""]
    assert StringArray.pack([]).find("") == -1
