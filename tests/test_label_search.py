"""Finding what a person means: ids, titles, near misses."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from rapidfuzz import process

from mfrec.errors import UnknownIdError
from mfrec.model.ids import IdMap
from mfrec.model.label_search import LabelSearch, fold, plain
from mfrec.model.recommender import Recommender
from mfrec.model.string_array import StringArray
from tests.waiting import LIMIT

TITLES = (
    "Star Wars (1977)",
    "Star Trek: First Contact (1996)",
    "Misérables, Les (1995)",
    "Godfather, The (1972)",
    "Jaws",
    "1984",
    "What?",
    "What!",
    "Untitled",
    "untitled",
    "UNTITLED",
    "!!!",
    "Les Misérables",
)


def search_of(titles: Sequence[str], popularity: Sequence[int] | None = None) -> LabelSearch:
    """Return a search over items 1, 2, ... of these titles, equally popular where not given."""
    ids = IdMap.of("item", range(1, len(titles) + 1))
    return LabelSearch(ids, StringArray.pack(titles), np.array(popularity or [1] * len(titles)))


@pytest.fixture(scope="module")
def titled() -> LabelSearch:
    return search_of(TITLES)


def unknown(search: LabelSearch, text: str) -> str:
    """Return the error for a text that stands for no id, which must be one line."""
    with pytest.raises(UnknownIdError) as caught:
        search.one(text)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_what_was_typed_is_folded() -> None:
    assert fold("  Amélie: Le fabuleux_destin!  ") == "amelie le fabuleux destin"
    assert plain("  Amélie: Le ") == "amelie: le"
    assert fold(" !!! ") == "!!!"
    assert fold(" \0 ") == fold("  ") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3),
        # an id is preferred to what looks like one in a title
        ("13", 13),
        ("1984", 6),
        ("Star Wars (1977)", 1),
        ("  star WARS (1977) ", 1),
        ("star wars 1977", 1),
        ("misérables, les (1995)", 3),
        ("LES MISERABLES", 13),
        ("jaws", 5),
        ("!!!", 12),
        # two titles that are the same words: the spelling decides
        ("what?", 7),
        ("What!", 8),
        ("Untitled", 9),
        ("UNTITLED", 11),
    ],
)
def test_an_id_or_a_title_stands_for_its_id(titled: LabelSearch, text: str, expected: int) -> None:
    assert titled.one(text) == expected


def test_every_title_stands_for_its_id(titled: LabelSearch) -> None:
    assert [titled.one(title) for title in TITLES] == list(range(1, len(TITLES) + 1))


def test_an_id_wins_over_a_title() -> None:
    assert search_of(["2", "b"]).one("2") == 2


@pytest.mark.parametrize(("text", "ids"), [("what", "7, 8"), ("unTitled", "9, 10, 11"), ("  Whât... ", "7, 8")])
def test_a_title_of_several_lists_their_ids(titled: LabelSearch, text: str, ids: str) -> None:
    assert unknown(titled, text) == f"several items have the title {text!r}: ask for one of the ids {ids}"


def test_a_title_of_very_many_lists_some() -> None:
    error = unknown(search_of(["Greatest Hits"] * 500), "greatest hits")
    assert error.endswith("18, 19, 20, ...")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("star wars", "'Star Wars (1977)' (id 1)"),
        ("wars star", "'Star Wars (1977)' (id 1)"),
        ("star wrs", "'Star Wars (1977)' (id 1)"),
        ("the godfather", "'Godfather, The (1972)' (id 4)"),
        ("godfa", "'Godfather, The (1972)' (id 4)"),
        ("athe", "'Godfather, The (1972)' (id 4)"),
        ("starwars", "'Star Wars (1977)' (id 1)"),
        ("god father", "'Godfather, The (1972)' (id 4)"),
        # one slip in four letters
        ("jows", "'Jaws' (id 5)"),
    ],
)
def test_a_near_miss_is_named(titled: LabelSearch, text: str, meant: str) -> None:
    error = unknown(titled, text)
    assert error.startswith(f"no item has the id or title {text!r}; did you mean ")
    assert meant in error


def test_where_no_title_is_like_it_the_ids_beside_it_are_named(titled: LabelSearch) -> None:
    assert [match.id for match in titled.near("77")] == [11, 12, 13]
    assert [match.id for match in titled.near("-5")] == [1, 2, 3]
    assert "(id 13)" in unknown(titled, "77")


@pytest.mark.parametrize("text", ["", "   ", "zzzzzzzzzzzzzzzz", "qqqq zzzz"])
def test_what_is_like_nothing_suggests_nothing(titled: LabelSearch, text: str) -> None:
    assert unknown(titled, text) == f"no item has the id or title {text!r}"


def test_text_ids_without_titles_are_titles_themselves() -> None:
    search = LabelSearch(IdMap.of("item", ["ABC", "abc", "The Beatles", "Blur"]), None, np.ones(4))
    assert search.one("abc") == "abc"
    assert search.one("ABC") == "ABC"
    assert search.one("the beatles") == "The Beatles"
    assert unknown(search, "Abc") == "several items have the title 'Abc': ask for one of the ids 'ABC', 'abc'"
    assert unknown(search, "beatle") == "no item has the id 'beatle'; did you mean 'The Beatles'?"
    # beside it in the order of the ids
    assert unknown(search, "#") == "no item has the id '#'; did you mean 'ABC' or 'Blur' or 'The Beatles'?"


def test_numbers_without_titles_need_no_index() -> None:
    search = LabelSearch(IdMap.of("user", range(1, 944)), None, np.ones(943))
    assert search.one("42") == 42
    assert unknown(search, "999999") == "unknown user id 999999: the model knows 943 users, from 1 to 943"
    assert unknown(search, "x") == "user ids of this model are integers, got 'x' (str)"
    assert "_texts" not in vars(search)


def test_an_id_needs_no_index(titled: LabelSearch) -> None:
    fresh = search_of(TITLES)
    assert fresh.one("3") == 3
    assert "_texts" not in vars(fresh)


def test_a_short_title_is_found_among_many_that_begin_with_it() -> None:
    """All of them have every trigram of the query, and all are more popular."""
    titles = [f"It {n}" for n in range(1000)] + ["It"]
    search = search_of(titles, [9] * 1000 + [1])
    assert search.one("it") == 1001
    assert [match.id for match in search.find("it", 2)] == [1001, 1]


def test_very_long_texts_are_compared_by_their_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every word of a query is compared with every word there is: a pasted page must not take minutes."""
    compared: list[int] = []
    cdist = process.cdist

    def count(queries: Sequence[str], *choices: Any, **options: Any) -> Any:
        compared.append(len(queries))
        return cdist(queries, *choices, **options)

    monkeypatch.setattr(process, "cdist", count)
    long = "word " * 400
    search = search_of([long, f"{long} end", "other"])
    assert search.one(long) == 1
    assert {match.id for match in search.near(f"wrod {long}")} == {1, 2}
    assert search.find(" ".join(f"x{n}" for n in range(400))) == []
    assert 0 < max(compared) < 20


def test_the_popular_come_first_among_equals() -> None:
    titles = ["Heat Wave", "In the Heat", "Heat", "heat", "Heat Rising", "The Heat", "Haet", "Meat", "Heap"]
    search = search_of(titles, [1, 3, 1, 2, 5, 4, 0, 9, 8])
    matches = search.find("héat")
    # those that equal it, those that begin with it, those that have it as a word; then near misses, the nearest first
    assert [match.id for match in matches][:6] == [4, 3, 5, 1, 6, 2]
    assert [match.similarity for match in matches[:6]] == [1.0] * 6
    assert {match.id for match in matches[6:]} == {7, 8, 9}
    assert all(match.similarity < 1 for match in matches[6:])
    # of two that are equally near
    assert [match.id for match in search_of(["Jaws I", "Jaws V"], [1, 2]).find("jows")] == [2, 1]
    assert [match.id for match in search.find("heat", 1)] == [4]


def test_a_slip_beside_words_in_another_order_is_forgiven() -> None:
    search = search_of(["The Lord of the Rings", "The Ring", "Lord of War", "Kings Row"])
    for typed in ("lrod rings", "rings lord", "RINGS, the lrd", "lordd of the rinsg"):
        assert search.find(typed)[0].id == 1, typed


def test_where_there_is_nothing_nothing_is_found() -> None:
    assert search_of([]).find("a") == []
    assert search_of(["", "  "]).find("a") == []
    assert search_of(["", "a"]).find("  ") == []


def test_text_that_is_no_unicode_is_searched() -> None:
    """File names of Python may hold lone surrogates."""
    search = search_of(["caf\udce9 bar", "Łódź 東京"])
    assert search.find("caf\udce9 bra")[0].id == 1
    assert search.find("東京")[0].id == 2


def test_only_what_is_like_something_else_needs_the_library() -> None:
    code = (
        "import sys, numpy as np\n"
        "from mfrec.model.ids import IdMap\n"
        "from mfrec.model.label_search import LabelSearch\n"
        "search = LabelSearch(IdMap.of('item', ['a', 'b']), None, np.ones(2))\n"
        "search.one('a'), search.find('b', 1)\n"
        "print('rapidfuzz' in sys.modules, search.find('bb'), 'rapidfuzz' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=LIMIT)
    before, *_, after = told.stdout.split()
    assert (before, after) == ("False", "True")


def test_a_number_is_no_slip_of_another(titled: LabelSearch) -> None:
    assert titled.find("1997") == []
    assert [match.id for match in titled.find("1996")] == [2]


def test_a_side_of_a_model_is_searched_by_its_labels(text_model: Recommender) -> None:
    search = LabelSearch.of(text_model, "item")
    assert search.one("título é11") == "é11"
    assert search.one("é11") == "é11"
    assert search.label(0) == text_model.ids.item.id(0)
