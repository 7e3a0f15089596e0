"""Scorers: the model's own, and the baselines that every figure stands beside.

A baseline knows the training interactions of the model and nothing else, so a saved model suffices to evaluate it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from implicit.nearest_neighbours import all_pairs_knn, bm25_weight, normalize
from scipy.sparse import csr_matrix

from mfrec.arrays import Numbers, Scores, unit_rows
from mfrec.data.interactions import Interactions
from mfrec.directions import DIRECTIONS, Pair, Side, other
from mfrec.evaluation.ranking import Scorer
from mfrec.model.adjacency import Adjacency
from mfrec.model.best import best_of, places_in
from mfrec.model.factors import Factors
from mfrec.model.ids import IdMap

# what co-occurs is counted raw, as a cosine, or weighed by BM25 (as ``implicit`` has it)
MEASURES: Mapping[str, Callable[[csr_matrix], Any]] = {
    "co-occurrence": lambda rows: rows,
    "kNN cosine": normalize,
    "kNN BM25": partial(bm25_weight, K1=1.2, B=0.75),
}
# of recent popularity and recent activity, in days
HALF_LIVES = (7, 30, 90)
# how many neighbours each item or user has; of 20, 50, 100, 200 and 500 none was better everywhere
KNN_NEIGHBOURS = 200


def degree(adjacency: Pair[Adjacency], side: Side) -> Scores:
    """Return how many training interactions each user or item has, as float32 scores."""
    return adjacency[side].degree.astype(np.float32)


def recent_degrees(train: Interactions | None, ids: Pair[IdMap]) -> dict[int, Pair[Scores]]:
    """Return the recent degrees of a training part, by half-life in days, over other ids.

    There are none without times, and none where interactions of the same period are held out: what is recent is then
    not what comes before.
    """
    if train is None or train.thinned:
        return {}
    places = Pair.of(lambda side: ids[side].find(train.ids[side]))

    def over(side: Side, values: Scores) -> Scores:
        known, found = places[side] >= 0, np.zeros(len(ids[side]), np.float32)
        found[places[side][known]] = values[known]
        return found

    found = {days: train.recent_degree(days) for days in HALF_LIVES}
    return {days: Pair(over("user", r.user), over("item", r.item)) for days, r in found.items() if r is not None}


def constant(scores: Scores) -> Scorer:
    """Score the targets the same for every query."""
    return lambda numbers: np.tile(scores, (len(numbers), 1))


def at_random(n_targets: int, seed: int) -> Scorer:
    """Score at random: one random vector of scores for all, begun elsewhere for every query.

    A query's scores depend on the seed and on its number alone, and each target has each place as often as any other.
    """
    drawn = np.random.default_rng(seed).random(n_targets, np.float32)
    twice = np.concatenate([drawn, drawn])

    def score(numbers: Numbers) -> Scores:
        # multiples of the golden ratio fall evenly and never twice on the same place in a row
        starts = (numbers * GOLDEN % 1 * n_targets).astype(np.int64)
        return np.stack([twice[start : start + n_targets] for start in starts.tolist()])

    return score


def dot(factors: Factors, query: Side, target: Side) -> Scorer:
    """Score by the inner product of the factors."""
    return lambda numbers: factors[query][numbers] @ factors[target].T


def cosine(factors: Factors, side: Side) -> Scorer:
    """Score by the cosine of what is compared on one side; 0 where a vector is zero."""
    unit = unit_rows(factors.same_side[side])
    return lambda numbers: unit[numbers] @ unit.T


GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, eq=False)
class Training:
    """What the baselines know: the training interactions, how many users vote in user2user, and a seed.

    Where what is held out comes after all of them, ``recent`` has the recent degrees by half-life in days.
    """

    adjacency: Pair[Adjacency]
    neighbours: int
    seed: int
    recent: Mapping[int, Pair[Scores]] = field(default_factory=dict)
    _similar: dict[tuple[Side, str], csr_matrix] = field(default_factory=dict)

    @cached_property
    def rows(self) -> Pair[csr_matrix]:
        """The training interactions as ones: users x items, and items x users."""
        return Pair.of(lambda side: _matrix(self.adjacency, side))

    def similar(self, side: Side, measure: str) -> csr_matrix:
        """Return each user's (item's) nearest by a measure of `MEASURES`, as float32 CSR of shape (n, n).

        As ``implicit`` counts them: Sarwar, Karypis, Konstan and Riedl, "Item-based Collaborative Filtering
        Recommendation Algorithms" (2001).
        """
        if (side, measure) not in self._similar:
            weighted = csr_matrix(MEASURES[measure](self.rows[side].astype(np.float64)).T)
            found = all_pairs_knn(weighted, KNN_NEIGHBOURS, show_progress=False)
            self._similar[side, measure] = found.tocsr().astype(np.float32)
        return self._similar[side, measure]


def knn(data: Training, direction: str, measure: str) -> Scorer:
    """Score by nearest neighbours, item-kNN or user-kNN.

    Across sides a user scores an item by the user's training items that are among the item's nearest: the sum of their
    similarities. On one side the similarity itself counts, or what the nearest users vote for.
    """
    if direction == "user2user":
        voters = _voters(data.similar("user", measure), data.neighbours)
        return lambda numbers: _dense(voters[numbers] @ data.rows.user)
    near = data.similar("item", measure)
    if direction == "item2item":
        return lambda numbers: _dense(near[numbers])
    queries, targets = (data.rows.user, near.T.tocsr()) if direction == "user2item" else (near, data.rows.item)
    return lambda numbers: _dense(queries[numbers] @ targets)


def _voters(near: csr_matrix, neighbours: int) -> csr_matrix:
    """Return the nearest of each row, without itself; as `votes` chooses them from all similarities."""
    near.sort_indices()
    rows = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
    kept = (near.indices != rows) & (near.data > 0)
    rows, numbers, places = rows[kept], near.indices[kept], places_in(rows[kept], near.shape[0])
    # one row per user, its neighbours in the order of their numbers, so that ties go to the lower ones
    scores = np.full((near.shape[0], int(places.max(initial=0)) + 1), -np.inf, np.float32)
    columns = np.zeros(scores.shape, numbers.dtype)
    scores[rows, places], columns[rows, places] = near.data[kept], numbers
    best = best_of(scores, neighbours)
    first = best.place < neighbours
    rows, places = best.rows[first], best.columns[first]
    return csr_matrix((best.scores[first], (rows, columns[rows, places])), shape=near.shape)


def _dense(scores: csr_matrix) -> Scores:
    dense: Scores = scores.toarray()
    return dense


def votes(similar: Scorer, data: Training) -> Scorer:
    """Score items by the users most similar to the one asked for: the sum of their similarities per training item.

    Parameters
    ----------
    similar
        Scores every user for some users; the user itself never votes, and neither does a similarity of 0 or less.
    data
        The training data, and how many vote. Where similarities tie at the border, the lower numbers do.
    """

    def score(numbers: Numbers) -> Scores:
        similarity = similar(numbers)
        similarity[np.arange(len(numbers)), numbers] = -np.inf
        best = best_of(similarity, data.neighbours)
        near = best.place < data.neighbours
        weights = np.maximum(best.scores[near], 0)
        voters = csr_matrix((weights, (best.rows[near], best.columns[near])), shape=similarity.shape)
        return _dense(voters @ data.rows.user)

    return score


def _matrix(adjacency: Pair[Adjacency], side: Side) -> csr_matrix:
    own = adjacency[side]
    ones = np.ones(len(own.numbers), np.float32)
    return csr_matrix((ones, own.numbers, own.starts), shape=(len(own), len(adjacency[other(side)])))


def model_scorer(name: str, factors: Factors, data: Training) -> Scorer:
    """Return the model's scores of what a direction is judged by."""
    direction = DIRECTIONS[name]
    if direction.across:
        return dot(factors, direction.query, direction.target)
    near = cosine(factors, direction.query)
    return near if name == "item2item" else votes(near, data)


Baseline = Callable[[Training], Scorer]


def _knn(direction: str) -> dict[str, Baseline]:
    return {name: partial(knn, direction=direction, measure=name) for name in MEASURES}


def recent_baselines(direction: str, data: Training) -> dict[str, Scorer]:
    """Return recent popularity, for item2user recent activity, at every half-life that there is."""
    side, what = DIRECTIONS[direction].target if DIRECTIONS[direction].across else "item", "popularity"
    if side == "user":
        what = "activity"
    return {f"recent {what}, {days} days": constant(recent[side]) for days, recent in data.recent.items()}


# per direction: name -> what makes the scorer; in user2user "random" and "most-active" choose the voters
BASELINES: Mapping[str, Mapping[str, Baseline]] = {
    "user2item": {
        "popularity": lambda data: constant(degree(data.adjacency, "item")),
        "random": lambda data: at_random(len(data.adjacency.item), data.seed),
        **_knn("user2item"),
    },
    "item2item": {
        "popularity": lambda data: constant(degree(data.adjacency, "item")),
        "random": lambda data: at_random(len(data.adjacency.item), data.seed),
        **_knn("item2item"),
    },
    "user2user": {
        "popularity": lambda data: constant(degree(data.adjacency, "item")),
        "most-active": lambda data: votes(constant(degree(data.adjacency, "user")), data),
        "random": lambda data: votes(at_random(len(data.adjacency.user), data.seed), data),
        **_knn("user2user"),
    },
    "item2user": {
        "most-active": lambda data: constant(degree(data.adjacency, "user")),
        "random": lambda data: at_random(len(data.adjacency.user), data.seed),
        **_knn("item2user"),
    },
}
