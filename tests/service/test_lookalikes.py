"""Look-alikes over HTTP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import mfrec
from mfrec.service.settings import Limits
from tests.service.conftest import LARGE, MakeModel, Serve, with_large_ids

ROUTE = "/v1/lookalikes"


@pytest.fixture(scope="module")
def model(folders: Callable[[int], Path]) -> mfrec.Recommender:
    return mfrec.load(folders(0))


def test_answers_are_the_librarys(client: httpx.Client, model: mfrec.Recommender) -> None:
    for side in ("user", "item"):
        body = {"side": side, "seeds": [3, 9, 1, 9], "k": 6, "allow": [1, 2, 4, 5, 6, 7, 999], "deny": [6]}
        answer = client.post(ROUTE, json=body)
        assert answer.status_code == 200
        found = answer.json()
        expected = model.lookalikes(side, [1, 3, 9], 6, allow=[2, 4, 5, 6, 7], deny=[6])
        assert [row["id"] for row in found["results"]] == expected.ids
        assert [row["score"] for row in found["results"]] == pytest.approx(expected.scores.tolist())
        assert [row["label"] for row in found["results"]] == (expected.labels or [str(i) for i in expected.ids])
        assert (found["side"], found["seeds"], found["repeated"], found["unknown"]) == (side, 3, 1, [])
        assert found["version"] == answer.headers["mfrec-version"]


def test_k_may_be_more_than_there_are_and_unknown_seeds_are_listed(client: httpx.Client) -> None:
    found = client.post(ROUTE, json={"side": "user", "seeds": [900, 1, 901, 900], "k": 10_000}).json()
    assert (found["seeds"], found["repeated"], found["unknown"]) == (1, 1, [900, 901])
    assert len(found["results"]) == 39


def test_ten_thousand_seeds_are_taken(client: httpx.Client) -> None:
    body = {"side": "user", "seeds": [*range(1, 10_001)], "k": 5}
    found = client.post(ROUTE, json=body).json()
    assert (found["seeds"], len(found["unknown"]), found["results"]) == (40, 9960, [])


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"side": "user", "seeds": []}, 422, "'seeds'"),
        ({"side": "user"}, 422, "'seeds'"),
        ({"seeds": [1]}, 422, "'side'"),
        ({"side": "users", "seeds": [1]}, 422, "'side'"),
        ({"side": "user", "seeds": [1] * 10_001}, 422, "'seeds'"),
        ({"side": "user", "seeds": [1], "k": 10_001}, 422, "'k'"),
        ({"side": "user", "seeds": [1], "k": 0}, 422, "'k'"),
        ({"side": "user", "seeds": [1], "k": "5"}, 422, "'k'"),
        ({"side": "user", "seeds": [1], "deny": [1] * 10_001}, 422, "'deny'"),
        ({"side": "user", "seeds": [1], "nonsense": 1}, 422, "'nonsense'"),
        ({"side": "user", "seeds": [True]}, 422, "'seeds.0"),
        ({"side": "user", "seeds": [900, 901]}, 404, "2 of 2 seeds are no users of the model (900, 901)"),
        ({"side": "user", "seeds": ["1"]}, 404, "'1'"),
    ],
)
def test_mistakes_get_one_sentence(client: httpx.Client, body: Any, status: int, sentence: str) -> None:
    answer = client.post(ROUTE, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert sentence in answer.json()["detail"]


def test_limits_are_the_deployments(serve: Serve) -> None:
    client = serve(limits=Limits(seeds=2, lookalikes=3))
    assert client.post(ROUTE, json={"side": "user", "seeds": [1, 2], "k": 3}).status_code == 200
    assert client.post(ROUTE, json={"side": "user", "seeds": [1, 2, 3], "k": 3}).status_code == 422
    refused = client.post(ROUTE, json={"side": "user", "seeds": [1], "k": 4}).json()
    assert (refused["limits"]["seeds"], refused["limits"]["lookalikes"]) == (2, 3)


def test_ids_that_a_double_cannot_hold_travel_as_text(serve: Serve, make_model: MakeModel, tmp_path: Path) -> None:
    with_large_ids(make_model(3)).save(tmp_path / "m")
    body = {"side": "user", "seeds": [str(LARGE[0]), LARGE[1], "77777"], "k": 100}
    found = serve(tmp_path / "m").post(ROUTE, json=body).json()
    assert (found["seeds"], found["unknown"]) == (2, ["77777"])
    assert {str(LARGE[2]), str(LARGE[3])} <= {row["id"] for row in found["results"]}
