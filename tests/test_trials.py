"""The log of a search: of that search alone, and no damage to it is a traceback or a loss."""

import errno
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mfrec import Interactions, splits
from mfrec.errors import ArtifactError, DataError, ParameterError
from mfrec.training.params import ALSParams
from mfrec.tuning.space import SPACE
from mfrec.tuning.trials import alone
from mfrec.tuning.tune import Tuned, tune
from tests.conftest import random_interactions
from tests.params import given_params

optuna = pytest.importorskip("optuna")

LIKES = random_interactions(60, 40)
BASE = given_params(factors=4, iterations=2, threads=1, regularization=25.0)


def search(log: Path, **options: Any) -> Tuned:
    options = {"data": LIKES, "metric": "ndcg@5", "base": BASE, "trials": 1, **options}
    return tune(options.pop("data"), resume=log, **options)


@pytest.fixture(scope="module")
def two_trials(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The lines of a log of two trials."""
    path = tmp_path_factory.mktemp("log") / "trials.jsonl"
    search(path, trials=2)
    return path.read_bytes()


@pytest.fixture
def log(tmp_path: Path, two_trials: bytes) -> Path:
    """A log of two trials."""
    path = tmp_path / "trials.jsonl"
    path.write_bytes(two_trials)
    return path


@pytest.fixture(scope="module")
def expected() -> list[tuple[ALSParams, float]]:
    """What three trials come to."""
    return [(trial.params, trial.score) for trial in tune(LIKES, metric="ndcg@5", base=BASE, trials=3).trials]


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


def test_one_search_at_a_time_writes_a_log(tmp_path: Path) -> None:
    log = tmp_path / "trials.jsonl"
    with alone(log), pytest.raises(ParameterError, match=r"trials\.jsonl is in use by another search: wait"):
        search(log)
    # nothing was written, so nothing stays
    assert not log.exists()
    assert len(search(log).trials) == 1


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


def test_a_full_disk_names_the_log_and_the_remedy(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactError, match=r"cannot write .*trials\.jsonl: No space left on device: free some space"):
        search(log)


def test_threads_change_nothing_in_a_search(log: Path) -> None:
    assert len(search(log, base=given_params(factors=4, iterations=2, threads=2, regularization=25.0)).trials) == 3


@pytest.mark.parametrize(
    "line", [b"null", b"3", b"{}", b"", b"nonsense", b"\xff\xfe", b"[" * 100_000, b'{"op_code": 99}', b'{"op_code": 5}']
)
def test_damage_is_one_line(log: Path, line: bytes) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:4], line + b"\n", *lines[4:]]))
    before = log.read_bytes()
    with pytest.raises(DataError, match=r"trials\.jsonl is damaged: .*; name another file") as raised:
        search(log)
    assert "\n" not in str(raised.value)
    assert log.read_bytes() == before


def test_a_line_that_was_taken_out_is_missed_or_not_needed(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    for number in range(0, len(lines), 2):
        log.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        # an error of mfrec's is one line
        with suppress(DataError):
            assert len(search(log).trials) in (1, 2, 3)


def killed(log: Path, left: float, between: bool) -> Path:
    """Leave a part of a log, as far as the end of a line or one byte more."""
    *lines, _ = log.read_bytes().splitlines(keepends=True)
    size = len(b"".join(lines[: round(len(lines) * left)]))
    log.write_bytes(log.read_bytes()[: size + (not between)])
    return log


@pytest.mark.parametrize("between", [True, False])
@pytest.mark.parametrize("left", [0.0, 0.03, 0.1, 0.4, 0.55, 0.7, 1.0])
def test_a_search_that_was_killed_goes_on(
    log: Path, left: float, between: bool, caplog: pytest.LogCaptureFixture, expected: list[tuple[ALSParams, float]]
) -> None:
    with caplog.at_level(logging.WARNING, "mfrec"):
        found = search(killed(log, left, between))
    assert ("its last line is unfinished and was dropped" in caplog.text) is not between
    while len(found.trials) < len(expected):
        found = search(log)
    assert [(trial.params, trial.score) for trial in found.trials] == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("notes of mine", "is no log of trials: 'notes of mine'"),
        ("[]", "is no log of trials"),
        ("notes\nof mine\n", "is no log of trials"),
        ("\n", "is no log of trials"),
        ('{"search": {"metric": "ndcg@20"}}\n', "is a log of an earlier version, which this one does not read"),
    ],
)
def test_the_file_of_somebody_else_is_left_alone(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine"
    path.write_text(text)
    with pytest.raises(DataError, match=f"{says}.*; name another file"):
        search(path)
    assert path.read_text() == text


def test_the_journal_of_another_study_is_left_alone(tmp_path: Path) -> None:
    journal = optuna.storages.journal.JournalFileBackend(str(tmp_path / "mine"))
    optuna.create_study(storage=optuna.storages.JournalStorage(journal), study_name="mine")
    before = (tmp_path / "mine").read_bytes()
    with pytest.raises(DataError, match="its users is not told, here it is 60; name another file"):
        search(tmp_path / "mine")
    assert (tmp_path / "mine").read_bytes() == before


@pytest.mark.parametrize("path", ["no/such/log", "."])
def test_a_log_that_cannot_be_written_is_refused_first(tmp_path: Path, path: str) -> None:
    with pytest.raises(ParameterError, match="cannot write"):
        search(tmp_path / path)
