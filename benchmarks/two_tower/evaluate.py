"""One evaluation for every contender: `mfrec.evaluate` on scores, in numpy; nobody's own metrics count."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mfrec
from benchmarks.two_tower.exchange import Vectors
from benchmarks.two_tower.splits import Split
from mfrec.arrays import Numbers
from mfrec.evaluation import Scorer
from mfrec.evaluation.baselines import cosine, dot
from mfrec.evaluation.metrics import hit_rate
from mfrec.evaluation.ranking import Task, by_scores
from mfrec.model.adjacency import Adjacency

KS = (1, 5, 10, 20, 50, 100)
METRICS = ("hit_rate", "recall", "ndcg")
# what is kept by user, too
BY_USER = (10, 100)
SEEN = ("plain", "unseen")

# item2item has a query per user and recent item; so many of them, drawn at random, are asked
ITEM2ITEM_QUERIES = 5_000

Metrics = dict[str, float]


@dataclass(frozen=True, eq=False)
class Contender:
    """Something that ranks."""

    # per direction, the scores of all targets by query number; a direction that is missing is not evaluated
    scorers: Mapping[str, Scorer] = field(default_factory=dict)
    # of mfrec, which is asked with other vectors, too
    factors: mfrec.Factors | None = None
    # scores of all titles by the position of a test event, where the query depends on when it is asked; the events
    # of new users stand last
    events: Scorer | None = None
    # scores of all titles by the position of a new user's event, of what takes such events in as they come
    newcomers: Scorer | None = None
    # how long the training took, without imports and reading; with what settings; what else is worth keeping (JSON)
    fit_seconds: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def by_factors(factors: mfrec.Factors) -> dict[str, Scorer]:
    """Return the scores of one vector per user and title: inner products across the sides, cosines within one."""
    return {
        name: dot(factors, d.query, d.target) if d.across else cosine(factors, d.query)
        for name, d in mfrec.DIRECTIONS.items()
    }


def evaluate(split: Split, contender: Contender, directions: tuple[str, ...] = tuple(mfrec.DIRECTIONS)) -> Metrics:
    """Return every figure of a contender, as ``"user2item/unseen/hit_rate@10"`` and the like.

    ``hit_rate`` is the mean over events (the article's top-k categorical accuracy), the others are means over
    queries. ``user2item/...`` of a contender whose query depends on the time is measured with the query at the
    time of each event, which gives hit rates alone.
    """
    found: Metrics = {}
    if contender.events is not None:
        hits = _event_hits(split, np.arange(len(split.test)), contender.events, KS)
        found = {name: float(values.mean()) for name, values in hits.items()}
        directions = tuple(d for d in directions if d != "user2item")
    asked = [d for d in directions if d in contender.scorers]
    if not asked:
        return found
    # a model that carries ids and training interactions and scores nothing
    users, items = (np.zeros((count, 1), np.float32) for count in split.train.shape)
    report = mfrec.evaluate(
        mfrec.build(split.train, mfrec.Factors(users, items), mfrec.IndexParams(index="exact")),
        split.test,
        KS,
        directions=asked,
        train=split.train,
        scorers={"contender": contender.scorers},
        baselines=False,
        max_queries=ITEM2ITEM_QUERIES,
    )
    for row in report.rows:
        if row.contender == "contender" and row.segment == "all" and row.metric in METRICS:
            found[f"{row.direction}/{row.protocol}/{row.metric}@{row.k}"] = row.value
    return found


def evaluate_cold(split: Split, contender: Contender) -> Metrics:
    """Return hit rates where the model has seen nothing: titles and users without any training event.

    ``cold titles`` are ranked among all titles, and among the cold ones alone; ``new users`` get all titles.
    """
    return _cold_titles(split, contender) | _new_users(split, contender)


def _cold_titles(split: Split, contender: Contender) -> Metrics:
    scorer, test = _user2item(contender), split.test
    if scorer is None:
        return {}
    cold = split.train.degree.item == 0
    chosen = np.flatnonzero(cold[test.items])
    asked, targets = chosen if contender.events is not None else test.users[chosen], test.items[chosen]
    found = {"cold titles/events": float(len(chosen)), "cold titles/titles": float(cold.sum())}
    found |= _hit_rates("cold titles", asked, targets, scorer, np.zeros_like(cold))
    return found | _hit_rates("cold titles among themselves", asked, targets, scorer, ~cold)


def _new_users(split: Split, contender: Contender) -> Metrics:
    new = split.new_users
    places = np.arange(len(new))
    ways = ((contender.newcomers, places), (contender.events, len(split.test) + places))
    for scorer, asked in (*ways, (contender.scorers.get("user2item"), new.users)):
        if scorer is not None:
            counts = {"new users/events": float(len(new)), "new users/users": float(len(np.unique(new.users)))}
            hidden = np.zeros(split.train.shape[1], np.bool_)
            return counts | _hit_rates("new users", asked, new.items, scorer, hidden)
    return {}


def _user2item(contender: Contender) -> Scorer | None:
    return contender.events or contender.scorers.get("user2item")


def _hit_rates(name: str, asked: Numbers, targets: Numbers, scorer: Scorer, hidden: NDArray[np.bool_]) -> Metrics:
    if not len(asked):
        return {}

    def visible(numbers: Numbers) -> Vectors:
        scores = np.array(scorer(numbers))
        scores[:, hidden] = -np.inf
        return scores

    nothing = _no_adjacency(len(asked))
    task = _one_each(asked, targets, {"plain": nothing, "unseen": nothing}, len(hidden))
    outcome = by_scores(task, visible, ("plain",), KS)
    return {f"{name}/hit_rate@{k}": float(hit_rate(outcome["plain"].ranks, k).mean()) for k in KS}


def by_user(split: Split, contender: Contender) -> dict[str, list[float]]:
    """Return the number of test events and of expected user2item hits of each user with test events.

    Where the split is the same for all seeds, the users are what a difference has to hold against.
    """
    scorer, users = _user2item(contender), split.test.users
    if scorer is None:
        return {}
    asked = np.arange(len(users)) if contender.events is not None else users
    found = {"events": np.ones(len(users))} | _event_hits(split, asked, scorer, BY_USER)
    rows = np.unique(users)
    return {name: np.bincount(users, hits)[rows].round(6).tolist() for name, hits in found.items()}


def _event_hits(split: Split, asked: Numbers, scorer: Scorer, ks: tuple[int, ...]) -> dict[str, NDArray[np.float64]]:
    """Return the expected hits of each test event, by protocol and k."""
    users, items = split.test.users, split.test.items
    rows = split.train.matrix[users]
    masks = {"plain": _no_adjacency(len(users)), "unseen": Adjacency.from_csr(rows.indptr, rows.indices)}
    outcomes = by_scores(_one_each(asked, items, masks, split.train.shape[1]), scorer, SEEN, ks)
    return {f"user2item/{p}/hit_rate@{k}": hit_rate(outcomes[p].ranks, k) for p in SEEN for k in ks}


def _one_each(queries: Numbers, targets: Numbers, masks: Mapping[str, Adjacency], n_targets: int) -> Task:
    return Task(queries, Adjacency(np.arange(len(queries) + 1), targets), masks, n_targets)


def _no_adjacency(count: int) -> Adjacency:
    return Adjacency(np.zeros(count + 1, np.int64), np.zeros(0, np.int64))
