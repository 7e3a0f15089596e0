"""The log of a search: of that search alone, and no damage to it is a traceback or a loss."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mfrec import Interactions, splits
from mfrec.errors import ArtifactError, DataError, ParameterError
from mfrec.tuning import tune as tuning
from mfrec.tuning.space import SPACE
from mfrec.tuning.trials import Trial, TrialLog
from mfrec.tuning.tune import Tuned, tune
from tests.clock import Clock
from tests.conftest import random_interactions
from tests.params import given_params

pytest.importorskip("optuna")

LIKES = random_interactions(60, 40)
BASE = given_params(factors=4, iterations=2, threads=1, regularization=25.0)
TRIAL = Trial(BASE, 0.25, 1.5)


def search(log: Path, **options: Any) -> Tuned:
    options = {"data": LIKES, "metric": "ndcg@5", "base": BASE, "trials": 1, **options}
    return tune(options.pop("data"), resume=log, **options)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time stands still: a search ends by the number of its trials."""
    monkeypatch.setattr(tuning, "time", Clock())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of two trials."""
    path = tmp_path / "trials.jsonl"
    search(path, trials=2)
    return path


def weighted(weight: float = 1.0, time: int = 7) -> Interactions:
    """The same pairs, with the weight and the time of the first one as given."""
    frame = LIKES.to_frame().assign(weight=1.0, time=7)
    frame.loc[0, ["weight", "time"]] = weight, time
    return Interactions.from_frame(frame, weight="weight", time="time")


def swapped() -> Interactions:
    """As many pairs of as many users and items, one of them another."""
    frame = LIKES.to_frame()
    free = set(range(len(LIKES.ids.item))) - set(LIKES.items[LIKES.users == 0].tolist())
    often = pd.Series(frame["item"]).duplicated(keep=False) & (frame["user"] == LIKES.ids.user.id(0))
    frame.loc[np.flatnonzero(often)[0], "item"] = LIKES.ids.item.id(min(free))
    return Interactions.from_frame(frame)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"metric": "ndcg@6"}, "its metric is ndcg@5, here it is ndcg@6"),
        ({"seed": 43}, "its seed is 42, here it is 43"),
        ({"plain": True}, "its plain is False, here it is True"),
        (
            {"base": given_params(factors=4, iterations=2, user_scale=0.5, regularization=25.0)},
            "its base user_scale is 0.0, here it is 0.5",
        ),
        (
            {"base": given_params(factors=4, iterations=2, seed=1, regularization=25.0)},
            "its base seed is 42, here it is 1",
        ),
        ({"base": given_params(factors=5, iterations=2, regularization=25.0)}, "its base factors is 4, here it is 5"),
        ({"data": random_interactions(61, 40)}, "its users is 60, here it is 61"),
        ({"data": random_interactions(60, 41)}, "its items is 40, here it is 41"),
        ({"data": LIKES.take(np.arange(len(LIKES)) > 20)}, "its training interactions is"),
        ({"data": swapped()}, "its hash of the "),
        ({"data": weighted(2.0)}, "its hash of the"),
        ({"data": weighted(1.0, 8)}, "its hash of the"),
    ],
)
def test_a_log_of_another_search_is_refused(log: Path, other: dict[str, Any], named: str) -> None:
    before = log.read_bytes()
    with pytest.raises(DataError, match="is the log of another search") as raised:
        search(log, **other)
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)
    assert log.read_bytes() == before


def test_a_log_of_another_validation_part_is_refused(tmp_path: Path) -> None:
    train, held_out = splits.random_split(LIKES, 0.3)
    one, two = splits.random_split(held_out, 0.5)
    search(tmp_path / "log", data=train, validation=one)
    with pytest.raises(DataError, match=r"its (validation interactions|hash of the validation part) is"):
        search(tmp_path / "log", data=train, validation=two)


def test_a_log_of_another_space_is_refused(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPACE, "alpha", ("log", 1.0, 2.0))
    with pytest.raises(DataError, match=r"its space alpha is \['log', 0.5, 60.0\], here it is \['log', 1.0, 2.0\]"):
        search(log)


def test_a_full_disk_names_the_log_and_the_remedy() -> None:
    """The device /dev/full refuses every byte."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")
    with pytest.raises(ArtifactError, match="cannot write /dev/full: No space left on device: free some space"):
        TrialLog(full, {}).append(TRIAL)


def test_threads_change_nothing_in_a_search(log: Path) -> None:
    assert len(search(log, base=given_params(factors=4, iterations=2, threads=2, regularization=25.0)).trials) == 3


GOOD: dict[str, Any] = {"params": {"factors": 4}, "score": 0.5, "seconds": 1.0, "stopped": False, "early": None}
DAMAGED = [
    b"null",
    b"3",
    b"[]",
    b"{}",
    b"",
    b"nonsense",
    b"\xff\xfe",
    b"[" * 100_000,
    *(
        json.dumps(GOOD | {name: value}).encode()
        for name, value in [
            ("score", "a"),
            ("score", None),
            ("score", True),
            ("score", float("nan")),
            ("score", 1.5),
            ("score", 10**400),
            ("early", "a"),
            ("early", float("inf")),
            ("seconds", -1),
            ("seconds", "1"),
            ("stopped", 1),
            ("params", 3),
            ("params", {"factor": 3}),
            ("params", {"factors": "3"}),
            ("params", {"alpha": float("nan")}),
            ("params", {"alpha": 10**400}),
            ("more", 1),
        ]
    ),
]


@pytest.mark.parametrize("line", DAMAGED, ids=lambda line: line[:70].decode("latin-1"))
def test_damage_in_the_middle_is_one_line(log: Path, line: bytes) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:2], line + b"\n", *lines[2:]]))
    before = log.read_bytes()
    with pytest.raises(DataError, match=r"trials\.jsonl line 3 is damaged: .*; take that line out") as raised:
        search(log)
    assert "\n" not in str(raised.value)
    assert log.read_bytes() == before


def test_a_good_line_is_read() -> None:
    """What the damaged lines above are made from."""
    line = json.dumps(GOOD).encode()
    assert line not in DAMAGED
    assert GOOD.keys() == Trial.__dataclass_fields__.keys()


@pytest.mark.parametrize("cut", [2, 3, 40, 200])
def test_an_unfinished_last_line_is_dropped_and_the_search_goes_on(
    log: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    whole = [(t.params, t.score) for t in search(log, trials=1).trials]
    log.write_bytes(log.read_bytes()[:-cut])
    with caplog.at_level(logging.WARNING, "mfrec"):
        found = search(log, trials=1)
    assert "its last line is unfinished and was dropped" in caplog.text
    assert [(t.params, t.score) for t in found.trials] == whole
    assert [(t.params, t.score) for t in TrialLog(log, {}).read()] == whole


def test_a_last_line_that_only_lacks_its_end_is_kept(log: Path) -> None:
    whole = log.read_bytes()
    log.write_bytes(whole[:-1])
    assert len(search(log, trials=1).trials) == 3
    assert log.read_bytes().startswith(whole)
    assert len(TrialLog(log, {}).read()) == 3


@pytest.mark.parametrize("left", [1, 5, 50, 300])
def test_a_log_cut_within_its_first_line_starts_anew(log: Path, left: int) -> None:
    whole = log.read_bytes()
    log.write_bytes(whole[:left])
    assert len(search(log, trials=2).trials) == 2
    assert log.read_bytes().splitlines()[0] == whole.splitlines()[0]
    assert len(log.read_bytes().splitlines()) == 3


def test_an_empty_file_is_a_new_log(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    search(tmp_path / "log")
    assert len((tmp_path / "log").read_bytes().splitlines()) == 2


@pytest.mark.parametrize("text", ["notes of mine", "[]", "notes\nof mine\n", "notes\nof mine", '{"search": 3}\n', "\n"])
def test_the_file_of_somebody_else_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine"
    path.write_text(text)
    with pytest.raises(DataError, match="name another file"):
        search(path)
    assert path.read_text() == text


@pytest.mark.parametrize("path", ["no/such/log", "."])
def test_a_log_that_cannot_be_written_is_refused_first(tmp_path: Path, path: str) -> None:
    with pytest.raises(ParameterError, match="cannot write"):
        search(tmp_path / path)


def test_what_is_appended_is_what_is_read(tmp_path: Path) -> None:
    log = TrialLog(tmp_path / "log", {"seed": 1})
    trials = [TRIAL, Trial(BASE, 0.0, 2.0, stopped=True, early=0.125)]
    for trial in trials:
        log.append(trial)
    assert log.read() == trials


def test_without_a_file_nothing_is_kept() -> None:
    log = TrialLog(None, {})
    log.append(TRIAL)
    assert log.read() == []
