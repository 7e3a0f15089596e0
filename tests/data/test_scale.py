"""Damaged files are never another table without a word; the script that times reading, on little."""

from pathlib import Path

import pytest

from tests.data import damaged_files

read = pytest.importorskip("benchmarks.scale.read", reason="pyarrow writes the files")


@pytest.mark.parametrize("seed", [1, 2])
def test_no_mutation_is_silently_another_table(seed: int, tmp_path: Path) -> None:
    found = damaged_files.run(60, seed, tmp_path)
    assert found["right"] >= 20
    assert found["refused"] >= 10


def test_another_table_is_noticed(tmp_path: Path) -> None:
    right = frozenset([("1", "2", "1", "5", "x")])
    changed = damaged_files.Mutated("swap", b"user,item,rating,title,time\n2,1,1,x,5\n", (right,))
    with pytest.raises(AssertionError, match="another table"):
        damaged_files.outcome(changed, tmp_path / "t.csv")


def test_reading_is_measured(tmp_path: Path) -> None:
    found = read.read(str(tmp_path), 20_000, ("quoted",))
    assert found["quoted"]["rows_per_second"] > 0
    assert found["missed"] == []
