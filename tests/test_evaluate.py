"""`evaluate`: known models get known figures, in all four directions."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.directions import DIRECTIONS, Pair
from mfrec.errors import DataError, ParameterError
from mfrec.evaluation import measure, metrics, ranking, tasks
from mfrec.evaluation.metrics import RANK_METRICS
from mfrec.evaluation.report import Report, Row
from mfrec.model.adjacency import Adjacency
from mfrec.model.factors import Factors

EXACT = mfrec.IndexParams(index="exact")
Parts = tuple[Interactions, Interactions]


@pytest.fixture(scope="module")
def parts() -> Parts:
    return mfrec.splits.random_split(mfrec.sample(120, 200, 4000).interactions)


@pytest.fixture(scope="module")
def model(parts: Parts) -> mfrec.Recommender:
    return mfrec.fit(parts[0], mfrec.ALSParams(factors=8, regularization=25.0), EXACT)


@pytest.fixture(scope="module")
def report(model: mfrec.Recommender, parts: Parts) -> mfrec.evaluation.Report:
    return mfrec.evaluate(model, parts[1], (5, 20), train=parts[0], through_index=True)


def perfect(train: Interactions, test: Interactions) -> mfrec.Recommender:
    """Return a model that scores 1 for what is held out and 0 for everything else."""
    factors = Factors(np.eye(train.shape[0], dtype=np.float32), np.ascontiguousarray(test.matrix.T.toarray() > 0, "f4"))
    return mfrec.build(train, factors, EXACT)


def test_a_planted_perfect_model_gets_one(parts: Parts) -> None:
    train, test = parts
    k = int(test.degree.item.max() + test.degree.user.max())
    report = mfrec.evaluate(perfect(train, test), test, k, directions=["user2item", "item2user"], through_index=True)
    for direction in ("user2item", "item2user"):
        for protocol in ("plain", "unseen"):
            for contender in ("mfrec", "mfrec (index)"):
                for metric in set(RANK_METRICS) - {"precision"}:
                    assert report.value(direction, metric, k, protocol=protocol, contender=contender) == pytest.approx(
                        1
                    )
    assert measure(perfect(train, test).factors, train, test, k)[f"ndcg@{k}"] == pytest.approx(1)


def test_random_gets_k_of_n(parts: Parts) -> None:
    train, _ = parts
    nothing = Factors(np.zeros((120, 2), np.float32), np.zeros((200, 2), np.float32))
    report = mfrec.evaluate(mfrec.build(train, nothing, EXACT), parts[1], 20)
    for direction, n in {"user2item": 200, "item2item": 200, "item2user": 120}.items():
        share = 20 / n
        drawn = report.value(direction, "hit_rate", 20, protocol="plain", contender="random")
        assert drawn == pytest.approx(share, abs=0.04)
        # a model of zeros ties everything: exactly chance, but for the query, which is no candidate of its own
        own = report.value(direction, "hit_rate", 20, protocol="plain")
        assert own == pytest.approx(20 / (n - (direction == "item2item")))


def test_the_model_beats_what_knows_no_taste(report: mfrec.evaluation.Report) -> None:
    blind = {
        "user2item": "popularity",
        "item2item": "popularity",
        "user2user": "most-active",
        "item2user": "most-active",
    }
    for direction, baseline in blind.items():
        for contender in (baseline, "random"):
            own = report.value(direction, "ndcg", 20)
            assert own > 1.1 * report.value(direction, "ndcg", 20, contender=contender), (direction, contender)


def test_an_exact_index_gives_the_exact_figures(report: mfrec.evaluation.Report) -> None:
    for row in report.rows:
        if row.contender == "mfrec":
            same = report.value(
                row.direction,
                row.metric,
                row.k,
                protocol=row.protocol,
                contender="mfrec (index)",
                segment=row.segment,
            )
            # rounding may swap near ties
            assert same == pytest.approx(row.value, abs=2e-3), row


def test_figures_do_not_depend_on_the_block_size(
    report: mfrec.evaluation.Report, model: mfrec.Recommender, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "BLOCK_CELLS", 700)
    small = mfrec.evaluate(model, parts[1], (5, 20), train=parts[0], through_index=True)
    for one, other in zip(report.rows, small.rows, strict=True):
        assert one.value == pytest.approx(other.value, abs=2e-3), one


def frame(rows: list[tuple[object, object, int]]) -> Interactions:
    return Interactions.from_frame(pd.DataFrame(rows, columns=["user", "item", "time"]), time="time")


def fit_ones(train: Interactions) -> mfrec.Recommender:
    ones = Factors(np.ones((train.shape[0], 1), np.float32), np.ones((train.shape[1], 1), np.float32))
    return mfrec.build(train, ones, EXACT)


def test_unseen_takes_the_training_items_out_and_plain_does_not() -> None:
    whole = frame([(1, "a", 0), (1, "b", 1), (1, "c", 2), (2, "d", 0)])
    train, test = whole.take([0, 1, 3]), whole.take([2])
    # all scores tie: c is one of a, b, c, d in plain, one of c, d in unseen
    report = mfrec.evaluate(fit_ones(train), test, 1, directions=["user2item"], baselines=False)
    assert report.value("user2item", "hit_rate", 1, protocol="plain") == pytest.approx(1 / 4)
    assert report.value("user2item", "hit_rate", 1, protocol="unseen") == pytest.approx(1 / 2)


def test_item2item_asks_for_the_item_touched_last_before() -> None:
    whole = frame([(1, "a", 10), (1, "b", 20), (1, "c", 30), (1, "d", 15), (1, "e", 25), (1, "f", 5), (2, "d", 1)])
    is_test = np.isin(whole.to_frame()["item"], ["d", "e", "f"]) & (whole.to_frame()["user"] == 1).to_numpy()
    train, test = whole.take(~is_test), whole.take(is_test)
    held = tasks.match(whole.ids, fit_ones(train).adjacency, test, train)
    asked = [whole.ids.item.id(n) if n >= 0 else None for n in held.recent.tolist()]
    assert dict(zip(test.to_frame()["item"], asked, strict=True)) == {"d": "a", "e": "b", "f": None}
    task = tasks.TASKS["item2item"](held)
    assert whole.ids.item.ids(task.queries) == ["a", "b"]
    assert whole.ids.item.ids(task.relevant.numbers) == ["d", "e"]
    assert whole.ids.item.ids(task.masks["plain"].of(0)) == ["a"]
    assert whole.ids.item.ids(task.masks["unseen"].of(1)) == ["a", "b", "c"]


def test_item2item_without_times_asks_for_a_random_training_item(parts: Parts, model: mfrec.Recommender) -> None:
    held = tasks.match(model.ids, model.adjacency, parts[1])
    for user, item in zip(held.numbers.user.tolist(), held.recent.tolist(), strict=True):
        assert item in model.adjacency.user.of(user)
    again = tasks.match(model.ids, model.adjacency, parts[1])
    assert held.recent.tolist() == again.recent.tolist()
    assert held.recent.tolist() != tasks.match(model.ids, model.adjacency, parts[1], seed=1).recent.tolist()


def test_users_without_training_data_have_no_recent_item() -> None:
    whole = frame([(1, "a", 0), (2, "a", 1), (1, "b", 2)])
    train, test = whole.take([0]), whole.take([1, 2])
    held = tasks.match(whole.ids, fit_ones(train).adjacency, test)
    assert sorted(held.recent.tolist()) == [-1, 0]


def test_unknown_ids_are_missed_or_left_out_and_reported() -> None:
    train = frame([(1, "a", 0), (2, "b", 0)])
    test = frame([(1, "b", 1), (1, "new", 1), (9, "b", 1)])
    report = mfrec.evaluate(fit_ones(train), test, 5, directions=["user2item", "item2user"], baselines=False)
    assert report.value("user2item", "hit_rate", 5) == 0.5
    assert report.value("item2user", "recall", 5) == 0.5
    assert report.sizes["user2item"] == {"queries": 1, "events": 2}
    assert len(report.notes) == 2
    assert "1 of 3 test events are of users the model has never seen" in report.notes[0]


def test_test_events_in_the_training_data_are_left_out() -> None:
    train = frame([(1, "a", 0), (2, "b", 0)])
    report = mfrec.evaluate(fit_ones(train), frame([(1, "a", 1), (1, "b", 1)]), 1, directions="user2item")
    assert report.sizes["user2item"]["events"] == 1
    assert report.notes == ("1 of 2 test events are in the training data and were left out",)
    with pytest.raises(DataError, match=r"nothing of .* is new"):
        mfrec.evaluate(fit_ones(train), train)


def test_warm_leaves_out_what_has_no_training_data() -> None:
    whole = frame([(1, "a", 0), (1, "b", 1), (2, "b", 0), (3, "a", 2), (1, "c", 2)])
    is_train = np.isin(whole.to_frame()["time"], [0])
    train = whole.take(is_train)
    test = whole.take(~is_train)
    assert mfrec.evaluate(fit_ones(train), test, 1, directions="user2item").sizes["user2item"]["events"] == 3
    warm = mfrec.evaluate(fit_ones(train), test, 1, directions="user2item", warm=True)
    assert warm.sizes["user2item"] == {"queries": 1, "events": 1}
    assert warm.notes == ("2 of 3 test events are of users or items without training data and were left out",)
    with pytest.raises(DataError, match=r"every event of .* and warm leaves those out: leave out warm \(--warm\) to"):
        mfrec.evaluate(fit_ones(train), frame([(3, "a", 1), (9, "b", 1)]), 1, warm=True)


def test_ids_of_another_type_are_refused() -> None:
    with pytest.raises(DataError, match="item ids of the test part are of type int"):
        mfrec.evaluate(fit_ones(frame([(1, "a", 0)])), frame([(1, 5, 0)]))


def test_nothing_known_is_refused() -> None:
    with pytest.raises(
        DataError, match="nothing can be measured: user2item is not measured: there is no held-out"
    ) as e:
        mfrec.evaluate(fit_ones(frame([(1, "a", 0)])), frame([(2, "b", 0)]))
    assert "item2user is not measured: there is no held-out event whose item the model knows" in str(e.value)


def test_what_is_cold_is_noted() -> None:
    whole = frame([(1, "a", 0), (1, "b", 0), (2, "b", 1), (2, "c", 1), (1, "c", 1), (3, "a", 2)])
    is_train = (whole.to_frame()["time"] == 0).to_numpy()
    train, test = whole.take(is_train), whole.take(~is_train)
    notes = mfrec.evaluate(fit_ones(train), test, 1, train=train).notes
    assert notes == (
        "3 of 4 test events are of users without training data: asked and ranked like the rest; warm leaves them out",
        "2 of 4 test events are of items without training data: asked and ranked like the rest; warm leaves them out",
        "item2item: 3 of 4 events are left out: their user has no training item, or none before them",
    )


def test_a_sample_of_the_queries_is_noted(model: mfrec.Recommender, parts: Parts) -> None:
    report = mfrec.evaluate(model, parts[1], 5, directions=["user2item", "item2user"], max_queries=50, baselines=False)
    asked = {d: int((parts[1].degree[DIRECTIONS[d].query] > 0).sum()) for d in ("user2item", "item2user")}
    assert [f"{d}: a random 50 of {n} queries are asked" for d, n in asked.items()] == [
        note for note in report.notes if "random" in note
    ]


def test_a_direction_that_cannot_be_asked_does_not_stop_the_others() -> None:
    whole = frame([(1, "a", 5), (1, "b", 5), (2, "a", 1), (2, "c", 1)])
    is_train = (whole.to_frame()["user"] == 1).to_numpy()
    train, test = whole.take(is_train), whole.take(~is_train)
    report = mfrec.evaluate(fit_ones(train), test, 1, train=train)
    assert {row.direction for row in report.rows} == set(report.sizes) == set(DIRECTIONS) - {"item2item"}
    untold = "item2item is not measured: there is no held-out event whose user has a training item before it"
    assert untold in report.notes
    assert f"note: {untold}" in str(report)
    with pytest.raises(DataError, match="nothing can be measured: item2item is not measured"):
        mfrec.evaluate(fit_ones(train), test, 1, train=train, directions="item2item")


def test_item2user_is_broken_down_by_popularity(report: mfrec.evaluation.Report) -> None:
    frame = report.to_frame()
    assert set(frame.loc[frame["direction"] == "item2user", "segment"]) == {"all", "head", "mid", "tail"}
    assert set(frame.loc[frame["direction"] != "item2user", "segment"]) == {"all"}
    adjacency = Adjacency(np.array([0, 1, 3, 5, 9, 14, 20]), np.zeros(20, np.int64))
    assert tasks._segments(adjacency, np.arange(6)).tolist() == ["tail", "tail", "tail", "mid", "head", "head"]


def test_other_contenders_can_be_held_against_the_model(model: mfrec.Recommender, parts: Parts) -> None:
    def by_number(numbers: np.ndarray) -> np.ndarray:
        return np.tile(-np.arange(200, dtype=np.float32), (len(numbers), 1))

    report = mfrec.evaluate(model, parts[1], 200, directions=["user2item"], scorers={"mine": {"user2item": by_number}})
    assert report.value("user2item", "hit_rate", 200, contender="mine", protocol="plain") == 1
    votes = {"ones": {"user2user": lambda n: np.ones((len(n), 120), np.float32)}}
    report = mfrec.evaluate(model, parts[1], 20, directions=["user2user"], scorers=votes, neighbours=120)
    # all other users vote alike: that is popularity, since a user's own items count for all or are taken out
    popularity = report.value("user2user", "recall", 20, contender="popularity")
    assert report.value("user2user", "recall", 20, contender="ones") == pytest.approx(popularity, abs=1e-6)


def test_measure_equals_the_report(model: mfrec.Recommender, parts: Parts, report: mfrec.evaluation.Report) -> None:
    found = measure(model.factors, *parts, (5, 20))
    for name, value in found.items():
        metric, k = name.split("@")
        assert report.value("user2item", metric, int(k)) == pytest.approx(value, abs=1e-9)


def test_large_tasks_are_sampled(model: mfrec.Recommender, parts: Parts) -> None:
    report = mfrec.evaluate(model, parts[1], 5, directions=["user2item"], max_queries=7)
    assert report.sizes["user2item"]["queries"] == 7


def test_report_as_text_table_and_json(report: mfrec.evaluation.Report) -> None:
    short = str(report)
    for expected in (*DIRECTIONS, "hit_rate@5", "popularity", "most-active", "unseen:", "* the best"):
        assert expected in short
    assert short.startswith(f"{report.verdicts[0]}\n")
    assert "ndcg@5" not in short
    assert "plain" not in short
    for expected in (*DIRECTIONS, "hit_rate@5", "ndcg@20", "popularity", "unseen:", "plain:", "* the best"):
        assert expected in report.full()
    assert report.to_frame().columns.tolist() == [
        "direction", "protocol", "contender", "segment", "metric", "k", "value",
    ]  # fmt: skip
    assert len(report.to_frame()) == len(report.rows)
    again = json.loads(report.to_json())
    assert again["rows"][0]["value"] == report.rows[0].value
    assert again["sizes"]["user2item"]["queries"] > 0
    assert again["verdicts"] == list(report.verdicts)
    with pytest.raises(ParameterError, match="no figure"):
        report.value("user2item", "ndcg", 7)


def test_verdicts_say_by_how_much_the_model_is_ahead_or_behind() -> None:
    rates = {"mfrec": 0.2, "popularity": 0.08, "random": 0.01, "kNN cosine": 0.19, "co-occurrence": 0.25}
    rows = tuple(Row("user2item", "unseen", who, "all", "hit_rate", 10, rate) for who, rate in rates.items())
    many, few = {"user2item": {"queries": 5_000, "events": 100_000}}, {"user2item": {"queries": 9, "events": 9}}
    assert Report(rows, sizes=many).verdicts == ("user2item: 2.5 times popularity, 20% behind co-occurrence",)
    assert Report(rows[:4], sizes=many).verdicts == ("user2item: 2.5 times popularity, 5% ahead of kNN cosine",)
    # nine events tell nothing apart
    assert Report(rows, sizes=few).verdicts == ("user2item: level with popularity, level with co-occurrence",)
    assert Report(rows[:1], sizes=many).verdicts == ("user2item: hit_rate@10 0.2000",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k must"),
        ({"k": []}, "at least one cut-off"),
        ({"k": 2.5}, "k must"),
        ({"directions": ["item2things"]}, "unknown direction"),
        ({"protocols": ["seen"]}, "unknown protocol"),
        ({"protocols": []}, "at least one protocol"),
        ({"neighbours": 0}, "neighbours must"),
        ({"max_queries": -1}, "max_queries must"),
        ({"seed": -1}, "seed must"),
    ],
)
def test_wrong_arguments(model: mfrec.Recommender, parts: Parts, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        mfrec.evaluate(model, parts[1], **arguments)  # type: ignore[arg-type]


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(2, 4))
def test_ranks_and_lists_are_those_of_sorting_everything(seed: int, deepest: int, values: int) -> None:
    """Only the best of each row are sorted; few distinct scores tie at every border."""
    rng = np.random.default_rng(seed)
    n_queries, n_targets = 5, 9
    scores = rng.integers(0, values, (n_queries, n_targets)).astype(np.float32)
    hidden = rng.random(scores.shape) < 0.2
    wanted = rng.random(scores.shape) < 0.3
    wanted[:, 0] |= ~wanted.any(axis=1)
    none = Adjacency(np.zeros(n_queries + 1, np.int64), np.zeros(0, np.int64))
    task = ranking.Task(
        np.arange(n_queries), adjacency(wanted), {"plain": none, "unseen": adjacency(hidden)}, n_targets
    )
    ks = tuple(sorted({1, deepest}))
    found = ranking.by_scores(task, lambda numbers: scores[numbers].copy(), ("plain", "unseen"), ks)
    for protocol, mask in (("plain", np.zeros_like(hidden)), ("unseen", hidden)):
        left = np.where(mask, -np.inf, scores)
        query, target = np.nonzero(wanted)
        above = (left[query] > left[query, target][:, None]).sum(axis=1)
        tied = (left[query] == left[query, target][:, None]).sum(axis=1)
        # what may not be shown is missed, however few candidates there are
        shown = left[query, target] > -np.inf
        expected = metrics.Ranks(query, np.where(shown, above, metrics.MISSED), np.where(shown, tied, 1))
        order = np.argsort(-left, axis=1, kind="stable")
        for k in ks:
            for of_ranks in RANK_METRICS.values():
                assert of_ranks(found[protocol].ranks, k) == pytest.approx(of_ranks(expected, k))
            lists = [[n for n in order[q, :k] if not mask[q, n]] for q in range(n_queries)]
            counts = np.bincount(np.concatenate(lists).astype(int), minlength=n_targets)
            assert found[protocol].shown[k].tolist() == counts.tolist()


def adjacency(table: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> Adjacency:
    return Adjacency(np.concatenate([[0], np.cumsum(table.sum(axis=1))]), np.nonzero(table)[1])


def test_random_vectors_hit_as_often_as_chance_does() -> None:
    n_users, n_items = 600, 370
    rng = np.random.default_rng(0)
    relevant = adjacency(rng.random((n_users, n_items)) < 0.05)
    none = Adjacency(np.zeros(n_users + 1, np.int64), np.zeros(0, np.int64))
    task = ranking.Task(np.arange(n_users), relevant, {"plain": none, "unseen": none}, n_items)
    factors = Pair.of(lambda side: rng.standard_normal((n_users if side == "user" else n_items, 64), np.float32))
    outcome = ranking.by_scores(task, lambda q: factors.user[q] @ factors.item.T, ("unseen",), (10, 100))["unseen"]
    assert metrics.hit_rate(outcome.ranks, 100).mean() == pytest.approx(100 / n_items, rel=0.1)
    assert metrics.coverage(outcome.shown[100]) > 0.9
