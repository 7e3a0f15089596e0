"""The two-tower benchmark's report says what its raw JSON says, and nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import raw, reporting, verdict
from benchmarks.cells import MISSING, Cells
from benchmarks.summary import Line, look_up, read, summarise

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "benchmarks" / "report"

UNSEEN = "user2item/unseen/hit_rate@100"


class Masked(Cells):
    """Shows no figure, so that whatever figure is left in the report came by another way."""

    def show(self, value: float, form: str) -> str:
        """Hide the number."""
        return "N"


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    found = read(REPORT)
    assert found, "benchmarks/report/raw is empty: run `make bench`"
    return found


@pytest.fixture(scope="module")
def lines(measured: dict[str, Any]) -> dict[str, Line]:
    return summarise(measured)


def tables(text: str) -> list[list[list[str]]]:
    found: list[list[list[str]]] = []
    for block in re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE):
        found.append([[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.strip().split("\n")])
    return found


def test_the_readme_says_what_the_json_says(measured: dict[str, Any], lines: dict[str, Line]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert reporting.between_markers(text) == reporting.short(measured, Cells(lines))


def test_the_report_says_what_the_json_says(measured: dict[str, Any], lines: dict[str, Line]) -> None:
    assert (REPORT / "README.md").read_text(encoding="utf-8") == reporting.render(measured, Cells(lines))


def test_the_summary_is_that_of_the_json(lines: dict[str, Line]) -> None:
    kept = (REPORT / "summary.jsonl").read_text(encoding="utf-8").splitlines()
    assert kept == [line.text() for line in lines.values()]


def test_every_line_of_the_summary_can_be_computed_from_its_places(measured: dict[str, Any]) -> None:
    for text in (REPORT / "summary.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        values = [look_up(measured, tuple(place)) for place in line["places"]]
        if line["how"] == "ratio":
            values = [values[n] / values[n + 1] for n in range(0, len(values), 2)]
        assert line["count"] == len(values)
        ordered, middle = sorted(values), len(values) // 2
        expected = {
            "mean": sum(values) / len(values),
            "max": ordered[-1],
            "median": (ordered[middle] + ordered[~middle]) / 2,
            "ratio": (ordered[middle] + ordered[~middle]) / 2,
        }
        assert line["value"] == pytest.approx(expected[line["how"]], rel=1e-12, abs=1e-15), line["name"]


def test_no_figure_gets_into_a_table_or_the_verdict_past_the_summary(
    measured: dict[str, Any], lines: dict[str, Line]
) -> None:
    masked = Masked(lines)
    figures = [t for t in tables(reporting.render(measured, masked)) if t[0][0] != "mfrec"]
    assert figures
    for table in (*figures, *tables(reporting.short(measured, masked))):
        for row in table[2:]:
            assert not [cell for cell in row[1:] if re.search(r"\d", cell)], row
    for said in verdict.lines(masked):
        assert not re.findall(r"\d+\.\d+", said), said


def test_the_lists_side_by_side_are_those_of_the_json(measured: dict[str, Any], lines: dict[str, Line]) -> None:
    lists = [t for t in tables(reporting.render(measured, Cells(lines))) if t[0][0] == "mfrec"]
    answers = [c["answers"] for path, c in measured.items() if path.endswith("costs/costs.json")]
    shown = [[row[0] for row in table[2:]] for table in lists]
    assert shown == [[str(i) for i in by_direction] for a in answers for by_direction in a["mfrec"].values()]


def contender(folder: Path, protocol: str, who: str, **figures: float) -> None:
    path = folder / "raw" / "ml-100k" / f"{protocol}-42" / f"{who}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    metrics = {UNSEEN: figures["at_100"], UNSEEN.replace("100", "10"): figures["at_10"]}
    raw.write(path, {"about": raw.about(), "fit_seconds": 1.0, "settings": {}, "extra": {}, "metrics": metrics})


def test_the_verdict_holds_like_against_like_and_says_where_mfrec_is_behind(tmp_path: Path) -> None:
    for protocol in ("random", "time"):
        contender(tmp_path, protocol, "two-tower", at_10=0.05, at_100=0.2)
        contender(tmp_path, protocol, "two-tower tuned", at_10=0.3, at_100=0.5)
        contender(tmp_path, protocol, "two-tower tuned, one vector per user", at_10=0.1, at_100=0.4)
        contender(tmp_path, protocol, "mfrec tuned", at_10=0.2, at_100=0.3)
        contender(tmp_path, protocol, "mfrec tuned, at the event's time", at_10=0.4, at_100=0.5)
    said = verdict.lines(Cells(summarise(read(tmp_path))))[1]
    once = "ahead @10 (0.200 against 0.100) and **behind** @100 (0.300 against 0.400) on the random split"
    assert f"asked once per user, is {once}" in said
    at_time = "ahead @10 (0.400 against 0.300) and level @100 (0.500 against 0.500) on the random split"
    assert f"asked at the event's time, is {at_time}" in said
    assert "mfrec is **behind** @10 (0.200 against 0.300) and **behind** @100 (0.300 against 0.500)" in said


def test_without_the_two_tower_the_report_says_what_is_missing(tmp_path: Path) -> None:
    contender(tmp_path, "random", "mfrec", at_10=0.2, at_100=0.3)
    raw.write(tmp_path / "raw" / "status.json", {"about": raw.about(), "missing": {"two-tower": "no network"}})
    found = read(tmp_path)
    text = reporting.render(found, Cells(summarise(found)))
    assert "did not run here" in text
    assert "**Missing here:** two-tower: no network" in text
    assert "0.300" in text
    assert MISSING in text


def test_seeds_are_averaged_and_their_spread_is_shown(tmp_path: Path) -> None:
    for seed, value in ((42, 0.2), (43, 0.4)):
        folder = tmp_path / "raw" / "ml-100k" / f"random-{seed}"
        folder.mkdir(parents=True)
        raw.write(folder / "mfrec.json", {"fit_seconds": 1.0, "metrics": {UNSEEN: value}})
    cells = Cells(summarise(read(tmp_path)))
    assert cells.spread(f"ml-100k|random|mfrec|{UNSEEN}") == "0.300 ± 0.141"


def test_a_result_is_kept_until_its_settings_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, made = tmp_path / "group" / "one.json", []

    def make() -> dict[str, Any]:
        made.append(1)
        return {"value": len(made)}

    assert raw.keep(path, {"seed": 1}, make)["value"] == 1
    assert raw.keep(path, {"seed": 1}, make)["value"] == 1
    assert raw.keep(path, {"seed": 2}, make)["value"] == 2
    assert capsys.readouterr().out.count("group/one") == 2


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="bench:start"):
        reporting.between_markers("nothing here")
