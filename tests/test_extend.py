"""`evaluate_cold`: taste told by genre is found, what says nothing gains nothing, and the baselines are exact."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mfrec
from mfrec.coldstart.catalogue import Catalogue
from mfrec.coldstart.evaluate import EVERYTHING, HELD_OUT, ColdReport, evaluate_cold
from mfrec.data.interactions import Interactions
from mfrec.data.synthetic import GENRES, Sample, sample
from mfrec.directions import Side
from mfrec.errors import DataError, ParameterError

PARAMS = mfrec.ALSParams(factors=12, threads=1, regularization=25.0)
FRACTION = 0.2


@pytest.fixture(scope="module")
def known() -> Sample:
    """Users of a taste, items of a genre."""
    return sample(300, 300, 9_000, n_genres=4)


def told(known: Sample, side: Side) -> pd.DataFrame:
    genres = [GENRES[g % len(GENRES)] for g in known.genre[side]]
    return pd.DataFrame({"id": list(known.interactions.ids[side]), "genre": genres})


def evaluated(known: Sample, side: Side, **options: Any) -> ColdReport:
    defaults: dict[str, Any] = {"key": "id", "categories": ["genre"], "k": (5, 15), "params": PARAMS, "side": side}
    return evaluate_cold(known.interactions, **{"table": told(known, side), **defaults, **options})


def held_out(count: int, seed: int = 42) -> "np.ndarray[Any, np.dtype[np.int64]]":
    return np.sort(np.random.default_rng(seed).permutation(count)[: round(FRACTION * count)])


def test_held_out_items_are_found_by_their_genre(known: Sample) -> None:
    report = evaluated(known, "item")
    assert report.held_out == 60
    assert report.value("random", ranked=HELD_OUT, k=15) == pytest.approx(15 / 60)
    # nobody has touched a cold item, so popularity cannot tell one from another
    assert report.value("popularity", ranked=HELD_OUT, k=15) == report.value("random", ranked=HELD_OUT, k=15)
    assert report.value("popularity", k=15) == 0
    assert report.value(ranked=HELD_OUT, k=15) > 0.7
    assert report.value(k=15) > 2 * report.value("random", k=15)
    assert "60 items held out entirely, known by genre" in str(report)


def test_held_out_users_are_served_by_their_taste(known: Sample) -> None:
    report = evaluated(known, "user")
    assert (report.held_out, report.asked) == (60, 60)
    others = ("mean vector", "popularity", "popularity, one vote each", "random")
    assert report.value(k=15) > 1.5 * max(report.value(other, k=15) for other in others)
    assert report.value(k=5, metric="query_hit_rate") > report.value("popularity", k=5, metric="query_hit_rate")
    assert {row.ranked for row in report.rows} == {EVERYTHING}


@pytest.mark.parametrize("side", ["item", "user"])
def test_content_that_says_nothing_is_as_good_as_the_mean(known: Sample, side: Side) -> None:
    table = told(known, side).assign(genre=np.random.default_rng(0).choice(["a", "b", "c"], 300))
    report = evaluated(known, side, table=table)
    assert report.regression_error > 0.9
    ranked = HELD_OUT if side == "item" else EVERYTHING
    assert report.value(ranked=ranked, k=15) == pytest.approx(report.value("mean vector", ranked=ranked, k=15), abs=0.1)
    worst = [row for row in report.rows if row.contender == "mean vector" and row.metric == "recall"]
    assert all(abs(row.ahead) < 0.1 for row in worst)


def brute_popularity(likes: Interactions, users: Any, weight: Any, k: int) -> float:
    """Recall of the k items with the most votes, averaged over every order of the tied; nothing shared with mfrec."""
    taken = {u: set(likes.items[likes.users == u].tolist()) for u in range(likes.shape[0])}
    votes = dict.fromkeys(range(likes.shape[1]), 0.0)
    for user in set(range(likes.shape[0])) - set(users):
        for item in taken[user]:
            votes[item] += weight(len(taken[user]))
    recalls = []
    for user in users:
        found = 0.0
        for item in taken[user]:
            above = sum(v > votes[item] + 1e-9 for v in votes.values())
            tied = sum(abs(v - votes[item]) <= 1e-9 for v in votes.values())
            found += min(max(k - above, 0), tied) / tied
        recalls.append(found / len(taken[user]))
    return float(np.mean(recalls))


def test_popularity_for_new_users_is_what_counting_gives(known: Sample) -> None:
    report = evaluated(known, "user")
    users = held_out(300).tolist()
    for k in (5, 15):
        assert report.value("popularity", k=k) == pytest.approx(
            brute_popularity(known.interactions, users, lambda degree: 1.0, k)
        )
        assert report.value("popularity, one vote each", k=k) == pytest.approx(
            brute_popularity(known.interactions, users, lambda degree: 1 / degree, k), abs=1e-4
        )
        assert report.value("random", k=k) == pytest.approx(k / 300)


def test_nothing_of_what_is_held_out_is_learnt_from(known: Sample) -> None:
    """Whatever the held-out users did, their vectors are the same: the lists may only be judged by it."""
    likes, users = known.interactions, held_out(300)
    theirs = np.isin(likes.users, users)
    half = likes.take(~theirs | (np.arange(len(likes)) % 2 == 0))
    whole = evaluated(known, "user", k=10)
    report = evaluate_cold(
        half, told(known, "user"), key="id", side="user", categories=["genre"], k=10, params=PARAMS, seed=42
    )
    assert (report.alpha, report.regression_error) == (whole.alpha, whole.regression_error)


def test_the_report_for_programs_and_its_figures(known: Sample) -> None:
    report = evaluated(known, "user", seed=1)
    held = json.loads(report.to_json())
    assert (held["side"], held["columns"], len(held["rows"])) == ("user", ["genre"], 5 * 4 * 2)
    assert evaluated(known, "user", seed=1) == report
    assert evaluated(known, "user", seed=2) != report
    row = next(r for r in report.rows if (r.contender, r.metric, r.k) == ("popularity", "recall", 15))
    assert row.ahead == pytest.approx(report.value(k=15) - row.value)
    assert row.error > 0
    for figure in (row.value, row.ahead, row.error):
        assert f"{figure:.4f}" in str(report)
    with pytest.raises(ParameterError, match="the report has no figure for"):
        report.value("nobody", k=15)


def test_a_sample_of_the_users_is_asked_where_there_are_many(known: Sample) -> None:
    report = evaluated(known, "item", max_queries=20)
    assert report.asked == 20
    assert report.value(ranked=HELD_OUT, k=15) == pytest.approx(
        evaluated(known, "item").value(ranked=HELD_OUT, k=15), abs=0.15
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fraction": 0}, "fraction must be above 0 and below 1, got 0"),
        ({"fraction": 1.0}, r"fraction must be above 0 and below 1, got 1\.0"),
        ({"k": 0}, "k must be an integer of at least 1, got 0"),
        ({"k": (5, 2**31)}, r"k must be an integer below 2\*\*31, got 2147483648"),
        ({"k": ()}, "name at least one cut-off k"),
        ({"side": "film"}, "side must be user or item, got 'film'"),
        ({"max_queries": 0}, "max_queries must be an integer of at least 1, got 0"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
    ],
    ids=str,
)
def test_parameters_out_of_range(known: Sample, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=f"^{message}"):
        evaluate_cold(known.interactions, told(known, "item"), key="id", categories=["genre"], **options)


def test_nobody_to_ask() -> None:
    """Whoever has touched a held-out item has touched nothing else, so that no vector is left to ask with."""
    frame = pd.DataFrame({"user": range(60), "item": [n % 20 for n in range(60)]})
    table = pd.DataFrame({"id": range(20), "genre": ["drama", "comedy"] * 10})
    with pytest.raises(
        DataError, match=r"^nobody can be asked: no user of a held-out item has interacted with anything else$"
    ):
        evaluate_cold(Interactions.from_frame(frame), table, key="id", categories=["genre"], params=PARAMS)


def test_a_table_that_lacks_somebody_is_noted(known: Sample, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mfrec"):
        evaluated(known, "user", table=told(known, "user")[1:])
    assert any("no row for 1 of 300 users with interactions" in message for message in caplog.messages)
    strangers = told(known, "user").assign(id=range(10**6, 10**6 + 300))
    with pytest.raises(DataError, match="no row for 300 of 300 users with interactions"):
        evaluated(known, "user", table=strangers)


def test_real_attributes_beat_popularity_by_a_little(movielens_home: Path) -> None:
    """ML-100K's ages, occupations and regions say little about taste; that little must not get lost."""
    likes, users = mfrec.load_movielens("ml-100k"), Catalogue.movielens("ml-100k", "user")
    report = evaluate_cold(likes, users.table, key=users.key, side="user", **users.roles, k=(10, 100))
    assert report.value(k=100) > report.value("popularity", k=100) + 0.02
    assert report.value(k=100) > report.value("popularity, one vote each", k=100)
    assert report.value(k=100) > report.value("mean vector", k=100)
    assert report.value("random", k=100) == pytest.approx(100 / 1682)


def test_real_titles_genres_and_years_place_new_films(movielens_home: Path) -> None:
    likes, movies = mfrec.load_movielens("ml-100k"), Catalogue.movielens("ml-100k", "item")
    report = evaluate_cold(likes, movies.table, key=movies.key, **movies.roles, k=100)
    assert report.value(ranked=HELD_OUT, k=100) > 2 * report.value("random", ranked=HELD_OUT, k=100)
    assert report.value(k=100) > 5 * report.value("random", k=100)
    assert report.value("popularity", k=100) == 0
