"""The store: versions appear whole or not at all, and what is in use stays."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mfrec
from mfrec.errors import ArtifactError, ParameterError
from mfrec.store import Store, is_store, publish, rollback

Folders = Callable[[int], Path]


def seed_served(path: Path) -> int:
    """Return the seed of the model that a store points to, read as a service does."""
    store = Store(path)
    assert store.current is not None
    return int(mfrec.load(store.folder(store.current)).info["seed"])


def hidden(path: Path) -> list[str]:
    return [entry.name for entry in path.rglob(".*")]


def test_publish_and_roll_back(tmp_path: Path, folders: Folders) -> None:
    store = tmp_path / "store"
    assert [publish(folders(n), store) for n in range(3)] == ["000001", "000002", "000003"]
    assert seed_served(store) == 2
    assert rollback(store) == "000002"
    assert rollback(store) == "000001"
    assert seed_served(store) == 0
    with pytest.raises(ArtifactError, match="no version older than 000001"):
        rollback(store)
    assert rollback(store, "000003") == "000003"
    with pytest.raises(ArtifactError, match="has no version 7: it has 000001, 000002, 000003"):
        rollback(store, "7")
    assert seed_served(store) == 2


def test_names_are_never_used_again(tmp_path: Path, folders: Folders) -> None:
    store = tmp_path / "store"
    for n in range(3):
        publish(folders(n), store)
    rollback(store, "000001")
    assert publish(folders(4), store, keep=1) == "000004"
    assert Store(store).versions == ["000004"]
    assert publish(folders(5), store) == "000005"


def test_old_versions_are_pruned_but_neither_current_nor_used_ones(tmp_path: Path, folders: Folders) -> None:
    path = tmp_path / "store"
    store = Store(path)
    publish(folders(0), path)
    lease = store.lease("000001")
    for n in range(1, 6):
        publish(folders(n), path)
    assert store.versions == ["000001", "000004", "000005", "000006"]
    lease.release()
    lease.release()
    rollback(path, "000004")
    assert store.prune(keep=1) == ["000001", "000005"]
    assert store.versions == ["000004", "000006"]
    with pytest.raises(ArtifactError, match="no version 000001: it has 000004, 000006"):
        store.lease("000001")


def test_a_version_pruned_while_it_is_leased_is_refused(
    tmp_path: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store"
    for n in range(2):
        publish(folders(n), path)
    locks = fcntl.flock

    def late(handle: Any, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", locks)
        assert Store(path).prune(keep=1) == ["000001"]
        locks(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(ArtifactError, match="no version 000001"):
        Store(path).lease("000001")


def test_a_broken_model_is_not_published(tmp_path: Path, folders: Folders) -> None:
    path = tmp_path / "store"
    publish(folders(0), path)
    broken = tmp_path / "broken"
    shutil.copytree(folders(1), broken)
    (broken / "item.factors.npy").write_bytes(b"x" * (broken / "item.factors.npy").stat().st_size)
    with pytest.raises(ArtifactError, match=r"item\.factors\.npy is corrupted"):
        publish(broken, path)
    with pytest.raises(ArtifactError, match="no such model folder"):
        publish(tmp_path / "nowhere", path)
    assert Store(path).versions == ["000001"]
    assert hidden(path) == []


def test_a_model_that_is_replaced_while_it_is_copied_is_not_published(
    tmp_path: Path, folders: Folders, make_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, source = tmp_path / "store", tmp_path / "model"
    make_model(1).save(source)
    copy = shutil.copyfile

    def slow(origin: Path, target: Path) -> None:
        copy(origin, target)
        if Path(origin).name == "manifest.json":
            make_model(2).save(source)

    monkeypatch.setattr(shutil, "copyfile", slow)
    with pytest.raises(ArtifactError, match="corrupted"):
        publish(source, path)
    assert Store(path).current is None


def test_a_broken_version_is_not_rolled_back_to(tmp_path: Path, folders: Folders) -> None:
    path = tmp_path / "store"
    for n in range(2):
        publish(folders(n), path)
    (Store(path).folder("000001") / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        rollback(path)
    assert seed_served(path) == 1


def test_a_broken_pointer_is_repaired_by_publishing_or_rolling_back(tmp_path: Path, folders: Folders) -> None:
    path = tmp_path / "store"
    for n in range(2):
        publish(folders(n), path)
    for junk in (b"", b"../../etc\n", b"\xff\xfe", b"2"):
        (path / "current").write_bytes(junk)
        with pytest.raises(ArtifactError, match="current"):
            _ = Store(path).current
        with pytest.raises(ArtifactError, match="current"):
            rollback(path)
        assert rollback(path, "000001") == "000001"
    (path / "current").write_bytes(b"junk")
    assert publish(folders(2), path) == "000003"
    assert seed_served(path) == 2


def test_what_is_not_a_store_is_left_alone(tmp_path: Path, folders: Folders) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="exists and is not a store"):
        publish(folders(0), tmp_path)
    with pytest.raises(ArtifactError, match="exists and is not a store"):
        publish(folders(0), folders(1))
    with pytest.raises(ArtifactError, match="exists and is not a store"):
        publish(folders(0), tmp_path / "notes.txt")
    with pytest.raises(ArtifactError, match="no such store"):
        rollback(tmp_path)
    with pytest.raises(ArtifactError, match="no such store"):
        Store(tmp_path / "none").rollback()
    with pytest.raises(ParameterError, match="keep must be at least 1, got 0"):
        publish(folders(0), tmp_path / "store", keep=0)
    assert not is_store(folders(0))
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_becomes_a_store(tmp_path: Path, folders: Folders) -> None:
    assert Store(tmp_path).versions == []
    assert publish(folders(0), tmp_path) == "000001"
    assert is_store(tmp_path)


def test_a_missing_index_file_does_not_hinder(tmp_path: Path, folders: Folders) -> None:
    source = tmp_path / "model"
    shutil.copytree(folders(3), source)
    (source / "index.item.dot.ann").unlink()
    publish(source, tmp_path / "store")
    assert seed_served(tmp_path / "store") == 3


@pytest.mark.parametrize("step", ["copyfile", "pointer"])
def test_a_full_disk_changes_nothing(
    tmp_path: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "store"
    publish(folders(0), path)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target: Any = shutil if step == "copyfile" else Store
    monkeypatch.setattr(target, "copyfile" if step == "copyfile" else "_point", full)
    with pytest.raises(ArtifactError, match="No space left on device; it still serves what it did"):
        publish(folders(1), path)
    monkeypatch.undo()
    assert Store(path).versions == ["000001"]
    assert hidden(path) == []
    assert publish(folders(1), path) == "000002"


# every way in which publishing touches the disk
DISK: list[tuple[Any, str]] = [
    (shutil, "copyfile"),
    (os, "fsync"),
    (os, "open"),
    (Path, "rename"),
    (Path, "replace"),
    (shutil, "rmtree"),
]


def killed_publisher(path: Path, source: Path, after: int) -> bool:
    """Publish in a child that dies before its n-th touch of the disk; False when it came through."""
    child = os.fork()
    if child == 0:
        left = [after]

        def dying(call: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*args: Any, **keywords: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return call(*args, **keywords)

            return counted

        for owner, name in DISK:
            setattr(owner, name, dying(getattr(owner, name)))
        try:
            publish(source, path, keep=1)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


# the models are opened before the fork, so that no thread of a pool is missing in the child
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_whatever_kills_a_publisher_the_store_serves_a_whole_version(tmp_path: Path, folders: Folders) -> None:
    path = tmp_path / "store"
    publish(folders(0), path)
    served, steps = {0}, 0
    while killed_publisher(path, folders(1 + steps % 3), steps):
        steps += 1
        served.add(seed_served(path))
        for name in Store(path).versions:
            mfrec.verify(Store(path).folder(name))
    assert steps > 40
    assert len(served) > 1
    assert hidden(path) == []
    assert len(Store(path).versions) == 1
    assert json.loads((Store(path).folder(Store(path).versions[0]) / "manifest.json").read_bytes())
