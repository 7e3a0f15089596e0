"""What a saved model gives back."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES
from mfrec.errors import ArtifactError
from mfrec.index import BACKENDS, IndexParams
from mfrec.model.recommender import Recommender
from mfrec.storage import manifest
from mfrec.training.params import ALSParams
from tests.conftest import random_interactions, small_model
from tests.folders import answers, files


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("text", [False, True], ids=["int", "text"])
@pytest.mark.parametrize("labelled", [False, True], ids=["bare", "labelled"])
def test_a_loaded_model_gives_the_same_answers(tmp_path: Path, backend: str, text: bool, labelled: bool) -> None:
    likes = random_interactions(text=text)
    labels = {key: f"Ünïcode 🎬 {key}" for key in likes.ids.item} if labelled else None
    likes = Interactions.from_frame(likes.to_frame(), item_labels=labels)
    model = small_model(likes, index=backend)
    before = answers(model)
    model.save(tmp_path / "model")
    loaded = mfrec.load(tmp_path / "model")
    assert answers(loaded) == before
    assert answers(model) == before
    assert loaded.info == json.loads(json.dumps(model.info))
    for side in SIDES:
        assert list(loaded.ids[side]) == list(model.ids[side])
        linked = model.ids["item" if side == "user" else "user"].ids([1, 5])
        np.testing.assert_array_equal(loaded.fold_in(side, linked), model.fold_in(side, linked))


@pytest.mark.parametrize("name", ["model", "text_model"])
def test_the_same_model_saves_to_the_same_bytes(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> None:
    model: Recommender = request.getfixturevalue(name)
    model.save(tmp_path / "one")
    model.save(tmp_path / "two")
    mfrec.load(tmp_path / "one").save(tmp_path / "three")
    assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "three")


def test_the_same_fit_saves_to_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        small_model(random_interactions()).save(tmp_path / name)
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.parametrize("factors", [1, 8, 64, 100])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (12, 9), (50, 40)])
def test_models_of_any_size_load_again(tmp_path: Path, factors: int, size: tuple[int, int]) -> None:
    pairs = [(u, i) for u in range(size[0]) for i in range(size[1]) if (u + i) % 2 == 0 or u * i == 0]
    model = small_model(Interactions.from_frame(pd.DataFrame(pairs, columns=["user", "item"])), factors=factors)
    before = answers(model)
    model.save(tmp_path / "model")
    assert answers(mfrec.load(tmp_path / "model")) == before
    mfrec.verify(tmp_path / "model")


def test_nothing_but_the_folder_is_left_behind(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    model.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not [path for path in (tmp_path / "model").iterdir() if path.suffix not in (".npy", ".ann", ".json")]


def test_the_manifest_lists_every_file_with_size_and_hash(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    content = mfrec.verify(tmp_path / "model")
    assert sorted([*content["files"], manifest.NAME]) == sorted(files(tmp_path / "model"))
    assert all(entry["size"] == (tmp_path / "model" / name).stat().st_size for name, entry in content["files"].items())
    assert content["counts"] == {"users": 60, "items": 80, "factors": 8, "links": len(random_interactions())}
    assert content["format_version"] == manifest.VERSION


def test_a_path_may_be_a_string_and_its_folders_are_made(
    model: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model.save("new/deep/model")
    mfrec.save(model, "plain")
    assert files(tmp_path / "new/deep/model") == files(tmp_path / "plain")
    assert repr(mfrec.load("plain")) == repr(model)


@pytest.mark.parametrize("name", ["with space", "ünï", "a.b", "-x", "x" * 200])
def test_a_folder_may_have_any_name(model: Recommender, tmp_path: Path, name: str) -> None:
    model.save(tmp_path / name)
    model.save(tmp_path / name)
    assert repr(mfrec.load(tmp_path / name)) == repr(model)


def test_an_earlier_model_is_replaced(model: Recommender, text_model: Recommender, tmp_path: Path) -> None:
    for each in (text_model, model, text_model):
        each.save(tmp_path / "model")
        assert answers(mfrec.load(tmp_path / "model")) == answers(each)


def test_an_open_model_outlives_its_folder(model: Recommender, text_model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    loaded = mfrec.load(tmp_path / "model")
    text_model.save(tmp_path / "model")
    assert answers(loaded) == answers(model)
    shutil.rmtree(tmp_path / "model")
    assert answers(loaded) == answers(model)


def test_a_loaded_model_can_be_saved_onto_its_own_folder(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    before = files(tmp_path / "model")
    loaded = mfrec.load(tmp_path / "model")
    loaded.save(tmp_path / "model")
    assert files(tmp_path / "model") == before
    assert answers(loaded) == answers(mfrec.load(tmp_path / "model")) == answers(model)


def test_a_copied_or_moved_folder_loads(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    shutil.copytree(tmp_path / "model", tmp_path / "copy")
    (tmp_path / "model").rename(tmp_path / "moved")
    assert answers(mfrec.load(tmp_path / "copy")) == answers(mfrec.load(tmp_path / "moved")) == answers(model)


def test_a_link_to_a_folder_loads_and_is_saved_through(
    model: Recommender, text_model: Recommender, tmp_path: Path
) -> None:
    model.save(tmp_path / "v1")
    (tmp_path / "current").symlink_to("v1")
    assert answers(mfrec.load(tmp_path / "current")) == answers(model)
    text_model.save(tmp_path / "current")
    assert answers(mfrec.load(tmp_path / "current")) == answers(text_model)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def mapped(array: Any) -> bool:
    """Whether an array is a view of a memory map."""
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = getattr(array, "base", None)
    return False


def test_large_arrays_are_mapped_and_read_only(tmp_path: Path) -> None:
    likes = random_interactions(1500, 1200)
    mfrec.fit(likes, ALSParams(factors=16, iterations=1, regularization=25.0), IndexParams(trees=1)).save(
        tmp_path / "model"
    )
    loaded = mfrec.load(tmp_path / "model")
    large = [*loaded.factors, loaded.adjacency.user.numbers, loaded.adjacency.item.numbers]
    large += [index.candidates.vectors for index in loaded.indexes.values()]
    assert min(array.nbytes for array in large) > 64 * 1024
    assert all(mapped(array) for array in large)
    assert not any(array.flags.writeable for array in large)


@pytest.mark.parametrize("content", [b"", b"mine", b"{}"])
def test_a_file_is_not_replaced(model: Recommender, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(ArtifactError, match="exists and is not a model folder of mfrec: choose another path"):
        model.save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == content


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("thesis.txt", b"years of work"),
        ("user.factors.npy", b"x"),
        # the manifest of a web app, and one that cannot be read
        ("manifest.json", b'{"name": "My App", "icons": []}'),
        ("manifest.json", b"[]"),
        ("manifest.json", b"\xff\xfe"),
    ],
)
def test_a_folder_of_something_else_is_not_replaced(
    model: Recommender, tmp_path: Path, name: str, content: bytes
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / name).write_bytes(content)
    with pytest.raises(ArtifactError, match="is not a model folder"):
        model.save(folder)
    assert files(folder) == {name: content}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_empty_folder_is_filled(model: Recommender, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    model.save(tmp_path / "model")
    assert answers(mfrec.load(tmp_path / "model")) == answers(model)


def test_a_corrupted_model_can_be_saved_over(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    (tmp_path / "model" / "user.factors.npy").write_bytes(b"")
    model.save(tmp_path / "model")
    assert answers(mfrec.load(tmp_path / "model")) == answers(model)


def test_a_path_below_a_file_cannot_be_saved_to(model: Recommender, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"cannot save to .*file is a file; choose a path below a folder"):
        model.save(tmp_path / "file" / "a" / "model")


def test_parameters_of_numpys_number_types_can_be_saved(tmp_path: Path) -> None:
    params = ALSParams(
        factors=np.int64(4),  # type: ignore[arg-type]
        regularization=np.float32(0.5),  # type: ignore[arg-type]
        iterations=1,
    )
    mfrec.fit(random_interactions(), params).save(tmp_path / "model")
    assert mfrec.load(tmp_path / "model").info["als"]["factors"] == 4


def test_info_that_is_no_json_gives_an_error_of_ours_and_leaves_no_scratch(model: Recommender, tmp_path: Path) -> None:
    odd = Recommender(model.factors, model.ids, model.adjacency, model.indexes, info={"when": object()})
    with pytest.raises(mfrec.MfrecError, match="info"):
        odd.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model", "text_model"])
def test_verify_accepts_what_save_wrote(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    request.getfixturevalue(name).save(tmp_path / "model")
    with caplog.at_level(logging.WARNING):
        content = mfrec.verify(tmp_path / "model")
    assert content["counts"]["users"] == 60
    assert caplog.messages == []
