"""People without history, and lists that are cut off by a score."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mfrec
from mfrec.cli import main
from mfrec.coldstart.extend import with_cold
from mfrec.data.interactions import Interactions
from mfrec.directions import DIRECTIONS
from mfrec.errors import ParameterError
from mfrec.index import IndexParams
from mfrec.model.recommender import Recommender
from tests.conftest import random_interactions, small_model
from tests.params import given_params

DAY = 24 * 3600


@pytest.fixture(scope="module")
def model() -> Recommender:
    return small_model(random_interactions())


@pytest.fixture(scope="module")
def dated() -> Recommender:
    """Item 1 was taken five times long ago, item 2 three times, item 3 twice of late; users 7 and 8 are of late."""
    old = [(user, 1, 0) for user in (1, 2, 3, 4, 5)] + [(user, 2, 0) for user in (1, 2, 3)]
    late = [(7, 3, 100), (8, 3, 100), (8, 1, 100)]
    frame = pd.DataFrame(old + late, columns=["user", "item", "day"])
    likes = Interactions.from_frame(frame.assign(time=frame["day"] * DAY), time="time", item_labels={3: "Three"})
    return mfrec.fit(likes, given_params(factors=2, recency_half_life=10.0), IndexParams(index="exact"))


def test_popular_is_of_late_where_there_are_times(dated: Recommender) -> None:
    items = dated.popular("item")
    assert items.ids == [3, 1, 2]
    assert items.labels == ["Three", "1", "2"]
    np.testing.assert_allclose(items.scores, [2, 1 + 5 / 2**10, 3 / 2**10], rtol=1e-6)
    assert items.exact
    assert dated.popular("user", 2).ids == [8, 7]


def test_without_times_popular_counts_all_alike_and_ties_go_by_number(model: Recommender) -> None:
    degree = model.adjacency.item.degree
    order = np.lexsort((np.arange(len(degree)), -degree))
    found = model.popular("item", 25)
    assert found.ids == model.ids.item.ids(order[:25])
    np.testing.assert_array_equal(found.scores, degree[order[:25]])


def test_popular_can_be_bounded(dated: Recommender) -> None:
    assert dated.popular("item", deny=[3, 99]).ids == [1, 2]
    assert dated.popular("item", allow=[2, 3, 99]).ids == [3, 2]
    assert dated.popular("item", allow=[]).ids == []
    assert dated.popular("item", 1).ids == [3]
    for k in (0, True, 1.5):
        with pytest.raises(ParameterError, match="k must be"):
            dated.popular("item", k)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="unknown side 'items'"):
        dated.popular("items")  # type: ignore[arg-type]


def test_what_nobody_took_is_not_popular(dated: Recommender) -> None:
    wide = with_cold(dated, "item", [50], np.ones((1, 2), np.float32))
    assert wide.popular("item").ids == dated.popular("item").ids
    # and a history of it folds in as well as any
    assert np.isfinite(wide.fold_in("user", [50])).all()


@pytest.mark.parametrize("name", DIRECTIONS)
def test_min_score_cuts_lists_off(model: Recommender, name: str) -> None:
    query = DIRECTIONS[name].query
    ids = list(model.ids[query])[:12]
    whole = model.recommend(name, ids, 30)
    bounds = np.quantile(np.concatenate([r.scores for r in whole]), [0.0, 0.3, 0.7, 1.0])
    for bound in [*bounds.tolist(), 1e9, -1e9]:
        cut = model.recommend(name, ids, 30, min_score=bound)
        for before, after, key in zip(whole, cut, ids, strict=True):
            kept = int((before.scores >= np.float32(bound)).sum())
            assert after.ids == before.ids[:kept]
            np.testing.assert_array_equal(after.scores, before.scores[:kept])
            assert getattr(model, name)(key, 30, min_score=bound).ids == after.ids
        vectors = model.factors[query][model.ids[query].numbers(ids)]
        alike = model.recommend_vectors(name, vectors, 30, min_score=bound)
        assert all((r.scores >= np.float32(bound)).all() for r in alike)


@given(st.sampled_from(list(DIRECTIONS)), st.floats(-1, 1), st.booleans())
def test_whole_catalogues_are_cut_off_as_single_lists_are(name: str, bound: float, exclude_seen: bool) -> None:
    model = small_model(random_interactions(), index="exact")
    blocks = model.recommend_all(name, 7, exclude_seen=exclude_seen, min_score=bound)
    rows = [row for block in blocks for row in zip(block.queries, block.ids, block.ranks.tolist(), strict=True)]
    ids = list(model.ids[DIRECTIONS[name].query])
    single = model.recommend(name, ids, 7, exclude_seen=exclude_seen, min_score=bound)
    assert rows == [(key, hit, n) for key, r in zip(ids, single, strict=True) for n, hit in enumerate(r.ids, 1)]


@pytest.mark.parametrize("bound", [float("nan"), float("inf"), -float("inf"), 1e39, "0.5", True])
def test_a_min_score_is_a_number_that_a_score_can_be(model: Recommender, bound: Any) -> None:
    key = next(iter(model.ids.user))
    with pytest.raises(ParameterError, match="min_score must be"):
        model.user2item(key, min_score=bound)
    with pytest.raises(ParameterError, match="min_score must be"):
        list(model.recommend_all("user2item", min_score=bound))


def test_the_command_line(dated: Recommender, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dated.save(tmp_path / "m")

    def printed(*args: str) -> str:
        with pytest.raises(SystemExit, match="0"):
            main([*args[:1], str(tmp_path / "m"), *args[1:]])
        return capsys.readouterr().out

    heading, _, _, *rows = printed("popular", "item", "-k", "2").splitlines()
    assert heading == "most popular items of late (an interaction counts half after 10 days)"
    assert [row.split() for row in rows] == [["1", "3", "Three", "2.000"], ["2", "1", "1", "1.005"]]
    found = json.loads(printed("popular", "user", "--json", "--deny", "8"))
    assert (found["side"], found["half_life"], found["results"][0]) == ("user", 10.0, {"id": 7, "score": 1.0})
    assert "nothing is eligible" in printed("recommend", "item2item", "1", "--min-score", "2")
    assert json.loads(printed("recommend", "user2item", "7", "--json", "--min-score", "-5"))["results"]
    for name in ("lists.csv", "lists.parquet"):
        printed("export", "item2item", "--out", str(tmp_path / name), "--quiet", "--min-score", "1e9")
    assert (tmp_path / "lists.csv").read_text() == "item,similar_item,rank,score\n"
    assert pd.read_parquet(tmp_path / "lists.parquet").dtypes["similar_item"] == np.int64
