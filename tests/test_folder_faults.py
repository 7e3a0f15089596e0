"""What happens to a model folder when files, disks, processes and people misbehave."""

import errno
import hashlib
import json
import logging
import os
import random
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES
from mfrec.errors import ArtifactError
from mfrec.index.annoy import Forest
from mfrec.model.recommender import Recommender
from mfrec.storage import atomic, manifest
from tests.conftest import random_interactions, small_model
from tests.faults import Writer, save
from tests.test_folder import answers, files

Change = Callable[[Path], None]


def tagged(tag: str, seed: int) -> Recommender:
    """Return a model of its own factors and labels; its ``info`` tells which one it is."""
    likes = random_interactions(seed=3)
    labels = {key: f"{tag} {key}" for key in likes.ids.item}
    users = {key: f"{tag} {key}" for key in likes.ids.user}
    built = small_model(Interactions.from_frame(likes.to_frame(), item_labels=labels, user_labels=users), seed=seed)
    return Recommender(built.factors, built.ids, built.adjacency, built.indexes, built.labels, {"tag": tag})


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two saved models, ``one`` and ``two``, that differ in every file that can differ."""
    home = tmp_path_factory.mktemp("models")
    tagged("one", 1).save(home / "one")
    tagged("two", 2).save(home / "two")
    tagged("one", 1).save(home / "text")
    return home


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """A fresh copy of the first model."""
    return Path(shutil.copytree(pristine / "one", tmp_path / "model"))


def file_names() -> list[str]:
    """Return the names that every saved model of `tagged` has, to parametrise over."""
    sides = (
        "factors",
        "norms",
        "gram",
        "degree",
        "map",
        "ids",
        "links_starts",
        "links_numbers",
        "labels_utf8",
        "labels_offsets",
    )
    names = [f"{side}.{name}.npy" for side in SIDES for name in sides]
    return [*names, manifest.NAME]


def index_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("index."))


def test_the_names_below_are_those_of_a_saved_model(pristine: Path) -> None:
    assert sorted(file_names() + index_files(pristine / "one")) == sorted(files(pristine / "one"))


# every file, every fault


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flip(share: float) -> Change:
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[int(share * (len(data) - 1))] ^= 1 << random.Random(share).randrange(8)
        path.write_bytes(data)

    return change


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


FAULTS: dict[str, Change] = {
    "shortened": shorten,
    "lengthened": lengthen,
    "halved": halve,
    "emptied": empty,
    "zeroed": zero,
    "a folder": become_a_folder,
    **{f"bit flipped at {share}": flip(share) for share in (0.0, 0.01, 0.3, 0.5, 0.77, 1.0)},
}
each_fault = pytest.mark.parametrize("fault", FAULTS)


def assert_refused(folder: Path, name: str) -> None:
    """Both ways to open a folder must refuse it with one line that names the file."""
    for open_it in (mfrec.load, mfrec.verify):
        with pytest.raises(ArtifactError) as caught:
            open_it(folder)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@each_fault
@pytest.mark.parametrize("name", file_names())
def test_a_damaged_file_is_named(folder: Path, name: str, fault: str) -> None:
    FAULTS[fault](folder / name)
    assert_refused(folder, name)


@each_fault
def test_a_damaged_index_file_is_named(folder: Path, fault: str) -> None:
    for name in index_files(folder):
        if fault == "a folder" and name.endswith(".ann"):
            continue  # as good as missing: built again
        whole = (folder / name).read_bytes()
        FAULTS[fault](folder / name)
        assert_refused(folder, name)
        if (folder / name).is_dir():
            (folder / name).rmdir()
        (folder / name).write_bytes(whole)
    mfrec.load(folder)


def test_every_bit_of_the_manifest_counts(folder: Path) -> None:
    whole = (folder / manifest.NAME).read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 300)):
        data = bytearray(whole)
        data[place] ^= 1 << (place % 8)
        (folder / manifest.NAME).write_bytes(data)
        with pytest.raises(ArtifactError, match=r"manifest\.json"):
            mfrec.load(folder)


def test_a_file_of_another_model_is_named(folder: Path, pristine: Path) -> None:
    swapped = []
    for name, own in files(folder).items():
        other = (pristine / "two" / name).read_bytes()
        if other == own:
            continue
        (folder / name).write_bytes(other)
        if name == manifest.NAME:
            with pytest.raises(ArtifactError):
                mfrec.load(folder)
        else:
            assert_refused(folder, name)
        (folder / name).write_bytes(own)
        swapped.append(name)
    assert {"user.factors.npy", "item.labels_utf8.npy", manifest.NAME} < set(swapped)
    assert any(name.endswith(".ann") for name in swapped)


def test_files_that_change_places_are_named(folder: Path) -> None:
    one, two = folder / "user.gram.npy", folder / "item.gram.npy"
    assert one.stat().st_size == two.stat().st_size
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)
    assert_refused(folder, "gram.npy")


def test_a_missing_file_is_named(folder: Path) -> None:
    for name in sorted(files(folder)):
        whole = (folder / name).read_bytes()
        (folder / name).unlink()
        if not name.endswith(".ann"):
            assert_refused(folder, name)
        (folder / name).write_bytes(whole)


def test_a_missing_annoy_file_is_built_again_with_a_warning(
    folder: Path, pristine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = answers(mfrec.load(pristine / "one"))
    names = [name for name in index_files(folder) if name.endswith(".ann")]
    assert names
    for name in names:
        (folder / name).unlink()
        caplog.clear()
        assert answers(mfrec.load(folder)) == expected
        assert any(name in message and "building it again" in message for message in caplog.messages)
    mfrec.load(folder).save(folder.parent / "again")
    assert files(folder.parent / "again") == files(pristine / "one")


# folders that are no models


def test_paths_that_are_no_model_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "manifest.json").write_text('{"name": "My App", "icons": []}')
    cases = {
        "missing": "no such model folder",
        "dangling": "no such model folder",
        "file": "is a file, not a model folder",
        "file/below": "model folder",
        "empty": "is not a model folder of mfrec: it has no manifest.json",
        "foreign": "does not belong to a model folder of mfrec",
    }
    for name, message in cases.items():
        for open_it in (mfrec.load, mfrec.verify):
            with pytest.raises(ArtifactError, match=message):
                open_it(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "empty", "file", "foreign"]


# a manifest that was edited and sealed again, by hand or by somebody hostile


def reseal(folder: Path, content: dict[str, Any]) -> None:
    """Write a manifest as edited, with a seal that fits it."""
    text = json.dumps({**content, "sha256": "0" * 64}, indent=2, ensure_ascii=False)
    seal = hashlib.sha256(text.encode()).hexdigest()
    (folder / manifest.NAME).write_bytes(text.replace("0" * 64, seal, 1).encode())


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / manifest.NAME).read_bytes())
    change(content)
    reseal(folder, content)


def test_the_helper_seals_as_the_library_does(folder: Path, pristine: Path) -> None:
    edit(folder, lambda content: None)
    assert answers(mfrec.load(folder)) == answers(mfrec.load(pristine / "one"))


def test_an_edit_without_a_new_seal_is_seen(folder: Path) -> None:
    raw = (folder / manifest.NAME).read_bytes()
    (folder / manifest.NAME).write_bytes(raw.replace(b'"one"', b'"two"'))
    assert_refused(folder, manifest.NAME)


@pytest.mark.parametrize("version", [0, 3, 99, "1", "2", True, None])
def test_another_format_version_says_what_to_do(folder: Path, version: Any) -> None:
    edit(folder, lambda content: content.update(format_version=version))
    with pytest.raises(ArtifactError, match=f"has format version {version!r}, this mfrec reads 1 and 2: install"):
        mfrec.load(folder)


@pytest.mark.parametrize("key", ["users", "items", "factors"])
@pytest.mark.parametrize("step", [-1, 1, 10**9])
def test_counts_must_be_those_of_the_arrays(folder: Path, key: str, step: int) -> None:
    edit(folder, lambda content: content["counts"].update({key: content["counts"][key] + step}))
    with pytest.raises(ArtifactError):
        mfrec.load(folder)


@pytest.mark.parametrize(
    "name", ["../secret.npy", "/etc/passwd", "a/../../secret.npy", "..", ".", "", "sub/x.npy", "..\\secret.npy"]
)
def test_a_listed_name_outside_the_folder_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "secret.npy").write_bytes(b"secret")
    entry = {"size": 6, "sha256": hashlib.sha256(b"secret").hexdigest()}
    edit(folder, lambda content: content["files"].update({name: entry}))
    with pytest.raises(ArtifactError, match="names a file outside its folder"):
        mfrec.load(folder)


def annoy_entry(content: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = next(entry for entry in content["indexes"] if "file" in entry)
    return entry


@pytest.mark.parametrize("name", ["../evil.ann", "evil.ann", "/etc/passwd", "user.factors.npy"])
def test_annoy_is_handed_only_files_that_were_checked(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unverified file can kill the process: it must never reach annoy, whatever the manifest says."""
    for path in (folder.parent / "evil.ann", folder / "evil.ann"):
        path.write_bytes(b"\xff" * 4096)
    edit(folder, lambda content: annoy_entry(content).update(file=name))
    opened = spy_on_annoy(monkeypatch)
    with pytest.raises(ArtifactError):
        mfrec.load(folder)
    listed = set(json.loads((folder / manifest.NAME).read_bytes())["files"])
    assert {Path(path).name for path in opened} <= {name for name in listed if name.endswith(".ann")}
    assert all(Path(path).parent == folder for path in opened)


def spy_on_annoy(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make every annoy index of the library note what it loads instead of dying of it."""
    import annoy

    from mfrec.index import annoy as module

    opened: list[str] = []

    class Spy(annoy.AnnoyIndex):
        def load(self, path: str, *rest: Any) -> Any:
            opened.append(path)
            return super().load(path, *rest) if "evil" not in path and path.endswith(".ann") else None

    own = next(name for name, value in vars(module).items() if value is annoy.AnnoyIndex)
    monkeypatch.setattr(module, own, Spy)
    return opened


EDITS: dict[str, Callable[[dict[str, Any]], None]] = {
    "no files": lambda c: c.update(files={}),
    "files of another kind": lambda c: c.update(files=[]),
    "an entry without a size": lambda c: c["files"]["user.factors.npy"].pop("size"),
    "an entry without a hash": lambda c: c["files"]["user.factors.npy"].pop("sha256"),
    "an entry that is no table": lambda c: c["files"].update({"user.factors.npy": 3}),
    "no factors": lambda c: c["files"].pop("user.factors.npy"),
    "no indexes": lambda c: c.update(indexes=[]),
    "one index less": lambda c: c["indexes"].pop(),
    "an index that is no table": lambda c: c["indexes"].append(3),
    "an index without a target": lambda c: c["indexes"][0].pop("target"),
    "an unknown target": lambda c: c["indexes"][0].update(target="movie"),
    "an unknown similarity": lambda c: c["indexes"][0].update(similarity="l2"),
    "an unknown backend": lambda c: c["indexes"][0].update(backend="faiss-gpu"),
    "an index without settings": lambda c: c["indexes"][0].pop("settings"),
    "an index without its versions": lambda c: annoy_entry(c).pop("built_with"),
    "a file that is no name": lambda c: annoy_entry(c).update(file=3),
    "no solver": lambda c: c.pop("solver"),
    "a solver of words": lambda c: c["solver"].update(alpha="high"),
    "no counts": lambda c: c.pop("counts"),
    "counts of another kind": lambda c: c.update(counts=[1, 2]),
    "no users": lambda c: c["counts"].pop("users"),
    "no info": lambda c: c.pop("info"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_manifest_that_tells_nonsense_is_refused(folder: Path, name: str) -> None:
    edit(folder, EDITS[name])
    with pytest.raises(ArtifactError):
        mfrec.load(folder)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"null", b"3", b"[]", b"\xff", b'{"format": "mfrec"}', b"[" * 100_000, b'{"sha256": "\\ud800"}']
)
def test_a_manifest_that_is_no_manifest_is_refused(folder: Path, raw: bytes) -> None:
    (folder / manifest.NAME).write_bytes(raw)
    assert_refused(folder, manifest.NAME)


def test_a_seal_that_is_no_text_is_refused(folder: Path) -> None:
    for seal in ('"\\ud800"', '""', "null", "3"):
        (folder / manifest.NAME).write_text(f'{{"format": "mfrec", "format_version": 1, "sha256": {seal}}}')
        assert_refused(folder, manifest.NAME)


@pytest.mark.parametrize("key", ["annoy", "trees"])
def test_an_annoy_file_built_with_something_else_is_built_again_with_a_warning(
    folder: Path, pristine: Path, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    edit(folder, lambda content: annoy_entry(content)["built_with"].update({key: "0.0.1"}))
    loaded = mfrec.load(folder)
    name = annoy_entry(json.loads((folder / manifest.NAME).read_bytes()))["file"]
    assert len(caplog.messages) == 1
    assert caplog.records[0].levelno == logging.WARNING
    assert name in caplog.messages[0]
    assert f"was built with {key} 0.0.1 (now " in caplog.messages[0]
    assert answers(loaded) == answers(mfrec.load(pristine / "one"))


def rewrite(folder: Path, name: str, array: Any) -> None:
    """Replace an array and describe it correctly, as a buggy writer would."""
    np.save(folder / name, array, allow_pickle=False)
    rewrite_file(folder, name, (folder / name).read_bytes())


def rewrite_file(folder: Path, name: str, raw: bytes) -> None:
    """Replace a file and describe it correctly."""
    (folder / name).write_bytes(raw)
    entry = {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    edit(folder, lambda content: content["files"].update({name: entry}))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("user.factors.npy", lambda a: np.where(np.arange(a.size).reshape(a.shape) == 5, np.nan, a).astype(a.dtype)),
        ("item.ids.npy", lambda a: a[::-1]),
        ("user.ids.npy", np.zeros_like),
        ("user.links_numbers.npy", lambda a: a + 10**6),
        ("item.links_numbers.npy", lambda a: a - 10**6),
        ("user.links_starts.npy", lambda a: a[::-1]),
        ("user.links_starts.npy", lambda a: a + 1),
        ("user.map.npy", lambda a: a + np.float32(2)),
        ("item.map.npy", lambda a: np.where(a == a.max(), np.float32(np.nan), a)),
    ],
)
def test_verify_finds_wrong_values_that_are_sealed(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    rewrite(folder, name, change(np.load(folder / name)))
    with pytest.raises(ArtifactError):
        mfrec.verify(folder)


@pytest.mark.parametrize(
    "name", ["user.factors.npy", "item.ids.npy", "user.links_starts.npy", "item.factors.npy", "item.map.npy"]
)
def test_arrays_of_another_shape_or_type_are_refused(folder: Path, name: str) -> None:
    whole = np.load(folder / name)
    for array in (whole[:-1], whole.astype(np.float64)[:, None], np.zeros(0)):
        rewrite(folder, name, array)
        with pytest.raises(ArtifactError):
            mfrec.verify(folder)


def test_a_pickle_is_never_opened(folder: Path) -> None:
    np.save(folder / "user.factors.npy", np.array([{"a": 1}], object), allow_pickle=True)
    raw = (folder / "user.factors.npy").read_bytes()
    entry = {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    edit(folder, lambda content: content["files"].update({"user.factors.npy": entry}))
    with pytest.raises(ArtifactError):
        mfrec.load(folder)


# a writer that fails


def failing(real: Callable[..., Any], at: int, error: BaseException) -> Callable[..., Any]:
    """Return a function that raises at its ``at``-th call and is the real one until then."""
    calls = iter(range(10**6))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) >= at:
            raise error
        return real(*args, **kwargs)

    return call


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


# a writer that is killed


@pytest.fixture(scope="module")
def writer() -> Iterator[Writer]:
    """A process that saves, and dies or waits at the steps that it is told."""
    made = Writer()
    yield made
    made.close()


def whole(folder: Path, pristine: Path) -> str:
    """Return which of the two models a folder holds, file by file."""
    tag: str = mfrec.load(folder).info["tag"]
    assert files(folder) == files(pristine / tag)
    return tag


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


@each_way
def test_a_save_killed_at_any_step_leaves_the_old_model_or_the_new_one(
    pristine: Path, tmp_path: Path, writer: Writer, way: str
) -> None:
    target = tmp_path / "model"
    old, new = save(pristine / "one", target), save(pristine / "two", target, way)
    writer.steps(old)
    steps, found, left = writer.steps(new), [], 0
    for at, step in enumerate(steps):
        for moment in step.moments:
            # sweeps what the writer before it left
            writer.steps(old)
            assert [path.name for path in tmp_path.iterdir()] == ["model"]
            writer.kill(new, at=at, moment=moment)
            found.append(whole(target, pristine))
            left += len(list(tmp_path.iterdir())) > 1
    assert left > len(steps)
    # once the new model is there it stays
    assert found == ["one"] * found.count("one") + ["two"] * found.count("two")
    assert set(found) == {"one", "two"}


def test_a_first_save_killed_at_any_step_leaves_no_model_or_a_whole_one(
    pristine: Path, tmp_path: Path, writer: Writer
) -> None:
    target = tmp_path / "model"
    change = save(pristine / "one", target)
    steps, found = writer.steps(change), []
    for at, step in enumerate(steps):
        for moment in step.moments:
            shutil.rmtree(target, ignore_errors=True)
            writer.kill(change, at=at, moment=moment)
            found.append(target.exists())
            if target.exists():
                assert whole(target, pristine) == "one"
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


# readers and writers at the same time


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


def test_loading_never_fails_at_any_step_of_another_process_that_saves(
    pristine: Path, folder: Path, expected: dict[str, Recommender], writer: Writer
) -> None:
    seen = [read(folder, expected) for _ in writer.pauses(save(pristine / "two", folder))]
    assert seen == ["one"] * seen.count("one") + ["two"] * seen.count("two")
    assert set(seen) == {"one", "two"}


def test_loading_never_fails_while_another_process_saves(
    pristine: Path, folder: Path, expected: dict[str, Recommender], writer: Writer
) -> None:
    """Both run freely; the next save begins when the model of the last one was read."""
    for tag in ("two", "one") * 20:
        writer.start(save(pristine / tag, folder))
        while not writer.ended():
            read(folder, expected)
        writer.end()
        assert read(folder, expected) == tag


def test_loading_never_fails_while_a_thread_renames_models_into_place(
    pristine: Path, folder: Path, expected: dict[str, Recommender]
) -> None:
    spare = Path(shutil.copytree(pristine / "two", folder.parent / "spare"))
    for tag in ("two", "one") * 20:
        thread = threading.Thread(target=atomic._exchange, args=(folder, spare))
        thread.start()
        read(folder, expected)
        thread.join()
        assert read(folder, expected) == tag


def test_a_folder_replaced_between_check_and_map_is_read_again(
    pristine: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder changes right after its files were checked: what is mapped must still be one whole model."""
    real, models = manifest.check_files, iter(["two", "one", "two"])

    def check_then_replace(*args: Any) -> Any:
        found = real(*args)
        tag = next(models, None)
        if tag is not None:
            put(folder, pristine / tag)
        return found

    monkeypatch.setattr(manifest, "check_files", check_then_replace)
    loaded = mfrec.load(folder)
    tag = loaded.info["tag"]
    np.testing.assert_array_equal(loaded.factors.user, mfrec.load(pristine / tag).factors.user)


def put(folder: Path, source: Path) -> None:
    """Replace a folder by a copy of another, as `save` does."""
    with atomic.replacing_folder(folder) as scratch:
        for path in source.iterdir():
            shutil.copy(path, scratch / path.name)


def test_a_folder_replaced_twice_while_it_is_read_is_not_mixed(
    pristine: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One, then two while the arrays are mapped, then one again: the manifest looks as if nothing had been."""
    from mfrec.storage import folder as model_folder

    real, turns = model_folder._map, {"item.factors.npy": "two", "item.labels_utf8.npy": "one"}

    def map_between(path: Path) -> Any:
        tag = turns.pop(path.name, None)
        if tag is not None:
            put(folder, pristine / tag)
        return real(path)

    monkeypatch.setattr(model_folder, "_map", map_between)
    loaded = mfrec.load(folder)
    expected = mfrec.load(pristine / loaded.info["tag"])
    for side in SIDES:
        np.testing.assert_array_equal(loaded.factors[side], expected.factors[side])
        ours, theirs = loaded.labels[side], expected.labels[side]
        assert ours is not None
        assert theirs is not None
        assert list(ours) == list(theirs)


def test_a_folder_that_vanishes_while_it_is_read_is_an_artifact_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mfrec.storage import folder as model_folder

    def vanish(path: Path) -> Any:
        shutil.rmtree(folder, ignore_errors=True)
        return np.load(path, allow_pickle=False)

    monkeypatch.setattr(model_folder, "_map", vanish)
    with pytest.raises(ArtifactError):
        mfrec.load(folder)


# systems that cannot exchange two folders in one step


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
