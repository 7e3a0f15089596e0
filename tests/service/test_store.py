"""The store: versions appear whole or not at all, and what was loaded stays usable."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import mfrec
from mfrec.errors import ArtifactError, ParameterError
from mfrec.storage import manifest
from mfrec.storage.store import Store, is_store, publish, rollback
from tests import faults
from tests.faults import Writer
from tests.folders import answers, files

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


def test_old_versions_are_pruned_but_not_the_current_one(tmp_path: Path, folders: Folders) -> None:
    path = tmp_path / "store"
    store = Store(path)
    for n in range(6):
        publish(folders(n), path)
    assert store.versions == ["000004", "000005", "000006"]
    rollback(path, "000004")
    assert store.prune(keep=1) == ["000005"]
    assert store.versions == ["000004", "000006"]
    assert store.find("000004") == path / "versions" / "000004"
    with pytest.raises(ArtifactError, match="no version 000001: it has 000004, 000006"):
        store.find("000001")


def test_a_loaded_version_outlives_its_pruning(tmp_path: Path, folders: Folders) -> None:
    path = tmp_path / "store"
    publish(folders(0), path)
    model = mfrec.load(Store(path).find("000001"))
    publish(folders(1), path, keep=1)
    assert Store(path).versions == ["000002"]
    assert answers(model) == answers(mfrec.load(folders(0)))


def test_a_version_pruned_while_it_is_opened_is_refused_or_loaded_whole(
    tmp_path: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first of its files is opened, while they are, and when all of them are."""
    path, expected = tmp_path / "store", answers(mfrec.load(folders(0)))

    def prune(name: str) -> None:
        assert Store(path).prune(keep=1) == [name]

    for owner, function, loaded in ((manifest, "checked_files", False), (manifest, "_check_sizes", True)):
        name = publish(folders(0), path)
        publish(folders(1), path, keep=2)
        real = getattr(owner, function)

        def late(*args: Any, real: Any = real, name: str = name) -> Any:
            prune(name)
            return real(*args)

        with monkeypatch.context() as patch:
            patch.setattr(owner, function, late)
            if loaded:
                assert answers(mfrec.load(Store(path).find(name))) == expected
            else:
                with pytest.raises(ArtifactError, match=f"{name} was replaced or removed while it was loaded: try"):
                    mfrec.load(Store(path).find(name))
        with pytest.raises(ArtifactError, match="no such model folder"):
            mfrec.load(Store(path).folder(name))


def test_publishing_and_rolling_back_check_every_file_once(
    tmp_path: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    real = manifest._sha256

    def noted(file: Any) -> str:
        hashed.append(Path(str(file.name)).name)
        return real(file)

    monkeypatch.setattr(manifest, "_sha256", noted)
    names = sorted(set(files(folders(0))) - {"manifest.json"})
    for change in (
        lambda: publish(folders(0), tmp_path / "store"),
        lambda: publish(folders(0), tmp_path / "store"),
        lambda: rollback(tmp_path / "store"),
        lambda: mfrec.verify(folders(0)),
        lambda: mfrec.load(folders(0)),
    ):
        hashed.clear()
        change()
        assert sorted(hashed) == names


def test_a_broken_model_is_not_published(tmp_path: Path, folders: Folders) -> None:
    path = tmp_path / "store"
    publish(folders(0), path)
    broken = tmp_path / "broken"
    shutil.copytree(folders(1), broken)
    (broken / "item.factors.npy").write_bytes(b"x" * (broken / "item.factors.npy").stat().st_size)
    with pytest.raises(ArtifactError, match=rf"{broken}/item\.factors\.npy is corrupted"):
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
    with pytest.raises(ArtifactError, match=f"{source} was replaced while it was copied: publish it again"):
        publish(source, path)
    assert Store(path).current is None
    assert Store(path).versions == []


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
    with pytest.raises(ArtifactError, match="which still serves what it did: No space left on device: free some space"):
        publish(folders(1), path)
    monkeypatch.undo()
    assert Store(path).versions == ["000001"]
    assert hidden(path) == []
    assert publish(folders(1), path) == "000002"


# a process that is killed while it changes a store


@pytest.fixture(scope="module")
def writer() -> Iterator[Writer]:
    """A process that changes stores, and dies at given steps."""
    made = Writer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory, folders: Folders) -> Path:
    """A store with the models of seeds 0 and 1; it must not be changed."""
    path = tmp_path_factory.mktemp("stores") / "store"
    for n in range(2):
        publish(folders(n), path)
    return path


@pytest.fixture(scope="module")
def contents(folders: Folders) -> dict[str, dict[str, bytes]]:
    """What the files of every version must hold."""
    return {f"{n + 1:06d}": files(folders(n)) for n in range(3)}


State = tuple[str | None, list[str]]


def state(path: Path, contents: dict[str, dict[str, bytes]]) -> State:
    """Return the current version and the names of all, each of which must be whole."""
    store = Store(path)
    for name in store.versions:
        assert files(store.folder(name)) == contents[name]
    assert store.current is None or store.current in store.versions
    return store.current, store.versions


MOVES = ["write .current-*", "flush .current-*", "rename current", "delete .current-*", "flush store"]


def publishes(name: str) -> list[str]:
    """Return the steps after the copy is made and every file of it is flushed."""
    return [f"flush .{name}.*", f"rename {name}", "flush versions", f"clear .{name}.*", *MOVES]


def prunes(name: str) -> list[str]:
    return [f"rename .pruned-{name}", f"clear .pruned-{name}"]


OLD = ("000002", ["000001", "000002"])

# a change, the last of its steps, and the states that a process killed on the way may leave, in their order
CHANGES: dict[str, tuple[list[str], list[State]]] = {
    "first": (publishes("000001"), [(None, []), (None, ["000001"]), ("000001", ["000001"])]),
    "publish": (
        [*publishes("000003"), *prunes("000001"), *prunes("000002")],
        [
            OLD,
            ("000002", ["000001", "000002", "000003"]),
            ("000003", ["000001", "000002", "000003"]),
            ("000003", ["000002", "000003"]),
            ("000003", ["000003"]),
        ],
    ),
    "rollback": (MOVES, [OLD, ("000001", ["000001", "000002"])]),
    "prune": (prunes("000001"), [OLD, ("000002", ["000002"])]),
}


def change_of(name: str, path: Path, folders: Folders) -> faults.Change:
    return {
        "first": faults.publish(folders(0), path),
        "publish": faults.publish(folders(2), path),
        "rollback": faults.rollback(path, "000001"),
        "prune": faults.prune(path),
    }[name]


def begin(name: str, path: Path, two_versions: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if name != "first":
        shutil.copytree(two_versions, path)


@pytest.mark.parametrize("name", CHANGES)
def test_the_steps_of_a_change_come_in_the_order_that_makes_it_safe(
    tmp_path: Path, folders: Folders, two_versions: Path, writer: Writer, name: str
) -> None:
    """Every file is copied, then flushed, and only then does the pointer move to the new version."""
    path = tmp_path / "store"
    begin(name, path, two_versions)
    steps = [str(step) for step in writer.steps(change_of(name, path, folders))]
    last, _ = CHANGES[name]
    assert steps[-len(last) :] == last
    # the file that is locked holds nothing
    assert [step for step in steps if step.startswith("unnamed")] == ["unnamed lock"]
    if name in ("first", "publish"):
        names = sorted(files(folders(0)))
        middle = steps[-len(last) - 2 * len(names) : -len(last)]
        assert sorted(middle[: len(names)]) == [f"write {file}" for file in names]
        assert sorted(middle[len(names) :]) == [f"flush {file}" for file in names]


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_killed_at_any_step_leaves_the_old_state_or_a_newer_one(
    tmp_path: Path,
    folders: Folders,
    contents: dict[str, dict[str, bytes]],
    two_versions: Path,
    writer: Writer,
    name: str,
) -> None:
    path = tmp_path / "store"
    begin(name, path, two_versions)
    change = change_of(name, path, folders)
    _, states = CHANGES[name]
    steps = writer.steps(change)
    found: list[State] = []
    for at, moment in faults.deaths(steps):
        if not found or found[-1] != OLD:
            begin(name, path, two_versions)
        writer.kill(change, at=at, moment=moment)
        found.append(state(path, contents))
        # whatever was left is swept by the next change
        Store(path).prune(keep=9)
        assert hidden(path) == []
        assert state(path, contents) == found[-1]
        if found[-1] not in found[:-1]:
            publish(folders(4), path, keep=1)
            assert seed_served(path) == 4
            assert len(Store(path).versions) == 1
            begin(name, path, two_versions)
    assert [found[0], *(after for before, after in pairwise(found) if after != before)] == states
