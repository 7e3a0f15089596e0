"""The docs say what the defaults reach, and what the results of the benchmarks say."""

from pathlib import Path

import pytest

from benchmarks import defaults, readme_accuracy
from benchmarks.page import block


# the second release takes half a minute: `python -m benchmarks.readme_accuracy` writes its rows
@pytest.mark.parametrize("name", readme_accuracy.DATA[:1])
def test_the_accuracy_table_is_what_the_defaults_reach(movielens_home: Path, name: str) -> None:
    own = [line for line in block("accuracy").splitlines() if line.startswith(f"| {name} ")]
    assert own == readme_accuracy.table((name,)).splitlines()[2:]


def test_the_tables_of_other_data_are_what_the_results_say() -> None:
    assert block("defaults") == defaults.tables()


def test_the_results_cover_eight_sets_of_enough_events() -> None:
    found = [line for line in defaults.lines() if line["kind"] == "search"]
    enough = {line["set"] for line in found if line["shape"][3] >= 5_000}
    assert len(enough) >= 8
    assert all(len({line["seed"] for line in found if line["set"] == name}) == 3 for name in enough)
