"""Readers of a folder that others save to: a load gives one whole model, or is refused."""

import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfrec
from mfrec.directions import SIDES
from mfrec.errors import ArtifactError
from mfrec.model.recommender import Recommender
from mfrec.storage import atomic, manifest
from mfrec.storage import folder as model_folder
from tests.faults import Writer, save
from tests.folders import files

TRY_AGAIN = "was replaced or removed while it was loaded: try again; a store"


def read(target: Path, expected: Mapping[str, Recommender]) -> str:
    """Load a folder, which must be one of the two models, whole; return which."""
    loaded = mfrec.load(target)
    tag: str = loaded.info["tag"]
    for side in SIDES:
        np.testing.assert_array_equal(loaded.factors[side], expected[tag].factors[side])
        labels = loaded.labels[side]
        assert labels is not None
        assert str(labels[0]).startswith(tag)
    for key, index in loaded.indexes.items():
        query = loaded.factors[key[0]][3]
        assert index.search(query, 5).numbers.tolist() == expected[tag].indexes[key].search(query, 5).numbers.tolist()
    return tag


@pytest.fixture
def expected(pristine: Path) -> dict[str, Recommender]:
    """Both models, as they are read when nobody writes."""
    return {tag: mfrec.load(pristine / tag) for tag in ("one", "two")}


def read_or_refused(target: Path, expected: Mapping[str, Recommender]) -> str | None:
    """Load a folder that is being replaced: it is one of the two models, whole, or is refused as replaced."""
    try:
        return read(target, expected)
    except ArtifactError as error:
        if TRY_AGAIN not in str(error):
            raise
        return None


def put(folder: Path, source: Path) -> None:
    """Replace a folder by a copy of another, as `save` does."""
    with atomic.replacing_folder(folder) as scratch:
        for path in source.iterdir():
            shutil.copy(path, scratch / path.name)


def test_loading_never_fails_at_any_step_of_another_process_that_saves(
    pristine: Path, folder: Path, expected: dict[str, Recommender], writer: Writer
) -> None:
    seen = [read(folder, expected) for _ in writer.pauses(save(pristine / "two", folder))]
    assert seen == ["one"] * seen.count("one") + ["two"] * seen.count("two")
    assert set(seen) == {"one", "two"}


def test_loading_while_another_process_saves_gives_a_whole_model_or_is_refused(
    pristine: Path, folder: Path, expected: dict[str, Recommender], writer: Writer
) -> None:
    """Both run freely; the next save begins when the model of the last one was read."""
    for tag in ("two", "one") * 20:
        writer.start(save(pristine / tag, folder))
        while not writer.ended():
            read_or_refused(folder, expected)
        writer.end()
        assert read(folder, expected) == tag


def test_loading_while_a_thread_renames_models_into_place_gives_a_whole_model_or_is_refused(
    pristine: Path, folder: Path, expected: dict[str, Recommender]
) -> None:
    spare = Path(shutil.copytree(pristine / "two", folder.parent / "spare"))
    for tag in ("two", "one") * 20:
        thread = threading.Thread(target=atomic._exchange, args=(folder, spare))
        thread.start()
        read_or_refused(folder, expected)
        thread.join()
        assert read(folder, expected) == tag


def at_call(number: int, real: Callable[..., Any], act: Callable[[], object]) -> Callable[..., Any]:
    """Return a function that does something else before its call of that number."""
    calls = iter(range(10**6))

    def call(*args: Any) -> Any:
        if next(calls) == number:
            act()
        return real(*args)

    return call


def test_a_folder_replaced_after_its_files_were_opened_is_loaded_as_it_was(
    pristine: Path, folder: Path, expected: dict[str, Recommender], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever that is, before the first file is hashed or before any of them is mapped, by numpy or by Annoy."""
    count = len(files(folder)) - 1
    # the indexes' files are the last ones
    for number in (0, count // 2, count - 4, count - 1):
        put(folder, pristine / "one")
        with monkeypatch.context() as patch:
            patch.setattr(
                model_folder,
                "_path_of",
                at_call(number, model_folder._path_of, lambda: put(folder, pristine / "two")),
            )
            assert read(folder, expected) == "one"
        assert read(folder, expected) == "two"
    put(folder, pristine / "one")
    monkeypatch.setattr(
        manifest, "_check_sizes", at_call(0, manifest._check_sizes, lambda: put(folder, pristine / "two"))
    )
    assert read(folder, expected) == "one"


def test_a_folder_removed_after_its_files_were_opened_is_loaded_as_it_was(
    folder: Path, expected: dict[str, Recommender], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_check_sizes", at_call(0, manifest._check_sizes, lambda: shutil.rmtree(folder)))
    assert read(folder, expected) == "one"
    assert not folder.exists()


def opening(monkeypatch: pytest.MonkeyPatch, acts: Mapping[str, Callable[[], object]]) -> None:
    """Do something before `load` opens a file of that name, once."""
    real, left = Path.is_file, dict(acts)

    def is_file(path: Path) -> bool:
        left.pop(path.name, lambda: None)()
        return real(path)

    monkeypatch.setattr(Path, "is_file", is_file)


@pytest.mark.parametrize("name", ["index.item.cosine.ann", "item.factors.npy", "user.norms.npy"])
def test_a_folder_replaced_while_its_files_are_opened_is_refused(
    pristine: Path, folder: Path, expected: dict[str, Recommender], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with monkeypatch.context() as patch:
        opening(patch, {name: lambda: put(folder, pristine / "two")})
        with pytest.raises(ArtifactError, match=TRY_AGAIN):
            mfrec.load(folder)
    assert read(folder, expected) == "two"


def test_a_folder_replaced_twice_while_its_files_are_opened_is_refused(
    pristine: Path, folder: Path, expected: dict[str, Recommender], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One, then two while files are opened, then one again: the manifest looks as if nothing had been."""
    with monkeypatch.context() as patch:
        turns = {"item.factors.npy": "two", "item.labels_utf8.npy": "one"}
        opening(patch, {name: lambda tag=tag: put(folder, pristine / tag) for name, tag in turns.items()})  # type: ignore[misc]
        with pytest.raises(ArtifactError, match=r"item\.factors\.npy is corrupted"):
            mfrec.load(folder)
    assert read(folder, expected) == "one"


@pytest.mark.parametrize("name", ["index.item.cosine.ann", "item.factors.npy"])
def test_a_folder_removed_while_its_files_are_opened_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    opening(monkeypatch, {name: lambda: shutil.rmtree(folder)})
    with pytest.raises(ArtifactError, match=TRY_AGAIN):
        mfrec.load(folder)


def test_a_load_leaves_no_file_open(folder: Path, expected: dict[str, Recommender]) -> None:
    """Beside the maps themselves, which close with the model."""
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        assert read(folder, expected) == "one"
    (folder / "user.norms.npy").write_bytes(b"junk")
    with pytest.raises(ArtifactError):
        mfrec.load(folder)
    assert len(list(Path("/dev/fd").iterdir())) == before
