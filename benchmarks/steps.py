"""The steps of the benchmark on one data set; each result is one JSON file."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import mfrec
from benchmarks import contenders, costs, moment, protocols, raw, search, towers
from benchmarks.judge import Contender, by_user, judge, judge_strangers
from benchmarks.plan import FIRST_SEED, TITLE, USER, Plan
from benchmarks.protocols import Split
from benchmarks.raw import Json
from benchmarks.two_tower_settings import ARTICLE, Settings

# where accuracy is drawn against training time
CURVE = "user2item/unseen/hit_rate@100"
# what the names of the two ways to ask a two-tower end in
View = Callable[[Split, towers.Towers], Contender]
VIEWS: Mapping[str, View] = {"": towers.as_article, ", one vector per user": towers.one_per_user}


@dataclass(frozen=True, eq=False)
class Steps:
    """One data set of one run.

    Parameters
    ----------
    folder
        Where the files go.
    with_towers
        Whether the two-tower can run here.
    """

    plan: Plan
    folder: Path
    dataset: str
    ratings: mfrec.Interactions
    with_towers: bool

    def keep(self, group: str, name: str, settings: Json, make: Callable[[], Json]) -> Json:
        """Make one result unless it is there."""
        path = self.folder / group / f"{name}.json"
        return raw.keep(path, settings | {"users": self.plan.users, "data": repr(self.ratings)}, make)

    def searches(self) -> None:
        """Choose parameters on a validation part of the training data, by a random split and by time."""
        for protocol in ("random", "time"):
            self.tuned_moment(protocol)
            if self.with_towers:
                self.tuned_tower(protocol)

    def tuned_mfrec(self, protocol: str) -> Json:
        """Return the best trial of mfrec for a protocol."""
        inner, folds = self._validation(protocol), self._validations(protocol)
        candidates = list(islice(search.mfrec_candidates(inner.seed), self.plan.mfrec_trials))
        wanted = {"candidates": candidates, "parameters": asdict(mfrec.ALSParams()), "folds": len(folds)}
        trials = partial(_each, partial(search.try_mfrec, folds), candidates)
        return search.best(self.keep(f"search-{inner.protocol}", "mfrec", wanted, trials)["trials"])

    def tuned_moment(self, protocol: str) -> Json:
        """Return the best way to let histories fade, with mfrec's tuned parameters."""
        inner, params = self._validation(protocol), self.tuned_mfrec(protocol)["settings"]
        folds = self._validations(protocol)
        wanted = {"params": params, "moments": [asdict(tried) for tried in self.plan.moments], "folds": len(folds)}
        made = self.keep(
            f"search-{inner.protocol}",
            "mfrec-moment",
            wanted | {"parameters": asdict(mfrec.ALSParams())},
            partial(_trials, search.try_moments, folds, params, self.plan.moments),
        )
        return dict(search.best(made["trials"])["settings"])

    def tuned_tower(self, protocol: str) -> Settings:
        """Return the settings of the best two-tower."""
        return Settings.of(search.best(self._finals(protocol))["settings"])

    def timeless_tower(self, protocol: str) -> Settings | None:
        """Return the settings of the best two-tower that does not see the time, unless that is the best of all."""
        trials = self._finals(protocol)
        timeless = search.timeless(trials)
        if not timeless or search.best(trials) in timeless:
            return None
        return Settings.of(search.best(timeless)["settings"])

    def _tower_trials(self, protocol: str) -> list[Json]:
        """Return every trial on the first validation part; each training is a file, since it takes a minute."""
        inner, trials = self._validation(protocol), []
        count = self.plan.tower_trials_by_time if inner.protocol == "time" else self.plan.tower_trials
        candidates = islice(search.tower_candidates(inner.seed), count)
        for number, settings in enumerate(candidates):
            trials += self._tower_trial(inner, f"{number:02d}", settings, self.plan.snapshots)
        for name, some in (("longer", trials), ("longer-timeless", search.timeless(trials))):
            best = search.best(some)["settings"] if some else {"epochs": 0}
            # where the best is at the edge of what was tried
            if self.plan.longer and best["epochs"] == max(self.plan.snapshots):
                settings = Settings.of(best).but(epochs=ARTICLE.epochs)
                trials = trials + self._tower_trial(inner, name, settings, self.plan.longer)
        return trials

    def _tower_trial(self, inner: Split, name: str, settings: Settings, snapshots: tuple[int, ...]) -> list[Json]:
        wanted = asdict(settings) | {"snapshots": snapshots}
        make = partial(_trials, search.try_tower, inner, settings, snapshots)
        return list(self.keep(f"search-{inner.protocol}", f"two-tower-{name}", wanted, make)["trials"])

    def _finals(self, protocol: str) -> list[Json]:
        """Return the best trials as they are on all validation parts."""
        folds, finals = self._validations(protocol), []
        for number, trial in enumerate(search.finalists(self._tower_trials(protocol), self.plan.finalists)):
            wanted = {"settings": trial["settings"], "serve": trial["serve"], "folds": len(folds)}
            make = partial(_each, partial(search.try_finalist, folds), [trial])
            name = f"two-tower-final-{number}"
            finals += self.keep(f"search-{folds[0].protocol}", name, wanted, make)["trials"]
        return finals

    def _validation(self, protocol: str) -> Split:
        # where titles are cold there is nothing to choose parameters on: those of the random split serve
        return protocols.validation(self.split("random" if protocol == "cold" else protocol, FIRST_SEED))

    def _validations(self, protocol: str) -> list[Split]:
        outer = self.split("random" if protocol == "cold" else protocol, FIRST_SEED)
        return protocols.validations(outer, self.plan.folds)

    def split(self, protocol: str, seed: int) -> Split:
        """Split the data set."""
        return protocols.split(self.dataset, self.ratings, protocol, seed)

    def untuned(self) -> None:
        """Judge every contender that waits for no search, by every protocol and seed."""
        for split in self._splits():
            for name, make in contenders.BASELINES.items():
                self._judge(split, name, {}, partial(make, split))
            if split.protocol == "cold":
                self._judge(split, "mfrec, with titles", {}, partial(contenders.titles_in_words, split))
            if len(split.new_users):
                popular = partial(moment.popular_newcomers, split)
                self._judge(split, "popularity, without what was touched", {}, popular)
            if self.with_towers:
                self._judge_towers(split, "two-tower", ARTICLE, VIEWS)

    def tuned(self) -> None:
        """Judge what the searches found, by every protocol and seed."""
        for split in self._splits():
            params = {**self.tuned_mfrec(split.protocol)["settings"]}
            self._judge(split, "mfrec tuned", params, partial(contenders.mfrec_with, split, **params))
            if split.protocol != "cold":
                self._judge_moments(split, params)
            if self.with_towers:
                self._judge_towers(split, "two-tower tuned", self.tuned_tower(split.protocol), VIEWS)
                timeless = self.timeless_tower(split.protocol)
                if timeless is not None:
                    self._judge_towers(split, "two-tower tuned, without time", timeless, {"": towers.one_per_user})

    def _splits(self) -> Iterator[Split]:
        for protocol in protocols.PROTOCOLS:
            count = min(self.plan.seeds, self.plan.cold_seeds) if protocol == "cold" else self.plan.seeds
            for seed in range(FIRST_SEED, FIRST_SEED + count):
                yield self.split(protocol, seed)

    def _judge_moments(self, split: Split, params: Json) -> None:
        """Judge what mfrec does when it is told the time of an event, and with newcomers."""
        timed = self.tuned_moment(split.protocol)
        self._judge(split, "mfrec tuned, at the event's time", timed, partial(moment.at_event_times, split, timed))
        past = partial(moment.at_event_times, split, timed, past=True)
        self._judge(split, "mfrec tuned, at the event's time, from the past alone", timed | {"past": True}, past)
        if len(split.new_users):
            self._judge(split, "mfrec tuned, folding in", params, partial(moment.folding_in, split, params))

    def _judge_towers(self, split: Split, name: str, settings: Settings, views: Mapping[str, View]) -> None:
        settings = self.plan.cap(settings.but(seed=split.seed))

        @cache
        def trained() -> towers.Towers:
            # TFRS's own figures are held against ours where they mean the same: every test event, known users
            return towers.train(split, settings, own=split.protocol == "random")[-1]

        for suffix, view in views.items():
            self._judge(split, name + suffix, asdict(settings), partial(_viewed, view, split, trained))

    def _judge(self, split: Split, name: str, settings: Json, make: Callable[[], Contender]) -> None:
        # what is not named in the settings is a default
        version = {"parameters": asdict(mfrec.ALSParams())} if name.startswith("mfrec") else {}

        def result() -> Json:
            contender = make()
            directions = ("user2item",) if split.protocol == "cold" else tuple(mfrec.DIRECTIONS)
            return {
                "fit_seconds": contender.fit_seconds,
                "settings": dict(contender.settings),
                "extra": dict(contender.extra),
                "train": len(split.train),
                "test": len(split.test),
                "metrics": judge(split, contender, directions) | judge_strangers(split, contender),
                "users": by_user(split, contender) if split.protocol == "time" else {},
            }

        self.keep(f"{split.protocol}-{split.seed}", name, settings | version, result)

    def curves(self) -> None:
        """Measure accuracy against training time."""
        split = self.split("random", FIRST_SEED)
        params = self.tuned_mfrec("random")["settings"]
        for name, given in (("mfrec", {}), ("mfrec tuned", params)):
            self.keep("curve", name, {"given": given}, partial(self._mfrec_curve, split, given))
        if not self.with_towers:
            return
        tuned = self.tuned_tower("random")
        for name, settings in (("two-tower", ARTICLE), ("two-tower tuned", tuned)):
            wanted = self.plan.cap(settings.but(epochs=max(self.plan.curve)))
            self.keep("curve", name, asdict(wanted), partial(self._tower_curve, split, wanted))

    def _mfrec_curve(self, split: Split, params: Json) -> Json:
        points = []
        for iterations in self.plan.mfrec_curve:
            make = partial(contenders.mfrec_with, split, **{**params, "iterations": iterations})
            fits = [make() for _ in range(self.plan.mfrec_fits)]
            value = judge(split, fits[0], ("user2item",))[CURVE]
            seconds = statistics.median(fit.fit_seconds for fit in fits)
            points.append({"passes": iterations, "fit_seconds": seconds, "value": value})
        return {"metric": CURVE, "points": points}

    def _tower_curve(self, split: Split, settings: Settings) -> Json:
        points = []
        for tower in towers.train(split, settings, self.plan.curve):
            # the better of asking at the event's time and at the user's last
            value = max(judge(split, view(split, tower), ("user2item",))[CURVE] for view in search.VIEWS.values())
            points.append({"passes": tower.epoch, "fit_seconds": tower.fit_seconds, "value": value})
        return {"metric": CURVE, "points": points}

    def costs(self) -> None:
        """Measure whole processes, with the article's settings and mfrec's defaults."""
        split, settings = self.split("random", FIRST_SEED), self.plan.cap(ARTICLE)
        user = USER if USER in split.train.ids.user else split.train.ids.user.id(0)
        title = TITLE if TITLE in split.train.ids.item else split.train.ids.item.id(0)
        wanted = asdict(settings) | {"queries": self.plan.queries, "repeats": self.plan.repeats}
        wanted |= {"parameters": asdict(mfrec.ALSParams()), "towers": self.with_towers}
        self.keep(
            "costs",
            "costs",
            wanted,
            lambda: costs.measure(
                split,
                settings,
                queries=self.plan.queries,
                repeats=self.plan.repeats,
                user=str(user),
                title=str(title),
            ),
        )


def _viewed(view: View, split: Split, trained: Callable[[], towers.Towers]) -> Contender:
    return view(split, trained())


def _each(trial: Callable[[Json], Json], candidates: list[Json]) -> Json:
    return {"trials": [trial(candidate) for candidate in candidates]}


def _trials(make: Callable[..., list[Json]], *given: Any) -> Json:
    return {"trials": make(*given)}
