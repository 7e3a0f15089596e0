"""Splits of interactions into a part to learn from and a part to be judged by.

Every part is over the same ids and numbers, so a model of the training part can be compared with the test part
as it is. No (user, item) pair is in two parts. Users and items that are left without training data stay in the
test part, where no model can do better than chance for them; how many they are is written to the log and to the
``notes`` of both parts.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.data.interactions import Interactions, require_interactions, say
from mfrec.errors import DataError, ParameterError, check_fraction, check_integer
from mfrec.evaluation.read_split import Split, read_split, without_training

__all__ = [
    "Split",
    "k_fold_split",
    "leave_last_n_split",
    "random_split",
    "read_split",
    "rolling_time_split",
    "time_split",
]

Parts = tuple[Interactions, Interactions]


def random_split(interactions: Interactions, test_fraction: float = 0.2, seed: int = 42) -> Parts:
    """Hold out a random fraction of all interactions, over all users.

    A random split lets a model learn from what happened after the events it is asked for: it measures taste,
    not foresight. `time_split` measures both.

    Parameters
    ----------
    interactions
        What to split.
    test_fraction
        Share held out, above 0 and below 1; rounded to whole interactions.
    seed
        The same seed gives the same split on every machine.

    Returns
    -------
    (train, test)
        Over the same ids.

    Raises
    ------
    ParameterError
        For a fraction or a seed out of range.
    DataError
        When a part would be empty.
    """
    require_interactions(interactions)
    check_fraction("test_fraction", test_fraction)
    held_out = np.zeros(len(interactions), bool)
    order = generator(seed).permutation(len(interactions))
    held_out[order[: round(len(interactions) * test_fraction)]] = True
    return _parts(interactions, held_out, f"test_fraction={test_fraction:g}")


def k_fold_split(interactions: Interactions, folds: int = 5, seed: int = 42) -> Iterator[Parts]:
    """Hold out each of several disjoint random parts in turn, as in cross-validation.

    Parameters
    ----------
    interactions
        What to split.
    folds
        How many parts, at least 2. The first pair is that of ``random_split(interactions, 1 / folds, seed)``.
    seed
        The same seed gives the same folds on every machine.

    Yields
    ------
    (train, test)
        Over the same ids; together the test parts are all interactions, each once.

    Raises
    ------
    ParameterError
        For a number of folds or a seed out of range.
    DataError
        When a part would be empty.
    """
    require_interactions(interactions)
    check_integer("folds", folds, 2)
    order = generator(seed).permutation(len(interactions))
    borders = [round(len(interactions) * n / folds) for n in range(folds + 1)]
    for start, end in pairwise(borders):
        held_out = np.zeros(len(interactions), bool)
        held_out[order[start:end]] = True
        # what is left without training data differs little from fold to fold: it is noted, and said once
        yield _parts(interactions, held_out, f"folds={folds}", log=start == 0)


def leave_last_n_split(interactions: Interactions, n: int = 1, *, seed: int = 42) -> Parts:
    """Hold out each user's last n interactions by time.

    A user with n interactions or fewer keeps all of them for training. Events of one second are ordered at
    random: the order of their numbers would say something about the items.

    Parameters
    ----------
    interactions
        With times.
    n
        How many to hold out per user.
    seed
        Orders events at the same time.

    Raises
    ------
    ParameterError
        When n is not an integer above 0.
    DataError
        Without times, or when a part would be empty.
    """
    require_interactions(interactions)
    check_integer("n", n, 1)
    times = _times(interactions)
    users, degree = interactions.users, interactions.degree.user
    chance = generator(seed).permutation(len(interactions))
    latest_first = np.lexsort((chance, -times, users))
    starts = np.cumsum(degree) - degree
    place = np.arange(len(users)) - starts[users]
    held_out = np.zeros(len(users), bool)
    held_out[latest_first] = (place < n) & (degree[users] > n)
    short = int(((degree > 0) & (degree <= n)).sum())
    said = (f"{short} of {len(degree)} users have {n} interactions or fewer and keep them for training",)
    return _parts(interactions, held_out, f"n={n}", said if short else ())


def time_split(
    interactions: Interactions,
    test_fraction: float | None = None,
    *,
    cut: float | str | datetime | None = None,
) -> Parts:
    """Train on the past, test on the future: everything from one moment on is held out, for all users at once.

    Parameters
    ----------
    interactions
        With times.
    test_fraction
        Share of the interactions to hold out, 0.2 where neither is given. Events at the same second stay
        together, so the share is met as closely as that allows.
    cut
        The first moment of the test part instead: seconds since 1970 or a date (UTC where it names no zone). Times
        are whole seconds, so a fraction of a second is rounded up.

    Raises
    ------
    ParameterError
        For a fraction out of range, both a fraction and a cut, or a cut that is neither finite seconds nor a
        date.
    DataError
        Without times, or when a part would be empty.
    """
    require_interactions(interactions)
    if test_fraction is not None and cut is not None:
        raise ParameterError("give test_fraction or cut, not both")
    if cut is not None:
        return _parts(interactions, _times(interactions) >= _seconds(cut), f"cut={cut}")
    share = check_fraction("test_fraction", 0.2 if test_fraction is None else test_fraction)
    return _by_time(interactions, share)


def rolling_time_split(interactions: Interactions, windows: int = 3, test_fraction: float = 0.2) -> Iterator[Parts]:
    """Train on the past and test on what comes next at several moments, the latest first.

    Evaluation at a rolling origin: Tashman, "Out-of-sample Tests of Forecasting Accuracy" (2000). The first pair is
    that of ``time_split(interactions, test_fraction)``; each further one is as large and ends where the one before
    begins.

    Parameters
    ----------
    interactions
        With times.
    windows
        How many pairs at most, at least 1; fewer come where too little is left to learn from.
    test_fraction
        Share of all interactions in each test part, above 0 and below 1.

    Yields
    ------
    (train, test)
        Over the same ids.

    Raises
    ------
    ParameterError
        For a fraction or a number out of range.
    DataError
        Without times, or when not even one pair can be made.
    """
    require_interactions(interactions)
    check_integer("windows", windows, 1)
    past, size = interactions, check_fraction("test_fraction", test_fraction) * len(interactions)
    for window in range(windows):
        share = size / len(past)
        if window and (share >= 0.5 or past.times is None or past.times.min() == past.times.max()):
            return
        # what has no training data differs little from window to window: it is noted, but not said
        past, test = _by_time(past, share, log=False)
        yield past, test


def known_events(train: Interactions, test: Interactions) -> NDArray[np.bool_]:
    """Tell of which test events both the user and the item have training data."""
    known = train.degree
    found: NDArray[np.bool_] = (known.user[test.users] > 0) & (known.item[test.items] > 0)
    return found


def _by_time(interactions: Interactions, share: float, *, log: bool = True) -> Parts:
    times = _times(interactions)
    return _parts(interactions, times >= _cut_for(times, share), f"test_fraction={share:g}", log=log)


def _parts(
    interactions: Interactions,
    held_out: NDArray[np.bool_],
    what: str,
    notes: tuple[str, ...] = (),
    *,
    log: bool = True,
) -> Parts:
    count = int(held_out.sum())
    for part, size in (("training", len(held_out) - count), ("test", count)):
        if not size:
            raise DataError(f"{what} leaves nothing of {interactions!r} in the {part} part")
    train, test = interactions.take(~held_out), interactions.take(held_out)
    found = notes + without_training(train, test)
    if log:
        say(found)
    notes = interactions.notes + found
    return replace(train, notes=notes), replace(test, notes=notes)


def generator(seed: int) -> np.random.Generator:
    """Return a generator; ParameterError for what is no seed."""
    return np.random.default_rng(check_integer("seed", seed, 0))


def _times(interactions: Interactions) -> NDArray[np.int64]:
    if interactions.times is None:
        raise DataError(f"{interactions!r} has no times: name the time column (--time-col), or split at random")
    return interactions.times


def _seconds(cut: float | str | datetime) -> int:
    """Return the first whole second that is not before the cut."""
    wrong = ParameterError(f"cut must be finite seconds since 1970 or a date, got {cut!r}")
    if isinstance(cut, bool | np.bool_):
        raise wrong
    if isinstance(cut, int | float | np.integer | np.floating):
        # NaN is below nothing
        if not abs(cut) < 2**62:
            raise wrong
        return math.ceil(cut)
    try:
        moment = pd.Timestamp(cut)
    except (ValueError, TypeError, OverflowError):
        raise wrong from None
    if pd.isna(moment):
        raise wrong
    # in UTC, where no hour stands twice
    utc = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    whole = utc.floor("s")
    return int(whole.timestamp()) + int(utc > whole)


def _cut_for(times: NDArray[np.int64], share: float) -> int:
    """Return the moment whose test part is nearest to the wanted share, and leaves neither part empty."""
    moments, counts = np.unique(times, return_counts=True)
    if len(moments) == 1:
        raise DataError("all interactions have the same time: split at random")
    held_out = (len(times) - np.cumsum(counts))[:-1]
    return int(moments[1 + np.argmin(np.abs(held_out - share * len(times)))])
