"""The README says what its commands print."""

from pathlib import Path

import pytest

from benchmarks import accuracy, readme_accuracy, readme_tuning

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


def test_tuned_mfrec_is_ahead_of_tuned_plain_als_in_every_run() -> None:
    runs = accuracy.read(readme_tuning.RESULTS / "accuracy.json")
    found = {(run.data, run.seed, run.contender): run.test for run in runs}
    splits = {(run.data, run.seed) for run in runs}
    assert len(splits) == 10
    for data, seed in splits:
        assert found[data, seed, "mfrec, tuned"] > found[data, seed, "plain ALS, tuned"], (data, seed)
