"""``mfrec export``: what a file holds, and what a failed export leaves."""

import errno
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.exceptions import Abort
from click.testing import CliRunner

from mfrec.cli import export as module
from mfrec.cli import main
from mfrec.cli.export import export
from mfrec.data.interactions import Interactions
from mfrec.directions import DIRECTIONS, Pair
from mfrec.errors import ArtifactError, ParameterError
from mfrec.model.ids import IdMap
from mfrec.model.rankings import Rankings
from mfrec.model.recommender import Recommender
from mfrec.model.string_array import StringArray
from tests.conftest import small_model

SUFFIXES = ("csv", "csv.gz", "jsonl", "parquet")
each_suffix = pytest.mark.parametrize("suffix", SUFFIXES)


@pytest.fixture(scope="module")
def folder(text_model: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model"
    text_model.save(path)
    return path


def run(*args: object) -> str:
    """Run the command and return stdout; errors come through."""
    result = CliRunner().invoke(export, [str(a) for a in args], catch_exceptions=False, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".jsonl":
        # not pandas, which guesses at types and rounds
        return pd.DataFrame([json.loads(line) for line in path.read_text("utf-8").splitlines()])
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def whole(model: Recommender, direction: str, k: int, **options: Any) -> pd.DataFrame:
    return pd.concat([b.to_frame() for b in model.recommend_all(direction, k, **options)], ignore_index=True)


@each_suffix
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_file_holds_what_recommend_all_gives(
    folder: Path, text_model: Recommender, tmp_path: Path, direction: str, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # several blocks, one header
    monkeypatch.setattr("mfrec.model.batch.BLOCK_VALUES", 1000)
    out = tmp_path / f"out.{suffix}"
    printed = run(folder, direction, "-k", 7, "--out", out, "--quiet")
    expected = whole(text_model, direction, 7)
    assert printed == f"wrote {len(expected)} rows to {out}\n"
    found = read(out)
    assert list(found.columns) == list(expected.columns)
    for name in expected.columns[:3]:
        assert found[name].tolist() == expected[name].tolist()
    assert found["score"].to_numpy().astype(np.float32).tolist() == expected["score"].tolist()


def test_what_is_seen_can_be_included(folder: Path, text_model: Recommender, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    run(folder, "user2item", "-k", 3, "--out", out, "--include-seen", "--quiet")
    expected = whole(text_model, "user2item", 3, exclude_seen=False)
    assert read(out)["item"].tolist() == expected["item"].tolist()


@each_suffix
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_labels_stand_beside_their_ids(
    folder: Path, text_model: Recommender, tmp_path: Path, direction: str, suffix: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    run(folder, direction, "-k", 3, "--labels", "--out", out, "--quiet")
    found, expected = read(out), whole(text_model, direction, 3)
    query, target = expected.columns[:2]
    assert list(found.columns) == [query, f"{query}_label", target, f"{target}_label", "rank", "score"]
    assert found[[query, target, "rank"]].to_numpy().tolist() == expected[[query, target, "rank"]].to_numpy().tolist()
    row = DIRECTIONS[direction]
    for side, column in ((row.query, query), (row.target, target)):
        # (one item has none)
        texts = dict(zip(text_model.ids[side], text_model.labels[side] or (), strict=True))
        assert found[f"{column}_label"].tolist() == [texts[key] or key for key in expected[column]]


def test_a_side_without_labels_has_no_column_of_them(text_model: Recommender, tmp_path: Path) -> None:
    replace(text_model, labels=Pair(None, text_model.labels.item)).save(tmp_path / "m")
    run(tmp_path / "m", "user2item", "-k", 1, "--labels", "--out", tmp_path / "out.csv", "--quiet")
    assert list(pd.read_csv(tmp_path / "out.csv").columns) == ["user", "item", "item_label", "rank", "score"]
    replace(text_model, labels=Pair(None, None)).save(tmp_path / "m")
    with pytest.raises(ParameterError, match="has no titles and no names"):
        run(tmp_path / "m", "user2item", "--labels", "--out", tmp_path / "none.csv", "--quiet")
    assert not (tmp_path / "none.csv").exists()


def test_packed_rows_are_the_rows_and_the_same_bytes_every_time(folder: Path, tmp_path: Path) -> None:
    for name in ("a.csv", "a.csv.gz", "b.csv.gz"):
        run(folder, "user2item", "-k", 5, "--labels", "--out", tmp_path / name, "--quiet")
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == (tmp_path / "a.csv").read_bytes()
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


def test_lines_of_json_hold_any_id(interactions: Interactions, tmp_path: Path) -> None:
    ids = [-(2**63), 2**63 - 1, *range(len(interactions.ids.user) - 2)]
    model = small_model(replace(interactions, ids=Pair(IdMap.of("user", ids), interactions.ids.item)))
    labels = Pair(StringArray.pack(["bad \udcff\n"] * len(ids)), None)
    replace(model, labels=labels).save(tmp_path / "m")
    run(tmp_path / "m", "user2item", "-k", 2, "--labels", "--out", tmp_path / "out.jsonl", "--quiet")
    run(tmp_path / "m", "user2item", "-k", 2, "--labels", "--out", tmp_path / "out.csv", "--quiet")
    assert "bad \\udcff" in (tmp_path / "out.csv").read_text("utf-8")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert {row["user"] for row in rows} == set(ids)
    assert {row["user_label"] for row in rows} == {"bad \\udcff\n"}
    expected = model.user2item(2**63 - 1, k=2)
    found = [row for row in rows if row["user"] == 2**63 - 1]
    assert [np.float32(row["score"]) for row in found] == expected.scores.tolist()


def test_the_suffix_may_be_in_capitals(folder: Path, tmp_path: Path) -> None:
    run(folder, "item2item", "-k", 1, "--out", tmp_path / "OUT.CSV", "--quiet")
    assert len(pd.read_csv(tmp_path / "OUT.CSV")) == 80


def breaking(error: BaseException) -> Any:
    """Return a `recommend_all` that fails after its first block."""

    def recommend_all(model: Recommender, name: str, k: int, **options: Any) -> Iterator[Rankings]:
        from mfrec.model.batch import recommend_all as original

        yield next(original(model, name, k))
        raise error

    return recommend_all


@each_suffix
@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), MemoryError(), OSError(errno.ENOSPC, "No space left on device")],
    ids=["interrupted", "out of memory", "disk full"],
)
@pytest.mark.parametrize("before", [b"as it was", None], ids=["over a file", "new"])
def test_a_broken_export_leaves_what_was_there(
    folder: Path,
    tmp_path: Path,
    suffix: str,
    error: BaseException,
    before: bytes | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / f"out.{suffix}"
    if before is not None:
        out.write_bytes(before)
    monkeypatch.setattr(Recommender, "recommend_all", breaking(error))
    # click turns Ctrl-C into its own
    with pytest.raises((type(error), Abort, ArtifactError)):
        run(folder, "user2item", "--out", out, "--quiet")
    assert [path.name for path in tmp_path.iterdir()] == ([] if before is None else [out.name])
    assert before is None or out.read_bytes() == before


@each_suffix
def test_a_disk_that_is_full_while_writing(
    folder: Path, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device /dev/full refuses every byte."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    out = tmp_path / f"out.{suffix}"
    out.write_bytes(b"as it was")
    writer = module.WRITERS[f".{suffix}"]
    monkeypatch.setitem(module.WRITERS, f".{suffix}", lambda scratch: writer(Path("/dev/full")))
    with pytest.raises(ArtifactError, match=r"out\..*nothing there was changed: .*No space left on device: free some"):
        run(folder, "user2item", "--out", out, "--quiet")
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.read_bytes() == b"as it was"


@pytest.mark.parametrize("name", ["out", "out.json", "out.csv.bz2", "out.gz", "csv"])
def test_a_wrong_suffix_lists_the_right_ones(folder: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ParameterError, match=r"must end in \.csv, \.csv\.gz, \.jsonl, \.parquet"):
        run(folder, "user2item", "--out", tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named_before_any_work(tmp_path: Path) -> None:
    out = tmp_path / "nowhere" / "out.csv"
    with pytest.raises(ParameterError, match=r"nowhere.* does not exist"):
        run(tmp_path / "no-model", "user2item", "--out", out)


def test_a_folder_is_no_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(ParameterError, match="it is a folder"):
        run(folder, "user2item", "--out", tmp_path / "out.csv")


def test_errors_are_one_line_on_stderr(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["mfrec", "export", str(folder), "user2item", "--out", str(tmp_path / "out.txt")])
    with pytest.raises(SystemExit) as stopped:
        main()
    shown = capsys.readouterr()
    assert stopped.value.code
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert "Traceback" not in shown.err


def test_progress_is_only_on_stderr(folder: Path, tmp_path: Path) -> None:
    args = [str(folder), "user2item", "-k", "2", "--out", str(tmp_path / "out.csv")]
    result = CliRunner().invoke(export, args)
    assert result.exit_code == 0
    assert result.stdout.startswith("wrote ")
    assert "recommend_all" in result.stderr
