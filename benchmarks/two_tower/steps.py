"""How much is measured, and the steps on one data set; each result is one JSON file."""

import statistics
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import mfrec
from benchmarks.two_tower import contenders, costs, results, search, splits, towers
from benchmarks.two_tower.contenders import MOMENTS
from benchmarks.two_tower.evaluate import Contender, by_user, evaluate, evaluate_cold
from benchmarks.two_tower.exchange import ARTICLE, TITLE, USER, Settings
from benchmarks.two_tower.results import Json
from benchmarks.two_tower.splits import Split

FIRST_SEED = 42
# where accuracy is drawn against training time
CURVE = "user2item/unseen/hit_rate@100"
DEFAULTS = {"parameters": asdict(mfrec.ALSParams())}
# what the names of the two ways to ask a two-tower end in
VIEWS: Mapping[str, towers.View] = {"": towers.as_article, ", one vector per user": towers.one_per_user}
# epochs or iterations, seconds, accuracy
Point = tuple[int, float, float]


@dataclass(frozen=True)
class Plan:
    """How much is measured; ``plan.toml`` explains it."""

    datasets: Sequence[str]
    seeds: int
    cold_seeds: int
    tower_trials: int
    tower_trials_by_time: int
    mfrec_trials: int
    snapshots: Sequence[int]
    longer: Sequence[int]
    finalists: int
    folds: int
    moments: int
    curve: Sequence[int]
    mfrec_curve: Sequence[int]
    mfrec_fits: int
    epochs: int
    users: int
    repeats: int
    queries: int

    def cap(self, settings: Settings) -> Settings:
        """Return the settings within the limit of epochs."""
        return settings.but(epochs=min(settings.epochs, self.epochs or settings.epochs))


PLANS = {
    name: Plan(**values)
    for name, values in tomllib.loads((Path(__file__).parent / "plan.toml").read_text(encoding="utf-8")).items()
}


@dataclass(frozen=True, eq=False)
class Steps:
    """One data set of one run, whose files go to a folder; perhaps without the two-tower."""

    plan: Plan
    folder: Path
    dataset: str
    ratings: mfrec.Interactions
    with_towers: bool

    def keep(self, group: str, name: str, settings: Json, make: Callable[[], Json]) -> Json:
        """Make one result unless it is there."""
        path = self.folder / group / f"{name}.json"
        return results.keep(path, settings | {"users": self.plan.users or None, "data": repr(self.ratings)}, make)

    def split(self, protocol: str, seed: int = FIRST_SEED) -> Split:
        """Split the data set."""
        return splits.split(self.dataset, self.ratings, protocol, seed)

    def _splits(self) -> Iterator[Split]:
        for protocol in splits.PROTOCOLS:
            count = min(self.plan.seeds, self.plan.cold_seeds) if protocol == "cold" else self.plan.seeds
            yield from (self.split(protocol, seed) for seed in range(FIRST_SEED, FIRST_SEED + count))

    def _validations(self, protocol: str) -> list[Split]:
        # where titles are cold there is nothing to choose parameters on: those of the random split serve
        return splits.validations(self.split("random" if protocol == "cold" else protocol), self.plan.folds)

    def searches(self) -> None:
        """Choose parameters on validation parts of the training data, by a random split and by time."""
        for protocol in ("random", "time"):
            self.tuned_moment(protocol)
            if self.with_towers:
                self.tuned_tower(protocol)

    def _search(self, folds: list[Split], name: str, wanted: Json, trials: Callable[[], list[Json]]) -> list[Json]:
        return list(self.keep(f"search-{folds[0].protocol}", name, wanted, lambda: {"trials": trials()})["trials"])

    def tuned_mfrec(self, protocol: str) -> Json:
        """Return the best parameters of mfrec for a protocol."""
        folds = self._validations(protocol)
        candidates = list(islice(search.mfrec_candidates(folds[0].seed), self.plan.mfrec_trials))
        wanted = {"candidates": candidates, "folds": len(folds)} | DEFAULTS
        trials = self._search(folds, "mfrec", wanted, lambda: [search.try_mfrec(folds, one) for one in candidates])
        return dict(search.best(trials)["settings"])

    def tuned_moment(self, protocol: str) -> Json:
        """Return the best way to let histories fade, with mfrec's tuned parameters."""
        folds, params, moments = self._validations(protocol), self.tuned_mfrec(protocol), MOMENTS[: self.plan.moments]
        wanted = {"params": params, "moments": [asdict(tried) for tried in moments], "folds": len(folds)} | DEFAULTS
        trials = self._search(folds, "mfrec-moment", wanted, lambda: search.try_moments(folds, params, moments))
        return dict(search.best(trials)["settings"])

    def tuned_tower(self, protocol: str) -> tuple[Settings, Settings | None]:
        """Return the best two-tower, and the best that does not see the time unless that is the best of all.

        The best on the first validation part are compared again on all of them.
        """
        folds, trials = self._validations(protocol), []
        for number, trial in enumerate(search.finalists(self._tower_trials(folds), self.plan.finalists)):
            wanted = {"settings": trial["settings"], "serve": trial["serve"], "folds": len(folds)}
            make = partial(search.try_finalist, folds, trial)
            trials += self._search(folds, f"two-tower-final-{number}", wanted, make)
        best, timeless = search.best(trials), search.timeless(trials)
        other = search.best(timeless) if timeless and best not in timeless else None
        return Settings.of(best["settings"]), Settings.of(other["settings"]) if other else None

    def _tower_trials(self, folds: list[Split]) -> list[Json]:
        """Return every trial on the first validation part; each training is a file, since it takes a minute."""
        plan, trials = self.plan, list[Json]()

        def train(name: str, settings: Settings, snapshots: Sequence[int]) -> list[Json]:
            wanted = asdict(settings) | {"snapshots": snapshots}
            make = partial(search.try_tower, folds[0], settings, snapshots)
            return self._search(folds, f"two-tower-{name}", wanted, make)

        count = plan.tower_trials_by_time if folds[0].protocol == "time" else plan.tower_trials
        for number, settings in enumerate(islice(search.tower_candidates(folds[0].seed), count)):
            trials += train(f"{number:02d}", settings, plan.snapshots)
        for name, some in (("longer", trials), ("longer-timeless", search.timeless(trials))):
            best = search.best(some)["settings"] if some else {"epochs": 0}
            # where the best is at the edge of what was tried
            if plan.longer and best["epochs"] == max(plan.snapshots):
                trials = trials + train(name, Settings.of(best).but(epochs=ARTICLE.epochs), plan.longer)
        return trials

    def untuned(self) -> None:
        """Evaluate every contender that waits for no search, by every protocol and seed."""
        for split in self._splits():
            for name, make in contenders.BASELINES.items():
                self._evaluate(split, name, {}, make)
            if split.protocol == "cold":
                self._evaluate(split, "mfrec, with titles", {}, contenders.titles_in_words)
            if len(split.new_users):
                self._evaluate(split, "popularity, seen titles excluded", {}, contenders.popular_newcomers)
            if self.with_towers:
                self._evaluate_towers(split, "two-tower", ARTICLE, VIEWS)

    def tuned(self) -> None:
        """Evaluate what the searches found, by every protocol and seed."""
        for split in self._splits():
            params = self.tuned_mfrec(split.protocol)
            self._evaluate(split, "mfrec tuned", params, partial(contenders.mfrec_with, **params))
            if split.protocol != "cold":
                timed = self.tuned_moment(split.protocol)
                make = partial(contenders.at_event_times, settings=timed)
                name = "mfrec tuned, at the event's time"
                self._evaluate(split, name, timed, make)
                self._evaluate(split, f"{name}, from the past alone", timed | {"past": True}, partial(make, past=True))
            if len(split.new_users):
                self._evaluate(split, "mfrec tuned, folding in", params, partial(contenders.folding_in, params=params))
            if self.with_towers:
                best, timeless = self.tuned_tower(split.protocol)
                self._evaluate_towers(split, "two-tower tuned", best, VIEWS)
                if timeless is not None:
                    self._evaluate_towers(split, "two-tower tuned, without time", timeless, {"": towers.one_per_user})

    def _evaluate_towers(self, split: Split, name: str, settings: Settings, views: Mapping[str, towers.View]) -> None:
        settings = self.plan.cap(settings.but(seed=split.seed))
        # TFRS's own figures are held against ours where they mean the same: every test event, known users
        trained = cache(lambda: towers.train(split, settings, own=split.protocol == "random")[-1])
        for suffix, view in views.items():
            self._evaluate(split, name + suffix, asdict(settings), partial(_viewed, view, trained))

    def _evaluate(self, split: Split, name: str, settings: Json, make: Callable[[Split], Contender]) -> None:
        def result() -> Json:
            contender = make(split)
            directions = ("user2item",) if split.protocol == "cold" else tuple(mfrec.DIRECTIONS)
            return {
                "fit_seconds": contender.fit_seconds,
                "settings": dict(contender.settings),
                "extra": dict(contender.extra),
                "train": len(split.train),
                "test": len(split.test),
                "metrics": evaluate(split, contender, directions) | evaluate_cold(split, contender),
                "users": by_user(split, contender) if split.protocol == "time" else {},
            }

        # what is not named in the settings is a default
        version = DEFAULTS if name.startswith("mfrec") else {}
        self.keep(f"{split.protocol}-{split.seed}", name, settings | version, result)

    def curves(self) -> None:
        """Measure accuracy against training time."""
        for name, given in (("mfrec", {}), ("mfrec tuned", self.tuned_mfrec("random"))):
            self.keep("curve", name, {"given": given}, partial(_curve, self._mfrec_curve, given))
        if self.with_towers:
            for name, settings in (("two-tower", ARTICLE), ("two-tower tuned", self.tuned_tower("random")[0])):
                capped = self.plan.cap(settings.but(epochs=max(self.plan.curve)))
                self.keep("curve", name, asdict(capped), partial(_curve, self._tower_curve, capped))

    def _mfrec_curve(self, params: Json) -> Iterator[Point]:
        split = self.split("random")
        for iterations in self.plan.mfrec_curve:
            given = {**params, "iterations": iterations}
            fits = [contenders.mfrec_with(split, **given) for _ in range(self.plan.mfrec_fits)]
            seconds = statistics.median(fit.fit_seconds for fit in fits)
            yield iterations, seconds, evaluate(split, fits[0], ("user2item",))[CURVE]

    def _tower_curve(self, settings: Settings) -> Iterator[Point]:
        split = self.split("random")
        for tower in towers.train(split, settings, self.plan.curve):
            # the better of asking at the event's time and at the user's last
            values = [evaluate(split, view(split, tower), ("user2item",))[CURVE] for view in VIEWS.values()]
            yield tower.epoch, tower.fit_seconds, max(values)

    def costs(self) -> None:
        """Measure whole processes, with the article's settings and mfrec's defaults."""
        split, settings = self.split("random"), self.plan.cap(ARTICLE)
        users, titles = split.train.ids.user, split.train.ids.item
        user = USER if int(USER) in users else str(users.id(0))
        title = TITLE if TITLE in titles else str(titles.id(0))
        much = {"queries": self.plan.queries, "repeats": self.plan.repeats}
        make = partial(costs.measure, split, settings, user=user, title=title, **much)
        self.keep("costs", "costs", asdict(settings) | much | DEFAULTS | {"towers": self.with_towers}, make)


def _viewed(view: towers.View, trained: Callable[[], towers.Towers], split: Split) -> Contender:
    return view(split, trained())


def _curve(points: Callable[[Any], Iterator[Point]], given: Any) -> Json:
    return {"points": [dict(zip(("passes", "fit_seconds", "value"), point, strict=True)) for point in points(given)]}
