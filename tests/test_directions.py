import pytest

from mfrec.directions import DIRECTIONS, INDEX_KEYS, SIDES, Direction, Pair, find_direction, other
from mfrec.errors import ParameterError


def test_the_table_holds_the_four_directions() -> None:
    table = {name: (direction.query, direction.target, direction.similarity) for name, direction in DIRECTIONS.items()}
    assert table == {
        "user2item": ("user", "item", "dot"),
        "item2item": ("item", "item", "cosine"),
        "user2user": ("user", "user", "cosine"),
        "item2user": ("item", "user", "dot"),
    }


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=lambda direction: direction.name)
def test_a_direction_knows_its_index_and_whether_it_goes_across(direction: Direction) -> None:
    assert direction.name == f"{direction.query}2{direction.target}"
    assert direction.across == (direction.similarity == "dot")
    assert direction.index == (direction.target, direction.similarity)
    assert find_direction(direction.name) is direction


def test_index_keys_are_what_the_directions_need_each_once() -> None:
    assert sorted(INDEX_KEYS) == sorted({direction.index for direction in DIRECTIONS.values()})


@pytest.mark.parametrize("name", ["", "user2movie", "USER2ITEM", None, 3, ["user2item"]])
def test_an_unknown_direction_lists_the_names(name: object) -> None:
    with pytest.raises(ParameterError, match="user2item, item2item, user2user, item2user"):
        find_direction(name)  # type: ignore[arg-type]


def test_pair_picks_iterates_and_is_made_by_side() -> None:
    pair = Pair.of(lambda side: side.upper())
    assert (pair["user"], pair["item"]) == (pair.user, pair.item) == ("USER", "ITEM")
    assert list(pair) == ["USER", "ITEM"]
    assert pair == Pair("USER", "ITEM")


def test_other_is_its_own_inverse() -> None:
    assert [other(side) for side in SIDES] == ["item", "user"]
    assert [other(other(side)) for side in SIDES] == list(SIDES)
