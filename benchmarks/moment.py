"""mfrec asked at a moment: a user's vector is folded in for each event, from a history that is known then.

A two-tower that sees the time of an event may answer differently in each sitting. The same is had from a factor
model without another fit: what the user touched far from that moment counts less when the history is folded in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mfrec
from benchmarks import contenders
from benchmarks.judge import Contender
from benchmarks.protocols import Split, times
from benchmarks.two_tower_data import Numbers, Vectors
from mfrec.evaluation import Scorer
from mfrec.model.fold_in import fold_in

# numbers, weights and decay of a history; None where there is none
History = tuple[Numbers, NDArray[np.float32], NDArray[np.float64]] | None
MINUTE, DAY = 60.0, 24 * 3600.0
HALF_LIVES = (MINUTE, 5 * MINUTE, 30 * MINUTE, DAY, 30 * DAY)
FLOORS = (0.01, 0.05, 0.2)
# what stands in the settings beside the parameters of the fit
OWN = ("decay_seconds", "floor")


@dataclass(frozen=True)
class Moment:
    """How fast a history fades with its distance in time from the event, on either side.

    Parameters
    ----------
    decay_seconds
        After so long, what is above the floor has halved; 0 is a user's own vector, whenever it is asked for.
    floor
        What is left of the confidence of an interaction at any distance.
    """

    decay_seconds: float
    floor: float

    def decay(self, history: Numbers, event: int) -> NDArray[np.float64]:
        """Return factors with mean 1, so that a history weighs the same in all."""
        # counted from the nearest interaction: what lies far in the past as a whole does not fade as a whole
        far = np.abs(history - event).astype(np.float64)
        factors = self.floor + (1 - self.floor) * 0.5 ** ((far - far.min()) / self.decay_seconds)
        faded: NDArray[np.float64] = factors / factors.mean()
        return faded


MOMENTS = (Moment(0.0, 1.0), *(Moment(half_life, floor) for half_life in HALF_LIVES for floor in FLOORS))


def at_event_times(split: Split, settings: Mapping[str, Any], *, past: bool = False) -> Contender:
    """Fit mfrec and ask it for each event with the user's training history as it fades from that event's time."""
    params = {name: value for name, value in settings.items() if name not in OWN}
    plain = contenders.mfrec_with(split, **params)
    return asked_at(split, plain, Moment(settings["decay_seconds"], settings["floor"]), past=past)


def asked_at(split: Split, plain: Contender, moment: Moment, *, past: bool = False) -> Contender:
    """Return a fitted contender that is asked at the time of each event.

    New users have no history, and tie. ``past`` takes in only what is strictly earlier than the event; who has
    nothing earlier is asked for with the mean user's vector then.
    """
    train, factors = split.train, _factors(plain)
    starts, moments = train.matrix.indptr, times(train)

    def history(user: int, event: int) -> History:
        row = np.arange(starts[user], starts[user + 1])
        row = row[moments[row] < event] if past else row
        if not len(row):
            return None
        decay = moment.decay(moments[row], event) if moment.decay_seconds else np.ones(len(row))
        return train.items[row], train.weights[row], decay

    users = np.concatenate([split.test.users, split.new_users.users])
    events = np.concatenate([times(split.test), times(split.new_users)])
    vectors = factors.user[users]
    if moment.decay_seconds or past:
        histories = map(history, users.tolist(), events.tolist())
        nobody = factors.user.mean(axis=0) if past else np.zeros(factors.size, np.float32)
        vectors = _folded(factors, histories, nobody)
    settings = {**plain.settings, "decay_seconds": moment.decay_seconds, "floor": moment.floor}
    return Contender(
        events=lambda numbers: vectors[numbers] @ factors.item.T, fit_seconds=plain.fit_seconds, settings=settings
    )


def folding_in(split: Split, params: Mapping[str, Any]) -> Contender:
    """Fit mfrec once, then answer new users from what they have touched so far; nothing is trained again.

    Who has touched nothing yet gets the answer for the mean user. What has been touched is not offered again.
    """
    plain = contenders.mfrec_with(split, **params)
    factors, new = _factors(plain), split.new_users
    before = _before(new)
    histories = ((new.items[rows], new.weights[rows], np.ones(len(rows))) if len(rows) else None for rows in before)
    vectors = _folded(factors, histories, factors.user.mean(axis=0))

    def score(numbers: Numbers) -> Vectors:
        return vectors[numbers] @ factors.item.T

    newcomers = _without(score, new, before)
    return Contender(newcomers=newcomers, fit_seconds=plain.fit_seconds, settings=plain.settings)


def popular_newcomers(split: Split) -> Contender:
    """Answer new users by popularity, without what they have touched so far."""
    degree = split.train.degree.item.astype(np.float32)

    def score(numbers: Numbers) -> Vectors:
        return np.tile(degree, (len(numbers), 1))

    return Contender(newcomers=_without(score, split.new_users, _before(split.new_users)))


def _without(scorer: Scorer, events: mfrec.Interactions, before: list[Numbers]) -> Scorer:
    """Take out of the scores for each event what its user has touched before."""

    def score(numbers: Numbers) -> Vectors:
        scores = scorer(numbers)
        for place, number in enumerate(numbers.tolist()):
            scores[place, events.items[before[number]]] = -np.inf
        return scores

    return score


def _factors(contender: Contender) -> mfrec.Factors:
    if contender.model is None:
        raise ValueError("only a model of mfrec can be asked at a moment")
    return contender.model.factors


def _before(events: mfrec.Interactions) -> list[Numbers]:
    """Return, per event, the events of the same user that are strictly earlier."""
    moments, starts = times(events), events.matrix.indptr
    rows = [np.arange(starts[user], starts[user + 1]) for user in events.users.tolist()]
    return [row[moments[row] < moment] for row, moment in zip(rows, moments.tolist(), strict=True)]


def _folded(factors: mfrec.Factors, histories: Iterable[History], otherwise: NDArray[np.float32]) -> Vectors:
    vectors = [
        otherwise if history is None else fold_in(factors, "user", history[0].astype(np.int64), *history[1:])
        for history in histories
    ]
    return np.stack(vectors) if vectors else np.zeros((0, factors.size), np.float32)
