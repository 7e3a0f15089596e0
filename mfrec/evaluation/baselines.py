"""Scorers: the model's own, and the baselines that every figure stands beside.

A baseline knows the training interactions of the model and nothing else, so a saved model suffices to evaluate it.
"""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.sparse import csr_matrix

from mfrec.arrays import Numbers, Scores, unit_rows
from mfrec.directions import DIRECTIONS, Pair, Side, other
from mfrec.evaluation.ranking import Scorer, best_k, best_scores
from mfrec.model.adjacency import Adjacency
from mfrec.model.factors import Factors

Baseline = Callable[[Pair[Adjacency], int, int], Scorer]


def degree(adjacency: Pair[Adjacency], side: Side) -> Scores:
    """Return how many training interactions each user or item has, as float32 scores."""
    return adjacency[side].degree.astype(np.float32)


def constant(scores: Scores) -> Scorer:
    """Score the targets the same for every query."""
    return lambda numbers: np.tile(scores, (len(numbers), 1))


def at_random(n_targets: int, seed: int) -> Scorer:
    """Score uniformly at random; a query's scores depend on the seed and on that query alone."""

    def score(numbers: Numbers) -> Scores:
        rows = [np.random.default_rng((seed, n)).random(n_targets, np.float32) for n in numbers.tolist()]
        return np.stack(rows)

    return score


def dot(factors: Factors, query: Side, target: Side) -> Scorer:
    """Score by the inner product of the factors."""
    return lambda numbers: factors[query][numbers] @ factors[target].T


def cosine(factors: Factors, side: Side) -> Scorer:
    """Score by the cosine of the factors; 0 where a vector is zero."""
    unit = unit_rows(factors[side])
    return lambda numbers: unit[numbers] @ unit.T


def together(adjacency: Pair[Adjacency], side: Side) -> Scorer:
    """Score by co-occurrence: the cosine of the rows of training interactions, as an item-kNN or user-kNN does.

    The number of common interactions over the root of both degrees: Sarwar, Karypis, Konstan and Riedl, "Item-based
    Collaborative Filtering Recommendation Algorithms" (2001).
    """
    rows = _matrix(adjacency, side)
    columns = rows.T.tocsr()
    weight = (1 / np.sqrt(np.maximum(degree(adjacency, side), 1))).astype(np.float32)

    def score(numbers: Numbers) -> Scores:
        common: Scores = (rows[numbers] @ columns).toarray()
        common *= weight
        common *= weight[numbers][:, None]
        return common

    return score


def votes(similar: Scorer, adjacency: Pair[Adjacency], neighbours: int) -> Scorer:
    """Score items by the users most similar to the one asked for: the sum of their similarities per training item.

    Parameters
    ----------
    similar
        Scores every user for some users; the user itself never votes, and neither does a similarity of 0 or less.
    adjacency
        The training data.
    neighbours
        How many vote. Where similarities tie at the border, the lower numbers do.
    """
    items = _matrix(adjacency, "user")

    def score(numbers: Numbers) -> Scores:
        similarity = similar(numbers)
        similarity[np.arange(len(numbers)), numbers] = -np.inf
        nearest = best_k(similarity, best_scores(similarity, neighbours), neighbours)
        voters = csr_matrix(np.where(nearest, np.maximum(similarity, 0), np.float32(0)))
        counted: Scores = (voters @ items).toarray()
        return counted

    return score


def _matrix(adjacency: Pair[Adjacency], side: Side) -> csr_matrix:
    own = adjacency[side]
    ones = np.ones(len(own.numbers), np.float32)
    return csr_matrix((ones, own.numbers, own.starts), shape=(len(own), len(adjacency[other(side)])))


def model_scorer(name: str, factors: Factors, adjacency: Pair[Adjacency], neighbours: int) -> Scorer:
    """Return the model's scores of what a direction is judged by."""
    direction = DIRECTIONS[name]
    if direction.across:
        return dot(factors, direction.query, direction.target)
    near = cosine(factors, direction.query)
    return near if name == "item2item" else votes(near, adjacency, neighbours)


# per direction: name -> what makes the scorer from the training data, the number of neighbours and a seed; in
# user2user "random" and "most-active" choose the voters
BASELINES: Mapping[str, Mapping[str, Baseline]] = {
    "user2item": {
        "popularity": lambda data, neighbours, seed: constant(degree(data, "item")),
        "random": lambda data, neighbours, seed: at_random(len(data.item), seed),
    },
    "item2item": {
        "popularity": lambda data, neighbours, seed: constant(degree(data, "item")),
        "random": lambda data, neighbours, seed: at_random(len(data.item), seed),
        "co-occurrence": lambda data, neighbours, seed: together(data, "item"),
    },
    "user2user": {
        "popularity": lambda data, neighbours, seed: constant(degree(data, "item")),
        "most-active": lambda data, neighbours, seed: votes(constant(degree(data, "user")), data, neighbours),
        "random": lambda data, neighbours, seed: votes(at_random(len(data.user), seed), data, neighbours),
        "co-occurrence": lambda data, neighbours, seed: votes(together(data, "user"), data, neighbours),
    },
    "item2user": {
        "most-active": lambda data, neighbours, seed: constant(degree(data, "user")),
        "random": lambda data, neighbours, seed: at_random(len(data.user), seed),
    },
}
