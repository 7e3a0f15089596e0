"""What people look at: rankings as sequences, tables in notebooks, help, copies, pickles and threads."""

import copy
import json
import pickle
import pydoc
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mfrec
from mfrec.coldstart.evaluate import ColdReport, ColdRow
from mfrec.directions import DIRECTIONS
from mfrec.evaluation.report import Report, Row
from mfrec.index import BACKENDS
from mfrec.model import html
from mfrec.model.rankings import Hit, Ranking
from mfrec.model.string_array import StringArray
from tests.conftest import random_interactions, small_model
from tests.folders import answers

SCORES = np.array([0.75, 0.5, 0.25], np.float32)
RANKING = Ranking([3, 1, 2], SCORES, ["c", "a", "b"], exact=True)
BARE = Ranking(["x", "y", "z"], SCORES)

Again = Callable[[Any], Any]
each_way = pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))],  # noqa: S301
    ids=["copy", "deepcopy", "pickle"],
)


# a ranking is a sequence


def test_a_ranking_iterates_and_has_a_length() -> None:
    assert [(hit.id, hit.score, hit.label) for hit in RANKING] == [(3, 0.75, "c"), (1, 0.5, "a"), (2, 0.25, "b")]
    assert [key for key, _, _ in BARE] == BARE.ids
    assert [label for *_, label in BARE] == [None] * 3
    assert len(RANKING) == len(list(RANKING)) == 3


@pytest.mark.parametrize("place", [0, 2, -1, -3, np.int64(1)])
def test_a_ranking_is_indexed_as_a_list_is(place: int) -> None:
    hit = RANKING[place]
    assert hit == Hit(RANKING.ids[place], float(SCORES[place]), list("cab")[place])
    assert type(hit.score) is float


@pytest.mark.parametrize("part", [slice(None), slice(2), slice(1, None), slice(None, None, -1), slice(5, 9)], ids=str)
def test_a_slice_is_a_ranking(part: slice) -> None:
    some = RANKING[part]
    assert isinstance(some, Ranking)
    assert list(some) == list(RANKING)[part]
    assert some.scores.dtype == np.float32
    assert BARE[part].labels is None


@pytest.mark.parametrize("place", [3, -4])
def test_a_place_beyond_the_end_is_an_index_error(place: int) -> None:
    with pytest.raises(IndexError, match=f"place {place} of a ranking of 3"):
        RANKING[place]


def test_a_place_that_is_no_integer_is_a_type_error() -> None:
    place: Any = "3"
    with pytest.raises(TypeError):
        RANKING[place]


def test_equal_rankings_are_equal_whatever_holds_their_parts() -> None:
    as_list: Any = SCORES.tolist()
    as_array: Any = np.array([3, 1, 2])
    assert Ranking([3, 1, 2], SCORES.copy(), ["c", "a", "b"], exact=True) == RANKING
    assert Ranking(as_array, as_list, ["c", "a", "b"], exact=True) == RANKING
    assert Ranking([], SCORES[:0]) == Ranking([], SCORES[:0])


@pytest.mark.parametrize(
    "other",
    [
        replace(RANKING, ids=[3, 1, 4]),
        replace(RANKING, scores=SCORES * 2),
        replace(RANKING, labels=None),
        replace(RANKING, exact=False),
        RANKING[:2],
        BARE,
        [3, 1, 2],
        None,
        "ranking",
    ],
    ids=lambda other: type(other).__name__,
)
def test_different_rankings_differ_and_nothing_raises(other: Any) -> None:
    assert (other == RANKING) is False
    assert (other != RANKING) is True


def test_a_ranking_as_a_dictionary_is_plain_and_whole() -> None:
    as_array: Any = np.array([3, 1, 2])
    expected = {"ids": [3, 1, 2], "scores": [0.75, 0.5, 0.25], "labels": ["c", "a", "b"], "exact": True}
    for ranking in (RANKING, replace(RANKING, ids=as_array)):
        assert json.loads(json.dumps(ranking.to_dict())) == expected
    assert BARE.to_dict()["labels"] is None


# tables in notebooks


class Elements(HTMLParser):
    """The elements and attributes of some HTML, those left open, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[Any] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.names.append(tag)
        self.attributes += attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


NASTY = "<script>alert('x')</script><img src=x onerror=y>&\""
ELEMENTS = {"div", "p", "strong", "small", "table", "thead", "tbody", "tr", "th", "td", "pre"}


def nasty_things() -> dict[str, Any]:
    """Return one of each kind, with ids, labels and notes that are markup."""
    frame = pd.DataFrame({"user": [NASTY, NASTY], "item": ["a", NASTY], "time": [0, 10**9]})
    model = small_model(random_interactions(12, 12, text=True), index="exact", factors=2)
    labels: mfrec.Pair[StringArray | None] = mfrec.Pair.of(
        lambda side: StringArray.pack([f"{NASTY}\udcff"] * len(model.ids[side]))
    )
    assert model.check is not None
    model = replace(model, labels=labels, check=replace(model.check, notes=(NASTY,)))
    rows = tuple(Row("user2item", "unseen", name, "all", "hit_rate", 10, 0.5) for name in ("model", NASTY))
    cold = tuple(ColdRow("all items", "content", metric, 10, 0.5, 0, 0) for metric in ("recall", "query_hit_rate"))
    return {
        "Interactions": replace(mfrec.Interactions.from_frame(frame, time="time"), notes=(NASTY,)),
        "Recommender": model,
        "Ranking": model.user2item(model.ids.user.id(0), exclude_seen=False),
        "Ranking without labels": Ranking([NASTY], SCORES[:1]),
        "Report": Report(rows, notes=(NASTY,)),
        "ColdReport": ColdReport("item", 3, 2, cold, (NASTY,), 1.0, 0.5, (NASTY,)),
    }


@pytest.mark.parametrize("name", nasty_things())
def test_html_is_small_closed_and_escaped(name: str) -> None:
    page = nasty_things()[name]._repr_html_()
    found = Elements(page)
    assert found.open == []
    assert set(found.names) <= ELEMENTS
    assert found.attributes == []
    assert "<script>alert" in found.text
    assert len(page) < 20_000
    page.encode("utf-8")


def test_html_shows_what_counts() -> None:
    likes = random_interactions()
    model = small_model(likes)
    first = likes.to_frame().iloc[0]
    text = Elements(likes._repr_html_()).text
    assert text.startswith(repr(likes))
    assert f"{int(first['user'])}{int(first['item'])}" in text
    assert model.check is not None
    text = Elements(model._repr_html_()).text
    assert f"check: {model.check.verdict}" in text
    assert "item dotannoy" in text
    assert "check:" not in replace(model, check=None)._repr_html_()
    ranking = model.user2item(model.ids.user.id(0), k=30)
    text = Elements(ranking._repr_html_()).text
    assert f"1{ranking.ids[0]}{ranking.scores[0]:.3f}" in text
    assert f"{len(ranking) - html.ROWS} more" in text
    assert "Ranking of 0" in Ranking([], SCORES[:0])._repr_html_()
    assert "Report" in Report(())._repr_html_()
    assert repr(Report(())) == "Report(0 figures of no direction)"


# help


@pytest.mark.parametrize("name", DIRECTIONS)
def test_help_explains_every_parameter(name: str) -> None:
    direction, method = DIRECTIONS[name], getattr(mfrec.Recommender, name)
    text = pydoc.plain(pydoc.render_doc(method))
    _, _, parameters = text.partition("Parameters\n")
    explained = ", ".join(re.findall(r"^ {4}(\w+(?:, \w+)*)$", parameters, re.MULTILINE)).split(", ")
    assert set(signature(method).parameters) - {"self"} <= set(explained)
    assert f"best {direction.target}s for one {direction.query}: {direction.question}?" in text
    assert f"External id of the {direction.query}" in text
    assert "UnknownIdError" in text


# copies, pickles and threads


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loaded", [False, True], ids=["fitted", "loaded"])
@each_way
def test_a_copy_answers_as_the_model_does(backend: str, loaded: bool, again: Again, tmp_path: Path) -> None:
    model = small_model(random_interactions(), index=backend)
    if loaded:
        model.save(tmp_path / "m")
        model = mfrec.load(tmp_path / "m")
    made = again(model)
    assert answers(made) == answers(model)
    for key, index in model.indexes.items():
        assert made.indexes[key].settings() == index.settings()
        assert made.indexes[key].measured == index.measured
    assert made.check == model.check
    made.save(tmp_path / "again")
    assert answers(mfrec.load(tmp_path / "again")) == answers(model)


@each_way
def test_interactions_and_rankings_are_copied_whole(again: Again, text_model: mfrec.Recommender) -> None:
    likes = random_interactions(text=True)
    pd.testing.assert_frame_equal(again(likes).to_frame(), likes.to_frame())
    ranking = text_model.user2item(text_model.ids.user.id(0))
    assert again(ranking) == ranking


def test_threads_get_the_answers_that_one_gets(text_model: mfrec.Recommender, tmp_path: Path) -> None:
    text_model.save(tmp_path / "m")
    model, expected = mfrec.load(tmp_path / "m"), answers(text_model)
    begin, found = threading.Barrier(6), list[Any]()

    def ask() -> None:
        begin.wait()
        found.append(answers(model))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6
