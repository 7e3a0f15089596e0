"""The examples about one's own tables in the README, docs/cold-start.md and ``mfrec fit --help`` run as printed."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from mfrec.cli import main
from mfrec.cli.fit import fit

ROOT = Path(__file__).parents[2]
PAGES = "\n".join((ROOT / name).read_text() for name in ("README.md", "docs/cold-start.md"))
EXAMPLES = sorted(set(re.findall(r"^ *(mfrec fit plays\.csv [^\n]*)", f"{PAGES}\n{fit.help}", re.MULTILINE)))


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plays of tracks, and a table of tracks in which one that was played is missing, as are numbers and categories."""
    monkeypatch.chdir(tmp_path)
    plays = [{"listener": u, "track": i, "plays": 1 + u * i % 4} for u in range(30) for i in range(20) if (u + i) % 2]
    pd.DataFrame(plays).to_csv("plays.csv", index=False)
    tracks = [{"track": i, "title": f"song of {i % 2}", "label": "ab"[i % 2], "year": 1990 + i} for i in range(24)]
    table = pd.DataFrame(tracks).astype({"year": "Int64"})[1:]
    table.loc[3, ["label", "year"]] = None
    table.to_csv("tracks.csv", index=False)


def called(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main([*shlex.split(line, comments=True)[1:], "--quiet"])
    told = capsys.readouterr()
    assert isinstance(stopped.value.code, int)
    return stopped.value.code, told.out, told.err


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_runs_as_printed(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = called(capsys, line)
    assert code == 0, err
    assert "Interactions(30 users x 20 items, 300 interactions)" in out
    if "--items " in line:
        # the tracks of the table that nobody played
        assert "4 items without interactions: vectors from" in out


@pytest.mark.usefixtures("tables")
def test_ids_that_a_table_lacks_are_noted_or_refused(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    line = next(line for line in EXAMPLES if "--items " in line) + " --items-category label"
    code, _, _ = called(capsys, line)
    assert code == 0
    noted = [message for message in caplog.messages if "has no row for 1 of 20 items with interactions" in message]
    assert len(noted) == 1
    assert "they go on without attributes" in noted[0]
    code, _, err = called(capsys, f"{line} --strict")
    assert code == 2
    assert "tracks.csv has no row for 1 of 20 items" in err
