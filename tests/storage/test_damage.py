"""A damaged model folder is refused by one line that names the file."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

import mfrec
from mfrec.directions import SIDES
from mfrec.errors import ArtifactError
from mfrec.storage import manifest
from tests.folders import answers, assert_refused, files, index_files

Change = Callable[[Path], None]


def file_names() -> list[str]:
    """Return the names that every saved model of `tagged` has, to parametrise over."""
    sides = (
        "factors",
        "norms",
        "same_side",
        "same_side_map",
        "same_side_norms",
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


def test_the_names_below_are_those_of_a_saved_model(pristine: Path) -> None:
    assert sorted(file_names() + index_files(pristine / "one")) == sorted(files(pristine / "one"))


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
