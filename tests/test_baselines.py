"""Baselines: by hand, and popularity against a brute force that shares no code with the evaluation."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.directions import DIRECTIONS, Pair
from mfrec.evaluation import baselines
from mfrec.model.adjacency import Adjacency
from mfrec.model.best import best_of
from mfrec.model.factors import Factors

DATA = Path(os.environ.get("MFREC_DATA_HOME", "data"))

# user 0 has items 0 and 1, user 1 items 0 and 2, user 2 item 2, user 3 nothing; nobody has item 3
LINKS = Pair(
    Adjacency(np.array([0, 2, 4, 5, 5]), np.array([0, 1, 0, 2, 2])),
    Adjacency(np.array([0, 2, 3, 5, 5]), np.array([0, 1, 0, 1, 2])),
)


def popularity_by_brute_force(train: Interactions, test: Interactions, k: int, unseen: bool) -> float:
    """Return the hit rate of the most popular items, a tie at the border counted by its share."""
    seen: dict[object, set[object]] = {}
    counts: Counter[object] = Counter()
    for user, item in zip(*(train.to_frame()[c].tolist() for c in ("user", "item")), strict=True):
        seen.setdefault(user, set()).add(item)
        counts[item] += 1
    total, n = 0.0, 0
    for user, held in test.to_frame().groupby("user")["item"]:
        out = seen.get(user, set()) if unseen else set()
        left = Counter(counts[item] for item in train.ids.item if item not in out)
        for item in held:
            above = sum(many for count, many in left.items() if count > counts[item])
            total += min(max((k - above) / left[counts[item]], 0), 1)
            n += 1
    return total / n


def check_popularity(train: Interactions, test: Interactions, model: mfrec.Recommender) -> dict[tuple[str, int], float]:
    report = mfrec.evaluate(model, test, (10, 100), directions=["user2item"])
    found = {}
    for protocol in ("plain", "unseen"):
        for k in (10, 100):
            value = report.value("user2item", "hit_rate", k, protocol=protocol, contender="popularity")
            brute = popularity_by_brute_force(train, test, k, protocol == "unseen")
            assert value == pytest.approx(brute, abs=1e-12)
            found[protocol, k] = value
    return found


def no_fit(train: Interactions) -> mfrec.Recommender:
    factors = Factors(np.ones((train.shape[0], 1), np.float32), np.ones((train.shape[1], 1), np.float32))
    return mfrec.build(train, factors, mfrec.IndexParams(index="exact"))


def test_popularity_equals_brute_force_on_a_sample() -> None:
    train, test = mfrec.splits.random_split(mfrec.sample(60, 150, 1500).interactions)
    check_popularity(train, test, no_fit(train))


@pytest.mark.skipif(not (DATA / "ml-100k" / "u.data").exists(), reason="needs MovieLens 100K in MFREC_DATA_HOME")
def test_popularity_equals_brute_force_on_movielens() -> None:
    train, test = mfrec.splits.random_split(mfrec.load_movielens("ml-100k"))
    found = check_popularity(train, test, no_fit(train))
    # another random split, measured by other code: plain 0.045 and 0.297, unseen 0.089 and 0.415
    published = {("plain", 10): 0.045, ("plain", 100): 0.297, ("unseen", 10): 0.089, ("unseen", 100): 0.415}
    for key, value in published.items():
        assert found[key] == pytest.approx(value, abs=0.006)


def test_degree_counts_training_links() -> None:
    assert baselines.degree(LINKS, "item").tolist() == [2, 1, 2, 0]
    assert baselines.degree(LINKS, "user").tolist() == [2, 2, 1, 0]


@pytest.mark.parametrize(
    ("measure", "items", "user"),
    [
        ("co-occurrence", [2, 1, 1, 0], [1, 2, 1, 0]),
        ("kNN cosine", [1, 1 / np.sqrt(2), 1 / 2, 0], [1 / 2, 1, 1 / np.sqrt(2), 0]),
    ],
)
def test_neighbours_by_hand(measure: str, items: list[float], user: list[float]) -> None:
    data = baselines.Training(LINKS, 2, 0)
    near = data.similar("item", measure).toarray()
    assert near[0] == pytest.approx(items)
    assert not near[3].any()
    assert data.similar("user", measure).toarray()[1] == pytest.approx(user)


def test_neighbours_score_across_sides_by_training_items() -> None:
    """A user's score of an item sums the item's similarities to the user's items; item2user is its transpose."""
    data = baselines.Training(LINKS, 2, 0)
    near, rows = data.similar("item", "kNN BM25").toarray(), data.rows.user.toarray()
    expected = rows @ near.T
    everybody, everything = np.arange(len(rows)), np.arange(len(near))
    assert baselines.knn(data, "user2item", "kNN BM25")(everybody) == pytest.approx(expected)
    assert baselines.knn(data, "item2user", "kNN BM25")(everything) == pytest.approx(expected.T)


def test_votes_by_hand() -> None:
    similarity = np.array([[9, 0.5, 0.25, -1], [0.5, 9, 0, 0]], np.float32)
    two = baselines.votes(lambda numbers: similarity[numbers], baselines.Training(LINKS, 2, 0))(np.array([0, 1]))
    assert two.tolist() == [[0.5, 0, 0.75, 0], [0.5, 0.5, 0, 0]]
    one = baselines.votes(lambda numbers: similarity[numbers], baselines.Training(LINKS, 1, 0))(np.array([0]))
    assert one.tolist() == [[0.5, 0, 0.5, 0]]


@pytest.mark.parametrize("measure", baselines.MEASURES)
@pytest.mark.parametrize("neighbours", [1, 2, 50])
def test_nearest_users_vote_as_all_users_would(measure: str, neighbours: int) -> None:
    data = baselines.Training(LINKS, neighbours, 0)
    near, everybody = data.similar("user", measure).toarray(), np.arange(len(LINKS.user))
    expected = baselines.votes(lambda numbers: near[numbers], data)(everybody)
    assert baselines.knn(data, "user2user", measure)(everybody) == pytest.approx(expected)


def test_random_scores_depend_on_the_query_alone() -> None:
    score = baselines.at_random(50, seed=1)
    assert np.array_equal(score(np.array([3, 4]))[1], score(np.array([4]))[0])
    assert not np.array_equal(score(np.array([3]))[0], baselines.at_random(50, seed=2)(np.array([3]))[0])


def test_cosine_of_a_zero_vector_is_zero() -> None:
    factors = Factors(np.zeros((2, 2), np.float32), np.array([[3, 4], [0, 0]], np.float32))
    assert baselines.cosine(factors, "item")(np.array([0, 1])) == pytest.approx(np.array([[1, 0], [0, 0]]))


def test_best_of_breaks_ties_by_number_and_never_pads() -> None:
    scores = np.array([[1, 2, 1, 1], [-np.inf, 5, -np.inf, 4]], np.float32)
    best = best_of(scores, 3)
    assert best.rows.tolist() == [0, 0, 0, 1, 1]
    assert best.columns.tolist() == [1, 0, 2, 1, 3]
    assert best.place.tolist() == [0, 1, 2, 0, 1]
    assert best_of(scores, 99).columns.tolist() == [1, 0, 2, 3, 1, 3]


def test_every_direction_has_baselines() -> None:
    assert set(baselines.BASELINES) == set(DIRECTIONS)
    for each in baselines.BASELINES.values():
        assert "random" in each
