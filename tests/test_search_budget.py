"""The script that measures a search in a given time."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.accuracy.search_budget import KIND, PAGE, Search, read, rows, search, table
from benchmarks.tools import block


def test_a_search_ends_in_time_and_is_asked_once_for_the_test_part() -> None:
    pytest.importorskip("optuna")
    found = search("sample:9000", "now", 1, 0.3)
    assert 0 < len(found.seconds) == len(found.scores) <= found.trials
    assert found.seconds == sorted(found.seconds)
    assert found.scores == sorted(set(found.scores))
    assert found.best_after(found.wall) == found.scores[-1] > 0
    assert 0 < found.test < 1


def test_a_row_says_how_far_the_searches_were_when(tmp_path: Path) -> None:
    searches = [
        Search("some", "slow", 1, 40.0, 2, [10.0, 40.0], [0.1, 0.2], 0.3, {}),
        Search("some", "slow", 2, 40.0, 2, [20.0, 40.0], [0.1, 0.4], 0.5, {}),
        Search("some", "fast", 1, 20.0, 9, [20.0], [0.4], 0.5, {}),
    ]
    slow, fast = rows(searches)
    assert slow == ["some", "slow", "2", "0.0500", "0.1000", "0.3000", "0.3000", "0.4000 ± 0.1000"]
    assert fast == ["some", "fast", "9", "0.0000", "0.4000", "0.4000", "0.4000", "0.5000 ± nan"]
    (tmp_path / "lines").write_text("".join(json.dumps({"kind": KIND, **asdict(one)}) + "\n" for one in searches))
    assert read(tmp_path / "lines") == searches


def test_the_page_shows_what_was_measured() -> None:
    assert block(PAGE, "search") == table(read())
