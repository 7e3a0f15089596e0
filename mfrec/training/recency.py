"""How fast the past stops counting, chosen by what came next.

The world drifts: tastes change, and what was popular long ago is not what people will want. Two half-lives meet that.
``half_life`` lets the confidences of the fit decay, so that vectors tell present tastes; ``recency_half_life`` is that
of the recent degree, which the fitted vectors are scaled by, so that lists tell present demand. Koren, "Collaborative
Filtering with Temporal Dynamics" (2009), on why both are needed.

Which of them pay differs from table to table, so several are tried at a rolling origin: the fit knows what lies before
a moment, and is judged by what known users take next. Where interactions of the same period were held out, as by a
random split, there is no next, and nothing of this is derived.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Vector
from mfrec.data.interactions import DAY, Interactions
from mfrec.directions import DIRECTIONS, SIDES, Pair, Side
from mfrec.errors import DataError, DivergedError, ParameterError
from mfrec.evaluation.baselines import dot
from mfrec.evaluation.ranking import Task
from mfrec.evaluation.splits import known_events, rolling_time_split
from mfrec.evaluation.tasks import TASKS, match_parts
from mfrec.model.factors import Factors
from mfrec.training.als import solve
from mfrec.training.confidence import counted
from mfrec.training.held_out import TOO_MANY, USERS, factors_for, is_better, ndcg_of, some_users
from mfrec.training.params import ALSParams, given

log = logging.getLogger("mfrec")

NAMES = ("half_life", "recency_half_life", "user_recency", "item_recency")
# where nothing says what pays, what is popular of late is what was taken in the last month or so
USUAL_HALF_LIFE = 30.0
# half-lives are tried from this part of the period down, so many, each so many times shorter than the one before: those
# of the fit, and those of the recent degree
LONGEST, FIT_STEPS, RECENT_STEPS = 0.25, (4, 2.0), (4, 3.0)
RECENCIES = (0.15, 0.4, 1.0)
# few users come back, and the longer their lists, the more each of them tells
LENGTH = 100
# so many held-out users are asked for; where the last fifth of the time has fewer, earlier ones are taken, too
ENOUGH_USERS, WINDOWS = 500, 3
# of the items whose users are ranked so many are drawn
ITEMS = 400
# of fewer users nothing is concluded
FEWEST_USERS = 25
# the side that a direction ranks is the one whose recency it is judged by
_JUDGES: Mapping[Side, str] = {DIRECTIONS[name].target: name for name in ("user2item", "item2user")}


@dataclass(frozen=True, eq=False)
class _Window:
    train: Interactions
    penalty: float
    tasks: Mapping[str, Task]


@dataclass(frozen=True)
class _Setting:
    """A half-life of the recent degree and the exponents of both sides."""

    half_life: float
    recency: Pair[float]


def choose(
    interactions: Interactions, params: ALSParams, edge: Callable[[Interactions], float]
) -> tuple[ALSParams, tuple[str, ...]]:
    """Choose what is None of the half-lives and recencies.

    Parameters
    ----------
    interactions
        Training data.
    params
        With everything else given; numbers among `NAMES` are taken.
    edge
        The edge of the noise of some interactions, which the penalty is scaled by.

    Returns
    -------
    params, reasons
        Parameters without None among `NAMES`, and a sentence that says why they are what they are, if there is one.
    """
    missing = [name for name in NAMES if getattr(params, name) is None]
    off = _off(interactions, params)
    if not missing or interactions.times is None:
        return off, ()
    why = _why_not(interactions)
    if why is None:
        try:
            search = _Search(interactions, params, edge)
            found = search.run()
            why = f"the best of {search.tried} on what {search.users:,} users took next"
        except (DataError, DivergedError) as error:
            log.info("no half-life was tried: %s", error)
            found, why = off, "too few users come back for a validation by time"
    else:
        found = off
    named = ", ".join(f"{name} {getattr(found, name):g}" for name in missing)
    return found, (f"{named}: {why}",)


def require_times(interactions: Interactions, params: ALSParams) -> None:
    """Raise ParameterError where a half-life of the fit or a recency is given, and there are no times to tell it by."""
    if interactions.times is None:
        for name in ("half_life", "user_recency", "item_recency"):
            if getattr(params, name):
                raise ParameterError(f"{name} needs times: name the time column (--time-col), or leave {name} out")


def _off(interactions: Interactions, params: ALSParams) -> ALSParams:
    usual: dict[str, Any] = dict.fromkeys(NAMES, 0.0)
    if interactions.times is not None:
        usual["recency_half_life"] = USUAL_HALF_LIFE
    return replace(params, **{name: value for name, value in usual.items() if getattr(params, name) is None})


def _why_not(interactions: Interactions) -> str | None:
    """Return why nothing can be tried; None where it can."""
    if interactions.thinned:
        return "off, since interactions of the same period were held out"
    if len(interactions) > TOO_MANY:
        return "off unless given; mfrec tune --split time chooses"
    return None


class _Search:
    """Half-lives and recencies, judged at a rolling origin."""

    def __init__(self, interactions: Interactions, params: ALSParams, edge: Callable[[Interactions], float]) -> None:
        sample = some_users(counted(interactions, params), params.seed)
        self.params = params
        undated = replace(params, user_recency=0.0, item_recency=0.0, recency_half_life=0.0)
        self.base = replace(undated, factors=factors_for(params, sample))
        penalty = given(params, "regularization") / edge(sample)
        self.windows: list[_Window] = []
        self.users = 0
        for train, test in rolling_time_split(sample, WINDOWS):
            if not known_events(train, test).any():
                continue
            tasks = {
                name: TASKS[name](match_parts(train, test, max_queries=most, seed=params.seed, warm=True))
                for name, most in (("user2item", USERS), ("item2user", ITEMS))
            }
            self.windows.append(_Window(train, penalty * edge(train), tasks))
            self.users += len(tasks["user2item"].queries)
            if self.users >= ENOUGH_USERS:
                break
        if self.users < FEWEST_USERS:
            raise DataError(f"{self.users} users come back")
        self.fit_steps, self.recent_steps = (_steps(interactions, *steps) for steps in (FIT_STEPS, RECENT_STEPS))
        self.solved: dict[float, list[Factors]] = {}
        self.values: dict[tuple[float, Side, float, float], NDArray[np.float64]] = {}

    @property
    def tried(self) -> int:
        """How many settings were judged."""
        return len(self.values)

    def run(self) -> ALSParams:
        """Choose the recency for present weights first, then how fast these decay, each with the recency that suits."""
        first = self.params.half_life or 0.0
        half_lives = self.recent_steps if self.params.recency_half_life is None else [self.params.recency_half_life]
        best, setting = first, self._recency(first, half_lives)
        for half_life in self.fit_steps if self.params.half_life is None else ():
            other = self._recency(half_life, [setting.half_life])
            if not self._is_better((half_life, other), (best, setting)):
                break
            best, setting = half_life, other
        off = self.params.recency_half_life is None and not any(setting.recency)
        return replace(
            self.params,
            half_life=best,
            recency_half_life=USUAL_HALF_LIFE if off else setting.half_life,
            user_recency=setting.recency.user,
            item_recency=setting.recency.item,
        )

    def _recency(self, half_life: float, choices: Iterable[float]) -> _Setting:
        """Return the best setting for a half-life of the fit, of half-lives of the recent degree from the longest."""
        best, *others = (
            _Setting(choice, Pair(*(self._exponent(half_life, side, choice) for side in SIDES))) for choice in choices
        )
        for setting in others:
            if self._is_better((half_life, setting), (half_life, best)):
                best = setting
        return best

    def _exponent(self, half_life: float, side: Side, recency_half_life: float) -> float:
        fixed: float | None = getattr(self.params, f"{side}_recency")
        if fixed is not None:
            return fixed
        best = 0.0
        for exponent in RECENCIES if recency_half_life else ():
            now, before = (self._judged(half_life, side, recency_half_life, e) for e in (exponent, best))
            if now.mean() < before.mean():
                break
            best = exponent if is_better(now, before) else best
        return best

    def _is_better(self, new: tuple[float, _Setting], old: tuple[float, _Setting]) -> bool:
        """Tell whether one half-life and its setting are better for one direction, and for the other no worse."""
        pairs = [[self._judged(h, side, s.half_life, s.recency[side]) for h, s in (new, old)] for side in SIDES]
        return any(is_better(a, b) for a, b in pairs) and not any(is_better(b, a) for a, b in pairs)

    def _judged(self, half_life: float, side: Side, recency_half_life: float, exponent: float) -> NDArray[np.float64]:
        """Return the NDCG of every query of every window where a side is ranked."""
        key = (half_life, side, recency_half_life if exponent else 0.0, exponent)
        if key not in self.values:
            direction = DIRECTIONS[_JUDGES[side]]
            found = []
            for window, factors in zip(self.windows, self._solved(half_life), strict=True):
                recent = window.train.recent_degree(recency_half_life) if exponent else None
                served = factors if recent is None else _scaled(factors, side, recent[side], exponent)
                scorer = dot(served, direction.query, direction.target)
                found.append(ndcg_of(window.tasks[direction.name], scorer, LENGTH))
            self.values[key] = np.concatenate(found)
        return self.values[key]

    def _solved(self, half_life: float) -> list[Factors]:
        if half_life not in self.solved:
            self.solved[half_life] = [
                solve(w.train, replace(self.base, half_life=half_life, regularization=w.penalty)) for w in self.windows
            ]
        return self.solved[half_life]


def _scaled(factors: Factors, side: Side, recent: Vector, exponent: float) -> Factors:
    # a factor common to all, such as the mean, changes no order
    scale = np.maximum(recent, np.finfo(np.float32).tiny) ** exponent
    matrix = factors[side] * scale[:, None].astype(np.float32)
    return replace(factors, user=matrix) if side == "user" else replace(factors, item=matrix)


def _steps(interactions: Interactions, count: int, shorter: float) -> list[float]:
    """Return half-lives in days to try, the longest first, in two significant digits."""
    first, last = interactions.period
    days = (last - first) / DAY
    return [float(f"{LONGEST * days / shorter**step:.2g}") for step in range(count)]
