"""Limited stock: no item over its units, no user over what they may get, and the highest total."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

import mfrec
from mfrec.applications import allocation, auction
from mfrec.applications.allocation import allocate
from mfrec.cli import main
from mfrec.directions import Pair
from mfrec.errors import DataError, ParameterError, UnknownIdError
from mfrec.model.adjacency import Adjacency
from mfrec.model.allocation import Allocation
from mfrec.model.recommender import Recommender
from tests.conftest import random_interactions, small_model
from tests.waiting import LIMIT


def market(seed: int, users: int, items: int, *, whole: bool = False, text: bool = False) -> Recommender:
    """Return a model of random vectors without indexes; whole numbers make many scores equal."""
    rng = np.random.default_rng(seed)
    sides = [rng.integers(-2, 3, (n, 3)) if whole else rng.standard_normal((n, 3)) + 0.3 for n in (users, items)]
    seen = rng.random((users, items)) < 0.2
    prefix = "id-" if text else ""
    ids = [[f"{prefix}{n:04}" if text else 7 * n + 3 for n in range(count)] for count in (users, items)]
    return Recommender(
        factors=mfrec.Factors(sides[0].astype(np.float32), sides[1].astype(np.float32)),
        ids=Pair(mfrec.IdMap.of("user", ids[0]), mfrec.IdMap.of("item", ids[1])),
        adjacency=Pair(_rows(seen), _rows(seen.T)),
        indexes={},
    )


def _rows(seen: NDArray[np.bool_]) -> Adjacency:
    return Adjacency.from_csr(np.append(0, np.cumsum(seen.sum(axis=1))), np.nonzero(seen)[1])


def dense(model: Recommender, score: str, exclude_seen: bool, min_score: float | None) -> NDArray[np.float64]:
    """Return every score, 0 where a pair must not be offered."""
    scores: NDArray[np.float64] = model.factors.user.astype(float) @ model.factors.item.T.astype(float)
    if score == "lift":
        scores -= scores.mean(axis=0)
    if min_score is not None:
        scores[scores < min_score] = 0
    if exclude_seen:
        for user in range(len(scores)):
            scores[user, model.adjacency.user.of(user)] = 0
    scores[scores < 0] = 0
    return scores


def optimum(scores: NDArray[np.float64], units: list[int], per_user: int) -> float:
    """Return the highest total, by linear programming on every pair."""
    n, m = scores.shape
    rows = csr_array(np.concatenate([np.repeat(np.eye(n), m, axis=1), np.tile(np.eye(m), n)]))
    found = linprog(-scores.ravel(), A_ub=rows, b_ub=[per_user] * n + units, bounds=(0, 1), method="highs")
    assert found.status == 0
    return -float(found.fun)


def check(found: Allocation, stock: Mapping[Any, int], per_user: int) -> None:
    pairs = list(zip(found.users.tolist(), found.items.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    given_out = {item: found.items.tolist().count(item) for item in stock}
    assert all(given_out[item] <= units for item, units in stock.items())
    assert max((found.users.tolist().count(user) for user in set(found.users.tolist())), default=0) <= per_user
    assert found.left == {item: units - given_out[item] for item, units in stock.items()}
    assert found.total >= found.greedy.total
    assert found.total <= found.bound
    assert (found.scores > 0).all()


instances = {
    "seed": st.integers(0, 2**32 - 1),
    "users": st.integers(1, 12),
    "units": st.lists(st.integers(0, 6), min_size=1, max_size=6),
    "per_user": st.integers(1, 4),
    "whole": st.booleans(),
    "score": st.sampled_from(["dot", "lift"]),
    "exclude_seen": st.booleans(),
    "min_score": st.sampled_from([None, -1.0, 0.5]),
}


@given(**instances)
def test_limits_hold_and_greedy_is_not_better(
    seed: int, users: int, units: list[int], per_user: int, whole: bool, **options: Any
) -> None:
    model = market(seed, users, len(units), whole=whole)
    stock = dict(zip(model.ids.item, units, strict=True))
    check(allocate(model, stock, per_user=per_user, **options), stock, per_user)


@pytest.mark.parametrize("block", range(4))
def test_the_total_is_the_highest_there_is(block: int) -> None:
    """200 random instances in all."""
    for seed in range(50 * block, 50 * block + 50):
        rng = np.random.default_rng(seed)
        users, items, per_user = int(rng.integers(1, 25)), int(rng.integers(1, 9)), int(rng.integers(1, 4))
        model = market(seed, users, items, whole=seed % 3 == 0)
        units = rng.integers(0, 1 + 2 * users // items, items).tolist()
        options: dict[str, Any] = {
            "score": ("dot", "lift")[seed % 2],
            "exclude_seen": seed % 5 > 0,
            "min_score": 0.4 if seed % 7 == 0 else None,
        }
        found = allocate(model, dict(zip(model.ids.item, units, strict=True)), per_user=per_user, **options)
        assert found.total == pytest.approx(optimum(dense(model, **options), units, per_user), rel=1e-5, abs=1e-5)
        assert found.gap == 0


def test_lists_are_made_anew_until_the_gap_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """With lists of 2 of 60 items, and without the exchanges, the auction alone comes as near as it says."""
    monkeypatch.setattr(auction, "LISTED", 2)
    monkeypatch.setattr(auction, "BLOCK", 16)
    for per_user in (1, 3):
        model = market(1, 80, 60)
        found = allocate(model, dict.fromkeys(model.ids.item, 2), per_user=per_user)
        best = optimum(dense(model, "dot", True, None), [2] * 60, per_user)
        check(found, dict.fromkeys(model.ids.item, 2), per_user)
        assert best * 0.99 <= found.total <= best * (1 + 1e-6) <= found.bound * (1 + 2e-6)
        assert 0 <= found.gap <= 0.01
        assert found.total > found.greedy.total


@pytest.mark.parametrize(("score", "per_user"), [("dot", 1), ("lift", 2)])
def test_items_without_units_change_nothing_but_what_is_left(score: Literal["dot", "lift"], per_user: int) -> None:
    model = market(3, 100, 60)
    stock = dict.fromkeys(model.ids.item, 1)
    none = list(stock)[::6]
    found = allocate(model, stock | dict.fromkeys(none, 0), score=score, per_user=per_user)
    asked = {item: units for item, units in stock.items() if item not in none}
    alone = allocate(model, asked, score=score, per_user=per_user)
    assert found.to_frame().equals(alone.to_frame())
    assert (found.bound, found.gap, found.greedy) == (alone.bound, alone.gap, alone.greedy)
    assert found.left == alone.left | dict.fromkeys(none, 0)


@pytest.mark.parametrize("scale", [1e-10, 1e-5, 1.0, 1e5])
def test_the_optimum_is_found_whatever_the_size_of_scores(scale: float) -> None:
    model, few = market(6, 24, 8), np.float32(scale)
    small = replace(model, factors=mfrec.Factors(model.factors.user * few, model.factors.item * few))
    stock = dict.fromkeys(model.ids.item, 2)
    found, like = allocate(small, stock, per_user=2), allocate(model, stock, per_user=2)
    assert found.gap == like.gap == 0
    assert found.total == pytest.approx(like.total * scale**2, rel=1e-5)
    assert like.total > like.greedy.total


def test_a_model_of_two_users_is_solved() -> None:
    model = mfrec.fit(mfrec.Interactions.from_arrays([1, 2], [5, 6]))
    assert model.allocate({5: 1, 6: 1}).gap == 0


def test_greedy_takes_pairs_by_descending_score() -> None:
    model = market(4, 50, 7)
    scores = dense(model, "dot", True, None)
    load, got, total = np.zeros(7, int), np.zeros(50, int), 0.0
    for user, item in zip(*np.unravel_index(np.argsort(-scores, axis=None), scores.shape), strict=True):
        if scores[user, item] > 0 and load[item] < 5 and got[user] < 2:
            load[item], got[user], total = load[item] + 1, got[user] + 1, total + scores[user, item]
    greedy = allocate(model, dict.fromkeys(model.ids.item, 5), per_user=2).greedy
    assert greedy.total == pytest.approx(total, rel=1e-6)
    assert (greedy.reached, greedy.left) == ((got > 0).sum(), 35 - load.sum())


def test_a_known_answer_where_greedy_is_not_the_best() -> None:
    """Greedy gives user 3 the item that user 10 wants as much as nothing else."""
    model = market(0, 2, 2)
    vectors = np.array([[3, 2.9], [2.5, 0.1]], np.float32)
    model = Recommender(
        mfrec.Factors(vectors, np.eye(2, dtype=np.float32)), model.ids, Pair(Adjacency.empty(2), Adjacency.empty(2)), {}
    )
    found = model.allocate([(3, 1), (10, 1)])
    assert list(zip(found.users, found.items, strict=True)) == [(3, 10), (10, 3)]
    assert found.total == pytest.approx(5.4)
    assert found.greedy.total == pytest.approx(3.1)
    assert (found.greedy.reached, found.greedy.left) == (2, 0)
    assert found.to_frame()["item"].tolist() == [10, 3]
    assert repr(found) == "Allocation(2 offers of 2 items to 2 users, total 5.4, gap at most 0.000%)"
    assert "greedy" in found._repr_html_()


def test_more_units_than_users_are_left_and_some_users_can_be_named() -> None:
    model = market(2, 9, 3, text=True)
    some = [model.ids.user.id(n) for n in (7, 1, 4, 1)]
    stock = {"id-0001": 100, "id-0002": 0}
    found = allocate(model, stock, users=some, exclude_seen=False)
    assert found.users.tolist() == sorted(set(some))
    assert set(found.items) == {"id-0001"}
    assert found.left == {"id-0001": 97, "id-0002": 0}
    assert found.to_frame().dtypes.astype(str).tolist() == ["str", "str", "float32"]


def test_nothing_to_offer_is_an_empty_answer() -> None:
    model = market(2, 9, 3)
    cases: list[tuple[dict[int, int], dict[str, Any]]] = [
        ({3: 0}, {}),
        ({3: 0, 10: 0}, {"per_user": 2, "score": "lift"}),
        ({3: 5}, {"min_score": 1e9}),
    ]
    for stock, options in cases:
        found = allocate(model, stock, **options)
        assert (len(found), found.total, found.bound, found.gap, found.left) == (0, 0, 0, 0, stock)
        assert found.to_frame().dtypes.astype(str).tolist() == ["int64", "int64", "float32"]


def test_the_same_question_has_the_same_answer() -> None:
    model = market(5, 300, 60)
    first, second = (allocate(model, dict.fromkeys(model.ids.item, 3), per_user=2) for _ in range(2))
    assert first.to_frame().equals(second.to_frame())


@pytest.mark.parametrize(
    ("stock", "options", "error", "words"),
    [
        ({}, {}, DataError, "the stock has no items"),
        (
            [50, 100],
            {},
            DataError,
            "or pairs of an item and its units, got list with an entry of type int",
        ),
        (["ab"], {}, DataError, "got list with an entry of type str"),
        ("ab", {}, DataError, "got str"),
        (5, {}, DataError, "got int"),
        (None, {}, DataError, "got NoneType"),
        (pd.DataFrame({"item": [3], "units": [1]}), {}, DataError, "the stock is a table: give two of its columns"),
        ({3: 1.5}, {}, ParameterError, r"the units of item 3 must be an integer of at least 0, got 1\.5"),
        ({3: -1}, {}, ParameterError, "the units of item 3 must be an integer of at least 0, got -1"),
        ({3: True}, {}, ParameterError, "got True"),
        ({4: 1}, {}, UnknownIdError, "unknown item id 4"),
        ([(3, 1), (10, 1), (3, 2)], {}, DataError, "item 3 twice, with 1 and 2 units"),
        ({3: 1}, {"users": [5]}, UnknownIdError, "unknown user id 5"),
        ({3: 1}, {"users": []}, DataError, "no users"),
        ({3: 1}, {"per_user": 0}, ParameterError, "per_user must be an integer of at least 1, got 0"),
        ({3: 1}, {"min_score": float("nan")}, ParameterError, "min_score"),
        ({3: 1}, {"exclude_seen": "no"}, ParameterError, "exclude_seen must be True or False, got 'no'"),
        ({3: 1}, {"score": "cosine"}, ParameterError, "unknown score 'cosine': choose dot or lift"),
    ],
)
def test_what_cannot_be_meant_is_refused(stock: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as refused:
        allocate(market(0, 4, 3), stock, **options)
    assert "\n" not in str(refused.value)


def test_a_stock_may_be_a_series_or_an_array_of_pairs() -> None:
    model = market(2, 9, 3)
    asked = allocate(model, {3: 4, 17: 2}).to_frame()
    assert asked.equals(allocate(model, pd.Series({3: 4, 17: 2})).to_frame())
    assert asked.equals(allocate(model, np.array([[17, 2], [3, 4]])).to_frame())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "m"
    small_model(random_interactions(), index="exact").save(path)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return int(stopped.value.code or 0), told.out, told.err


def test_the_command_writes_offers_and_tells_the_totals(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stock, out = tmp_path / "stock.csv", tmp_path / "offers.csv"
    stock.write_text("sku;pieces\n1;10\n6;500\n11;0\n")
    asked = ("allocate", folder, "--stock", stock, "--item-col", "sku", "--units-col", "pieces", "--per-user", "2")
    found = mfrec.load(folder).allocate({1: 10, 6: 500, 11: 0}, per_user=2)
    code, told, _ = run(capsys, *asked, "--out", out)
    assert code == 0
    written = pd.read_csv(out)
    assert written[["user", "item"]].to_numpy().tolist() == found.to_frame()[["user", "item"]].to_numpy().tolist()
    assert written.groupby("user")["rank"].agg(list).map(lambda ranks: ranks == [1, 2][: len(ranks)]).all()
    assert told.splitlines()[2].split() == ["allocated", f"{found.total:.6g}", str(found.reached), str(found.left[6])]
    assert f"{len(found)} offers to {found.reached} users; proved: this is the highest total" in told
    assert told.endswith(f"wrote {len(found)} rows to {out}\n")
    code, told, _ = run(capsys, *asked, "--json")
    told_json = json.loads(told)
    assert told_json["greedy"] == {
        "total": pytest.approx(found.greedy.total),
        "reached": found.greedy.reached,
        "left": found.greedy.left,
    }
    assert [(o["user"], o["item"]) for o in told_json["offers"]] == list(zip(found.users, found.items, strict=True))
    assert told_json["items"] == [{"item": item, "left": left} for item, left in found.left.items()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("item,units\n1,2\n6,1.5\n", "the units of item 6 must be an integer of at least 0, got 1.5"),
        ("item,units\n1,-2\n", "the units of item 1 must be an integer of at least 0, got -2"),
        ("item,units\n1,2\n6,some\n", "line 3: the units must be an integer of at least 0, got 'some'"),
        ("item,units\n1,2\n6,\n", "line 3: the units must be an integer of at least 0, got nothing"),
        ("item,units\n1,2\n6,3\n1,4\n", "the stock has item 1 twice, with 2 and 4 units: give it once"),
        ("item,units\n2,2\n", "unknown item id 2"),
        ("item,units\n", "stock.csv: the table has no rows\n"),
        ("1,2\n", "say --no-header, and name columns by their position, 0 for the first\n"),
    ],
)
def test_a_stock_that_cannot_be_meant_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    stock, out = tmp_path / "stock.csv", tmp_path / "offers.csv"
    stock.write_text(text)
    code, told, error = run(capsys, "allocate", folder, "--stock", stock, "--out", out)
    assert (code, told, error.count("\n")) == (2, "", 1)
    assert words in error
    assert not out.exists()


def test_offers_are_not_written_over_the_stock(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stock, link = tmp_path / "stock.csv", tmp_path / "offers.csv"
    stock.write_text("item,units\n1,2\n")
    link.symlink_to(stock)
    for out in (stock, link):
        code, told, error = run(capsys, "allocate", folder, "--stock", stock, "--out", out)
        assert (code, told) == (2, "")
        assert error.endswith(f"--out {out} is the stock itself: choose another path\n")
        assert error.count("\n") == 1
    assert stock.read_text() == "item,units\n1,2\n"
    assert link.is_symlink()


def test_a_gap_is_told_as_what_the_total_lacks(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocation, "EXACT_ITEMS", 0)
    model, stock = mfrec.load(folder), tmp_path / "stock.csv"
    units = dict.fromkeys(model.ids.item, 1)
    stock.write_text("item,units\n" + "".join(f"{item},1\n" for item in units))
    gap = model.allocate(units).gap
    assert gap > 0
    code, told, _ = run(capsys, "allocate", folder, "--stock", stock)
    assert code == 0
    assert f"proved: the total is at most {gap:.3%} below the highest\n" in told


def test_a_stock_without_header_is_named_by_place(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stock = tmp_path / "stock.tsv"
    stock.write_text("1\t2\n6\t3\n")
    asked = ("allocate", folder, "--stock", stock, "--no-header", "--item-col", "0", "--units-col", "1", "--json")
    code, told, _ = run(capsys, *asked)
    assert code == 0
    assert len(json.loads(told)["offers"]) == 5


def test_what_answers_allocates_with_numpy_alone(folder: Path) -> None:
    code = (
        "import sys, mfrec; found = mfrec.load(sys.argv[1]).allocate({1: 5, 6: 5}); "
        "print(len(found), sorted({'scipy', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(folder)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT).stdout
    assert told == "10 []\n"
