"""The README says what its commands print."""

from pathlib import Path

import pytest

from benchmarks import readme_accuracy, readme_tuning

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize("name", readme_accuracy.DATA)
def test_the_accuracy_table_is_what_the_defaults_reach(movielens_home: Path, name: str) -> None:
    found = readme_accuracy.BLOCK.search(README.read_text(encoding="utf-8"))
    assert found is not None
    own = [line for line in found[2].splitlines() if line.startswith(f"| {name} ")]
    assert own == readme_accuracy.table((name,)).splitlines()[2:]


def test_the_tables_of_tuning_are_what_the_results_say() -> None:
    found = readme_tuning.BLOCK.search(README.read_text(encoding="utf-8"))
    assert found is not None
    assert found[2] == readme_tuning.tables()
