"""Metrics: by hand, against every order of tied scores, and against scikit-learn."""

import math
import tracemalloc
from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import (
    label_ranking_average_precision_score,
    ndcg_score,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from mfrec.errors import DataError, ParameterError
from mfrec.evaluation import metrics
from mfrec.evaluation.metrics import MISSED, RANK_METRICS, Ranks


def ranks_of(scores: np.ndarray, relevant: np.ndarray) -> Ranks:
    """Count the ranks the slow and obvious way."""
    query, target = np.nonzero(relevant)
    own = scores[query, target][:, None]
    return Ranks(query, (scores[query] > own).sum(1), (scores[query] == own).sum(1))


# one query: hits at ranks 1 and 3, a third beyond; another: one hit at rank 2
BY_HAND = Ranks.of([0, 0, 0, 1], [1, 3, 50, 2])
LOG3 = math.log2(3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hit_rate", [1, 1, 0, 1]),
        ("query_hit_rate", [1, 1]),
        ("recall", [2 / 3, 1]),
        ("precision", [2 / 5, 1 / 5]),
        ("ndcg", [(1 + 1 / 2) / (1 + 1 / LOG3 + 1 / 2), 1 / LOG3]),
        ("map", [(1 + 2 / 3) / 3, 1 / 2]),
        ("mrr", [1, 1 / 2]),
    ],
)
def test_values_by_hand(name: str, expected: list[float]) -> None:
    assert RANK_METRICS[name](BY_HAND, 5) == pytest.approx(expected)


@pytest.mark.parametrize("name", RANK_METRICS)
def test_best_and_worst(name: str) -> None:
    best = Ranks.of([0, 0, 0, 1, 1], [1, 2, 3, 1, 2])
    k = 2 if name == "precision" else 10
    assert RANK_METRICS[name](best, k) == pytest.approx(1)
    worst = Ranks.of([0, 0, 1], [11, 12, MISSED + 1])
    assert RANK_METRICS[name](worst, 10).tolist() == [0.0] * (3 if name == "hit_rate" else 2)


@pytest.mark.parametrize("name", RANK_METRICS)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("seed", range(12))
def test_ties_give_the_mean_over_all_orders(name: str, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, 5)
    relevant = rng.permutation([True, True, rng.random() < 0.5, False, False])
    tied = ranks_of(scores[None], relevant[None])
    each = []
    for order in permutations(range(5)):
        sorted_order = sorted(order, key=lambda target: -scores[target])
        rank = [sorted_order.index(t) + 1 for t in np.flatnonzero(relevant).tolist()]
        each.append(RANK_METRICS[name](Ranks.of(np.zeros(len(rank), int), rank), k).mean())
    # every order of the tied targets comes up equally often among the permutations of all
    assert RANK_METRICS[name](tied, k).mean() == pytest.approx(np.mean(each))


def random_case(ties: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    scores = rng.integers(0, 6, (40, 30)).astype(float) if ties else rng.random((40, 30))
    relevant = rng.random((40, 30)) < 0.15
    relevant[:, 0] = True
    return scores, relevant


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("k", [1, 5, 10, 30])
def test_ndcg_equals_scikit_learn_with_ties_too(ties: bool, k: int) -> None:
    scores, relevant = random_case(ties)
    expected = ndcg_score(relevant, scores, k=k)
    assert metrics.ndcg(ranks_of(scores, relevant), k).mean() == pytest.approx(expected)


def test_average_precision_equals_scikit_learn() -> None:
    scores, relevant = random_case(ties=False)
    expected = label_ranking_average_precision_score(relevant, scores)
    assert metrics.average_precision(ranks_of(scores, relevant), 30).mean() == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 5, 10, 30])
def test_recall_and_precision_equal_scikit_learn_on_the_first_k(k: int) -> None:
    scores, relevant = random_case(ties=False)
    listed = np.argsort(np.argsort(-scores, axis=1), axis=1) < k
    ranks = ranks_of(scores, relevant)
    assert metrics.recall(ranks, k).mean() == pytest.approx(recall_score(relevant, listed, average="samples"))
    assert metrics.precision(ranks, k).mean() == pytest.approx(precision_score(relevant, listed, average="samples"))


@pytest.mark.parametrize("k", [1, 5, 10])
def test_hits_and_reciprocal_ranks_of_one_target_equal_scikit_learn(k: int) -> None:
    """With one relevant target, the hit rate is the top-k accuracy and the reciprocal rank the average precision."""
    scores, _ = random_case(ties=False)
    target = np.arange(40) % 30
    relevant = np.arange(30) == target[:, None]
    ranks = ranks_of(scores, relevant)
    expected = top_k_accuracy_score(target, scores, k=k, labels=np.arange(30))
    assert metrics.hit_rate(ranks, k).mean() == pytest.approx(expected)
    assert metrics.query_hit_rate(ranks, k).mean() == pytest.approx(expected)
    everywhere = label_ranking_average_precision_score(relevant, scores)
    assert metrics.reciprocal_rank(ranks, 30).mean() == pytest.approx(everywhere)


def test_random_order_hits_k_of_n() -> None:
    nothing_known = Ranks(np.arange(4), np.zeros(4, int), np.full(4, 200))
    assert metrics.hit_rate(nothing_known, 10) == pytest.approx(10 / 200)
    assert metrics.query_hit_rate(nothing_known, 10) == pytest.approx(10 / 200)


def test_coverage_and_gini_by_hand() -> None:
    assert metrics.coverage(np.array([3, 0, 1, 0])) == 0.5
    assert metrics.gini(np.array([2, 2, 2, 2])) == 0
    assert metrics.gini(np.array([0, 0, 0, 9])) == pytest.approx(3 / 4)
    # mean absolute difference over twice the mean: (1 + 2 + 1) * 2 / 9 / (2 * 2)
    assert metrics.gini(np.array([1, 2, 3])) == pytest.approx(8 / 9 / 4)
    assert metrics.gini(np.array([0, 0])) == 0


def test_take_keeps_the_figures_of_the_rest() -> None:
    kept = BY_HAND.take(np.array([False, True]))
    assert len(kept) == 1
    assert metrics.reciprocal_rank(kept, 5).tolist() == [0.5]


@pytest.mark.parametrize("k", [0, -1, 1.5, True])
def test_k_must_be_a_positive_integer(k: int) -> None:
    for metric in RANK_METRICS.values():
        with pytest.raises(ParameterError, match="k must be"):
            metric(BY_HAND, k)


def test_a_query_without_events_is_refused() -> None:
    with pytest.raises(DataError, match="without held-out"):
        Ranks.of([0, 2], [1, 1])
    with pytest.raises(DataError, match="no held-out event"):
        Ranks.of([], [])


@pytest.mark.parametrize("name", RANK_METRICS)
@pytest.mark.parametrize("ranks", [BY_HAND, Ranks.of([0, 1], [3, MISSED + 1]), Ranks.of([0], [MISSED + 1])])
def test_a_k_beyond_all_ranks_takes_no_memory(name: str, ranks: Ranks) -> None:
    """A list of a million places is 8 MB; what is needed ends with the deepest event."""
    million = 10**6
    tracemalloc.start()
    deep = RANK_METRICS[name](ranks, million)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < million
    known = RANK_METRICS[name](ranks, 100)
    assert (deep * million if name == "precision" else deep) == pytest.approx(
        known * 100 if name == "precision" else known
    )


def test_no_list_is_longer_than_what_is_missed() -> None:
    for metric in RANK_METRICS.values():
        with pytest.raises(ParameterError, match=r"k must be an integer below 2\*\*31, got 2147483648"):
            metric(BY_HAND, MISSED)
