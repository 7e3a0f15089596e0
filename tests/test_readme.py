"""The docs say what the defaults reach, and what the results of the benchmarks say."""

import json
from pathlib import Path

import pytest

from benchmarks.accuracy import defaults, directions
from benchmarks.retrieval import report
from benchmarks.tools import block


# the second release takes half a minute: `python -m benchmarks.accuracy.run directions` writes its rows
@pytest.mark.parametrize("name", directions.DATA[:1])
def test_the_accuracy_table_is_what_the_defaults_reach(movielens_home: Path, name: str) -> None:
    own = [line for line in block("docs/accuracy.md", "accuracy").splitlines() if line.startswith(f"| {name} ")]
    assert own == directions.table((name,)).splitlines()[2:]


def test_the_tables_of_other_data_are_what_the_results_say() -> None:
    assert block("docs/accuracy.md", "defaults") == defaults.tables()


def test_the_results_cover_eight_sets_of_enough_events() -> None:
    found = [line for line in defaults.lines() if line["kind"] == "search"]
    enough = {line["set"] for line in found if line["shape"][3] >= 5_000}
    assert len(enough) >= 8
    assert all(len({line["seed"] for line in found if line["set"] == name}) == 3 for name in enough)


def test_the_retrieval_report_and_its_table_are_what_the_results_say() -> None:
    data = json.loads(report.RESULTS.read_text())
    assert block(report.PAGE, "retrieval") == report.small(data)
    assert (report.HERE / "report.md").read_text() == report.report(data, report.drawn(data))
