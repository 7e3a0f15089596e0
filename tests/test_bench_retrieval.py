"""``benchmarks/retrieval``: what counts as found, and what the tables say about it."""

from typing import Any

import numpy as np
import pytest

from benchmarks.retrieval import report
from benchmarks.retrieval.compare import climb, contend
from benchmarks.retrieval.workloads import KS, Problem
from mfrec import DIRECTIONS, Pair


@pytest.fixture(scope="module")
def vectors() -> Pair[Any]:
    rng = np.random.default_rng(0)
    return Pair.of(
        lambda side: rng.standard_normal((900, 16)).astype(np.float32) * rng.lognormal(size=(900, 1)).astype(np.float32)
    )


def row(setting: str, k: int, recall: float, us: float, build_s: float = 1.0) -> report.Row:
    return {"setting": setting, "k": k, "recall": recall, "us": us, "p99": 2 * us, "build_s": build_s, "bytes": 2**20}


def both(setting: str, recall: float, us: float) -> list[report.Row]:
    return [row(setting, k, recall, us) for k in KS]


@pytest.mark.parametrize("name", DIRECTIONS)
def test_a_scan_finds_everything_and_the_query_itself_is_not_counted(vectors: Pair[Any], name: str) -> None:
    problem = Problem.of(vectors, DIRECTIONS[name], 20)
    assert contend(problem, "exact", {}, 5.0)["rows"][0]["recall"] == 1.0

    def ranked(place: int, count: int) -> Any:
        return np.argsort(-(problem.base @ problem.asked[place]))[:count]

    assert problem.measure(ranked, 10, 10 + problem.extra)["recall"] == 1.0
    assert problem.measure(ranked, 10, 9 + problem.extra)["recall"] == 0.9


def test_an_answer_that_comes_twice_counts_once(vectors: Pair[Any]) -> None:
    problem = Problem.of(vectors, DIRECTIONS["user2item"], 20)
    best = np.argmax(problem.base @ problem.asked[0])
    assert problem.recall(0, [best] * 10, 10) == 0.1
    assert problem.recall(0, [best, -1, len(problem.base)], 10) == 0.1


def test_calibration_and_fresh_queries_have_none_in_common(vectors: Pair[Any]) -> None:
    problem = Problem.of(vectors, DIRECTIONS["item2item"], 300)
    assert problem.calibration.own is not None
    assert not set(problem.numbers) & set(problem.calibration.own)


def test_vectors_of_equal_norms_keep_every_order(vectors: Pair[Any]) -> None:
    problem = Problem.of(vectors, DIRECTIONS["item2user"], 5)
    base, asked = problem.equal_norms()
    np.testing.assert_allclose(np.linalg.norm(base, axis=1), np.linalg.norm(problem.base, axis=1).max(), rtol=1e-5)
    np.testing.assert_allclose(asked @ base.T, problem.asked @ problem.base.T, rtol=1e-4, atol=1e-4)


def test_a_ladder_ends_where_the_scan_is_much_faster(vectors: Pair[Any]) -> None:
    from benchmarks.retrieval.contenders import Built

    problem = Problem.of(vectors, DIRECTIONS["user2item"], 5)
    built = Built(0.0, 0, iter([("a", lambda at, n: []), ("b", lambda at, n: [])]))
    found = list(climb(problem, built, dict.fromkeys(KS, 1e-6), float("inf")))
    assert [(r["setting"], r["recall"]) for r in found] == [("a", 0.0), ("a", 0.0)]


def test_the_table_shows_the_fastest_on_target_and_says_never() -> None:
    default = report.DEFAULT
    runs = {
        "exact": both(default, 1.0, 100),
        "annoy": [*both(default, 0.995, 20), *both("target 0.9", 0.992, 10)],
        "hnswlib": [*both("ef 16", 0.5, 5), *both("ef 64", 0.9, 50)],
        "Annoy dot": both("search_k 9", 0.9, 301),
    }
    lines = report.table(runs).splitlines()[2:]
    # of mfrec's own, only the default counts
    assert lines[0].startswith("| **mfrec `annoy`** | default | 20 | 40 | 0.995 | 5.0x |")
    assert "| **mfrec `auto`** | keeps annoy | 20 |" in lines[1]
    assert "| hnswlib | never; best: ef 64 | 50 |" in lines[3]
    assert "| Annoy dot | not within 3x the scan; best: search_k 9 | 301 |" in lines[4]


def test_the_small_table_says_where_annoy_loses() -> None:
    size = {"title": "some", "users": 1, "items": 1, "dimensions": 1}
    rows = {
        "exact": both(report.DEFAULT, 1.0, 100),
        "annoy": both(report.DEFAULT, 1.0, 200),
        "faiss": both(report.DEFAULT, 1.0, 50),
    }
    data = {"workloads": {"w": size}, "runs": {f"w/item2item/{name}": {"rows": found} for name, found in rows.items()}}
    text = report.small(data)
    assert "| item2item @10 | 200 | **50** | 100 |" in text
    assert "slower than the exact scan in item2item @10, item2item @100;" in text
    assert "slower than mfrec's faiss index in item2item @10, item2item @100." in text
