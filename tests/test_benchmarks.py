"""The one entry of every folder of benchmarks: names, options, and where figures go."""

import json
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import tools
from benchmarks.tools import ROOT, Figures, choose, command

FOLDERS = ("accuracy", "retrieval", "service", "scale")
MEASUREMENTS = [(folder, name) for folder in FOLDERS for name in import_module(f"benchmarks.{folder}.run").MEASUREMENTS]


@pytest.mark.parametrize(("folder", "name"), MEASUREMENTS)
def test_every_measurement_is_a_module_that_its_readme_explains(folder: str, name: str) -> None:
    assert find_spec(f"benchmarks.{folder}.{name}") is not None
    assert name in (ROOT / "benchmarks" / folder / "README.md").read_text()


def test_without_a_name_the_entry_lists_them_all() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.service.run"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert [line.split()[0] for line in told.splitlines()[1:]] == [n for f, n in MEASUREMENTS if f == "service"]


def test_a_name_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "lode"])
    with pytest.raises(SystemExit) as stopped:
        choose("service", {"load": "how fast"})
    assert stopped.value.code == 2
    assert "load            how fast" in capsys.readouterr().out


def measured(minutes: float = 5.0, k: int = 10, sets: tuple[str, ...] = (), fresh: bool = False) -> Figures:
    return {"options": [minutes, k, list(sets), fresh], "missed": ["a bound"] if fresh else []}


def test_options_are_those_of_the_function(capsys: pytest.CaptureFixture[str]) -> None:
    command(measured)(["--minutes", "2", "-k", "3", "--sets", "a", "b"])
    assert json.loads(capsys.readouterr().out)["options"] == [2.0, 3, ["a", "b"], False]
    with pytest.raises(SystemExit) as missed:
        command(measured)(["--fresh"])
    assert missed.value.code == 1


def test_figures_are_saved_beside_those_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspect.getfile", lambda _: str(tmp_path / "load.py"))
    (tmp_path / "results.json").write_text('{"env": {"installed_mb": 113}}')
    command(measured)(["--save"])
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["env"] == {"installed_mb": 113}
    assert found["load"]["options"] == [5.0, 10, [], False]


def test_a_block_is_replaced_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text("a\n<!-- x:start -->\nold\n<!-- x:end -->\nb\n")
    tools.put("page.md", "x", "new\n")
    assert (tmp_path / "page.md").read_text() == "a\n<!-- x:start -->\nnew\n<!-- x:end -->\nb\n"
    assert tools.block("page.md", "x") == "new\n"
    with pytest.raises(ValueError, match="no block 'y'"):
        tools.block("page.md", "y")
