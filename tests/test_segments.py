"""Segments: whole, nearest, described by what sets them apart, kept with the model and read by numpy alone."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.metrics import adjusted_rand_score

import mfrec
from mfrec.applications import segments as module
from mfrec.arrays import unit_rows
from mfrec.cli.main import cli
from mfrec.coldstart.extend import with_cold
from mfrec.directions import SIDES, Side
from mfrec.model.recommender import Recommender
from mfrec.model.segmentation import NONE, Segmentation
from mfrec.storage.folder import open_folder
from mfrec.storage.store import Store, publish
from tests.conftest import small_model
from tests.folders import edit, files, rewrite

each_side = pytest.mark.parametrize("side", SIDES)


@pytest.fixture(scope="module")
def segmented(text_model: Recommender) -> Recommender:
    """A model with segments of both sides to keep."""
    return text_model.with_segments(text_model.segments("user", 5)).with_segments(text_model.segments("item"))


@pytest.fixture(scope="module")
def saved(segmented: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, which must not be changed."""
    folder = tmp_path_factory.mktemp("segments") / "model"
    segmented.save(folder)
    return folder


def found_in(model: Recommender, side: Side) -> Segmentation:
    found = model.saved_segments[side]
    assert found is not None
    return found


def same(one: Segmentation, other: Segmentation) -> None:
    assert one.to_json() == other.to_json()
    for name in ("segment", "distance", "centres", "described", "lifts"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


@each_side
@pytest.mark.parametrize("n", [2, 7, 60])
def test_everybody_is_in_the_segment_of_the_nearest_centre(model: Recommender, side: Side, n: int) -> None:
    found = model.segments(side, n)
    assert len(found) == n == len(found.centres)
    assert found.sizes.tolist() == sorted(found.sizes.tolist(), reverse=True)
    assert found.sizes.min() > 0
    members = [found.members(number) for number in range(n)]
    assert sorted(key for ranking in members for key in ranking.ids) == list(model.ids[side])
    cosines = unit_rows(model.factors.same_side[side]) @ found.centres.T
    own = cosines[np.arange(len(cosines)), found.segment]
    np.testing.assert_allclose(own, cosines.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(found.distance, 1 - own, atol=1e-6)
    for ranking in members:
        assert ranking.scores.tolist() == sorted(ranking.scores.tolist(), reverse=True)
        assert found.members(0, 1).ids == members[0].ids[:1]


@each_side
def test_the_same_seed_gives_the_same_bytes(model: Recommender, side: Side) -> None:
    first = model.segments(side, seed=3)
    same(first, model.segments(side, seed=3))
    assert first.seed == 3
    assert len(first) == max(first.silhouettes, key=lambda n: first.silhouettes[n])
    assert set(first.silhouettes) <= set(module.TRIED)
    # what is compared with is what the next seed finds, before empty segments are filled
    agreement = adjusted_rand_score(first.segment, model.segments(side, len(first), seed=4).segment)
    assert first.stability == pytest.approx(agreement, abs=0.02)


def test_planted_genres_are_found() -> None:
    made = mfrec.sample(200, 120, 4_000, n_genres=4, seed=1)
    model = small_model(made.interactions, index="exact")
    genre = made.genre.item[np.array(list(model.ids.item)) - 1]
    found = model.segments("item", 4)
    assert adjusted_rand_score(genre, found.segment) > 0.8
    assert found.stability > 0.8
    # and the segments of users are described by items of one genre each
    for segment in model.segments("user", 4):
        described = genre[model.ids.item.numbers(segment.describing.ids)]
        assert np.bincount(described).max() >= 0.9 * len(described)


def test_lifts_are_what_they_are_said_to_be(model: Recommender) -> None:
    smoothing, item, user = module.SMOOTHING, model.adjacency.item, model.adjacency.user
    links = len(user.numbers)
    by_user = model.segments("user", 4)
    for segment in by_user:
        members = set(model.ids.user.numbers(by_user.members(segment.number).ids).tolist())
        theirs = sum(len(user.of(u)) for u in members)
        for key, lift, _ in segment.describing:
            takers = item.of(model.ids.item.number(key)).tolist()
            taken, expected = len(members.intersection(takers)), theirs * len(takers) / links
            assert lift == pytest.approx((taken + smoothing) / (expected + smoothing))
            assert taken >= module.LEAST_USERS
    by_item = model.segments("item", 4)
    for segment in by_item:
        members = set(model.ids.item.numbers(by_item.members(segment.number).ids).tolist())
        share = sum(len(item.of(i)) for i in members) / links
        for key, lift, _ in segment.describing:
            number = model.ids.item.number(key)
            assert number in members
            takers = item.of(number).tolist()
            others = [set(user.of(u).tolist()) - {number} for u in takers]
            ratio = sum(len(o & members) for o in others) / (sum(map(len, others)) * share)
            assert lift == pytest.approx((len(takers) * ratio + smoothing) / (len(takers) + smoothing))
    for found in (by_user, by_item):
        assert (np.diff(found.lifts, axis=1) <= 0).all()
        assert found.lifts.max() > 1


BAD: list[tuple[dict[str, Any], str]] = [
    ({"n": 1}, "n must be an integer of at least 2, got 1"),
    ({"n": 0}, "n must be an integer of at least 2, got 0"),
    ({"n": 61}, "n must be an integer from 2 to 60, got 61: the model has 60 users with interactions"),
    ({"n": 5.0}, "n must be an integer of at least 2, got 5.0"),
    ({"n": True}, "n must be an integer of at least 2, got True"),
    ({"seed": -1}, "seed must be an integer from 0 to"),
    ({"side": "film"}, "unknown side 'film': choose user or item"),
]


@pytest.mark.parametrize(("options", "sentence"), BAD)
def test_what_cannot_be_found_is_refused(model: Recommender, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(mfrec.ParameterError, match=sentence):
        model.segments(**{"side": "user", **options})


def test_one_user_makes_no_segments() -> None:
    likes = mfrec.Interactions.from_frame(pd.DataFrame({"user": [1, 1, 1], "item": [1, 2, 3]}))
    model = small_model(likes, factors=2)
    with pytest.raises(mfrec.ParameterError, match="segments need 2 users with interactions or more, the model has 1"):
        model.segments("user")
    assert len(model.segments("item", 3)) == 3


def test_more_segments_than_different_rows_leave_none_empty(model: Recommender) -> None:
    vectors = np.repeat(np.eye(8, dtype=np.float32)[:2], 40, axis=0)
    factors = replace(model.factors, item=vectors, given_same_side=mfrec.Pair(model.factors.same_side.user, vectors))
    found = replace(model, factors=factors).segments("item", 5)
    assert len(found) == 5
    assert found.sizes.min() == 1
    np.testing.assert_allclose(found.distance, 0, atol=1e-6)


def test_cold_rows_belong_to_segments_without_a_say_and_rows_without_a_vector_to_none(
    segmented: Recommender, text_model: Recommender
) -> None:
    new = np.stack([text_model.factors.item[3], np.zeros(8, np.float32)])
    wide = with_cold(segmented, "item", ["a new one", "nothing known"], new)
    assert wide.saved_segments == mfrec.Pair(None, None)
    before, after = text_model.segments("item", 6), wide.segments("item", 6)
    assert after.centres.tobytes() == before.centres.tobytes()
    of = dict(zip(after.ids.item, after.segment.tolist(), strict=True))
    assert of["a new one"] == of[text_model.ids.item.id(3)]
    assert of["nothing known"] == NONE
    assert after.distance[wide.ids.item.number("nothing known")] == 1
    assert "without a vector, and in no segment: 1 items" in after.lines()
    assert after.to_frame().set_index("id").loc["nothing known", "name"] == ""
    assert all("nothing known" not in after.members(number).ids for number in range(6))


def test_it_reads_well(segmented: Recommender) -> None:
    found = found_in(segmented, "user")
    assert [segment.number for segment in found] == [0, 1, 2, 3, 4]
    assert [segment.number for segment in found[1:3]] == [1, 2]
    assert found[-1].number == 4
    with pytest.raises(IndexError, match="segment 5 of 5"):
        found[5]
    with pytest.raises(mfrec.ParameterError, match="segment must be an integer from 0 to 4, got 5"):
        found.members(5)
    first = found[0]
    assert first.name == " / ".join(first.describing.labels[:3] if first.describing.labels else [])
    assert first.name.startswith("Título «")
    lines = repr(found).splitlines()
    assert lines[0] == "Segmentation(5 segments of 60 users)"
    assert first.name in lines[1]
    page = found._repr_html_()
    assert first.name in page
    assert "stability" in page
    frame = found.to_frame()
    assert frame["id"].tolist() == list(segmented.ids.user)
    assert frame["segment"].value_counts().sort_index().tolist() == found.sizes.tolist()
    assert frame["name"].nunique() == len(found)
    assert json.loads(json.dumps(found.to_json(), default=float))["segments"][0]["describing"][0]["lift"] > 1


def test_segments_are_kept_with_the_model_and_change_no_other_file(
    segmented: Recommender, text_model: Recommender, saved: Path, tmp_path: Path
) -> None:
    for side in SIDES:
        same(found_in(mfrec.load(saved), side), found_in(segmented, side))
    mfrec.verify(saved)
    text_model.save(tmp_path / "plain")
    plain, kept = files(tmp_path / "plain"), files(saved)
    assert {name for name in kept.keys() - plain.keys() if ".segments" not in name} == set()
    assert [name for name in plain if plain[name] != kept[name]] == ["manifest.json"]
    assert mfrec.load(tmp_path / "plain").saved_segments == mfrec.Pair(None, None)
    # saved again they stay, and a model from a new fit has none
    mfrec.load(saved).save(tmp_path / "again")
    assert files(tmp_path / "again") == kept
    text_model.save(tmp_path / "again")
    assert files(tmp_path / "again") == plain


def test_a_store_verifies_and_keeps_them(segmented: Recommender, saved: Path, tmp_path: Path) -> None:
    name = publish(saved, tmp_path / "store")
    version = Store(tmp_path / "store").folder(name)
    with pytest.raises(mfrec.ArtifactError, match="is a version of a store, which never changes: save elsewhere"):
        mfrec.load(version).save(version)
    assert files(version) == files(saved)
    same(found_in(mfrec.load(version), "item"), found_in(segmented, "item"))
    broken = Path(shutil.copytree(saved, tmp_path / "broken"))
    rewrite(broken, "item.segments.npy", np.load(saved / "item.segments.npy") * 0 + 99)
    with pytest.raises(mfrec.ArtifactError, match=r"item\.segments\.npy points outside -1\.\."):
        publish(broken, tmp_path / "store")
    assert Store(tmp_path / "store").current == name


DAMAGE: list[tuple[str, Any, str]] = [
    ("item.segments", lambda a: a * 0, "leaves segment 1 empty"),
    ("user.segments", lambda a: a - 2, "points outside"),
    ("user.segments", lambda a: a[:-1], "holds int32 of shape"),
    ("user.segments_distance", lambda a: a + np.float32(3), "does not hold the distances"),
    ("user.segments_centres", lambda a: a * np.float32(np.nan), "does not hold the distances"),
    ("user.segments_centres", lambda a: a[1:], "holds float32 of shape"),
    ("user.segments_described", lambda a: a + 1_000, "points outside"),
    ("user.segments_lifts", lambda a: a[:, 1:].copy(), "another shape"),
    ("item.segments_lifts", lambda a: -a - 1, "not finite or below 0"),
]


@pytest.mark.parametrize(("name", "change", "sentence"), DAMAGE)
def test_verify_refuses_segments_that_cannot_be(
    saved: Path, tmp_path: Path, name: str, change: Any, sentence: str
) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    rewrite(folder, f"{name}.npy", change(np.load(saved / f"{name}.npy")))
    with pytest.raises(mfrec.ArtifactError, match=sentence):
        mfrec.verify(folder)


@pytest.mark.parametrize("told", [{}, {"user": {}}, {"user": {"count": 4}}, {"item": None}, []])
def test_a_manifest_that_tells_of_other_segments_is_refused(saved: Path, tmp_path: Path, told: Any) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    edit(folder, lambda content: content.update(segments=told))
    with pytest.raises(mfrec.ArtifactError):
        mfrec.load(folder)


def test_segments_of_another_model_or_fit_are_not_kept(
    interactions: mfrec.Interactions, model: Recommender, text_model: Recommender
) -> None:
    refitted = small_model(interactions, seed=9)
    for found in (text_model.segments("item", 3), refitted.segments("item", 3)):
        with pytest.raises(mfrec.DataError, match="these item segments are not of this model: find them again"):
            model.with_segments(found)
    assert model.with_segments(model.segments("item", 3)).saved_segments.item is not None


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["segments", *map(str, arguments)])


def test_the_command_prints_saves_and_writes(text_model: Recommender, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    text_model.save(folder)
    done = invoke(folder, "item", "-n", 4, "--save", "--out", tmp_path / "rows.csv")
    assert done.exit_code == 0, done.output
    expected = text_model.segments("item", 4)
    same(found_in(mfrec.load(folder), "item"), expected)
    assert done.output.splitlines()[2].split()[:2] == ["0", str(expected.sizes[0])]
    assert f"saved in {folder}" in done.output
    rows = pd.read_csv(tmp_path / "rows.csv")
    assert rows["segment"].tolist() == expected.segment.tolist()
    told = json.loads(invoke(folder, "user", "-n", 3, "--json", "--out", tmp_path / "rows.jsonl").output)
    assert [row["size"] for row in told["segments"]] == text_model.segments("user", 3).sizes.tolist()
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["id"] for row in lines] == list(text_model.ids.user)
    # without --save nothing is kept
    assert mfrec.load(folder).saved_segments.user is None


def test_the_command_does_not_save_over_a_newer_model(
    text_model: Recommender, model: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    text_model.save(folder)

    def slowly(self: Recommender, *arguments: Any) -> Segmentation:
        model.save(folder)
        return module.segments(self, *arguments)

    monkeypatch.setattr(Recommender, "segments", slowly)
    done = invoke(folder, "item", "-n", 4, "--save")
    assert isinstance(done.exception, mfrec.ArtifactError)
    assert "was replaced while its segments were found, nothing was saved" in str(done.exception)
    assert mfrec.load(folder).ids.item.kind == "int"


def test_the_command_refuses_in_one_line_and_writes_nothing(text_model: Recommender, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    text_model.save(folder)
    before = open_folder(folder).sha256
    for options, sentence in (
        (["-n", 1, "--save"], "at least 2, got 1"),
        (["-n", 500, "--save"], "from 2 to"),
        (["--out", tmp_path / "rows.txt"], "--out must end in .csv"),
        (["--out", tmp_path / "no" / "rows.csv"], "cannot write"),
    ):
        done = invoke(folder, "item", *options)
        assert isinstance(done.exception, mfrec.ParameterError)
        assert sentence in str(done.exception)
    assert open_folder(folder).sha256 == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
