"""The search over parameters: one command to a model that was chosen on a validation split.

Trials are drawn by Optuna's tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter
Optimization", 2011; extra ``tune``); a trial whose first iterations stay behind most others is given up. Every
finished trial is one line of a log (`mfrec.trials`), from which a search goes on where it was stopped.
"""

import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mfrec.als import ALSParams, StopFit, fit_als
from mfrec.errors import DataError, DivergedError, MfrecError, ParameterError
from mfrec.evaluation import measure
from mfrec.evaluation.metrics import RANK_METRICS, cutoff
from mfrec.evaluation.splits import random_split
from mfrec.factors import Factors
from mfrec.interactions import Interactions
from mfrec.trials import Trial, TrialLog, described

# name: (kind, low, high); factors are chosen among powers of two and their halves
SPACE: dict[str, tuple[str, float, float]] = {
    "regularization": ("log", 0.5, 200.0),
    "alpha": ("log", 0.5, 60.0),
    "iterations": ("int", 4, 30),
    "user_exponent": ("float", 0.0, 1.0),
    "item_exponent": ("float", 0.0, 1.0),
    "item_scale": ("float", -0.1, 0.5),
}
FACTORS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
# what plain ALS leaves at 0
EXTENSIONS = ("user_exponent", "item_exponent", "user_scale", "item_scale")
# after so many iterations a trial is compared with the others at that point
RUNG = 3
WARM_UP = 10


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

    Parameters
    ----------
    interactions
        Training data; without ``validation`` a seeded 20 % of it is held out.
    validation
        Held-out interactions over the same ids.
    metric
        One that `mfrec.evaluation.measure` returns, with its k.
    minutes, trials
        When to stop, whichever comes first; with ``trials`` alone decisive, the result is reproducible.
    base
        Values of everything that is not searched, and the first trial: exactly as given, also where the search
        itself does not go (25 factors, an alpha of 100), so the best is never worse. With ``plain`` its exponents
        and scales are 0.
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
        For an unknown metric, a budget that is not positive, or a log that cannot be written.
    DataError
        When the log is damaged or of another search, or there is nothing to learn from.
    """
    metric, k = _parsed(metric)
    if not minutes > 0 or (trials is not None and trials < 1):
        raise ParameterError(f"the budget must be positive, got {minutes} minutes and {trials} trials")
    train, held_out = (interactions, validation) if validation is not None else random_split(interactions, seed=seed)
    search = _Search(train, held_out, metric, k, base or ALSParams(), plain, seed)
    trial_log = TrialLog(resume, search.described())
    done = search.replay(trial_log.read())
    interrupted = False
    try:
        for trial in _within(search.run(done), minutes, trials, progress, done):
            done.append(trial)
            trial_log.append(trial)
    except KeyboardInterrupt:
        interrupted = True
    return Tuned(metric, tuple(done), interrupted)


class _Search:
    """A study together with what its trials are made on."""

    def __init__(
        self,
        train: Interactions,
        held_out: Interactions,
        metric: str,
        k: int,
        base: ALSParams,
        plain: bool,
        seed: int,
    ) -> None:
        self.train, self.held_out, self.metric, self.k, self.base = train, held_out, metric, k, base
        self.space = {name: row for name, row in SPACE.items() if not (plain and name in EXTENSIONS)}
        switched_off: dict[str, Any] = dict.fromkeys(EXTENSIONS, 0.0)
        self.base = replace(base, **switched_off) if plain else base
        self.optuna = _optuna()
        self.seed, self.plain = seed, plain
        self.study = self.optuna.create_study(direction="maximize", sampler=self._sampler(0))
        most = max(FACTORS[0], min(train.shape) // 2)
        self.factors = [f for f in FACTORS if f <= most] or [FACTORS[0]]
        self.rungs: list[float] = []

    def _sampler(self, number: int) -> Any:
        """Return a sampler for one trial: what it draws follows from the seed and the trials before it.

        So a search that is resumed goes on just as it would have gone on, and repeats nothing.
        """
        with warnings.catch_warnings():
            # multivariate sampling is called experimental, and has been since 2020
            warnings.simplefilter("ignore", self.optuna.exceptions.ExperimentalWarning)
            return self.optuna.samplers.TPESampler(
                seed=(self.seed + 1_000_003 * number) % 2**32, n_startup_trials=WARM_UP, multivariate=True
            )

    def described(self) -> dict[str, Any]:
        """Return all that decides which trials are made and what they score; the number of threads does not."""
        base = {name: value for name, value in asdict(self.base).items() if name != "threads"}
        space = {**self.space, "factors": self.factors}
        own = {"metric": self.metric, "seed": self.seed, "plain": self.plain, "base": base}
        return {**own, **described(self.train, self.held_out), "space": space}

    def replay(self, done: list[Trial]) -> list[Trial]:
        """Tell the study what was tried before, and return it."""
        for trial in done:
            self._tell(trial)
            if trial.early is not None:
                self.rungs.append(trial.early)
        # the first is the base itself, which need not be a point of the space
        for values in self._starts()[max(1, len(done)) :]:
            self.study.enqueue_trial(values)
        return done

    def _starts(self) -> list[dict[str, Any]]:
        """Return where a search starts: the base, then points around it, which beat points from anywhere."""
        rng = np.random.default_rng(self.seed)
        starts = [self._values(self.base)]
        for _ in range(WARM_UP - 1):
            values: dict[str, Any] = {
                "factors": int(np.clip(starts[0]["factors"] + rng.integers(-1, 3), 0, len(self.factors) - 1))
            }
            for name, (kind, low, high) in self.space.items():
                start, step = starts[0][name], rng.standard_normal()
                moved = start * np.exp(step / 2) if kind == "log" else start + step * (high - low) / 6
                values[name] = (int if kind == "int" else float)(np.clip(moved, low, high))
            starts.append(values)
        return starts

    def run(self, done: list[Trial]) -> Iterator[Trial]:
        """Make trials for ever."""
        if not done:
            trial = self._try(self.base, 0)
            self._tell(trial)
            yield trial
        while True:
            self.study.sampler = self._sampler(len(done))
            asked = self.study.ask()
            params = replace(self.base, factors=self._factors(asked), **self._draw(asked))
            trial = self._try(params, len(done))
            # a trial that was given up tells the sampler how far it came
            self.study.tell(asked, trial.score)
            yield trial

    def _try(self, params: ALSParams, count: int) -> Trial:
        started = time.perf_counter()
        early: float | None = None

        def look(iteration: int, factors: Factors) -> None:
            nonlocal early
            if iteration + 1 != RUNG or params.iterations <= RUNG:
                return
            # what is not finite has no rank
            factors.check_finite()
            early = self._score(factors)
            self.rungs.append(early)
            if count >= WARM_UP and early < sorted(self.rungs)[len(self.rungs) // 3]:
                raise StopFit

        try:
            score, stopped = self._score(fit_als(self.train, params, callback=look)), False
        except StopFit:
            score, stopped = early or 0.0, True
        except DivergedError:
            # a fit that diverges is a bad trial, not the end of the search
            score, stopped = 0.0, True
        return Trial(params, score, time.perf_counter() - started, stopped, early)

    def _score(self, factors: Factors) -> float:
        return float(measure(factors, self.train, self.held_out, k=self.k)[self.metric])

    def _factors(self, asked: Any) -> int:
        # an index rather than a category: neighbours are alike
        place: int = asked.suggest_int("factors", 0, len(self.factors) - 1)
        return self.factors[place]

    def _draw(self, asked: Any) -> dict[str, Any]:
        drawn: dict[str, Any] = {}
        for name, (kind, low, high) in self.space.items():
            if kind == "int":
                drawn[name] = asked.suggest_int(name, int(low), int(high))
            else:
                drawn[name] = asked.suggest_float(name, low, high, log=kind == "log")
        return drawn

    def _values(self, params: ALSParams) -> dict[str, Any]:
        """Return the nearest point of the space."""
        nearest = min(range(len(self.factors)), key=lambda i: abs(self.factors[i] - params.factors))
        own = {n: min(max(getattr(params, n), low), high) for n, (_, low, high) in self.space.items()}
        return {**own, "factors": nearest}

    def _tell(self, trial: Trial) -> None:
        distributions = self.optuna.distributions
        shapes: dict[str, Any] = {"factors": distributions.IntDistribution(0, len(self.factors) - 1)}
        for name, (kind, low, high) in self.space.items():
            integer = kind == "int"
            shapes[name] = (
                distributions.IntDistribution(int(low), int(high))
                if integer
                else distributions.FloatDistribution(low, high, log=kind == "log")
            )
        values = self._values(trial.params)
        self.study.add_trial(self.optuna.trial.create_trial(params=values, distributions=shapes, value=trial.score))


def _within(
    trials: Iterator[Trial], minutes: float, count: int | None, progress: bool, done: list[Trial]
) -> Iterator[Trial]:
    """Yield trials until the time or their number runs out, with a line that shows the best."""
    from tqdm.auto import tqdm

    best = max((trial.score for trial in done if not trial.stopped), default=0.0)
    end = time.monotonic() + 60 * minutes
    made = 0
    with tqdm(desc="tune", unit="trial", disable=not progress) as bar:
        while time.monotonic() < end and (count is None or made < count):
            trial = next(trials)
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
    return f"{name}@{cutoff(k)}", k


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MfrecError("tuning needs optuna: pip install 'mfrec[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
