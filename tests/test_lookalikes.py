"""Look-alikes: who is most like a group."""

import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mfrec
from mfrec.applications import lookalikes as module
from mfrec.applications.lookalikes import Group, Space
from mfrec.arrays import Candidates, Numbers
from mfrec.cli import main
from mfrec.coldstart.extend import with_cold
from mfrec.data.synthetic import Sample, sample
from mfrec.directions import Pair, Side
from mfrec.errors import DataError, ParameterError, UnknownIdError
from mfrec.index import IndexParams
from mfrec.model.recommender import Recommender
from tests.conftest import random_interactions, small_model
from tests.params import given_params

SMALL = small_model(random_interactions(), index="exact")
IDS = Pair.of(lambda side: list(SMALL.ids[side]))


@pytest.fixture(scope="module")
def planted() -> tuple[Sample, Recommender]:
    """Users of six tastes, and a model of what they took."""
    made = sample(600, 400, 15_000, n_genres=6, seed=3)
    params = given_params(factors=16, regularization=15.0, alpha=3.0, iterations=8)
    return made, mfrec.fit(made.interactions, params, IndexParams(index="exact"))


def of_taste(made: Sample, taste: int, count: int) -> list[Any]:
    """Return the ids of the first users of a taste."""
    return made.interactions.ids.user.ids(np.flatnonzero(made.genre.user == taste)[:count])


def tastes(made: Sample, ranking: mfrec.Ranking) -> list[int]:
    return [int(taste) for taste in made.genre.user[made.interactions.ids.user.numbers(ranking.ids)]]


def test_the_others_of_a_planted_group_are_found(planted: tuple[Sample, Recommender]) -> None:
    made, model = planted
    found = tastes(made, model.lookalikes("user", of_taste(made, 2, 30), 60))
    assert found.count(2) >= 54


def test_both_of_two_planted_groups_are_found(planted: tuple[Sample, Recommender]) -> None:
    made, model = planted
    found = tastes(made, model.lookalikes("user", of_taste(made, 1, 30) + of_taste(made, 4, 30), 100))
    assert found.count(1) >= 25
    assert found.count(4) >= 25
    assert found.count(1) + found.count(4) >= 90


def test_the_active_lead_only_where_the_seeds_are_active(planted: tuple[Sample, Recommender]) -> None:
    made, model = planted
    own = np.flatnonzero(made.genre.user == 0)
    degree = made.interactions.degree.user
    own = own[np.argsort(degree[own], kind="stable")]

    def mean_degree(seeds: Numbers) -> float:
        found = model.lookalikes("user", model.ids.user.ids(seeds), 20)
        return float(degree[model.ids.user.numbers(found.ids)].mean())

    # every other one of the quietest, and of the most active
    assert mean_degree(own[:40:2]) < np.median(degree)
    assert mean_degree(own[-40::2]) > degree.mean()


def test_seeds_that_are_no_one_group_get_several_centres() -> None:
    # everybody stands on a circle, and is equally active; the mean of opposite seeds is the middle, like everybody's
    angles = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    space = Space.of(Candidates(vectors, "cosine"), np.ones(300, np.int64))
    here, opposite = np.arange(0, 40), np.arange(150, 190)
    seeds, rest = np.concatenate([here[::2], opposite[::2]]), np.concatenate([here[1::2], opposite[1::2]])

    def found(group: Group) -> float:
        others = np.setdiff1d(np.arange(300), seeds)
        return float(np.isin(others[np.argsort(-group.scores(space, others))[: len(rest)]], rest).mean())

    assert len(Group.of(space, seeds).weights) == 2
    assert found(Group.of(space, seeds)) >= 0.9
    assert found(Group.with_centres(space, space.rows(seeds), 1)) <= 0.6
    assert len(Group.of(space, here).weights) == 1


@given(
    st.sampled_from(["user", "item"]),
    st.lists(st.integers(0, 59), min_size=1, max_size=40),
    st.integers(1, 100),
    st.none() | st.lists(st.integers(0, 70), max_size=30),
    st.none() | st.lists(st.integers(0, 70), max_size=30),
    st.randoms(use_true_random=False),
)
def test_lists_are_what_was_asked_for(
    side: Side, places: list[int], k: int, allow: list[int] | None, deny: list[int] | None, random: Any
) -> None:
    ids = IDS[side]
    seeds = [ids[n] for n in places]
    # places beyond the end stand for ids that the model does not know
    options = {
        name: None if given is None else [ids[n] if n < len(ids) else -n for n in given]
        for name, given in (("allow", allow), ("deny", deny))
    }
    found = SMALL.lookalikes(side, seeds, k, **options)
    eligible = set(ids if allow is None else options["allow"] or ()) & set(ids)
    eligible -= {*seeds, *(options["deny"] or ())}
    assert len(found) == min(k, len(eligible))
    assert set(found.ids) <= eligible
    assert len(set(found.ids)) == len(found)
    assert found.exact
    assert (np.diff(found.scores) <= 0).all()
    shuffled = seeds * 2
    random.shuffle(shuffled)
    assert SMALL.lookalikes(side, shuffled, k, **options) == found


def dense(space: Space, group: Group, seeds: Numbers) -> tuple[Numbers, Any]:
    """Return everybody but the seeds, best first, and their scores, all in float64."""
    others = np.setdiff1d(np.arange(len(space.activity)), seeds)
    scores = group.of_rows(space.rows(others)).astype(np.float32)
    order = np.lexsort((others, -scores))
    return others[order], scores[order]


@pytest.mark.parametrize("centres", [1, 3])
def test_short_lists_begin_long_ones(monkeypatch: pytest.MonkeyPatch, centres: int) -> None:
    monkeypatch.setattr(module, "_chosen", lambda *_: centres)
    seeds = np.arange(0, 60, 3)
    space = Space.of(SMALL.indexes["user", "cosine"].candidates, SMALL.factors.degree.user)
    numbers, scores = dense(space, Group.of(space, seeds), seeds)
    for k in (1, 5, 39, 500):
        found = SMALL.lookalikes("user", SMALL.ids.user.ids(seeds), k)
        assert found.ids == SMALL.ids.user.ids(numbers[:k])
        np.testing.assert_array_equal(found.scores, scores[:k])
    few = SMALL.ids.user.ids(numbers[::7])
    assert SMALL.lookalikes("user", SMALL.ids.user.ids(seeds), 3, allow=few).ids == few[:3]


def test_of_many_some_are_looked_at_the_same_in_every_call(
    planted: tuple[Sample, Recommender], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, model = planted
    seeds = of_taste(made, 2, 60)
    whole = model.lookalikes("user", seeds, 40)
    monkeypatch.setattr(module, "DESCRIBED", 200)
    monkeypatch.setattr(module, "COMPARED", 50)
    some = model.lookalikes("user", seeds, 40)
    assert some == model.lookalikes("user", seeds, 40)
    assert some.scores.tolist() != whole.scores.tolist()
    assert tastes(made, some).count(2) >= 34


@pytest.mark.parametrize(
    ("seeds", "error", "sentence"),
    [
        ([], DataError, "no seeds: give at least one id"),
        ([-1, -2, -1, -3, -4, -5, -6], UnknownIdError, r"6 of 6 seeds are no users .*\(-1, -2, -3, -4, -5, \.\.\.\)"),
        ("7", UnknownIdError, "expected a list of ids, got '7'"),
        (7, UnknownIdError, "expected a list of ids, got 7"),
        (["7"], UnknownIdError, "'7'"),
    ],
)
def test_bad_seeds(seeds: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        SMALL.lookalikes("user", seeds)


def test_bad_parameters() -> None:
    with pytest.raises(ParameterError, match="unknown side 'users'"):
        SMALL.lookalikes("users", IDS.user[:2])  # type: ignore[arg-type]
    for k in (0, True, 1.5):
        with pytest.raises(ParameterError, match="k must be"):
            SMALL.lookalikes("user", IDS.user[:2], k)  # type: ignore[arg-type]


def test_unknown_and_repeated_seeds_are_told(caplog: pytest.LogCaptureFixture) -> None:
    first, second, *_ = IDS.user
    with caplog.at_level(logging.WARNING, "mfrec"):
        found = SMALL.lookalikes("user", np.array([first, -5, second, first, -5]), 5)
    assert caplog.messages == [
        "1 of 3 seeds are no users of the model (-5): the others are the seeds",
        "2 of 5 seeds repeat others: each counts once",
    ]
    assert found == SMALL.lookalikes("user", [first, second], 5)


@pytest.mark.parametrize("vectors", [np.zeros((6, 2)), np.ones((6, 2)), np.eye(6)[:, :2]])
def test_vectors_that_tell_nothing_give_finite_scores(vectors: Any) -> None:
    space = Space.of(Candidates(vectors.astype(np.float32), "cosine"), np.array([0, 0, 3, 3, 3, 3]))
    group = Group.of(space, np.arange(2))
    assert np.isfinite(group.scores(space, np.arange(6))).all()
    assert np.isfinite(group.fast_scores(space, np.arange(6))).all()


def test_who_has_no_interactions_can_be_found_and_can_be_a_seed() -> None:
    wide = with_cold(SMALL, "user", [-9], SMALL.factors.user[5:6])
    assert np.isfinite(wide.lookalikes("user", [-9], 10).scores).all()
    assert wide.lookalikes("user", IDS.user[5:6], 60).ids.index(-9) < 10


Run = Callable[..., str]


@pytest.fixture
def run(text_model: Recommender, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs the command over a model with text ids, and gives its output and what it told on stderr."""
    text_model.save(tmp_path / "m")

    def printed(*args: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as stopped:
            main(["lookalikes", str(tmp_path / "m"), *args])
        assert stopped.value.code == code
        told = capsys.readouterr()
        return told.out + told.err

    return printed


def test_the_command_reads_lines_stdin_and_tables(
    run: Run, text_model: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = text_model.ids.item.ids([0, 3, 4])
    expected = text_model.lookalikes("item", seeds, 4)
    (tmp_path / "seeds.txt").write_text("\n".join([*seeds, "", f" {seeds[0]} ", "nothing"]), encoding="utf-8")
    told = run("item", "--seeds", str(tmp_path / "seeds.txt"), "-k", "4")
    assert "most like 3 items" in told
    assert [line.split()[1] for line in told.splitlines()[3:7]] == expected.ids
    assert "mfrec: 1 of 4 seeds are no items of the model ('nothing'): the others are the seeds" in told
    assert "mfrec: 1 of 5 seeds repeat others: each counts once" in told
    pd.DataFrame({"n": 1, "key": seeds}).to_csv(tmp_path / "seeds.csv", index=False)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(seeds).encode())))
    for options in (("-",), (str(tmp_path / "seeds.csv"), "--seeds-col", "key")):
        found = json.loads(run("item", "--json", "-k", "4", "--seeds", *options))
        assert (found["side"], found["seeds"], found["repeated"], found["unknown"]) == ("item", 3, 0, [])
        assert [row["id"] for row in found["results"]] == expected.ids
    allowed = run("item", "--seeds", str(tmp_path / "seeds.txt"), "--allow", expected.ids[2], "--deny", expected.ids[2])
    assert "nothing is eligible" in allowed


@pytest.mark.parametrize(("name", "read"), [("o.csv", pd.read_csv), ("o.parquet", pd.read_parquet)])
def test_the_command_writes_files(
    run: Run, text_model: Recommender, tmp_path: Path, name: str, read: Callable[[Path], pd.DataFrame]
) -> None:
    seeds = text_model.ids.item.ids([0, 3])
    (tmp_path / "seeds.txt").write_text("\n".join(seeds), encoding="utf-8")
    asked = ("item", "--seeds", str(tmp_path / "seeds.txt"), "--out", str(tmp_path / name), "--labels", "-k", "9999")
    expected = text_model.lookalikes("item", seeds, 9999)
    assert f"wrote {len(text_model.ids.item) - 2} rows" in run(*asked)
    frame = read(tmp_path / name)
    assert frame["item"].tolist() == expected.ids
    assert frame["item_label"].tolist() == expected.labels
    assert frame["rank"].tolist() == [*range(1, len(expected) + 1)]
    np.testing.assert_allclose(frame["score"], expected.scores, rtol=1e-6)


def test_mistakes_on_the_command_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n\n")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    file = ("user", "--seeds", str(tmp_path / "table.csv"))
    for arguments, sentence in {
        ("user", "--seeds", str(tmp_path / "none")): "no such file",
        ("user", "--seeds", str(tmp_path / "empty")): "no seeds: give at least one id",
        file: "table.csv: 2 of 2 seeds are no users of the model ('a,b', '1,2'): give at least one of its",
        (*file, "--seeds-col", "c"): "'c'",
        (*file, "--seeds-col", "a"): "is it the right column?",
        (*file, "--out", str(tmp_path / "o.txt")): "--out must end in .csv",
        (*file, "--labels"): "--labels goes with --out",
        (*file, "--json", "--out", str(tmp_path / "o.csv")): "either --out or --json",
    }.items():
        assert sentence in run(*arguments, code=2)
    assert not (tmp_path / "o.csv").exists()
