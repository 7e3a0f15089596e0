"""``POST /v1/allocate``: the library's allocation, within limits."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from mfrec.service import handlers, routes
from mfrec.service.settings import Limits
from tests.service.conftest import MakeModel, Serve, with_large_ids
from tests.service.test_api import Folders, check_problem
from tests.waiting import LIMIT, wait_for


@pytest.mark.parametrize(
    "options", [{}, {"per_user": 2, "score": "lift", "exclude_seen": False}, {"users": [1, 7, 9], "min_score": 0.5}]
)
def test_the_answer_is_the_librarys(client: httpx.Client, make_model: MakeModel, options: dict[str, Any]) -> None:
    stock = {3: 4, 5: 0, 1: 100}
    found = make_model(0).allocate(stock, **options)
    answer = client.post("/v1/allocate", json={"stock": [{"id": i, "units": n} for i, n in stock.items()], **options})
    assert answer.status_code == 200
    body = answer.json()
    assert body["version"] == answer.headers["mfrec-version"]
    assert [(o["user"], o["item"]) for o in body["offers"]] == list(
        zip(found.users.tolist(), found.items.tolist(), strict=True)
    )
    assert {row["id"]: row["left"] for row in body["items"]} == found.left
    assert (body["total"], body["gap"], body["reached"]) == (pytest.approx(found.total), found.gap, found.reached)
    assert body["greedy"]["total"] == pytest.approx(found.greedy.total)
    assert 0 < body["total"] <= body["bound"]


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        ({}, "invalid", "'stock': Field required"),
        ({"stock": []}, "invalid", "'stock'"),
        ({"stock": {"1": 2}}, "invalid", "'stock'"),
        ({"stock": [{"id": 1, "units": 1.5}]}, "invalid", "'stock.0.units'"),
        ({"stock": [{"id": 1, "units": -1}]}, "invalid", "'stock.0.units'"),
        ({"stock": [{"id": 1, "units": 1, "price": 2}]}, "invalid", "'stock.0.price'"),
        ({"stock": [{"id": 1, "units": 1}, {"id": 1, "units": 2}]}, "invalid", "item 1 twice, with 1 and 2 units"),
        ({"stock": [{"id": 999, "units": 1}]}, "unknown-id", "does not know the item '999'"),
        ({"stock": [{"id": 1, "units": 1}], "users": [999]}, "unknown-id", "does not know the user '999'"),
        ({"stock": [{"id": 1, "units": 1}], "users": []}, "invalid", "'users'"),
        ({"stock": [{"id": 1, "units": 1}], "per_user": 1001}, "invalid", "'per_user'"),
        ({"stock": [{"id": 1, "units": 1}], "score": "cosine"}, "invalid", "'score'"),
    ],
)
def test_what_cannot_be_meant_is_refused(client: httpx.Client, body: Any, kind: str, sentence: str) -> None:
    check_problem(client.post("/v1/allocate", json=body), kind, sentence)


def test_too_many_at_once_are_refused_and_the_rest_of_the_service_goes_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, going, allocation = threading.Event(), threading.Event(), handlers.allocation

    def wait(*arguments: Any) -> Any:
        begun.set()
        going.wait(LIMIT)
        return allocation(*arguments)

    monkeypatch.setattr(handlers, "allocation", wait)
    monkeypatch.setattr(routes, "_QUEUED", 1)
    client, asked = serve(), {"stock": [{"id": 1, "units": 1}]}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/v1/allocate", json=asked)
        assert begun.wait(LIMIT)
        check_problem(client.post("/v1/allocate", json=asked), "busy", "1 allocations are being made or wait")
        assert client.post("/v1/lookalikes", json={"side": "user", "seeds": [1]}).status_code == 200
        going.set()
        assert first.result(LIMIT).status_code == 200
    assert client.post("/v1/allocate", json=asked).status_code == 200


def test_large_allocations_are_refused(serve: Serve) -> None:
    client = serve(limits=Limits(pairs=799))
    asked = {"stock": [{"id": 1, "units": 1}]}
    body = check_problem(client.post("/v1/allocate", json=asked), "invalid", "40 users x 1 items are more: name fewer")
    assert body["limits"] == {"pairs": 799}
    assert client.post("/v1/allocate", json={**asked, "users": [1, 2]}).status_code == 200


def test_large_ids_are_text(serve: Serve, make_model: MakeModel, folders: Folders, tmp_path: Any) -> None:
    model = with_large_ids(make_model(1))
    model.save(tmp_path / "m")
    client = serve(tmp_path / "m")
    wait_for(lambda: client.get("/readyz").status_code == 200)
    item = str(model.ids.item.id(0))
    body = client.post("/v1/allocate", json={"stock": [{"id": item, "units": 3}]}).json()
    assert {(offer["item"], type(offer["user"])) for offer in body["offers"]} == {(item, str)}
    assert body["items"] == [{"id": item, "left": 3 - len(body["offers"])}]
