"""Systems that cannot exchange two folders in one step."""

import errno
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mfrec
from mfrec.errors import ArtifactError
from mfrec.storage import atomic
from tests.folders import failing, whole


@pytest.fixture
def without_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)


@pytest.mark.usefixtures("without_exchange")
def test_a_model_is_replaced_without_exchange(pristine: Path, tmp_path: Path) -> None:
    for tag in ("one", "two", "one"):
        mfrec.load(pristine / tag).save(tmp_path / "model")
        assert whole(tmp_path / "model", pristine) == tag
        assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.usefixtures("without_exchange")
@pytest.mark.parametrize("step", [1, 2])
def test_a_rename_that_fails_leaves_a_whole_model(
    pristine: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing(Path.rename, step - 1, OSError(errno.EIO, "Input/output error")))
        with pytest.raises(ArtifactError):
            mfrec.load(pristine / "two").save(folder)
    assert whole(folder, pristine) == "one"
    mfrec.load(pristine / "two").save(folder)
    assert whole(folder, pristine) == "two"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


@pytest.mark.usefixtures("without_exchange")
def test_a_reader_between_the_two_steps_does_not_fail_the_writer(
    pristine: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader finds no folder and puts the old one back; the writer must cope with that."""
    real, calls = Path.rename, iter(range(10**6))

    def rename_then_read(self: Path, to: Path) -> Path:
        moved = real(self, to)
        if next(calls) == 0:
            assert mfrec.load(folder).info["tag"] == "one"
        return moved

    two = mfrec.load(pristine / "two")
    monkeypatch.setattr(Path, "rename", rename_then_read)
    two.save(folder)
    assert whole(folder, pristine) == "two"


@pytest.mark.parametrize("open_it", [mfrec.load, mfrec.verify])
def test_the_old_model_comes_back_where_a_writer_died_between_its_steps(
    pristine: Path, folder: Path, open_it: Callable[[Path], Any]
) -> None:
    folder.rename(folder.parent / ".model.replaced")
    open_it(folder)
    assert whole(folder, pristine) == "one"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_save_after_a_writer_died_between_its_steps_replaces_the_old_model(pristine: Path, folder: Path) -> None:
    folder.rename(folder.parent / ".model.replaced")
    mfrec.load(pristine / "two").save(folder)
    assert whole(folder, pristine) == "two"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_save_after_a_writer_died_after_its_steps_sweeps_the_old_model(pristine: Path, folder: Path) -> None:
    """Otherwise who deletes the model later would get the older one back."""
    shutil.copytree(folder, folder.parent / ".model.replaced")
    mfrec.load(pristine / "two").save(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_exchange_swaps_two_folders(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux exchanges two folders in one step")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert atomic._exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "b").exists()
    assert (tmp_path / "b" / "a").exists()
    with pytest.raises(OSError, match="No such file"):
        atomic._exchange(tmp_path / "a", tmp_path / "missing")
