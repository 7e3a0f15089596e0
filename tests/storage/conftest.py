"""Saved models, and a process that changes them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import Writer
from tests.folders import tagged


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two saved models, ``one`` and ``two``, that differ in every file that can differ; they must not be changed."""
    home = tmp_path_factory.mktemp("models")
    tagged("one", 1).save(home / "one")
    tagged("two", 2).save(home / "two")
    return home


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """A fresh copy of the first model."""
    return Path(shutil.copytree(pristine / "one", tmp_path / "model"))


@pytest.fixture(scope="session")
def writer() -> Iterator[Writer]:
    """A process that saves, and dies or waits at given steps."""
    made = Writer()
    yield made
    made.close()
