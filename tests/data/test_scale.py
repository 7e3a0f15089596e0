"""The scripts of ``benchmarks/scale``, on little."""

import json
from pathlib import Path

import pytest

from benchmarks.scale import mutations

read = pytest.importorskip("benchmarks.scale.read", reason="pyarrow writes the files")


@pytest.mark.parametrize("seed", [1, 2])
def test_no_mutation_is_silently_another_table(seed: int, tmp_path: Path) -> None:
    found = mutations.run(60, seed, tmp_path)
    assert found["right"] >= 20
    assert found["refused"] >= 10


def test_another_table_is_noticed(tmp_path: Path) -> None:
    right = frozenset([("1", "2", "1", "5", "x")])
    changed = mutations.Mutated("swap", b"user,item,rating,title,time\n2,1,1,x,5\n", (right,))
    with pytest.raises(AssertionError, match="another table"):
        mutations.outcome(changed, tmp_path / "t.csv")


def test_reading_is_measured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        read.main(["--rows", "20000", "--json", "--folder", str(tmp_path), "--formats", "quoted"])
    assert stopped.value.code == 0
    assert json.loads(capsys.readouterr().out)["quoted"]["rows_per_second"] > 0
