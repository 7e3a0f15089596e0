"""A manifest that was edited and sealed again, by hand or by somebody hostile."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfrec
from mfrec.errors import ArtifactError
from mfrec.storage import manifest
from tests.folders import annoy_entry, answers, assert_refused, edit, rewrite


def test_the_helper_seals_as_the_library_does(folder: Path, pristine: Path) -> None:
    edit(folder, lambda content: None)
    assert answers(mfrec.load(folder)) == answers(mfrec.load(pristine / "one"))


def test_an_edit_without_a_new_seal_is_seen(folder: Path) -> None:
    raw = (folder / manifest.NAME).read_bytes()
    (folder / manifest.NAME).write_bytes(raw.replace(b'"one"', b'"two"'))
    assert_refused(folder, manifest.NAME)


@pytest.mark.parametrize("version", [0, 6, 99, "1", "2", True, None])
def test_another_format_version_says_what_to_do(folder: Path, version: Any) -> None:
    edit(folder, lambda content: content.update(format_version=version))
    with pytest.raises(
        ArtifactError, match=f"has format version {version!r}, this mfrec reads 1, 2, 3, 4 and 5: install"
    ):
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
    assert {path.name for path in opened} <= {name for name in listed if name.endswith(".ann")}
    assert all(path.parent == folder.resolve() for path in opened)


def spy_on_annoy(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Make every annoy index of the library note which file it loads instead of dying of it."""
    import annoy

    from mfrec.index import annoy as module

    opened: list[Path] = []

    class Spy(annoy.AnnoyIndex):
        def load(self, path: str, *rest: Any) -> Any:
            # what is opened is a path of an open file
            file = Path(path).resolve()
            opened.append(file)
            return super().load(path, *rest) if "evil" not in file.name and file.suffix == ".ann" else None

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
