"""The one judge of the two-tower benchmark, and how a two-tower is asked."""

import numpy as np
import pytest

import mfrec
from benchmarks import contenders, protocols, towers
from benchmarks.judge import Contender, judge, judge_strangers
from benchmarks.two_tower_data import SplitFile, VectorFile
from benchmarks.two_tower_settings import ARTICLE, Settings
from mfrec.evaluation.baselines import dot


@pytest.fixture(scope="module")
def split() -> protocols.Split:
    return protocols.split("sample", mfrec.sample(200, 150, 4_000).interactions, "random", 1)


@pytest.fixture(scope="module")
def vectors(split: protocols.Split) -> VectorFile:
    rng = np.random.default_rng(0)
    users, items = (rng.normal(size=(n, 8)).astype(np.float32) for n in split.train.shape)
    events = np.concatenate([users[split.test.users], users[split.new_users.users]])
    return VectorFile(items, users, events, users[split.train.users])


def trained(vectors: VectorFile) -> towers.Towers:
    return towers.Towers(vectors, ARTICLE, 5, 1.0, {})


def test_a_query_at_the_event_s_time_is_judged_like_one_per_user_where_time_changes_nothing(
    split: protocols.Split, vectors: VectorFile
) -> None:
    timed = judge(split, towers.as_article(split, trained(vectors)), ("user2item",))
    fair = judge(split, towers.one_per_user(split, trained(vectors)), ("user2item",))
    assert timed
    for name, value in timed.items():
        assert value == pytest.approx(fair[name], abs=1e-12), name


def test_hit_rates_equal_counting_one_event_after_the_other(split: protocols.Split, vectors: VectorFile) -> None:
    found = judge(split, towers.one_per_user(split, trained(vectors)), ("user2item",))
    scores, hits = vectors.users @ vectors.items.T, {"plain": 0, "unseen": 0}
    for user, item in zip(split.test.users, split.test.items, strict=True):
        row = scores[user].copy()
        hits["plain"] += int((row > row[item]).sum() < 10)
        row[split.train.matrix[user].indices] = -np.inf
        hits["unseen"] += int((row > scores[user, item]).sum() < 10)
    for seen, count in hits.items():
        assert found[f"user2item/{seen}/hit_rate@10"] == pytest.approx(count / len(split.test))


def test_a_user_index_of_rows_names_the_owners_of_its_best_500_rows_alone(
    split: protocols.Split, vectors: VectorFile
) -> None:
    scorer = towers.as_article(split, trained(vectors)).scorers["item2user"]
    scores = scorer(np.array([3]))[0]
    best = np.argsort(-(vectors.rows @ vectors.items[3]))[: towers.ROWS]
    named = np.unique(split.train.users[best])
    assert 0 < len(named) < split.train.shape[0]
    assert np.array_equal(np.flatnonzero(scores > towers.LAST), named)
    assert scores[named] == pytest.approx(vectors.users[named] @ vectors.items[3], rel=1e-5)


def test_cold_titles_are_held_out_whole_and_factors_rank_them_by_chance() -> None:
    ratings = mfrec.sample(200, 150, 4_000).interactions
    cold = protocols.split("sample", ratings, "cold", 3)
    titles = np.unique(cold.test.items)
    assert len(titles) == 15
    assert not np.isin(cold.train.items, titles).any()
    found = judge_strangers(cold, contenders.mfrec_with(cold))
    assert found["cold titles/titles"] == 15
    assert found["cold titles among themselves/hit_rate@5"] == pytest.approx(5 / 15)


def test_the_split_by_time_keeps_new_users_apart() -> None:
    later = protocols.split("sample", mfrec.sample(300, 150, 2_000).interactions, "time", 1)
    trained_users = np.unique(later.train.users)
    assert np.isin(later.test.users, trained_users).all()
    assert not np.isin(later.new_users.users, trained_users).any()
    assert protocols.times(later.train).max() < protocols.times(later.test).min()


def test_new_users_are_asked_at_the_events_that_stand_last(vectors: VectorFile, split: protocols.Split) -> None:
    later = protocols.split("sample", mfrec.sample(300, 150, 2_000).interactions, "time", 1)
    assert len(later.new_users)
    given = later.as_file()
    assert np.array_equal(given.test_item[len(later.test) :], later.new_users.items)
    # a scorer that knows the answer by the event's position alone
    perfect = np.eye(later.train.shape[1], dtype=np.float32)[given.test_item]
    found = judge_strangers(later, Contender(events=lambda places: perfect[places]))
    assert found["new users/hit_rate@1"] == 1.0


def test_baselines_know_nothing_of_the_test_part(split: protocols.Split) -> None:
    for name in ("popularity", "random", "item-kNN"):
        found = judge(split, contenders.BASELINES[name](split))
        assert {key.split("/")[0] for key in found} == set(mfrec.DIRECTIONS), name


def test_mfrec_is_judged_by_its_own_scores(split: protocols.Split) -> None:
    contender = contenders.mfrec_with(split, factors=8)
    assert contender.model is not None
    factors = contender.model.factors
    same = Contender({"user2item": dot(factors, "user", "item")})
    assert judge(split, contender, ("user2item",)) == judge(split, same, ("user2item",))


def test_the_files_between_the_sides_come_back_as_they_went(
    split: protocols.Split, vectors: VectorFile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    split.as_file().write(folder / "split.npz")
    vectors.write(folder / "vectors.npz")
    given = SplitFile.read(folder / "split.npz")
    assert np.array_equal(given.train_item, split.train.items)
    assert np.array_equal(VectorFile.read(folder / "vectors.npz").rows, vectors.rows)
    last = given.last_times()
    first_user = split.train.users == 0
    assert last[0] == protocols.times(split.train)[first_user].max()


def test_settings_survive_json() -> None:
    changed = ARTICLE.but(layers=(128, 64), timestamp=False, rate=0.003)
    assert Settings.parse(changed.text()) == changed
