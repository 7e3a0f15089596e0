"""The two-tower benchmark's report says what its raw JSON says, and nothing else."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import chosen, raw, reporting, verdict, wanted
from benchmarks.cells import MISSING, Cells
from benchmarks.duel import Duel
from benchmarks.figures import gap_by_user
from benchmarks.summary import Line, datasets, look_up, read, summarise

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
    assert kept
    assert kept == [lines[json.loads(text)["name"]].text() for text in kept]


def test_every_figure_of_the_report_is_in_the_summary(measured: dict[str, Any], lines: dict[str, Line]) -> None:
    cells = Cells(lines)
    reporting.render(measured, cells)
    reporting.short(measured, cells)
    kept = {json.loads(text)["name"] for text in (REPORT / "summary.jsonl").read_text(encoding="utf-8").splitlines()}
    assert cells.used
    assert cells.used <= kept


def test_every_line_of_the_summary_can_be_computed_from_its_places(measured: dict[str, Any]) -> None:
    for text in (REPORT / "summary.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        values = [look_up(measured, tuple(place)) for place in line["places"]]
        if line["how"] in ("ratio", "least ratio"):
            values = [values[n] / values[n + 1] for n in range(0, len(values), 2)]
        if line["how"] == "gap":
            values = [values[n] - values[n + 1] for n in range(0, len(values), 2)]
        if line["how"] == "gap by user":
            values = [(sum(values[n]) - sum(values[n + 1])) / sum(values[n + 2]) for n in range(0, len(values), 3)]
        if line["how"] == "length":
            values = [len(value) for value in values]
        assert line["count"] == len(values)
        ordered, middle = sorted(values), len(values) // 2
        expected = {
            "max": ordered[-1],
            "count": len(values),
            "sum": sum(values),
            "least ratio": ordered[0],
            "length": values[0],
        }
        expected |= dict.fromkeys(("mean", "gap", "gap by user"), sum(values) / len(values))
        expected |= dict.fromkeys(("median", "ratio"), (ordered[middle] + ordered[~middle]) / 2)
        assert line["value"] == pytest.approx(expected[line["how"]], rel=1e-9, abs=1e-9), line["name"]


def test_the_error_over_users_is_that_of_drawing_users_again() -> None:
    rng = np.random.default_rng(0)
    events = rng.integers(1, 60, 300).astype(float)
    ours, theirs = (rng.binomial(events.astype(int), rng.beta(2, 5, 300)).astype(float) for _ in range(2))
    value, error, count = gap_by_user([ours, theirs, events])
    assert value == pytest.approx((ours.sum() - theirs.sum()) / events.sum())
    assert count == 1
    drawn = rng.integers(0, 300, (4_000, 300))
    again = (ours - theirs)[drawn].sum(axis=1) / events[drawn].sum(axis=1)
    assert error == pytest.approx(again.std(), rel=0.05)
    # several models on one split are averaged first
    assert gap_by_user([ours, theirs, events, theirs, ours, events])[:2] == pytest.approx((0, 0), abs=1e-12)


def test_our_judge_agrees_with_the_one_of_tensorflow_recommenders(measured: dict[str, Any]) -> None:
    compared = 0
    for path, content in measured.items():
        for name, own in content.get("extra", {}).get("own_hit_rates", {}).items():
            plain = f"user2item/plain/hit_rate@{name.removeprefix('hit@')}"
            # theirs is asked at the time of the event; with one vector per user there is nothing to compare
            if "one vector" not in path and "without time" not in path:
                assert content["metrics"][plain] == pytest.approx(own, abs=1e-4), path
                compared += 1
    assert compared


def test_every_search_of_mfrec_looks_at_three_validation_parts(measured: dict[str, Any]) -> None:
    searches = {path: c["trials"] for path, c in measured.items() if "/search-" in path and "/mfrec" in path}
    assert searches
    for path, trials in searches.items():
        assert all(len(trial["values"]) == 3 for trial in trials), path


def test_no_figure_gets_into_a_table_or_the_verdict_past_the_summary(
    measured: dict[str, Any], lines: dict[str, Line]
) -> None:
    masked = Masked(lines)
    figures = [t for t in tables(reporting.render(measured, masked)) if t[0][0] not in ("mfrec", "word")]
    assert figures
    for table in (*figures, *tables(reporting.short(measured, masked))):
        for row in table[2:]:
            assert not [cell for cell in row[1:] if re.search(r"\d", cell)], row
    for said in verdict.lines(masked, datasets(measured)):
        assert not re.findall(r"\d+\.\d+", said), said


def test_the_lists_side_by_side_are_those_of_the_json(measured: dict[str, Any], lines: dict[str, Line]) -> None:
    lists = [t for t in tables(reporting.render(measured, Cells(lines))) if t[0][0] == "mfrec"]
    answers = [c["answers"] for path, c in measured.items() if path.endswith("costs/costs.json")]
    shown = [[row[0] for row in table[2:]] for table in lists]
    assert shown == [[str(i) for i in by_direction] for a in answers for by_direction in a["mfrec"].values()]


def contender(folder: Path, protocol: str, who: str, seed: int = 42, **figures: float) -> None:
    path = folder / "raw" / "ml-100k" / f"{protocol}-{seed}" / f"{who}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    metrics = {UNSEEN: figures["at_100"], UNSEEN.replace("100", "10"): figures["at_10"]}
    given = {"about": raw.about(), "wanted": {"data": "a table"}}
    raw.write(
        path, given | {"fit_seconds": 1.0, "settings": {}, "extra": {}, "metrics": metrics, "train": 80, "test": 20}
    )


def test_the_verdict_holds_like_against_like_and_says_where_mfrec_is_behind(tmp_path: Path) -> None:
    for seed in (42, 43, 44):
        contender(tmp_path, "random", "two-tower", seed, at_10=0.05, at_100=0.2)
        contender(tmp_path, "random", "two-tower tuned", seed, at_10=0.3, at_100=0.5)
        contender(tmp_path, "random", "two-tower tuned, one vector per user", seed, at_10=0.1, at_100=0.4)
        contender(tmp_path, "random", "mfrec tuned", seed, at_10=0.2, at_100=0.3)
        contender(tmp_path, "random", "mfrec tuned, at the event's time", seed, at_10=0.4, at_100=0.5)
        contender(tmp_path, "random", "popularity", seed, at_10=0.1, at_100=0.35)
    said = verdict.lines(Cells(summarise(read(tmp_path))), ["ml-100k"])[1]
    assert "of 4 comparisons, mfrec is ahead in 2, level in 1 and **behind** in 1" in said
    assert "(random split, asked once per user: unseen @100)" in said
    told = "where the two-tower alone is told the time, **behind** in 2 (random split: unseen @10, unseen @100)"
    assert told in said
    assert "popularity is higher than mfrec at random split, unseen @100 (0.350 against 0.300)" in said


def test_a_difference_that_chance_would_show_is_level(tmp_path: Path) -> None:
    for seed, ours in ((42, 0.30), (43, 0.36), (44, 0.31)):
        contender(tmp_path, "random", "mfrec tuned", seed, at_10=ours, at_100=0.5)
        contender(tmp_path, "random", "two-tower tuned", seed, at_10=0.31, at_100=0.4 + seed / 1e6)
    cells = Cells(summarise(read(tmp_path)))
    at_10, at_100 = (
        Duel("ml-100k", "random", "mfrec tuned", "two-tower tuned", f"user2item/unseen/hit_rate@{k}") for k in (10, 100)
    )
    assert at_10.sign(cells) == "level"
    assert at_10.cell(cells) == "0.323 / 0.310, +0.013 ± 0.025 level"
    assert at_100.sign(cells) == "ahead"


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
        raw.write(folder / "mfrec.json", {"fit_seconds": 1.0, "train": 8, "test": 2, "metrics": {UNSEEN: value}})
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


def test_a_result_says_which_source_it_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "__file__", str(tmp_path / "benchmarks" / "raw.py"))
    (tmp_path / "benchmarks").mkdir()
    assert (raw.about()["commit"], raw.about()["tree"]) == ("unknown", "unknown")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (tmp_path / "benchmarks" / "one.py").write_text("1")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    first = raw.about()
    subprocess.run([*git, "commit", "-q", "--amend", "-m", "another message"], check=True)
    amended = raw.about()
    assert first["commit"] != amended["commit"]
    assert first["tree"] == amended["tree"]
    (tmp_path / "benchmarks" / "one.py").write_text("2")
    assert raw.about()["commit"] == amended["commit"] + "+"


@pytest.mark.parametrize("seeds", [(42,), (42, 43)])
def test_one_seed_or_two_are_no_test(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    for seed in seeds:
        contender(tmp_path, "random", "mfrec tuned", seed, at_10=0.3, at_100=0.5)
        contender(tmp_path, "random", "two-tower tuned", seed, at_10=0.2, at_100=0.5)
    cells = Cells(summarise(read(tmp_path)))
    duel = Duel("ml-100k", "random", "mfrec tuned", "two-tower tuned", UNSEEN.replace("100", "10"))
    assert duel.sign(cells) == "not tested"
    assert verdict.sign(cells, duel) == "higher (0.300 against 0.200)"


def test_three_overlapping_splits_are_little(tmp_path: Path) -> None:
    """Differences of 0.10, 0.14 and 0.20 are five naive errors on average; overlapping splits allow for more."""
    for seed, ours in ((42, 0.30), (43, 0.34), (44, 0.40)):
        contender(tmp_path, "random", "mfrec tuned", seed, at_10=ours, at_100=0.5)
        contender(tmp_path, "random", "two-tower tuned", seed, at_10=0.2, at_100=0.5)
    cells = Cells(summarise(read(tmp_path)))
    duel = Duel("ml-100k", "random", "mfrec tuned", "two-tower tuned", UNSEEN.replace("100", "10"))
    assert duel.sign(cells) == "level"


def test_what_had_to_be_shown_is_held_against_what_was_found(tmp_path: Path) -> None:
    for who, figure in (("mfrec", 0.5), ("two-tower", 0.3)):
        contender(tmp_path, "random", who, at_10=0.1, at_100=figure)
    text = wanted.section(Cells(summarise(read(tmp_path))))
    assert "| hit rate@100 over unseen titles: mfrec's, as a multiple | at least 1.8x | 1.67x | **not met** |" in text
    assert "| training time: the two-tower's, as a multiple | at least 40x | - | not measured |" in text


def test_what_is_at_an_edge_of_its_search_is_named(tmp_path: Path) -> None:
    tried = [
        {"settings": {"decay_seconds": d, "alpha": a}, "value": v} for d, a, v in ((60.0, 3.0, 0.5), (9e3, 5.0, 0.4))
    ]
    folder = tmp_path / "raw" / "ml-100k" / "search-random"
    folder.mkdir(parents=True)
    raw.write(folder / "mfrec-moment.json", {"trials": [{**trial, "fit_seconds": 1.0} for trial in tried]})
    found = read(tmp_path)
    text = chosen.section(found, Cells(summarise(found)))
    assert "at an edge of what was tried: alpha 3.0, decay_seconds 60.0" in text
