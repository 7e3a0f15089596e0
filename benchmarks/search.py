"""Choosing parameters on a validation part of the training data, for the two-tower and for mfrec alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks import contenders, moment, towers
from benchmarks.judge import Contender, Metrics, judge
from benchmarks.moment import Moment
from benchmarks.protocols import Split
from benchmarks.two_tower_settings import ARTICLE, Settings

# what is maximised: the mean of these two, so that neither the head of the list nor its length decides alone
OBJECTIVE = ("user2item/unseen/hit_rate@10", "user2item/unseen/hit_rate@100")

Trial = dict[str, Any]
Space = Mapping[str, tuple[Any, ...]]

# what is known to matter for two-towers is drawn more often than not
TOWER_SPACE: Space = {
    "batch": (1024, 2048, 4096),
    "optimizer": ("adagrad", "adam"),
    "embedding": (32, 64, 128),
    "layers": ((32,), (64,), (128,), (128, 64)),
    "timestamp": (False, True),
    "time_buckets": (1_000, 10_000, 100_000),
    "title_text": (True, True, False),
    "normalise": (True, False, False),
    "temperature": (0.05, 0.1, 0.2),
    "remove_accidental_hits": (True, True, False),
    "dropout": (0.3, 0.5, 0.7),
}
RATES = {"adagrad": (0.05, 0.1, 0.3), "adam": (0.001, 0.003)}
# where a person who knows the library would start
TIMELESS = ARTICLE.but(timestamp=False, remove_accidental_hits=True)
TIMED = ARTICLE.but(log_q=True, remove_accidental_hits=True)
TOWER_STARTS = (
    ARTICLE,
    TIMELESS,
    TIMELESS.but(log_q=True),
    TIMELESS.but(log_q=True, dropout=0.5),
    TIMELESS.but(log_q=True, normalise=True, temperature=0.1),
    TIMELESS.but(log_q=True, normalise=True, temperature=0.1, optimizer="adam", rate=0.003),
    TIMELESS.but(log_q=True, optimizer="adam", rate=0.001, dropout=0.5, embedding=64, layers=(64,)),
    TIMED.but(dropout=0.3),
    TIMED.but(dropout=0.5),
    TIMED.but(dropout=0.5, embedding=64, layers=(64,)),
    TIMED.but(dropout=0.3, embedding=64, layers=(64,), optimizer="adam", rate=0.001),
    TIMELESS.but(log_q=True, dropout=0.5, embedding=64, layers=(64,)),
    TIMED.but(dropout=0.5, embedding=64, layers=(64,), time_buckets=10_000),
    TIMED.but(dropout=0.5, embedding=64, layers=(64,), time_buckets=100_000),
)

MFREC_SPACE: Space = {
    "factors": (16, 24, 32, 48, 64),
    "regularization": (5.0, 10.0, 15.0, 25.0, 40.0, 60.0),
    "alpha": (1.0, 2.0, 3.0, 5.0, 10.0),
    "iterations": (8, 12, 20),
    "user_exponent": (0.0, 0.25, 0.5, 0.75),
    "item_exponent": (0.0, 0.25, 0.5),
    "item_scale": (0.0, 0.1, 0.2),
    "transform": ("value", "log", "binary"),
    "half_life": (0.0, 0.0, 30.0, 90.0, 365.0),
}


def objective(metrics: Metrics) -> float:
    """Return the value that a search maximises."""
    return float(np.mean([metrics[name] for name in OBJECTIVE]))


def try_tower(inner: Split, settings: Settings, snapshots: tuple[int, ...]) -> list[Trial]:
    """Train one two-tower, and judge it after several numbers of epochs and in both ways to ask it."""
    trials = []
    for tower in towers.train(inner, settings.but(epochs=max(snapshots)), snapshots):
        chosen = asdict(settings) | {"epochs": tower.epoch}
        for serve, view in VIEWS.items():
            metrics = judge(inner, view(inner, tower), ("user2item",))
            told = {"serve": serve, "tensorflow": tower.timings["tensorflow"]}
            trials.append(_trial(chosen, metrics, tower.fit_seconds) | told)
    return trials


def timeless(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of two-towers that do not see the time."""
    return [trial for trial in trials if not trial["settings"]["timestamp"]]


def finalists(trials: Sequence[Trial], count: int) -> list[Trial]:
    """Return the best trials of all, and the best of those that do not see the time; each settings once."""
    found: dict[Settings, Trial] = {}
    for some in (trials, timeless(trials)):
        ranked = sorted(some, key=lambda trial: -float(trial["value"]))
        best_of: dict[Settings, Trial] = {}
        for trial in ranked:
            best_of.setdefault(Settings.of(trial["settings"]), trial)
        found |= dict(list(best_of.items())[:count])
    return list(found.values())


def try_finalist(folds: Sequence[Split], trial: Trial) -> Trial:
    """Train the settings of a trial, which was made on the first validation split, on the others, too."""
    settings, serve = Settings.of(trial["settings"]), trial["serve"]
    trained = [towers.train(fold, settings)[-1] for fold in folds[1:]]
    found = [
        judge(fold, VIEWS[serve](fold, tower), ("user2item",)) for fold, tower in zip(folds[1:], trained, strict=True)
    ]
    metrics: list[Metrics] = [{name: trial[name] for name in OBJECTIVE}, *found]
    seconds = trial["fit_seconds"] + sum(tower.fit_seconds for tower in trained)
    return _mean(trial["settings"], metrics, seconds) | {"serve": serve}


def try_mfrec(folds: Sequence[Split], params: Mapping[str, Any]) -> Trial:
    """Fit mfrec once on each validation split; the value is the mean."""
    fits = [contenders.mfrec_with(fold, **params) for fold in folds]
    found = [judge(fold, fit, ("user2item",)) for fold, fit in zip(folds, fits, strict=True)]
    return _mean(params, found, _seconds(fits))


def try_moments(folds: Sequence[Split], params: Mapping[str, Any], moments: Sequence[Moment]) -> list[Trial]:
    """Fit mfrec on each validation split, and ask it at event times with histories that fade faster or slower."""
    fits = [contenders.mfrec_with(fold, **params) for fold in folds]
    trials = []
    for tried in moments:
        found = [judge(fold, moment.asked_at(fold, fit, tried), ()) for fold, fit in zip(folds, fits, strict=True)]
        trials.append(_mean({**params, **asdict(tried)}, found, _seconds(fits)))
    return trials


def _seconds(fits: Sequence[Contender]) -> float:
    return sum(fit.fit_seconds for fit in fits)


def _mean(settings: Mapping[str, Any], found: Sequence[Metrics], seconds: float) -> Trial:
    metrics = {name: float(np.mean([metrics[name] for metrics in found])) for name in OBJECTIVE}
    return _trial(settings, metrics, seconds) | {"values": [objective(metrics) for metrics in found]}


def best(trials: list[Trial]) -> Trial:
    """Return the best trial; the earlier one of equals."""
    return max(trials, key=lambda trial: trial["value"])


VIEWS: Mapping[str, Callable[[Split, towers.Towers], Contender]] = {
    "at the event's time": towers.as_article,
    "one vector per user": towers.one_per_user,
}


def _trial(settings: Mapping[str, Any], metrics: Metrics, fit_seconds: float) -> Trial:
    figures = {name: metrics[name] for name in OBJECTIVE}
    return {"settings": dict(settings), "value": objective(metrics), **figures, "fit_seconds": fit_seconds}


def tower_candidates(seed: int) -> Iterator[Settings]:
    """Yield settings to try, without end; the same seed yields the same."""
    yield from (start.but(seed=seed) for start in TOWER_STARTS)
    rng = np.random.default_rng(seed)
    while True:
        drawn = _draw(rng, TOWER_SPACE)
        drawn["rate"] = _pick(rng, RATES[drawn["optimizer"]])
        if not drawn["normalise"]:
            drawn["temperature"] = 1.0
        yield ARTICLE.but(seed=seed, log_q=True, **drawn)


def mfrec_candidates(seed: int) -> Iterator[dict[str, Any]]:
    """Yield parameters to try, without end: the defaults, then in turn some near them and some from anywhere."""
    yield {}
    rng = np.random.default_rng(seed)
    near = [name for name in MFREC_SPACE if name != "half_life"]
    while True:
        changed = rng.choice(near, 2, replace=False).tolist()
        yield {name: _pick(rng, MFREC_SPACE[name]) for name in changed}
        yield _draw(rng, MFREC_SPACE)


def _draw(rng: np.random.Generator, space: Space) -> dict[str, Any]:
    return {name: _pick(rng, values) for name, values in space.items()}


def _pick(rng: np.random.Generator, values: tuple[Any, ...]) -> Any:
    return values[int(rng.integers(len(values)))]
