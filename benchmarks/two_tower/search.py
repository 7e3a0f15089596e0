"""Choosing parameters on validation parts of the training data, for the two-tower and for mfrec alike.

What is tried stands in ``search.toml``.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.two_tower import contenders, towers
from benchmarks.two_tower.contenders import Moment
from benchmarks.two_tower.evaluate import Contender, Metrics, evaluate
from benchmarks.two_tower.exchange import ARTICLE, Settings
from benchmarks.two_tower.splits import Split

# what is maximised: the mean of these two, so that neither the head of the list nor its length decides alone
OBJECTIVE = ("user2item/unseen/hit_rate@10", "user2item/unseen/hit_rate@100")
TRIED = tomllib.loads((Path(__file__).parent / "search.toml").read_text(encoding="utf-8"))

Trial = dict[str, Any]


def objective(metrics: Mapping[str, float]) -> float:
    """Return the value that a search maximises."""
    return float(np.mean([metrics[name] for name in OBJECTIVE]))


def best(trials: Sequence[Trial]) -> Trial:
    """Return the best trial; the earlier one of equals."""
    return max(trials, key=lambda trial: trial["value"])


def timeless(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of two-towers that do not see the time."""
    return [trial for trial in trials if not trial["settings"]["timestamp"]]


def try_tower(inner: Split, settings: Settings, snapshots: Sequence[int]) -> list[Trial]:
    """Train one two-tower, and evaluate it after several numbers of epochs and in both ways to ask it."""
    trials = []
    for tower in towers.train(inner, settings.but(epochs=max(snapshots)), snapshots):
        chosen = asdict(settings) | {"epochs": tower.epoch}
        for serve, view in towers.VIEWS.items():
            metrics = evaluate(inner, view(inner, tower), ("user2item",))
            told = {"serve": serve, "tensorflow": tower.extra["tensorflow"]}
            trials.append(_trial(chosen, metrics, tower.fit_seconds) | told)
    return trials


def finalists(trials: Sequence[Trial], count: int) -> list[Trial]:
    """Return the best trials of all, and the best of those that do not see the time; each settings once."""
    found: dict[Settings, Trial] = {}
    for some in (trials, timeless(trials)):
        best_of: dict[Settings, Trial] = {}
        for trial in sorted(some, key=lambda trial: -float(trial["value"])):
            best_of.setdefault(Settings.of(trial["settings"]), trial)
        found |= dict(list(best_of.items())[:count])
    return list(found.values())


def try_finalist(folds: Sequence[Split], trial: Trial) -> list[Trial]:
    """Train the settings of a trial, which was made on the first validation split, on the others, too."""
    settings, view = Settings.of(trial["settings"]), towers.VIEWS[trial["serve"]]
    metrics: list[Metrics] = [{name: trial[name] for name in OBJECTIVE}]
    seconds = trial["fit_seconds"]
    for fold in folds[1:]:
        tower = towers.train(fold, settings)[-1]
        seconds += tower.fit_seconds
        metrics.append(evaluate(fold, view(fold, tower), ("user2item",)))
    return [_mean(trial["settings"], metrics, seconds) | {"serve": trial["serve"]}]


def try_mfrec(folds: Sequence[Split], params: Mapping[str, Any]) -> Trial:
    """Fit mfrec once on each validation split; the value is the mean."""
    return _on_all(folds, params, [contenders.mfrec_with(fold, **params) for fold in folds], lambda _, fit: fit)


def try_moments(folds: Sequence[Split], params: Mapping[str, Any], moments: Sequence[Moment]) -> list[Trial]:
    """Fit mfrec on each validation split, and ask it at event times with histories that fade faster or slower."""
    fits = [contenders.mfrec_with(fold, **params) for fold in folds]
    asked = [(tried, partial(contenders.asked_at, moment=tried)) for tried in moments]
    return [_on_all(folds, {**params, **asdict(tried)}, fits, ask) for tried, ask in asked]


def _on_all(
    folds: Sequence[Split],
    settings: Mapping[str, Any],
    fits: Sequence[Contender],
    ask: Callable[[Split, Contender], Contender],
) -> Trial:
    found = [evaluate(fold, ask(fold, fit), ("user2item",)) for fold, fit in zip(folds, fits, strict=True)]
    return _mean(settings, found, sum(fit.fit_seconds for fit in fits))


def _mean(settings: Mapping[str, Any], found: Sequence[Metrics], seconds: float) -> Trial:
    metrics = {name: float(np.mean([metrics[name] for metrics in found])) for name in OBJECTIVE}
    return _trial(settings, metrics, seconds) | {"values": [objective(metrics) for metrics in found]}


def _trial(settings: Mapping[str, Any], metrics: Metrics, fit_seconds: float) -> Trial:
    figures = {name: metrics[name] for name in OBJECTIVE}
    return {"settings": dict(settings), "value": objective(metrics), **figures, "fit_seconds": fit_seconds}


def tower_candidates(seed: int) -> Iterator[Settings]:
    """Yield settings to try, without end; the same seed yields the same."""
    article = asdict(ARTICLE) | {"seed": seed}
    yield Settings.of(article)
    for changes in TRIED["starts"]["settings"]:
        yield Settings.of(article | {"remove_accidental_hits": True} | changes)
    rng = np.random.default_rng(seed)
    while True:
        drawn = _draw(rng, TRIED["tower"])
        drawn["rate"] = _pick(rng, TRIED["rates"][drawn["optimizer"]])
        if not drawn["normalise"]:
            drawn["temperature"] = 1.0
        yield Settings.of(article | {"log_q": True} | drawn)


def mfrec_candidates(seed: int) -> Iterator[dict[str, Any]]:
    """Yield parameters to try, without end: the defaults, then in turn some near them and some from anywhere."""
    yield {}
    rng, space = np.random.default_rng(seed), TRIED["mfrec"]
    near = [name for name in space if name != "half_life"]
    while True:
        changed = rng.choice(near, 2, replace=False).tolist()
        yield {name: _pick(rng, space[name]) for name in changed}
        yield _draw(rng, space)


def _draw(rng: np.random.Generator, space: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    return {name: _pick(rng, values) for name, values in space.items()}


def _pick(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    return values[int(rng.integers(len(values)))]
