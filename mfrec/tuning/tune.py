"""The search over parameters: one command to a model that was chosen on held-out parts of the data.

Trials are drawn by Optuna's tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter
Optimization", 2011; extra ``tune``); a trial whose first iterations stay behind most others is given up. Every
finished trial is one line of a log (`mfrec.tuning.trials`), from which a search goes on where it was stopped.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mfrec.data.interactions import Interactions, require_interactions
from mfrec.errors import DataError, DivergedError, MfrecError, ParameterError, check_integer, check_number
from mfrec.evaluation import measure
from mfrec.evaluation.metrics import RANK_METRICS
from mfrec.evaluation.splits import Parts
from mfrec.model.factors import Factors
from mfrec.training.als import StopFit, solve
from mfrec.training.params import ALSParams
from mfrec.training.regularization import derive
from mfrec.tuning.folds import folds_of
from mfrec.tuning.space import Space, without_extensions
from mfrec.tuning.trials import Trial, TrialLog, described

# after so many iterations a trial is compared with the others at that point
RUNG = 3
WARM_UP = 10
# the share of the time that one trial may take, after the first
LONGEST = 0.2


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Parameters
    ----------
    metric
        Name and list length, such as ``"ndcg@20"``; higher is better.
    trials
        Every trial, in the order they were made.
    interrupted
        Whether Ctrl-C ended the search.
    left_out
        How many fits were not made, since each would have taken more than a fifth of the time, or the time was over.
    """

    metric: str
    trials: tuple[Trial, ...]
    interrupted: bool = False
    left_out: int = 0

    @property
    def finished(self) -> list[Trial]:
        """The trials that were neither given up nor diverged."""
        return [trial for trial in self.trials if not trial.stopped]

    @property
    def params(self) -> ALSParams:
        """The parameters of the best trial; errors as for `best`."""
        return self.best.params

    @property
    def best(self) -> Trial:
        """The finished trial with the highest score; DataError where there is none."""
        if self.finished:
            return max(self.finished, key=lambda trial: trial.score)
        if self.trials:
            raise DivergedError(
                f"none of the {len(self.trials)} trials came to its end, since fits diverged: start from a higher "
                f"regularization or a lower alpha, or choose another transform of the weights"
            )
        if self.interrupted:
            raise DataError("the search was stopped before its first trial was done")
        raise DataError("the time was over before the first trial began: give it more minutes")


def tune(
    interactions: Interactions,
    *,
    validation: Interactions | None = None,
    split: str = "random",
    parts: int | None = None,
    metric: str = "ndcg@20",
    minutes: float = 5.0,
    trials: int | None = None,
    base: ALSParams | None = None,
    plain: bool = False,
    resume: Path | None = None,
    seed: int = 42,
    progress: bool = False,
) -> Tuned:
    """Search for the parameters that rank held-out items best, seen items taken out, over all items.

    By a random split they are the best for the period of the data; by time, for what comes after it.

    Parameters
    ----------
    interactions
        Training data; without ``validation``, parts of it are held out in turn.
    validation
        Held-out interactions over the same ids.
    split
        ``"random"`` holds out seeded random fifths. ``"time"`` holds out the last fifth of all interactions, then the
        fifth before it, and so on: a trial is fitted on what came before, and judged by the events of users and items
        known by then. Half-lives and recency are searched, too.
    parts
        How many fifths, 1 to 5, by time 1 to 3; a trial is fitted without each of them, and its score is the mean. By
        default as many as hold out 60,000 interactions together, since few choose by chance.
    metric
        One that `mfrec.evaluation.measure` returns, with its k.
    minutes, trials
        When to stop, whichever comes first. A trial that would take more than a fifth of the time is left out. With
        ``trials`` alone decisive, the result is reproducible.
    base
        Values of everything that is not searched, and the first trial: exactly as given, also where the search itself
        does not go (25 factors, an alpha of 100), so the best is never worse. What is None is derived from the data
        first. With ``plain`` its exponents and scales are 0.
    plain
        Search plain ALS only: exponents and scales stay 0.
    resume
        Log of trials: read if it exists, and appended to. It must be of the same search: data, metric, base, seed.
    seed, progress
        Of the split and the search; show a progress bar with the best score so far.

    Raises
    ------
    MfrecError
        When Optuna is not installed.
    ParameterError
        For an unknown metric or split, a budget that is not positive, parts out of range or beside a given validation
        part, or a log that cannot be written.
    DataError
        When the log is damaged or of another search, there is nothing to learn from, or there are no times to split by.
    """
    require_interactions(interactions)
    metric, k = _parsed(metric)
    seed = check_integer("seed", seed, 0)
    check_number("minutes", minutes, 0, low_open=True)
    if trials is not None:
        check_integer("trials", trials, 1)
    folds = folds_of(interactions, validation, parts, seed, split)
    base = base or ALSParams()
    derived = derive(folds[0][0], without_extensions(base) if plain else base).params
    search = _Search(folds, metric, k, derived, plain, seed, by_time=split == "time" and validation is None)
    trial_log = TrialLog(resume, search.described())
    done = search.replay(trial_log.read())
    interrupted = False
    try:
        end = time.monotonic() + 60 * minutes
        for trial in _within(search.run(done, end), end, trials, progress, done):
            done.append(trial)
            trial_log.append(trial)
    except KeyboardInterrupt:
        interrupted = True
    return Tuned(metric, tuple(done), interrupted, len(search.left_out))


class _TooLongError(Exception):
    """Ends the fit of a trial that would take too much of the time, or cannot be finished in it."""


class _Search:
    """A study together with what its trials are made on."""

    def __init__(
        self,
        folds: tuple[Parts, ...],
        metric: str,
        k: int,
        base: ALSParams,
        plain: bool,
        seed: int,
        *,
        by_time: bool = False,
    ) -> None:
        self.folds, self.metric, self.k, self.by_time = folds, metric, k, by_time
        self.base = without_extensions(base) if plain else base
        self.space = Space.of(folds[0][0], plain, by_time=by_time)
        self.optuna = _optuna()
        self.seed, self.plain = seed, plain
        self.study = self.optuna.create_study(direction="maximize")
        self.shapes = self.space.distributions(self.optuna)
        starts = list(self.space.starts(self.base, WARM_UP, seed))[1:]
        # the first is the base itself, which need not be a point of the space
        self.starts = [self.base, *(self.space.params(self.base, values) for values in starts)]
        self.rungs: list[float] = []
        self.left_out: list[ALSParams] = []

    def described(self) -> dict[str, Any]:
        """Return all that decides which trials are made and what they score; the number of threads does not."""
        base = {name: value for name, value in asdict(self.base).items() if name != "threads"}
        own = {"metric": self.metric, "seed": self.seed, "plain": self.plain, "base": base, "parts": len(self.folds)}
        own |= {"split": "time"} if self.by_time else {}
        return {**own, **described(*self.folds[0]), "space": self.space.described()}

    def replay(self, done: list[Trial]) -> list[Trial]:
        """Tell the study what was tried before, and return it."""
        for trial in done:
            self._tell(trial)
            if trial.early is not None:
                self.rungs.append(trial.early)
        return done

    def run(self, done: list[Trial], end: float) -> Iterator[Trial]:
        """Make trials until the time is over; only the first is brought to its end whatever it takes."""
        limit = (end - time.monotonic()) * LONGEST
        while time.monotonic() < end or not done:
            params = self._next(done)
            try:
                trial = self._try(params, len(done), *((end, limit) if done else (np.inf, np.inf)))
            except _TooLongError:
                # how long a fit takes is no property of the search, so the log knows nothing of it
                self.left_out.append(params)
                self._tell(Trial(params, 0.0, 0.0, stopped=True))
                continue
            # a trial that was given up tells the sampler how far it came
            self._tell(trial)
            yield trial

    def _next(self, done: list[Trial]) -> ALSParams:
        """Return what to try next: the starts, then in turn a point near the best so far and one that TPE draws.

        It follows from the seed and the trials before, so that a search that is resumed goes on just as it would have
        gone on, and repeats nothing.
        """
        seen = {trial.params for trial in done}.union(self.left_out)
        for params in self.starts:
            if params not in seen:
                return params
        number = len(seen)
        while (params := self._drawn(done, number)) in seen:
            number += 1
        return params

    def _drawn(self, done: list[Trial], number: int) -> ALSParams:
        finished = [trial for trial in done if not trial.stopped]
        if number % 2 and finished:
            best = max(finished, key=lambda trial: trial.score)
            values = self.space.around(best.params, np.random.default_rng((self.seed, number)))
        else:
            with warnings.catch_warnings():
                # multivariate sampling is called experimental, and has been since 2020
                warnings.simplefilter("ignore", self.optuna.exceptions.ExperimentalWarning)
                self.study.sampler = self.optuna.samplers.TPESampler(
                    seed=(self.seed + 1_000_003 * number) % 2**32, n_startup_trials=WARM_UP, multivariate=True
                )
            asked = self.study.ask(self.shapes)
            values = asked.params
            # the study learns trials from the log; this one only served to draw
            self.study.tell(asked, state=self.optuna.trial.TrialState.FAIL)
        return self.space.params(self.base, values)

    def _try(self, params: ALSParams, count: int, end: float, limit: float) -> Trial:
        began = started = time.perf_counter()
        early: float | None = None
        # of one iteration; anything else may happen on a machine, so the shortest counts
        least = np.inf

        def look(iteration: int, factors: Callable[[], Factors]) -> None:
            nonlocal began, early, least
            # the first iteration of a fit includes what comes before it
            least = min(least, time.perf_counter() - began) if iteration else least
            if (iteration and least * params.iterations * len(self.folds) > limit) or time.monotonic() > end:
                raise _TooLongError
            if early is None and iteration + 1 == RUNG < params.iterations:
                early = self._early(factors())
                if count >= WARM_UP and early < sorted(self.rungs)[len(self.rungs) // 3]:
                    raise StopFit
            began = time.perf_counter()

        try:
            scores = [self._score(solve(fold[0], params, callback=look), fold) for fold in self.folds]
            score, stopped = float(np.mean(scores)), False
        except StopFit:
            score, stopped = early or 0.0, True
        except DivergedError:
            # a fit that diverges is a bad trial, not the end of the search
            score, stopped = 0.0, True
        return Trial(params, score, time.perf_counter() - started, stopped, early)

    def _early(self, factors: Factors) -> float:
        # what is not finite has no rank
        factors.check_finite()
        score = self._score(factors, self.folds[0])
        self.rungs.append(score)
        return score

    def _score(self, factors: Factors, fold: Parts) -> float:
        return float(measure(factors, *fold, k=self.k, warm=self.by_time)[self.metric])

    def _tell(self, trial: Trial) -> None:
        values = self.space.nearest(trial.params)
        made = self.optuna.trial.create_trial(params=values, distributions=self.shapes, value=trial.score)
        self.study.add_trial(made)


def _within(
    trials: Iterator[Trial], end: float, count: int | None, progress: bool, done: list[Trial]
) -> Iterator[Trial]:
    """Yield trials until the time or their number runs out, with a line that shows the best."""
    from tqdm.auto import tqdm

    best = max((trial.score for trial in done if not trial.stopped), default=0.0)
    made = 0
    with tqdm(desc="tune", unit="trial", disable=not progress) as bar:
        while time.monotonic() < end and (count is None or made < count):
            trial = next(trials, None)
            if trial is None:
                return
            made += 1
            best = max(best, 0.0 if trial.stopped else trial.score)
            bar.set_postfix_str(f"best {best:.4f}, {max(0.0, end - time.monotonic()):.0f} s left", refresh=False)
            bar.update(1)
            yield trial


def _parsed(metric: str) -> tuple[str, int]:
    """Return a metric as `measure` names it, ``"ndcg@020"`` as ``"ndcg@20"``, and its k."""
    name, _, length = metric.partition("@")
    # more digits than those are no k, and Python refuses to read thousands of them
    k = int(length) if length.isdecimal() and len(length) < 20 else 0
    if name not in RANK_METRICS or not k:
        raise ParameterError(
            f"unknown metric {metric!r}: choose one of {', '.join(f'{n}@K' for n in RANK_METRICS)}, K a number"
        )
    return f"{name}@{check_integer('k', k, 1)}", k


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MfrecError("tuning needs optuna: pip install 'mfrec[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
