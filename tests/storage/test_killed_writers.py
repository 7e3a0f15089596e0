"""A save that is killed at any step leaves the old model or the new one."""

import os
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from mfrec.model.recommender import Recommender
from mfrec.storage import manifest
from tests.faults import Writer, deaths, save
from tests.folders import files, whole

each_way = pytest.mark.parametrize("way", ["exchange", "without exchange"])
SWITCHES = {
    "exchange": ["exchange model"],
    "without exchange": ["clear .model.replaced", "rename .model.replaced", "rename model", "clear .model.replaced"],
    "first save": ["rename model"],
}


@pytest.mark.parametrize("way", SWITCHES)
def test_the_steps_of_a_save_come_in_the_order_that_makes_it_safe(
    pristine: Path, tmp_path: Path, writer: Writer, way: str
) -> None:
    """Every file is written, then every file is flushed, then the folder takes its place, and that is flushed too."""
    home, target = tmp_path / "home", tmp_path / "home" / "model"
    home.mkdir()
    if way != "first save":
        shutil.copytree(pristine / "one", target)
    steps = [str(step) for step in writer.steps(save(pristine / "two", target, way))]
    names = sorted(files(pristine / "two"))
    start, count = 3, len(names)
    assert steps[:start] == ["make home", "clear .model.replaced", "make .model.*"]
    written, flushed = steps[start : start + count], steps[start + count : start + 2 * count]
    assert sorted(written) == [f"write {name}" for name in names]
    assert written[-1] == f"write {manifest.NAME}"
    assert sorted(flushed) == [f"flush {name}" for name in names]
    assert steps[start + 2 * count :] == ["flush .model.*", *SWITCHES[way], "flush home", "clear .model.*"]
    assert whole(target, pristine) == "two"


def left_by(home: Path) -> tuple[str, ...]:
    """Return what a killed writer left, without its number and random names."""
    return tuple(sorted({re.sub(r"saving-.*", "saving", path.name) for path in home.iterdir()}))


@each_way
def test_a_save_killed_at_any_step_leaves_the_old_model_or_the_new_one(
    pristine: Path, tmp_path: Path, writer: Writer, way: str
) -> None:
    target = tmp_path / "model"
    old, new = save(pristine / "one", target), save(pristine / "two", target, way)
    writer.steps(old)
    steps = writer.steps(new)
    writer.steps(old)
    found, left = [], Counter[tuple[str, ...]]()
    for at, moment in deaths(steps):
        writer.kill(new, at=at, moment=moment)
        found.append(whole(target, pristine))
        left[left_by(tmp_path)] += 1
        # the next writer sweeps what this one left, be it killed in its turn or not
        if found[-1] == "two" or left[left_by(tmp_path)] == 1:
            writer.steps(old)
            assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert left.total() - left[("model",)] > len(steps)
    # once the new model is there it stays
    assert found == ["one"] * found.count("one") + ["two"] * found.count("two")
    assert set(found) == {"one", "two"}


def test_a_first_save_killed_at_any_step_leaves_no_model_or_a_whole_one(
    pristine: Path, tmp_path: Path, writer: Writer
) -> None:
    target = tmp_path / "model"
    change = save(pristine / "one", target)
    found, left = [], Counter[tuple[str, ...]]()
    for at, moment in deaths(writer.steps(change)):
        shutil.rmtree(target, ignore_errors=True)
        writer.kill(change, at=at, moment=moment)
        found.append(target.exists())
        if target.exists():
            assert whole(target, pristine) == "one"
        left[left_by(tmp_path)] += 1
        if left[left_by(tmp_path)] == 1:
            writer.steps(change)
            assert [path.name for path in tmp_path.iterdir()] == ["model"]
    writer.steps(change)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert whole(target, pristine) == "one"
    assert found == sorted(found)
    assert set(found) == {False, True}


def test_the_scratch_folder_of_a_living_writer_is_left_alone(model: Recommender, tmp_path: Path) -> None:
    own = tmp_path / f".model.saving-{os.getpid()}-00000000"
    dead = tmp_path / ".model.saving-999999999-00000000"
    other = tmp_path / ".model2.saving-999999999-00000000"
    odd = tmp_path / ".model.saving-x"
    for path in (own, dead, other, odd):
        path.mkdir()
    model.save(tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == [*sorted(p.name for p in (own, other, odd)), "model"]
