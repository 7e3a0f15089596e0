"""The one judge of the two-tower benchmark, and how a two-tower is asked."""

import numpy as np
import pytest

import mfrec
from benchmarks import contenders, moment, protocols, towers
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


@pytest.mark.parametrize("protocol", ["random", "time"])
def test_validation_parts_are_of_the_training_part_alone(protocol: str) -> None:
    outer = protocols.split("sample", mfrec.sample(200, 150, 4_000).interactions, protocol, 1)
    events = set(zip(outer.train.users.tolist(), outer.train.items.tolist(), strict=True))
    folds = protocols.validations(outer, 3)
    assert len(folds) == 3
    held = []
    for fold in folds:
        for part in (fold.train, fold.test, fold.new_users):
            assert set(zip(part.users.tolist(), part.items.tolist(), strict=True)) <= events
        held.append(set(zip(fold.test.users.tolist(), fold.test.items.tolist(), strict=True)))
    assert held[0] != held[1]
    if protocol == "time":
        starts = [protocols.times(fold.test).min() for fold in folds]
        assert starts == sorted(starts, reverse=True)
        assert not held[0] & held[1]


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


def test_a_two_tower_is_not_told_when_the_future_is(split: protocols.Split) -> None:
    """By time, its clock ends where the training part does; on a random split it spans all events."""
    later = protocols.split("sample", mfrec.sample(300, 150, 2_000).interactions, "time", 1).as_file()
    assert np.array_equal(later.clock(), later.train_time)
    assert set(later.query_times(later.test_time).tolist()) == {later.train_time.max()}
    assert np.array_equal(later.query_times(later.train_time), later.train_time)
    given = split.as_file()
    assert len(given.clock()) == len(given.train_time) + len(given.test_time)
    assert np.array_equal(given.query_times(given.test_time), given.test_time)


def test_settings_survive_json() -> None:
    changed = ARTICLE.but(layers=(128, 64), timestamp=False, rate=0.003)
    assert Settings.parse(changed.text()) == changed


def test_a_history_fades_with_its_distance_from_the_event_and_weighs_the_same_in_all() -> None:
    decay = moment.Moment(decay_seconds=60.0, floor=0.1).decay(np.array([1000, 1060, 940, 4_000_000]), 1000)
    assert decay.mean() == pytest.approx(1.0)
    assert decay / decay[0] == pytest.approx([1.0, 0.55, 0.55, 0.1])


def test_what_lies_far_from_the_event_as_a_whole_does_not_fade_as_a_whole() -> None:
    faded = moment.Moment(60.0, 0.0)
    assert faded.decay(np.array([1000, 1060]), 10_000_000) == pytest.approx([2 / 3, 4 / 3])


def test_asked_at_the_event_s_time_without_fading_mfrec_says_what_the_folded_in_user_gets(
    split: protocols.Split,
) -> None:
    plain = contenders.mfrec_with(split)
    model = plain.model
    assert model is not None
    timed = moment.asked_at(split, plain, moment.Moment(60.0, 1.0))
    assert timed.events is not None
    scores = timed.events(np.array([0, 7]))
    for row, event in zip(scores, (0, 7), strict=True):
        user = split.test.users[event]
        history = model.ids.item.ids(split.train.matrix[user].indices)
        vector = model.fold_in("user", history, split.train.matrix[user].data)
        assert row == pytest.approx(model.factors.item @ vector, abs=1e-5)


def test_without_fading_a_user_is_asked_by_its_own_vector(split: protocols.Split) -> None:
    plain = contenders.mfrec_with(split)
    timed = judge(split, moment.asked_at(split, plain, moment.Moment(0.0, 1.0)))
    once = judge(split, plain, ("user2item",))
    assert timed
    for name, value in timed.items():
        assert value == pytest.approx(once[name], abs=1e-12), name


def test_a_newcomer_is_known_by_strictly_earlier_events_alone() -> None:
    later = protocols.split("sample", mfrec.sample(200, 150, 4_000).interactions, "time", 1)
    new, when = later.new_users, protocols.times(later.new_users)
    contender = moment.folding_in(later, {})
    assert contender.newcomers is not None
    scores = contender.newcomers(np.arange(len(new)))
    hidden = [set(np.flatnonzero(row == -np.inf).tolist()) for row in scores]
    for event in range(len(new)):
        earlier = (new.users == new.users[event]) & (when < when[event])
        assert hidden[event] == set(new.items[earlier].tolist())
    assert judge(later, contender) == {}
    assert judge_strangers(later, contender)["new users/events"] == len(new)


def test_a_cold_title_gets_a_vector_from_its_words() -> None:
    ratings = mfrec.sample(200, 150, 4_000).interactions
    frame = ratings.to_frame()
    frame["title"] = [f"kind{item % 5} number {item}" for item in frame["item"]]
    named = mfrec.Interactions.from_frame(frame, item="title", weight="weight", time="time")
    cold = protocols.split("sample", named, "cold", 1)
    found = judge_strangers(cold, contenders.titles_in_words(cold))
    chance = judge_strangers(cold, contenders.mfrec_with(cold))
    name = "cold titles among themselves/hit_rate@5"
    assert found[name] != chance[name] == pytest.approx(5 / 15)
