"""``mfrec fit`` and ``mfrec evaluate`` with tables of items and users, as a user calls them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mfrec
from mfrec.cli import main
from mfrec.coldstart.catalogue import Catalogue
from mfrec.coldstart.evaluate import evaluate_cold
from mfrec.data.synthetic import GENRES, sample
from tests.test_movielens import u_data, write_folder

PLAYS = ["fit", "plays.csv", "--user-col", "who", "--item-col", "what", "--factors", "8", "--out", "model"]
TRACKS = ["--items", "tracks.csv", "--items-id", "what"]
PEOPLE = ["--users", "people.csv", "--users-id", "who"]
GENRE = ["--items-category", "genre"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with plays, a table of tracks and one of people, each with two that nobody touched."""
    monkeypatch.chdir(tmp_path)
    known = sample(120, 100, 3_000, n_genres=4)
    likes = known.interactions.to_frame().rename(columns={"user": "who", "item": "what"})
    likes.to_csv("plays.csv", index=False)
    taste = {
        side: [GENRES[g] for g in numbers.tolist()]
        for side, numbers in (("user", known.genre.user), ("item", known.genre.item))
    }
    tracks = pd.DataFrame({"what": range(1, 103), "genre": [*taste["item"], GENRES[0], GENRES[1]]})
    tracks["title"] = [f"{genre} no. {what}" for what, genre in zip(tracks["what"], tracks["genre"], strict=True)]
    tracks["year"] = np.where(tracks["what"] % 7 == 0, np.nan, 1990 + tracks["what"] % 30)
    tracks.assign(blank=np.nan).to_csv("tracks.csv", index=False)
    people = pd.DataFrame({"who": range(1, 123), "job": [*taste["user"], GENRES[0], GENRES[1]]})
    people.assign(age=18 + people["who"] % 50).to_csv("people.csv", index=False)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    with pytest.raises(SystemExit) as stopped:
        main([*arguments])
    told = capsys.readouterr()
    assert stopped.value.code == code, told.err
    return told.out, told.err


def test_what_nobody_has_touched_is_part_of_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    columns = ["--items-text", "title", *GENRE, "--items-number", "year", "--items-label", "title"]
    out, err = run(capsys, *PLAYS, *TRACKS, *columns, *PEOPLE, "--users-category", "job", "--users-number", "age")
    assert "2 items without interactions: vectors from title, genre, year" in out
    assert "2 users without interactions: vectors from job, age" in out
    assert "learning vectors from people.csv and tracks.csv" in err
    model = mfrec.load("model")
    mfrec.verify("model")
    assert model.info["cold"] == {"user": 2, "item": 2}
    assert model.info["index"]["index"] == "annoy"
    tracks, people = pd.read_csv("tracks.csv", index_col="what"), pd.read_csv("people.csv", index_col="who")
    for new, genre in ((101, GENRES[0]), (102, GENRES[1])):
        assert (tracks.loc[model.item2item(new, k=10).ids, "genre"] == genre).mean() > 0.8
        assert (people.loc[model.item2user(new, k=10).ids, "job"] == genre).mean() > 0.8
    for new, genre in ((121, GENRES[0]), (122, GENRES[1])):
        assert (tracks.loc[model.user2item(new, k=10).ids, "genre"] == genre).mean() > 0.8
        assert (people.loc[model.user2user(new, k=10).ids, "job"] == genre).mean() > 0.8
    # titles come from the table, for those with interactions as well
    assert model.labels.item is not None
    assert list(model.labels.item) == tracks["title"].tolist()
    out, _ = run(capsys, "recommend", "model", "item2user", tracks["title"].loc[101], "-k", "3")
    assert len(out.strip().splitlines()) == 6
    out, _ = run(capsys, "verify", "model")
    assert "2 users and 2 items without interactions" in out


def test_what_has_interactions_answers_as_without_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *PLAYS, "--quiet")
    plain = mfrec.load("model")
    out, err = run(capsys, *PLAYS, *TRACKS, *GENRE, "--quiet")
    assert err == ""
    assert "2 items without interactions: vectors from genre" in out
    wide = mfrec.load("model")
    np.testing.assert_array_equal(wide.factors.item[:100], plain.factors.item)
    assert wide.recommend("user2item", [5], 50, deny=[101, 102])[0].ids == plain.user2item(5, k=50).ids


def test_a_table_may_list_nothing_new(capsys: pytest.CaptureFixture[str]) -> None:
    pd.read_csv("tracks.csv")[:100].to_csv("tracks.csv", index=False)
    out, _ = run(capsys, *PLAYS, *TRACKS, *GENRE, "--items-label", "title", "--quiet")
    assert "tracks.csv lists no item without interactions" in out
    model = mfrec.load("model")
    assert len(model.ids.item) == 100
    assert model.labels.item is not None
    assert {index.backend for index in model.indexes.values()} == {"annoy"}


def test_ids_are_found_under_the_name_they_have_in_the_plays(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    pd.read_csv("tracks.csv").to_parquet("tracks.parquet")
    run(capsys, *PLAYS, "--items", "tracks.parquet", *GENRE, "--quiet")
    assert mfrec.load("model").info["cold"] == {"item": 2}


def test_what_a_movielens_release_tells(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """Films and people of the release's own tables that nobody rated, or who rated nothing."""
    rng = np.random.default_rng(0)
    ratings = "".join(f"{u}\t{i}\t4\t881250949\n" for u in range(1, 21) for i in rng.permutation(15)[:9] + 1)
    flags = "0|1|0"
    movies = "".join(f"{i}|Film {i} ({1970 + i})|01-Jan-1995||http://imdb/{i}|{flags}\n" for i in range(1, 18))
    users = "".join(f"{u}|{20 + u}|{'MF'[u % 2]}|writer|{u % 10}0001\n" for u in range(1, 22))
    files = {**u_data(), "u.data": ratings.encode(), "u.item": movies.encode(), "u.user": users.encode()}
    write_folder(folder / "release", files)
    out, _ = run(capsys, "fit", "release", "--cold-start", "--factors", "4", "--out", "model", "--quiet")
    assert "2 items without interactions: vectors from title, genres, year" in out
    assert "1 user without interactions: vectors from gender, occupation, region, age" in out
    model = mfrec.load("model")
    assert model.labels.item is not None
    assert list(model.labels.item)[-2:] == ["Film 16 (1986)", "Film 17 (1987)"]
    assert len(model.user2item(21, k=17)) == 17
    # a table of one's own takes the place of the release's
    pd.DataFrame({"item": range(1, 31), "mood": "calm"}).to_csv("moods.csv", index=False)
    out, _ = run(
        capsys, "fit", "release", "--cold-start", "--items", "moods.csv", "--items-category", "mood",
        "--factors", "4", "--out", "model", "--quiet",
    )  # fmt: skip
    assert "15 items without interactions: vectors from mood" in out
    (folder / "release" / "u.user").unlink()
    out, _ = run(capsys, "fit", "release", "--cold-start", "--factors", "4", "--out", "model", "--quiet")
    assert "2 items" in out
    assert "user" not in out.splitlines()[2]


def test_films_of_a_real_release_that_nobody_rated(capsys: pytest.CaptureFixture[str], movielens_home: Path) -> None:
    if not (movielens_home / "ml-latest-small").is_dir():
        pytest.skip("no ml-latest-small")
    out, _ = run(
        capsys, "fit", "ml-latest-small", "--cold-start", "--index", "exact", "--iterations", "3", "--factors", "4",
        "--out", "model", "--quiet",
    )  # fmt: skip
    assert "18 items without interactions: vectors from title, genres, year" in out
    out, _ = run(capsys, "recommend", "model", "item2user", "Roaring Twenties, The (1939)", "--json")
    assert len(json.loads(out)["results"]) == 10


@pytest.mark.parametrize(
    ("side", "arguments", "columns"),
    [
        ("item", [*TRACKS, *GENRE, "--items-number", "year"], {"categories": ["genre"], "numbers": ["year"]}),
        ("user", [*PEOPLE, "--users-category", "job"], {"categories": ["job"]}),
    ],
)
def test_evaluate_gives_what_the_library_gives(
    capsys: pytest.CaptureFixture[str], side: Any, arguments: list[str], columns: dict[str, Any]
) -> None:
    asked = ["evaluate", *PLAYS[1:-2], "--cold", side, *arguments, "-k", "5", "-k", "20", "--test-fraction", "0.3"]
    out, _ = run(capsys, *asked, "--quiet")
    likes = mfrec.Interactions.read("plays.csv", user="who", item="what")
    path, key = arguments[1], "what" if side == "item" else "who"
    catalogue = Catalogue.read(path, likes.ids[side], key, **columns)
    report = evaluate_cold(
        likes, catalogue.table, key=key, side=side, **columns, fraction=0.3, k=(5, 20),
        params=mfrec.ALSParams(factors=8),
    )  # fmt: skip
    assert out == f"{report}\n"
    for name in ("recall@5", "recall@20", "hit rate@5", "popularity", "random", "mean vector", "content"):
        assert name in out
    out, _ = run(capsys, *asked, "--json", "--quiet")
    assert json.loads(out) == json.loads(report.to_json())


def mistakes() -> list[tuple[list[str], str]]:
    evaluate = ["evaluate", *PLAYS[1:-2]]
    return [
        ([*PLAYS, *TRACKS, "--items-text", "name"], "tracks.csv has no column 'name': it has 'what', 'genre'"),
        ([*PLAYS, "--items", "tracks.csv", "--items-id", "isrc", *GENRE], "tracks.csv has no column 'isrc'"),
        ([*PLAYS, *TRACKS, *GENRE, "--items-label", "name"], "tracks.csv has no column 'name'"),
        ([*PLAYS, *TRACKS], "say what to learn from tracks.csv: --items-text, --items-category or --items-number"),
        ([*PLAYS, *TRACKS, "--items-text", "blank"], "nothing to learn from in blank"),
        ([*PLAYS, *TRACKS, "--items-number", "title"], "column 'title' holds"),
        ([*PLAYS, *TRACKS, "--items-number", "blank"], "column 'blank' holds no number"),
        ([*PLAYS, "--items", "none.csv", *GENRE], "no such file: none.csv"),
        ([*PLAYS, "--items", ".", *GENRE], "is a folder"),
        ([*PLAYS, "--items", "junk.csv", *GENRE], "junk.csv"),
        ([*PLAYS, "--items", "empty.csv", *GENRE], "empty.csv has no rows"),
        ([*PLAYS, "--items", "twice.csv", *GENRE], "what 1 stands twice in twice.csv"),
        (
            [*PLAYS, "--items", "short.csv", "--strict", *GENRE],
            "short.csv has no row for 50 of 100 items with interactions",
        ),
        ([*PLAYS, "--items", "named.csv", *GENRE], "named.csv has the what 'n1': item ids of the interactions are int"),
        ([*PLAYS, "--items", "gap.csv", *GENRE], "gap.csv has 1 rows without a value of 'what'"),
        ([*PLAYS, *TRACKS, *GENRE, *GENRE], "is named 2 times as categories: name it once"),
        ([*PLAYS, *GENRE], "name the table of items whose columns you mean: --items FILE"),
        ([*PLAYS, "--users-id", "who"], "name the table of users whose columns you mean: --users FILE"),
        ([*PLAYS, "--cold-start"], "plays.csv is no MovieLens release: name tables with --items FILE or --users FILE"),
        (["fit", "sample", "--cold-start"], "sample is no MovieLens release"),
        ([*evaluate, "--cold", "film"], "'film' is not one of 'user', 'item'"),
        ([*evaluate, "--cold", "user"], "plays.csv tells nothing about its users: name a table with --users FILE"),
        ([*evaluate, "--cold", "user", *TRACKS, *GENRE], "--items has no meaning with --cold user"),
        ([*evaluate, *TRACKS, *GENRE], "--items is for --cold item"),
        ([*evaluate, "--cold", "item", *TRACKS, *GENRE, "--split", "last"], "--split has no meaning with --cold"),
        ([*evaluate, "--cold", "item", *TRACKS, *GENRE, "--through-index"], "--through-index has no meaning with"),
        ([*evaluate, "--cold", "item", *TRACKS, *GENRE, "-k", "0"], "k must be an integer of at least 1, got 0"),
        (
            [*evaluate, "--cold", "item", *TRACKS, *GENRE, "--test-fraction", "1"],
            "fraction must be above 0 and below 1, got 1.0",
        ),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"), mistakes(), ids=lambda v: " ".join(v[7:]) if isinstance(v, list) else ""
)
def test_a_mistake_is_one_line_before_anything_is_fitted(
    capsys: pytest.CaptureFixture[str], folder: Path, arguments: list[str], message: str
) -> None:
    tracks = pd.read_csv("tracks.csv")
    (folder / "junk.csv").write_bytes(bytes(range(256)))
    tracks[:0].to_csv("empty.csv", index=False)
    pd.concat([tracks, tracks[:1]]).to_csv("twice.csv", index=False)
    tracks[50:].to_csv("short.csv", index=False)
    tracks.assign(what="n" + tracks["what"].astype(str)).to_csv("named.csv", index=False)
    tracks.assign(what=tracks["what"].where(tracks["what"] > 1)).astype({"what": "Int64"}).to_csv(
        "gap.csv", index=False
    )
    out, err = run(capsys, *arguments, "--quiet", code=2)
    assert out == ""
    assert message in err
    assert err.startswith("mfrec: ")
    assert err.count("\n") == 1
    assert not (folder / "model").exists()
