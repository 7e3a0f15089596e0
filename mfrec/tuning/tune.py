"""The search over parameters: one command to a model that was chosen on held-out parts of the data.

Trials are drawn by Optuna's tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter
Optimization", 2011; extra ``tune``), and its median rule gives up those that stay behind. Its journal is what a search
goes on from (`mfrec.tuning.trials`).
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mfrec.data.interactions import Interactions, require_interactions
from mfrec.errors import (
    ArtifactError,
    DataError,
    DivergedError,
    ParameterError,
    check_integer,
    check_number,
    why_not_written,
)
from mfrec.evaluation import measure
from mfrec.evaluation.metrics import RANK_METRICS
from mfrec.evaluation.splits import Parts
from mfrec.model.factors import Factors
from mfrec.training.als import StopFit, solve
from mfrec.training.params import ALSParams
from mfrec.training.regularization import derive
from mfrec.tuning.folds import folds_of
from mfrec.tuning.params_file import interactions_hash
from mfrec.tuning.space import Space, without_extensions
from mfrec.tuning.trials import Trial, alone, done, open_study, require_optuna

# a trial is compared with the others after so many iterations on its first part, then after each part
RUNG = 3
# so many trials are the starts or random
WARM_UP = 5


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
    """

    metric: str
    trials: tuple[Trial, ...]
    interrupted: bool = False

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
        When to stop, whichever comes first; a trial that the end of the time stops does not count. With ``trials``
        alone decisive, the result is reproducible.
    base
        Values of everything that is not searched, and the first trial: exactly as given, also where the search itself
        does not go (25 factors, an alpha of 100), so the best is never worse. What is None is derived from the data
        first. With ``plain`` its exponents and scales are 0.
    plain
        Search plain ALS only: exponents and scales stay 0.
    resume
        Log of trials, a journal file of Optuna's: read if it exists, and appended to. It must be of the same search:
        data, metric, base, seed.
    seed, progress
        Of the split and the search; show a progress bar with the best score so far.

    Raises
    ------
    MfrecError
        When Optuna is not installed.
    ParameterError
        For an unknown metric or split, a budget that is not positive, parts out of range or beside a given validation
        part, or a log that cannot be written or that another search is at.
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
    by_time = split == "time" and validation is None
    search = _Search(folds, metric, k, without_extensions(derived) if plain else derived, plain, seed, by_time)
    try:
        with alone(resume):
            study = open_study(resume, search.described())
            interrupted = search.run(study, trials, 60 * minutes, progress)
    except OSError as error:
        raise ArtifactError(f"cannot write {resume}: {why_not_written(error)}") from error
    return Tuned(metric, search.trials(study), interrupted)


class _Search:
    """What the trials of a study are made on."""

    def __init__(
        self, folds: tuple[Parts, ...], metric: str, k: int, base: ALSParams, plain: bool, seed: int, by_time: bool
    ) -> None:
        self.folds, self.metric, self.k, self.by_time = folds, metric, k, by_time
        self.base, self.plain, self.seed = base, plain, seed
        self.space = Space.of(folds[0][0], plain, by_time=by_time)
        self.starts = list(self.space.starts(base))
        self.optuna = require_optuna()

    def described(self) -> dict[str, Any]:
        """Return all that decides which trials are made and what they score; the number of threads does not."""
        train, held_out = self.folds[0]
        return {
            "users": train.shape[0],
            "items": train.shape[1],
            "metric": self.metric,
            "seed": self.seed,
            "plain": self.plain,
            "split": "time" if self.by_time else "random",
            "parts": len(self.folds),
            **{f"base {name}": value for name, value in asdict(self.base).items() if name != "threads"},
            "training interactions": len(train),
            "validation interactions": len(held_out),
            "hash of the training part": interactions_hash(train, pairs_only=False),
            "hash of the validation part": interactions_hash(held_out, pairs_only=False),
            **{f"space {name}": list(row) for name, row in self.space.rows.items()},
        }

    def trials(self, study: Any) -> tuple[Trial, ...]:
        """Return the trials of a study that came to their end, were given up or diverged."""
        return tuple(
            Trial(
                self.space.params(self.base, trial.params) if number else self.base,
                trial.value or 0.0,
                trial.duration.total_seconds(),
                trial.state == self.optuna.trial.TrialState.PRUNED,
            )
            for number, trial in enumerate(done(study))
        )

    def prepare(self, study: Any, _: Any = None) -> None:
        """Give a study what its next trial follows from, the next start or the sampler.

        It follows from the seed and the number of trials before, so that a search that is resumed goes on just as it
        would have gone on.
        """
        number = len(done(study))
        study.sampler = self.optuna.samplers.TPESampler(
            seed=(self.seed + 1_000_003 * number) % 2**32, n_startup_trials=WARM_UP
        )
        # one is waiting already where Ctrl-C or the end of the time came before it
        if number < len(self.starts) and not study.get_trials(states=(self.optuna.trial.TrialState.WAITING,)):
            study.enqueue_trial(self.starts[number])

    def run(self, study: Any, trials: int | None, seconds: float, progress: bool) -> bool:
        """Make trials until the time or their number runs out; return whether Ctrl-C came first."""
        end = time.monotonic() + seconds
        self.prepare(study)
        try:
            study.optimize(
                lambda trial: self._objective(trial, end),
                n_trials=trials,
                timeout=seconds,
                # how long a fit takes is no property of the search: what the end of the time stops is no trial
                catch=(StopFit,),
                callbacks=[self.prepare],
                show_progress_bar=progress,
            )
        except KeyboardInterrupt:
            return True
        return False

    def _objective(self, trial: Any, end: float) -> float:
        point = self.space.suggest(trial)
        # the first is the base itself, which need not be a point of the space, and is finished whatever it takes
        first = not done(trial.study)
        params = self.base if first else self.space.params(self.base, point)
        scores: list[float] = []

        def look(iteration: int, factors: Callable[[], Factors]) -> None:
            if not first and time.monotonic() > end:
                trial.study.stop()
                raise StopFit
            if not scores and iteration + 1 == RUNG < params.iterations:
                self._report(trial, 0, self._score(factors(), self.folds[0]))

        try:
            for number, fold in enumerate(self.folds, 1):
                scores.append(self._score(solve(fold[0], params, callback=look), fold))
                self._report(trial, number, float(np.mean(scores)))
        except DivergedError:
            # a fit that diverges is a bad trial, not the end of the search
            raise self.optuna.TrialPruned from None
        return float(np.mean(scores))

    def _report(self, trial: Any, step: int, score: float) -> None:
        trial.report(score, step)
        if step < len(self.folds) and trial.should_prune():
            raise self.optuna.TrialPruned

    def _score(self, factors: Factors, fold: Parts) -> float:
        # what is not finite has no rank
        factors.check_finite()
        return float(measure(factors, *fold, k=self.k, warm=self.by_time)[self.metric])


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
