"""A save that fails leaves what was there."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfrec
from mfrec.errors import ArtifactError
from mfrec.index.annoy import Forest
from mfrec.storage import manifest
from tests.folders import answers, failing, files

FULL = OSError(errno.ENOSPC, "No space left on device")
STEPS = [(np, "save", at) for at in (0, 5, 15)] + [(os, "fsync", at) for at in (0, 7)] + [(manifest, "write", 0)]
each_step = pytest.mark.parametrize(("module", "name", "at"), STEPS, ids=lambda v: getattr(v, "__name__", str(v)))


@each_step
@pytest.mark.parametrize("before", [False, True], ids=["new", "replace"])
def test_a_full_disk_leaves_what_was_there(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, at: int, before: bool
) -> None:
    two = mfrec.load(pristine / "two")
    if before:
        shutil.copytree(pristine / "one", tmp_path / "model")
    with monkeypatch.context() as patch:
        patch.setattr(module, name, failing(getattr(module, name), at, FULL))
        with pytest.raises(ArtifactError, match=r"cannot save to .*No space left on device; nothing there was changed"):
            two.save(tmp_path / "model")
    assert_untouched(tmp_path, pristine, before)
    assert answers(two) == answers(mfrec.load(pristine / "two"))


@each_step
@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), SystemExit(1)], ids=lambda e: type(e).__name__)
def test_an_interrupt_leaves_what_was_there(
    pristine: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    at: int,
    error: BaseException,
) -> None:
    shutil.copytree(pristine / "one", tmp_path / "model")
    two = mfrec.load(pristine / "two")
    with monkeypatch.context() as patch:
        patch.setattr(module, name, failing(getattr(module, name), at, error))
        with pytest.raises(type(error)):
            two.save(tmp_path / "model")
    assert_untouched(tmp_path, pristine, before=True)


def assert_untouched(home: Path, pristine: Path, before: bool) -> None:
    assert [path.name for path in home.iterdir()] == (["model"] if before else [])
    if before:
        assert files(home / "model") == files(pristine / "one")
        mfrec.load(home / "model")


def test_a_disk_that_is_full_for_annoy_leaves_what_was_there(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pristine / "one", tmp_path / "model")
    two = mfrec.load(pristine / "two")
    with monkeypatch.context() as patch:
        patch.setattr(Forest, "write", failing(Forest.write, 1, OSError("Unable to write")))
        with pytest.raises(ArtifactError, match=r"cannot save to .*Unable to write"):
            two.save(tmp_path / "model")
    assert_untouched(tmp_path, pristine, before=True)


def test_a_disk_error_after_the_switch_leaves_a_whole_model(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pristine / "one", tmp_path / "model")
    count = len(files(pristine / "two")) + 1  # every file and the scratch folder, then the parent
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(os.fsync, count, OSError(errno.EIO, "Input/output error")))
        with pytest.raises(ArtifactError):
            mfrec.load(pristine / "two").save(tmp_path / "model")
    assert mfrec.load(tmp_path / "model").info["tag"] in ("one", "two")
