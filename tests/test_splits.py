"""Splits: nothing leaks, nothing is lost, and what cannot be learned is said."""

import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mfrec
from mfrec import Interactions, splits
from mfrec.errors import DataError, ParameterError
from mfrec.evaluation.read_split import read_lists


def interactions(n_users: int = 30, n_items: int = 40, n: int = 400, seed: int = 0) -> Interactions:
    rng = np.random.default_rng(seed)
    keys = rng.choice(n_users * n_items, n, replace=False)
    frame = pd.DataFrame({"user": keys // n_items, "item": keys % n_items, "time": rng.integers(0, 300, n)})
    return Interactions.from_frame(frame, time="time")


def pairs(part: Interactions) -> set[tuple[object, object]]:
    frame = part.to_frame()
    return set(zip(frame["user"], frame["item"], strict=True))


def check(whole: Interactions, *parts: Interactions) -> None:
    """No pair is in two parts, none is lost, and all are over the same ids."""
    assert sum(map(len, parts)) == len(whole)
    assert set().union(*map(pairs, parts)) == pairs(whole)
    for part in parts:
        assert part.shape == whole.shape
        assert list(part.ids.user) == list(whole.ids.user)


def test_random_split_is_seeded_and_complete() -> None:
    whole = interactions()
    train, test = splits.random_split(whole, 0.25, seed=3)
    check(whole, train, test)
    assert len(test) == 100
    assert pairs(splits.random_split(whole, 0.25, seed=3)[1]) == pairs(test)
    assert pairs(splits.random_split(whole, 0.25, seed=4)[1]) != pairs(test)


def test_random_split_can_be_repeated_for_a_validation_part() -> None:
    whole = interactions()
    rest, test = splits.random_split(whole)
    train, validation = splits.random_split(rest)
    check(whole, train, validation, test)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), "a", True])
def test_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(ParameterError, match="test_fraction"):
        splits.random_split(interactions(), fraction)
    with pytest.raises(ParameterError, match="test_fraction"):
        splits.time_split(interactions(), fraction)


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(DataError, match="in the test part"):
        splits.random_split(interactions(), 1e-6)
    with pytest.raises(DataError, match="in the training part"):
        splits.time_split(interactions(), cut=-1)
    with pytest.raises(DataError, match="in the test part"):
        splits.leave_last_n_split(interactions(), 1000)


@pytest.mark.parametrize("seed", [-1, 1.5, None])
def test_seed_must_be_an_integer(seed: int) -> None:
    with pytest.raises(ParameterError, match="seed"):
        splits.random_split(interactions(), seed=seed)


@pytest.mark.parametrize("n", [1, 3])
def test_leave_last_n_takes_the_latest_of_each_user(n: int) -> None:
    whole = interactions()
    train, test = splits.leave_last_n_split(whole, n)
    check(whole, train, test)
    before, after = train.to_frame(), test.to_frame()
    for user, held in after.groupby("user"):
        assert len(held) == n
        assert held["time"].min() >= before.loc[before["user"] == user, "time"].max()
    assert (train.degree.user[whole.degree.user > 0] > 0).all()


def test_leave_last_n_keeps_short_histories_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame({"user": [1, 1, 1, 2], "item": [1, 2, 3, 1], "time": [10**9 + t for t in (3, 2, 1, 9)]})
    train, test = splits.leave_last_n_split(Interactions.from_frame(frame, time="time"))
    assert pairs(test) == {(1, 1)}
    assert "1 of 2 users have 1 interactions or fewer" in train.notes[0]
    assert train.notes[0] in caplog.text


@pytest.mark.parametrize("n", [0, -1, 1.0, True])
def test_n_must_be_a_positive_integer(n: int) -> None:
    with pytest.raises(ParameterError, match="n must be"):
        splits.leave_last_n_split(interactions(), n)


def test_time_split_keeps_the_future_out_of_training() -> None:
    whole = interactions()
    train, test = splits.time_split(whole, 0.3)
    check(whole, train, test)
    assert train.times is not None
    assert test.times is not None
    assert train.times.max() < test.times.min()
    assert len(test) == pytest.approx(120, abs=5)


@pytest.mark.parametrize(
    "cut", [86_400, "1970-01-02", pd.Timestamp("1970-01-02"), pd.Timestamp("1970-01-02", tz="UTC")]
)
def test_time_split_at_a_moment(cut: object) -> None:
    frame = pd.DataFrame({"user": [1, 1, 1], "item": [1, 2, 3], "time": [86_399, 86_400, 86_401]})
    train, test = splits.time_split(Interactions.from_frame(frame, time="time"), cut=cut)  # type: ignore[arg-type]
    assert pairs(train) == {(1, 1)}
    assert pairs(test) == {(1, 2), (1, 3)}


@pytest.mark.parametrize(
    "cut",
    [
        86_399.000_001,
        np.float32(86_399.5),
        np.int64(86_400),
        "1970-01-01T23:59:59.000000001",
        "1970-01-02T00:59:59.5+01:00",
        datetime(1970, 1, 1, 23, 59, 59, 250_000),
        np.datetime64("1970-01-01T23:59:59.001"),
        pd.Timestamp("1970-01-01T23:59:59.9", tz="Europe/Berlin") + pd.Timedelta(hours=1),
    ],
    ids=str,
)
def test_a_cut_within_a_second_is_rounded_up(cut: object) -> None:
    test_time_split_at_a_moment(cut)


def test_a_cut_in_an_hour_that_stands_twice() -> None:
    first = pd.Timestamp("2025-10-26T00:30:00.5", tz="UTC").tz_convert("Europe/Berlin")
    times = [int(first.timestamp()) + s for s in (0, 1, 3600)]
    frame = pd.DataFrame({"user": [1, 1, 1], "item": [1, 2, 3], "time": times})
    _, test = splits.time_split(Interactions.from_frame(frame, time="time"), cut=first)
    assert pairs(test) == {(1, 2), (1, 3)}


def test_time_split_refusals() -> None:
    whole = interactions()
    with pytest.raises(ParameterError, match="not both"):
        splits.time_split(whole, 0.2, cut=5)
    for cut in ("someday", "NaT", True, [1], float("nan"), float("inf"), -math.inf, 1e300, 10**400):
        with pytest.raises(ParameterError, match="cut must be finite seconds since 1970 or a date, got"):
            splits.time_split(whole, cut=cut)  # type: ignore[arg-type]
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "time": [5, 5]})
    with pytest.raises(DataError, match="the same time"):
        splits.time_split(Interactions.from_frame(frame, time="time"))


def test_time_is_needed() -> None:
    timeless = Interactions.from_frame(pd.DataFrame({"user": [1, 1], "item": [1, 2]}))
    for split in (splits.time_split, splits.leave_last_n_split):
        with pytest.raises(DataError, match="no times"):
            split(timeless)


def test_what_has_no_training_data_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [1, 2, 3], "time": [1, 2, 3]})
    train, test = splits.time_split(Interactions.from_frame(frame, time="time"), cut=3)
    expected = "1 of 1 users of the test part have no training data (1 of 1 test interactions)"
    assert expected in train.notes
    assert expected in test.notes
    assert expected in caplog.text


def test_read_split_puts_files_over_one_id_space(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("u,i,t\n1,x,5\n1,y,6\n2,x,7\n")
    (tmp_path / "b.csv").write_text("u,i,t\n2,y,8\n3,z,9\n")
    split = splits.read_split(tmp_path / "a.csv", tmp_path / "b.csv", user="u", item="i", time="t")
    assert pairs(split.train) == {(1, "x"), (1, "y"), (2, "x")}
    assert pairs(split.test) == {(2, "y"), (3, "z")}
    assert split.train.shape == split.test.shape == (3, 3)
    assert split.test.times is not None
    assert split.test.times.tolist() == [8, 9]
    assert split.validation is None
    assert any("users of the test part have no training data" in note for note in split.test.notes)


def test_read_split_reads_published_lists(tmp_path: Path) -> None:
    for name, text in {"train": "0 1 2\n1 2\n\n2\n", "test": "0 3\n1 1 3\n", "valid": "1 0\n"}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    split = splits.read_split(*(tmp_path / f"{n}.txt" for n in ("train", "test", "valid")))
    assert pairs(split.train) == {(0, 1), (0, 2), (1, 2)}
    assert pairs(split.test) == {(0, 3), (1, 1), (1, 3)}
    assert split.validation is not None
    assert pairs(split.validation) == {(1, 0)}


def test_read_split_never_leaks() -> None:
    train = pd.DataFrame({"user": [1, 1, 1], "item": [1, 2, 2]})
    test = pd.DataFrame({"user": [1, 1], "item": [2, 3]})
    split = splits.read_split(train, test, pd.DataFrame({"user": [1, 1], "item": [3, 4]}))
    assert pairs(split.test) == {(1, 3)}
    assert split.validation is not None
    assert pairs(split.validation) == {(1, 4)}
    assert "1 rows of the test part are in an earlier part too and were left out" in split.train.notes
    with pytest.raises(DataError, match="test part has nothing"):
        splits.read_split(train, train)


def test_read_split_of_interactions_and_ids_that_differ_in_type() -> None:
    train, test = splits.random_split(interactions())
    again = splits.read_split(train, test, time="time")
    assert pairs(again.train) == pairs(train)
    assert pairs(again.test) == pairs(test)
    assert again.test.times is not None
    assert test.times is not None
    assert again.test.times.tolist() == test.times.tolist()
    text = splits.read_split(
        pd.DataFrame({"user": ["a", "7"], "item": [1, 2]}), pd.DataFrame({"user": [7], "item": [1]})
    )
    assert pairs(text.test) == {("7", 1)}


def test_read_split_refusals(tmp_path: Path) -> None:
    good = pd.DataFrame({"user": [1], "item": [1]})
    with pytest.raises(DataError, match="test part has no column 'item'"):
        splits.read_split(good, good[["user"]])
    with pytest.raises(DataError, match="test part has no rows"):
        splits.read_split(good, good[:0])
    with pytest.raises(DataError, match="no such file"):
        splits.read_split(good, tmp_path / "missing.txt")
    (tmp_path / "bad.txt").write_text("1 2\n1 x\n")
    with pytest.raises(DataError, match="line 2"):
        splits.read_split(good, tmp_path / "bad.txt")


def test_splits_is_part_of_the_public_names() -> None:
    assert mfrec.splits is splits
    assert callable(mfrec.evaluate)


@pytest.mark.parametrize("folds", [2, 5])
def test_folds_are_disjoint_and_together_everything(folds: int) -> None:
    whole = interactions()
    parts = list(splits.k_fold_split(whole, folds, seed=3))
    assert len(parts) == folds
    assert sum(len(test) for _, test in parts) == len(whole)
    assert set.union(*(pairs(test) for _, test in parts)) == pairs(whole)
    for train, test in parts:
        check(whole, train, test)
        assert abs(len(test) - len(whole) / folds) < 1
    assert pairs(parts[0][1]) == pairs(splits.random_split(whole, 1 / folds, seed=3)[1])


@pytest.mark.parametrize("folds", [1, 0, -2, 2.0, True])
def test_folds_out_of_range(folds: object) -> None:
    with pytest.raises(ParameterError, match="folds must be an integer of at least 2, got"):
        next(splits.k_fold_split(interactions(), folds))  # type: ignore[arg-type]


def test_what_has_no_training_data_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame({"user": range(30), "item": [n % 7 for n in range(30)]})
    parts = list(splits.k_fold_split(Interactions.from_frame(frame), 5))
    assert all(any("have no training data" in note for note in test.notes) for _, test in parts)
    assert sum("users of the test part" in message for message in caplog.messages) == 1


def test_an_item_named_twice_in_a_line_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("0 5 5 6\n1 5\n0 6 7\n")
    found = read_lists(path)
    assert sorted(zip(found["user"], found["item"], strict=True)) == [(0, 5), (0, 6), (0, 7), (1, 5)]
