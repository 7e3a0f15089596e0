"""How the two-tower benchmark evaluates its contenders, and how a two-tower is asked."""

import json

import numpy as np
import pytest

import mfrec
from benchmarks.two_tower import contenders, search, splits, towers
from benchmarks.two_tower.contenders import Moment
from benchmarks.two_tower.evaluate import Contender, evaluate, evaluate_cold
from benchmarks.two_tower.exchange import ARTICLE, Settings, SplitFile, VectorFile


@pytest.fixture(scope="module")
def split() -> splits.Split:
    return splits.split("sample", mfrec.sample(200, 150, 4_000).interactions, "random", 1)


@pytest.fixture(scope="module")
def later() -> splits.Split:
    return splits.split("sample", mfrec.sample(300, 150, 2_000).interactions, "time", 1)


@pytest.fixture(scope="module")
def vectors(split: splits.Split) -> VectorFile:
    rng = np.random.default_rng(0)
    users, items = (rng.normal(size=(n, 8)).astype(np.float32) for n in split.train.shape)
    events = np.concatenate([users[split.test.users], users[split.new_users.users]])
    return VectorFile(items, users, events, users[split.train.users])


def trained(vectors: VectorFile) -> towers.Towers:
    return towers.Towers(vectors, ARTICLE, 5, 1.0, {})


def test_asked_at_the_event_s_time_is_asked_once_per_user_where_time_changes_nothing(
    split: splits.Split, vectors: VectorFile
) -> None:
    timed = evaluate(split, towers.as_article(split, trained(vectors)), ("user2item",))
    once = evaluate(split, towers.one_per_user(split, trained(vectors)), ("user2item",))
    assert timed
    for name, value in timed.items():
        assert value == pytest.approx(once[name], abs=1e-12), name


def test_hit_rates_equal_counting_one_event_after_the_other(split: splits.Split, vectors: VectorFile) -> None:
    found = evaluate(split, towers.one_per_user(split, trained(vectors)), ("user2item",))
    scores, hits = vectors.users @ vectors.items.T, {"plain": 0, "unseen": 0}
    for user, item in zip(split.test.users, split.test.items, strict=True):
        row = scores[user].copy()
        hits["plain"] += int((row > row[item]).sum() < 10)
        row[split.train.matrix[user].indices] = -np.inf
        hits["unseen"] += int((row > scores[user, item]).sum() < 10)
    for seen, count in hits.items():
        assert found[f"user2item/{seen}/hit_rate@10"] == pytest.approx(count / len(split.test))


def test_mfrec_s_figures_are_those_of_mfrec_evaluate(split: splits.Split) -> None:
    found = evaluate(split, contenders.mfrec_with(split, factors=8))
    model = mfrec.build(split.train, mfrec.fit_als(split.train, mfrec.ALSParams(factors=8, seed=split.seed)))
    report = mfrec.evaluate(model, split.test, (10,), train=split.train, baselines=False, max_queries=5_000)
    assert {name.split("/")[0] for name in found} == set(mfrec.DIRECTIONS)
    for row in report.rows:
        name = f"{row.direction}/{row.protocol}/{row.metric}@{row.k}"
        if row.contender == "mfrec" and row.segment == "all" and name in found:
            assert found.pop(name) == pytest.approx(row.value, abs=1e-9), name
    assert not [name for name in found if name.endswith("@10")]


def test_a_user_index_of_rows_names_the_owners_of_its_best_500_rows_alone(
    split: splits.Split, vectors: VectorFile
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
    frame = ratings.to_frame()
    frame["title"] = [f"kind{item % 5} number {item}" for item in frame["item"]]
    named = mfrec.Interactions.from_frame(frame, item="title", weight="weight", time="time")
    cold = splits.split("sample", named, "cold", 1)
    assert len(np.unique(cold.test.items)) == 15
    assert not np.isin(cold.train.items, cold.test.items).any()
    chance = evaluate_cold(cold, contenders.mfrec_with(cold))
    name = "cold titles among themselves/hit_rate@5"
    assert chance["cold titles/titles"] == 15
    # ties count by their expectation; a title's words tell more than nothing
    assert chance[name] == pytest.approx(5 / 15)
    assert evaluate_cold(cold, contenders.titles_in_words(cold))[name] != pytest.approx(5 / 15)


def test_the_split_by_time_keeps_new_users_apart_and_their_events_last(later: splits.Split) -> None:
    trained_users = np.unique(later.train.users)
    assert np.isin(later.test.users, trained_users).all()
    assert not np.isin(later.new_users.users, trained_users).any()
    assert splits.times(later.train).max() < splits.times(later.test).min()
    given = later.as_file()
    assert np.array_equal(given.test_item[len(later.test) :], later.new_users.items)
    # a scorer that knows the answer by the event's position alone
    perfect = np.eye(later.train.shape[1], dtype=np.float32)[given.test_item]
    assert evaluate_cold(later, Contender(events=lambda places: perfect[places]))["new users/hit_rate@1"] == 1.0


@pytest.mark.parametrize("protocol", ["random", "time"])
def test_validation_parts_are_of_the_training_part_alone(protocol: str) -> None:
    def events(part: mfrec.Interactions) -> set[tuple[int, int]]:
        return set(zip(part.users.tolist(), part.items.tolist(), strict=True))

    outer = splits.split("sample", mfrec.sample(200, 150, 4_000).interactions, protocol, 1)
    folds = splits.validations(outer, 3)
    assert len(folds) == 3
    for fold in folds:
        assert events(fold.train) | events(fold.test) | events(fold.new_users) <= events(outer.train)
        assert not events(fold.train) & events(fold.test)
    assert events(folds[0].test) != events(folds[1].test)
    if protocol == "time":
        starts = [splits.times(fold.test).min() for fold in folds]
        assert starts == sorted(starts, reverse=True)
        assert not events(folds[0].test) & events(folds[1].test)


def test_mfrec_is_chosen_by_the_mean_over_all_validation_parts(split: splits.Split) -> None:
    trial = search.try_mfrec(splits.validations(split, 3), {"factors": 8})
    assert len(trial["values"]) == 3
    assert trial["value"] == pytest.approx(np.mean(trial["values"]))


def test_the_files_between_the_sides_come_back_as_they_went(
    split: splits.Split, vectors: VectorFile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    split.as_file().write(folder / "split.npz")
    vectors.write(folder / "vectors.npz")
    given = SplitFile.read(folder / "split.npz")
    assert np.array_equal(given.train_item, split.train.items)
    assert np.array_equal(VectorFile.read(folder / "vectors.npz").rows, vectors.rows)
    assert given.last_times()[0] == splits.times(split.train)[split.train.users == 0].max()
    changed = ARTICLE.but(layers=(128, 64), timestamp=False, rate=0.003)
    assert Settings.of(json.loads(changed.text())) == changed


def test_a_two_tower_is_not_told_when_the_future_is(split: splits.Split, later: splits.Split) -> None:
    """By time, its clock ends where the training part does; on a random split it spans all events."""
    given = later.as_file()
    assert np.array_equal(given.clock(), given.train_time)
    assert set(given.query_times(given.test_time).tolist()) == {given.train_time.max()}
    assert np.array_equal(given.query_times(given.train_time), given.train_time)
    drawn = split.as_file()
    assert len(drawn.clock()) == len(drawn.train_time) + len(drawn.test_time)
    assert np.array_equal(drawn.query_times(drawn.test_time), drawn.test_time)


def test_a_history_fades_with_its_distance_from_the_event_and_weighs_the_same_in_all() -> None:
    decay = Moment(decay_seconds=60.0, floor=0.1).decay(np.array([1000, 1060, 940, 4_000_000]), 1000)
    assert decay.mean() == pytest.approx(1.0)
    assert decay / decay[0] == pytest.approx([1.0, 0.55, 0.55, 0.1])
    # what lies far from the event as a whole does not fade as a whole
    assert Moment(60.0, 0.0).decay(np.array([1000, 1060]), 10_000_000) == pytest.approx([2 / 3, 4 / 3])


def test_without_fading_a_user_is_asked_by_its_own_or_the_folded_in_vector(split: splits.Split) -> None:
    plain = contenders.mfrec_with(split)
    timed = evaluate(split, contenders.asked_at(split, plain, Moment(0.0, 1.0)))
    once = evaluate(split, plain, ("user2item",))
    assert timed
    for name, value in timed.items():
        assert value == pytest.approx(once[name], abs=1e-12), name
    assert plain.factors is not None
    model = mfrec.build(split.train, plain.factors, mfrec.IndexParams(index="exact"))
    events = contenders.asked_at(split, plain, Moment(60.0, 1.0)).events
    assert events is not None
    for row, event in zip(events(np.array([0, 7])), (0, 7), strict=True):
        seen = split.train.matrix[split.test.users[event]]
        vector = model.fold_in("user", model.ids.item.ids(seen.indices), seen.data)
        assert row == pytest.approx(model.factors.item @ vector, abs=1e-5)


def test_a_newcomer_is_known_by_strictly_earlier_events_alone(later: splits.Split) -> None:
    new, when = later.new_users, splits.times(later.new_users)
    contender = contenders.folding_in(later, {})
    assert contender.newcomers is not None
    scores = contender.newcomers(np.arange(len(new)))
    for event, row in enumerate(scores):
        earlier = (new.users == new.users[event]) & (when < when[event])
        assert set(np.flatnonzero(row == -np.inf).tolist()) == set(new.items[earlier].tolist())
    assert evaluate(later, contender) == {}
    assert evaluate_cold(later, contender)["new users/events"] == len(new)


def test_baselines_know_nothing_of_the_test_part(split: splits.Split) -> None:
    for name in ("popularity", "random", "item-kNN"):
        found = evaluate(split, contenders.BASELINES[name](split))
        assert {key.split("/")[0] for key in found} == set(mfrec.DIRECTIONS), name
