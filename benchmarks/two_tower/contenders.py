"""The contenders that run in mfrec's environment; the two-towers are in ``towers.py``.

`at_event_times` asks mfrec at a moment, as a two-tower is asked that sees the time of an event: the user's history is
folded in anew, and what lies far from that moment counts less. That takes no other fit.
"""

import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from implicit.nearest_neighbours import CosineRecommender
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

import mfrec
from benchmarks.two_tower.evaluate import Contender, by_factors
from benchmarks.two_tower.exchange import Numbers, Vectors
from benchmarks.two_tower.splits import Split, times
from mfrec.coldstart.catalogue import title_years
from mfrec.coldstart.content import fit_content, weights_of
from mfrec.evaluation import Scorer
from mfrec.evaluation.baselines import at_random, constant, dot
from mfrec.model.fold_in import fold_in

# of the item-kNN; 20 (the default of implicit) to 200 were tried on a validation split, and more were better
NEIGHBOURS = 200


def popularity(split: Split) -> Contender:
    """Rank titles by how often they were rated, and users by how much they rated."""
    degree = split.train.degree
    return _alike(*(constant(degree[side].astype(np.float32)) for side in ("item", "user")))


def random(split: Split) -> Contender:
    """Rank at random."""
    n_users, n_items = split.train.shape
    return _alike(at_random(n_items, split.seed), at_random(n_users, split.seed))


def _alike(items: Scorer, users: Scorer) -> Contender:
    return Contender({"user2item": items, "item2item": items, "user2user": users, "item2user": users})


def item_knn(split: Split) -> Contender:
    """Score by implicit's item-kNN (cosine); user2user by the same on the transposed matrix."""
    began = time.perf_counter()
    seen = csr_matrix((np.ones(len(split.train)), split.train.matrix.indices, split.train.matrix.indptr))
    seen.resize(split.train.shape)
    near = _neighbours(seen)
    seconds = time.perf_counter() - began
    scores = (seen @ near).astype(np.float32)
    scorers = {
        "user2item": _rows(scores),
        "item2item": _rows(near.astype(np.float32)),
        "user2user": _rows(_neighbours(seen.T.tocsr()).astype(np.float32)),
        "item2user": _rows(scores.T.tocsr()),
    }
    return Contender(scorers, fit_seconds=seconds, settings={"neighbours": NEIGHBOURS})


def mfrec_with(split: Split, **changes: Any) -> Contender:
    """Fit mfrec; what is not named keeps its default. Every target is scored: no index is built."""
    params = mfrec.ALSParams(**{"seed": split.seed, **changes})
    began = time.perf_counter()
    factors = mfrec.fit_als(split.train, params)
    seconds = time.perf_counter() - began
    return Contender(by_factors(factors), factors=factors, fit_seconds=seconds, settings=asdict(params))


def titles_in_words(split: Split) -> Contender:
    """Fit mfrec, and give titles without any event a vector from their words and year, as a title tower does."""
    plain, degree = mfrec_with(split), split.train.degree.item
    began = time.perf_counter()
    factors, warm = _factors(plain), degree > 0
    titles = pd.DataFrame({"title": list(split.train.ids.item)})
    titles["year"] = title_years(titles["title"])
    content = fit_content(
        factors.item[warm],
        titles[warm],
        text=["title"],
        numbers=["year"] if titles.loc[warm, "year"].notna().any() else [],
        weights=weights_of("item", degree[warm]),
        degree=degree[warm],
        seed=split.seed,
    )
    items = factors.item.copy()
    items[~warm] = content.vectors(titles[~warm])
    seconds = plain.fit_seconds + time.perf_counter() - began
    scorers = {"user2item": dot(mfrec.Factors(factors.user, items), "user", "item")}
    return Contender(scorers, fit_seconds=seconds, settings=plain.settings, extra={"content_alpha": content.alpha})


BASELINES: Mapping[str, Callable[[Split], Contender]] = {
    "popularity": popularity,
    "random": random,
    "item-kNN": item_knn,
    "mfrec": mfrec_with,
}


def _neighbours(matrix: csr_matrix) -> csr_matrix:
    model = CosineRecommender(K=NEIGHBOURS)
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        # implicit warns of a conversion that it makes itself
        warnings.simplefilter("ignore")
        model.fit(matrix, show_progress=False)
    return model.similarity


def _rows(scores: csr_matrix) -> Scorer:
    return lambda numbers: np.asarray(scores[numbers].toarray(), np.float32)


# numbers, weights and decay of a history
History = tuple[Numbers, NDArray[np.float32], NDArray[np.float64]]


@dataclass(frozen=True)
class Moment:
    """How fast a history fades with its distance in time from the event, on either side."""

    # after so long, what is above the floor has halved; 0 is a user's own vector, whenever it is asked for
    decay_seconds: float
    # what is left of the confidence of an interaction at any distance
    floor: float

    def decay(self, history: Numbers, event: int) -> NDArray[np.float64]:
        """Return factors with mean 1, so that a history weighs the same in all."""
        if not self.decay_seconds:
            return np.ones(len(history))
        # counted from the nearest interaction: what lies far in the past as a whole does not fade as a whole
        far = np.abs(history - event).astype(np.float64)
        factors = self.floor + (1 - self.floor) * 0.5 ** ((far - far.min()) / self.decay_seconds)
        faded: NDArray[np.float64] = factors / factors.mean()
        return faded


DAY = 24 * 3600.0
_TRIED = product((60.0, 300.0, 1800.0, DAY, 30 * DAY), (0.01, 0.05, 0.2))
MOMENTS = (Moment(0.0, 1.0), *(Moment(half_life, floor) for half_life, floor in _TRIED))


def at_event_times(split: Split, settings: Mapping[str, Any], *, past: bool = False) -> Contender:
    """Fit mfrec and ask it for each event with the user's training history as it fades from that event's time."""
    params = dict(settings)
    moment = Moment(params.pop("decay_seconds"), params.pop("floor"))
    return asked_at(split, mfrec_with(split, **params), moment, past=past)


def asked_at(split: Split, plain: Contender, moment: Moment, *, past: bool = False) -> Contender:
    """Return a fitted contender that is asked at the time of each event.

    New users have no history, and tie. ``past`` takes in only what is strictly earlier than the event; who has
    nothing earlier is asked for with the mean user's vector then.
    """
    train, factors = split.train, _factors(plain)
    starts, moments = train.matrix.indptr, times(train)

    def history(user: int, event: int) -> History | None:
        row = np.arange(starts[user], starts[user + 1])
        row = row[moments[row] < event] if past else row
        return (train.items[row], train.weights[row], moment.decay(moments[row], event)) if len(row) else None

    users = np.concatenate([split.test.users, split.new_users.users])
    vectors = factors.user[users]
    if moment.decay_seconds or past:
        events = np.concatenate([times(split.test), times(split.new_users)])
        nobody = factors.user.mean(axis=0) if past else np.zeros(factors.size, np.float32)
        vectors = _folded(factors, map(history, users.tolist(), events.tolist()), nobody)
    settings = {**plain.settings, **asdict(moment)}
    return Contender(events=_dot(vectors, factors.item), fit_seconds=plain.fit_seconds, settings=settings)


def folding_in(split: Split, params: Mapping[str, Any]) -> Contender:
    """Fit mfrec once, then answer new users from what they have interacted with so far; nothing is trained again.

    Who has no events yet gets the answer for the mean user. Seen titles are not offered again.
    """
    plain = mfrec_with(split, **params)
    factors, new = _factors(plain), split.new_users
    rows = _before(new)
    histories = ((new.items[row], new.weights[row], np.ones(len(row))) if len(row) else None for row in rows)
    vectors = _folded(factors, histories, factors.user.mean(axis=0))
    newcomers = _unseen(_dot(vectors, factors.item), new)
    return Contender(newcomers=newcomers, fit_seconds=plain.fit_seconds, settings=plain.settings)


def popular_newcomers(split: Split) -> Contender:
    """Answer new users by popularity, without what they have interacted with so far."""
    popular = constant(split.train.degree.item.astype(np.float32))
    return Contender(newcomers=_unseen(popular, split.new_users))


def _unseen(scorer: Scorer, events: mfrec.Interactions) -> Scorer:
    """Take out of the scores for each event what its user has seen before."""
    before = _before(events)

    def score(numbers: Numbers) -> Vectors:
        scores = np.array(scorer(numbers))
        for place, number in enumerate(numbers.tolist()):
            scores[place, events.items[before[number]]] = -np.inf
        return scores

    return score


def _before(events: mfrec.Interactions) -> list[Numbers]:
    """Return, per event, the events of the same user that are strictly earlier."""
    moments, starts = times(events), events.matrix.indptr
    rows = [np.arange(starts[user], starts[user + 1]) for user in events.users.tolist()]
    return [row[moments[row] < moment] for row, moment in zip(rows, moments.tolist(), strict=True)]


def _factors(contender: Contender) -> mfrec.Factors:
    if contender.factors is None:
        raise ValueError("only mfrec can be asked at a moment")
    return contender.factors


def _dot(vectors: Vectors, items: Vectors) -> Scorer:
    return lambda numbers: vectors[numbers] @ items.T


def _folded(factors: mfrec.Factors, histories: Iterable[History | None], otherwise: NDArray[np.float32]) -> Vectors:
    vectors = [
        otherwise if history is None else fold_in(factors, "user", history[0].astype(np.int64), *history[1:])
        for history in histories
    ]
    return np.stack(vectors) if vectors else np.zeros((0, factors.size), np.float32)
