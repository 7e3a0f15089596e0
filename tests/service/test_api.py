"""The HTTP interface: answers equal the library's, and every mistake gets one sentence."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest

import mfrec
from mfrec.data.synthetic import drifting
from mfrec.directions import DIRECTIONS, SIDES, Side, other
from mfrec.model.map2d import coordinates
from mfrec.service import routes
from mfrec.service.errors import KINDS
from mfrec.storage.store import publish
from tests.params import given_params
from tests.service.conftest import LARGE, MakeModel, Serve, with_large_ids
from tests.waiting import wait_for

Folders = Callable[[int], Path]


def expected(ranking: mfrec.Ranking) -> list[dict[str, Any]]:
    labels = ranking.labels or [str(i) for i in ranking.ids]
    rows = zip(ranking.ids, labels, ranking.scores.tolist(), strict=True)
    return [{"id": i, "label": t, "score": pytest.approx(s)} for i, t, s in rows]


@pytest.fixture(scope="module")
def model(folders: Folders) -> mfrec.Recommender:
    return mfrec.load(folders(0))


@pytest.mark.parametrize("name", DIRECTIONS)
@pytest.mark.parametrize("query", ["", "?k=3", "?exclude_seen=false", "?k=1000&exclude_seen=true"])
def test_one(client: httpx.Client, model: mfrec.Recommender, name: str, query: str) -> None:
    options = dict(re.findall(r"(\w+)=(\w+)", query))
    asked = model.recommend(
        name, [7], int(options.get("k", 10)), exclude_seen=options.get("exclude_seen", "true") == "true"
    )[0]
    answer = client.get(f"/v1/{name}/7{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["results"] == expected(asked)
    assert (body["direction"], body["target"], body["exact"]) == (name, DIRECTIONS[name].target, asked.exact)
    assert body["query"]["id"] == 7
    assert body["version"] == answer.headers["mfrec-version"]


@pytest.mark.parametrize("name", DIRECTIONS)
def test_a_direct_route_answers_as_the_framework_does(
    client: httpx.Client, serve: Serve, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    paths = [
        f"/v1/{name}/{key}?{query}"
        for key in ("1", "30", "999", "-1", "007", "x", "%20", "1/2", "", "9" * 30)
        for query in (
            "",
            "k=2",
            "k=0",
            "k=01",
            "k=+1",
            "k=1&k=2",
            "exclude_seen=false",
            "exclude_seen=0",
            "k",
            "&",
            "k=",
        )
    ]
    monkeypatch.setattr(routes.DirectRoute, "answerer", routes.StrictRoute.answerer)
    framework = serve()
    for path in paths:
        answer, slow = client.get(path), framework.get(path)
        # the clock may tick between the two
        slow.headers["date"] = answer.headers["date"]
        assert (path, slow.status_code, slow.headers, slow.json()) == (
            path,
            answer.status_code,
            answer.headers,
            answer.json(),
        )


@pytest.mark.parametrize("name", DIRECTIONS)
def test_many(client: httpx.Client, model: mfrec.Recommender, name: str) -> None:
    body = {"ids": [3, 1, 3], "k": 4, "allow": [1, 2, 3, 4, 5, 6, 999], "deny": [2], "exclude_seen": False}
    answer = client.post(f"/v1/{name}", json=body)
    asked = model.recommend(name, [3, 1, 3], 4, exclude_seen=False, allow=[1, 2, 3, 4, 5, 6], deny=[2])
    assert [r["results"] for r in answer.json()["rankings"]] == [expected(r) for r in asked]
    assert [r["query"]["id"] for r in answer.json()["rankings"]] == [3, 1, 3]


def test_a_large_batch_goes_through_a_thread(client: httpx.Client, model: mfrec.Recommender) -> None:
    ids = [1 + n % 40 for n in range(256)]
    answer = client.post("/v1/user2item", json={"ids": ids, "k": 30})
    asked = model.recommend("user2item", ids, 30)
    assert [r["results"] for r in answer.json()["rankings"]] == [expected(r) for r in asked]


@pytest.mark.parametrize("name", DIRECTIONS)
@pytest.mark.parametrize("seen", [True, False])
def test_a_history_is_folded_in(client: httpx.Client, model: mfrec.Recommender, name: str, seen: bool) -> None:
    row = DIRECTIONS[name]
    history, weights = [2, 5, 9], [1.0, 2.0, 0.5]
    body = {"history": history, "weights": weights, "k": 5, "deny": [1], "exclude_seen": seen}
    answer = client.post(f"/v1/{name}", json=body)
    vector = model.fold_in(row.query, history, weights)
    deny = [1, *history] if seen and row.across else [1]
    asked = model.recommend_vectors(name, vector, 5, deny=deny)[0]
    (ranking,) = answer.json()["rankings"]
    assert ranking["query"] is None
    assert ranking["results"] == expected(asked)


def test_the_known_and_the_new_are_asked_for_by_their_own_sides_ids(client: httpx.Client) -> None:
    # the model has 40 users and 30 items
    assert client.post("/v1/user2user", json={"history": [35]}).status_code == 404
    assert client.post("/v1/item2item", json={"history": [35]}).status_code == 200
    assert {other(row.query) for row in DIRECTIONS.values()} == {"user", "item"}


@pytest.mark.parametrize("side", ["user", "item"])
def test_popular(client: httpx.Client, model: mfrec.Recommender, side: str) -> None:
    body = client.get(f"/v1/popular?side={side}&k=4").json()
    assert body["results"] == expected(model.popular(side, 4))  # type: ignore[arg-type]
    # these interactions have no times
    assert (body["side"], body["half_life"], body["exact"]) == (side, None, True)


def test_popular_says_what_of_late_means(serve: Serve, tmp_path: Path) -> None:
    world = drifting(60, 40, 1_500, n_genres=4)
    model = mfrec.fit(world, given_params(factors=4, recency_half_life=20.0), mfrec.IndexParams(index="exact"))
    model.save(tmp_path / "m")
    body = serve(tmp_path / "m").get("/v1/popular").json()
    assert body["half_life"] == 20
    assert body["results"] == expected(model.popular("item"))


@pytest.mark.parametrize("name", DIRECTIONS)
def test_the_unknown_get_what_is_popular_only_when_asked_and_the_answer_says_so(
    client: httpx.Client, model: mfrec.Recommender, name: str
) -> None:
    popular = expected(model.popular(DIRECTIONS[name].target, 3))
    for unknown in ("999", "nobody", "-1"):
        assert client.get(f"/v1/{name}/{unknown}?k=3").status_code == 404
        body = client.get(f"/v1/{name}/{unknown}?k=3&fallback=popular").json()
        assert (body["fallback"], body["query"]["label"], body["results"]) == ("popular", unknown, popular)
    known = client.get(f"/v1/{name}/7?k=3&fallback=popular").json()
    assert known == client.get(f"/v1/{name}/7?k=3").json()
    assert known["fallback"] is None
    asked = {"ids": [999, 7, "x"], "k": 3}
    assert client.post(f"/v1/{name}", json=asked).status_code == 404
    rankings = client.post(f"/v1/{name}", json={**asked, "fallback": "popular"}).json()["rankings"]
    assert [r["fallback"] for r in rankings] == ["popular", None, "popular"]
    assert [r["results"] for r in rankings] == [popular, known["results"], popular]
    assert [r["query"]["id"] for r in rankings] == [999, 7, "x"]
    # a known user whose id came as text is no unknown one
    text = client.post(f"/v1/{name}", json={"ids": ["7"], "k": 3, "fallback": "popular"}).json()["rankings"][0]
    assert (text["fallback"], text["results"]) == (None, known["results"])
    one = model.popular(DIRECTIONS[name].target, 2)
    bounded = {"ids": [999], "k": 9, "fallback": "popular", "allow": one.ids, "deny": one.ids[:1]}
    assert [r["id"] for r in client.post(f"/v1/{name}", json=bounded).json()["rankings"][0]["results"]] == one.ids[1:]
    wrong = client.post(f"/v1/{name}", json={"history": [1], "fallback": "popular"})
    check_problem(wrong, "invalid", "a fallback goes with ids")


@pytest.mark.parametrize("name", DIRECTIONS)
def test_min_score(client: httpx.Client, model: mfrec.Recommender, name: str) -> None:
    bound = float(model.recommend(name, [7], 10)[0].scores[4])
    kept = expected(model.recommend(name, [7], 10, min_score=bound)[0])
    assert len(kept) == 5
    assert client.get(f"/v1/{name}/7?min_score={bound!r}").json()["results"] == kept
    assert client.post(f"/v1/{name}", json={"ids": [7], "min_score": bound}).json()["rankings"][0]["results"] == kept
    history = {"history": [1, 2, 3], "k": 30}
    whole, cut = (
        client.post(f"/v1/{name}", json={**history, **more}).json()["rankings"][0]["results"]
        for more in ({}, {"min_score": 0})
    )
    assert [r["id"] for r in cut] == [r["id"] for r in whole if r["score"] >= 0]


@pytest.mark.parametrize("name", DIRECTIONS)
def test_diversity(client: httpx.Client, model: mfrec.Recommender, name: str) -> None:
    for k in (5, 25):
        diverse = expected(model.recommend(name, [7], k, diversity=0.8)[0])
        assert client.get(f"/v1/{name}/7?k={k}&diversity=0.8").json()["results"] == diverse
        many = client.post(f"/v1/{name}", json={"ids": [7], "k": k, "diversity": 0.8})
        assert many.json()["rankings"][0]["results"] == diverse
        assert [row["id"] for row in diverse] != model.recommend(name, [7], k)[0].ids
    plain, with_none = (client.get(f"/v1/{name}/7{query}").content for query in ("", "?diversity=0"))
    assert plain == with_none
    vector = model.fold_in(DIRECTIONS[name].query, [1, 2, 3])
    folded = model.recommend_vectors(name, vector, 5, diversity=1)[0]
    given = {"history": [1, 2, 3], "k": 5, "diversity": 1, "exclude_seen": False}
    answer = client.post(f"/v1/{name}", json=given).json()["rankings"][0]["results"]
    assert answer == expected(folded)


@pytest.mark.parametrize("side", ["user", "item"])
def test_segments(serve: Serve, folders: Folders, tmp_path: Path, side: Side) -> None:
    model = mfrec.load(folders(0))
    found = model.segments(side, 4)
    model.with_segments(found).save(tmp_path / "m")
    client = serve(tmp_path / "m")
    answer = client.get(f"/v1/segments?side={side}")
    body = answer.json()
    assert (body["side"], body["stability"], body["members"]) == (side, found.stability, None)
    assert body["version"] == answer.headers["mfrec-version"]
    segments = body["segments"]
    assert [(s["segment"], s["size"], s["name"]) for s in segments] == [(s.number, s.size, s.name) for s in found]
    described = [{"id": row["id"], "label": row["label"], "score": row["lift"]} for row in segments[1]["describing"]]
    assert described == expected(found[1].describing)
    one = client.get(f"/v1/segments?side={side}&segment=1&limit=3").json()
    assert one["segments"] == segments[1:2]
    members = [{"id": row["id"], "label": row["label"], "score": row["similarity"]} for row in one["members"]]
    assert members == expected(found.members(1, 3))
    check_problem(client.get(f"/v1/segments?side={side}&segment=4"), "invalid", "no segment 4: there are 4, from 0")
    unsaved = client.get(f"/v1/segments?side={other(side)}")
    check_problem(unsaved, "no-segments", f"run 'mfrec segments DIR {other(side)} --save', and publish it")


def test_search(client: httpx.Client) -> None:
    def found(q: str, side: str = "item") -> list[Any]:
        return [r["id"] for r in client.get("/v1/search", params={"q": q, "side": side, "limit": 5}).json()["results"]]

    assert found("STAR WARS")[0] == 1
    assert found("star wrs")[0] == 1
    assert found("the godfather")[0] == 4
    assert found("les miserables")[0] == 3
    assert found("Film 12")[0] == 13
    assert found("2")[0] == 2
    assert found("4", "user")[0] == 4
    assert found("zzzzqqqq") == found("") == []


def test_explain(client: httpx.Client, model: mfrec.Recommender) -> None:
    body = client.get("/v1/explain?user=3&item=2&limit=100").json()
    history = [model.ids.item.id(n) for n in model.adjacency.user.of(model.ids.user.number(3))]
    assert sorted(part["id"] for part in body["because"]) == sorted({*history} - {2})
    contributions = [part["contribution"] for part in body["because"]]
    assert contributions == sorted(contributions, reverse=True)
    vector = model.fold_in("user", history)
    folded = float(vector @ model.factors.item[model.ids.item.number(2)])
    assert sum(contributions) + (body["own"] or 0) == pytest.approx(folded, abs=1e-5) == body["explained"]
    assert body["score"] == pytest.approx(float(model.factors.user[2] @ model.factors.item[1]))
    assert body["seen"] == (2 in history)
    assert sum(part["share"] for part in body["because"]) == pytest.approx(1)


def test_an_item_is_no_reason_for_itself(client: httpx.Client) -> None:
    body = client.get("/v1/explain?history=2&history=5&item=5").json()
    assert [part["id"] for part in body["because"]] == [2]
    assert body["seen"]
    assert body["because"][0]["contribution"] + body["own"] == pytest.approx(body["explained"])
    alone = client.get("/v1/explain?history=5&item=5").json()
    assert alone["because"] == []
    assert alone["own"] == pytest.approx(alone["explained"])
    assert client.get("/v1/explain?history=2&item=5").json()["own"] is None


def test_history(client: httpx.Client, model: mfrec.Recommender) -> None:
    for side, target in zip(SIDES, reversed(SIDES), strict=True):
        body = client.get(f"/v1/history?side={side}&id=3&limit=100").json()
        numbers = model.adjacency[side].of(model.ids[side].number(3))
        assert sorted(row["id"] for row in body["results"]) == [model.ids[target].id(n) for n in numbers]
        degree = [int(model.adjacency[target].degree[model.ids[target].number(row["id"])]) for row in body["results"]]
        assert [row["degree"] for row in body["results"]] == degree == sorted(degree, reverse=True)
        assert (body["count"], body["order"], body["target"]) == (len(numbers), "popular", target)
        assert body["query"]["id"] == 3
        short = client.get(f"/v1/history?side={side}&id=3&limit=2").json()
        assert short["results"] == body["results"][:2]
        assert short["count"] == len(numbers)


def test_explain_somebody_new(client: httpx.Client, model: mfrec.Recommender) -> None:
    body = client.get("/v1/explain?history=2&history=5&history=2&item=9").json()
    assert body["user"] is None
    assert body["history"] == 2
    folded = float(model.fold_in("user", [2, 5]) @ model.factors.item[8])
    assert body["score"] == pytest.approx(folded, abs=1e-5)


def test_map(client: httpx.Client, model: mfrec.Recommender) -> None:
    whole = client.get("/v1/map?side=item").json()
    assert len(whole["ids"]) == len(whole["x"]) == len(whole["labels"]) == whole["count"] == 30
    degree = np.diff(model.adjacency.item.starts)
    assert whole["ids"][0] == model.ids.item.id(int(degree.argmax()))
    some = client.get("/v1/map?side=item&id=3&id=1").json()
    assert some["ids"] == [3, 1]
    assert some["x"][0] == whole["x"][whole["ids"].index(3)]
    assert max(map(abs, whole["x"] + whole["y"])) <= 1


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "from before it was kept"])
def test_the_map_is_the_models(serve: Serve, folders: Folders, kept: bool) -> None:
    """A folder holds its map, or is so old that the service has to compute it."""
    folder = folders(0) if kept else Path(__file__).parent.parent / "formats" / "v1"
    assert (folder / "item.map.npy").exists() == kept
    ids, places = mfrec.load(folder).ids.item, coordinates(mfrec.load(folder).factors).item
    chart = serve(folder).get("/v1/map?side=item").json()
    expected = places[ids.numbers(chart["ids"])].round(4)
    np.testing.assert_array_equal(np.array([chart["x"], chart["y"]], np.float32).T, expected)


def test_model_and_health(client: httpx.Client) -> None:
    body = client.get("/v1/model").json()
    assert body["counts"]["users"] == 40
    assert [row["name"] for row in body["directions"]] == list(DIRECTIONS)
    assert len(body["indexes"]) == 4
    assert body["sides"] == {
        "user": {"ids": "int", "json": "number", "labels": False},
        "item": {"ids": "int", "json": "number", "labels": True},
    }
    assert body["refused"] is None
    assert body["check"]["verdict"] == body["manifest"]["check"]["verdict"]
    assert body["limits"]["k"] == 1000
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["version"] == body["version"]


BAD_GETS = [
    ("/v1/user2item/4242", "unknown-id", "did you mean"),
    ("/v1/user2item/abc", "unknown-id", "'abc'"),
    ("/v1/user2item/" + "9" * 400, "unknown-id", "does not know the user"),
    ("/v1/item2item/star%20wrs", "unknown-id", r"1 \(Star Wars \(1977\)\)"),
    ("/v1/user2item/", "unknown-id", "''"),
    ("/v1/user2item/" + "9" * 501, "invalid", "at most 500 characters"),
    ("/v1/user2item/1?k=0", "invalid", "'k': Input should be greater than or equal to 1"),
    ("/v1/user2item/1?k=1001", "invalid", "less than or equal to 1000"),
    ("/v1/user2item/1?k=ten", "invalid", "'k'"),
    ("/v1/user2item/1?diversity=1.1", "invalid", "'diversity': Input should be less than or equal to 1"),
    ("/v1/user2item/1?diversity=nan", "invalid", "'diversity'"),
    ("/v1/segments", "no-segments", "No item segments were saved with this model: run 'mfrec segments DIR item"),
    ("/v1/segments?side=film", "invalid", "'user' or 'item'"),
    ("/v1/segments?segment=-1", "invalid", "'segment'"),
    ("/v1/segments?limit=1001", "invalid", "less than or equal to 1000"),
    ("/v1/user2item/1?exclude_seen=perhaps", "invalid", "exclude_seen"),
    ("/v1/search?side=item", "invalid", "'q': Field required"),
    ("/v1/search?q=a&side=film", "invalid", "'user' or 'item'"),
    ("/v1/search?q=" + "a" * 201, "invalid", "at most 200 characters"),
    ("/v1/map?side=item&id=999", "unknown-id", "'999'"),
    ("/v1/history?side=user&id=4242", "unknown-id", "the user '4242'"),
    ("/v1/history?side=user", "invalid", "'id': Field required"),
    ("/v1/history?id=1&limit=1001", "invalid", "less than or equal to 1000"),
    ("/v1/explain?user=1&item=99", "unknown-id", "the item '99'"),
    ("/v1/explain?user=1", "invalid", "'item': Field required"),
    ("/v1/explain?item=1", "invalid", "either a user or the history"),
    ("/v1/explain?item=1&user=1&history=1", "invalid", "either a user or the history"),
    ("/v1/explain?item=1&history=77", "unknown-id", "the item '77'"),
    (
        "/v1/user2item/1?deny=393",
        "invalid",
        r"'deny': unknown query parameter, known are k, exclude_seen, min_score, diversity, fallback; a POST takes",
    ),
    ("/v1/user2item/1?kk=3&k=2", "invalid", "'kk': unknown"),
    ("/v1/user2item/1?id=2", "invalid", "'id': unknown"),
    ("/v1/user2item/1?K=3&=&x", "invalid", "'K': .*; '': .*; 'x': "),
    ("/v1/user2item/4242?kk=3", "invalid", "'kk'"),
    ("/v1/search?q=a&k=3", "invalid", r"'k': unknown query parameter, known are q, side, limit\."),
    ("/v1/map?ids=3", "invalid", "'ids': unknown query parameter, known are side, limit, id"),
    ("/v1/explain?user=1&item=1&k=3", "invalid", "'k': unknown"),
    ("/v1/model?verbose=1", "invalid", "'verbose': unknown query parameter, there are none here"),
    ("/v1/film2film/1", "no-such-route", "user2item, item2item, user2user, item2user"),
    ("/static/../app.py", "no-such-route", ""),
    ("/static/%2e%2e%2fapp.py", "no-such-route", ""),
    ("/static/nothing.js", "no-such-route", "no file"),
    ("/v1/user2item", "method-not-allowed", "GET is not for"),
]


def check_problem(answer: Any, kind: str, sentence: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["type"], body["status"]) == (f"urn:mfrec:problem:{kind}", answer.status_code)
    assert answer.status_code == KINDS[kind].status
    assert re.search(sentence, body["detail"]), body["detail"]
    assert "Traceback" not in answer.text
    assert "\n" not in body["detail"]
    if kind == "invalid" and "errors" in body:
        assert body["limits"]["k"] == 1000
    return body


@pytest.mark.parametrize(("path", "kind", "sentence"), BAD_GETS)
def test_bad_get(client: httpx.Client, path: str, kind: str, sentence: str) -> None:
    check_problem(client.get(path), kind, sentence)


JSON = {"content-type": "application/json"}

BAD_BODIES = [
    (b"{", "malformed", "not readable JSON"),
    (b"\xff\xfe", "malformed", "not readable JSON"),
    (b'{"ids": [' + b"[" * 100_000, "malformed", "not readable JSON"),
    (b'{"ids": [1' + b"0" * 5000 + b"]}", "malformed", "not readable JSON"),
    (b"", "invalid", "Field required"),
    (b"[]", "invalid", "dictionary|object"),
    (b"null", "invalid", ""),
    (b"{}", "invalid", "either ids or a history"),
    (b'{"ids": [1], "history": [1]}', "invalid", "either ids or a history"),
    (b'{"ids": []}', "invalid", "'ids'"),
    (b'{"ids": [1.5]}', "invalid", "'ids"),
    (b'{"ids": [true]}', "invalid", "'ids"),
    (b'{"ids": [NaN]}', "invalid", "'ids"),
    (b'{"ids": [1], "k": 0}', "invalid", "'k'"),
    (b'{"ids": [1], "k": "5"}', "invalid", "'k'"),
    (b'{"ids": [1], "K": 5}', "invalid", "'K'"),
    (b'{"ids": [1], "diversity": -0.1}', "invalid", "'diversity'"),
    (b'{"ids": [1], "diversity": "0.5"}', "invalid", "'diversity'"),
    (b'{"ids": [1], "weights": [1]}', "invalid", "weights go with a history"),
    (b'{"history": [1, 2], "weights": [1]}', "invalid", "weights go with a history"),
    (b'{"history": [1], "weights": [0]}', "invalid", "'weights"),
    (b'{"history": [1], "weights": [NaN]}', "invalid", "'weights"),
    (b'{"history": [1], "weights": [1e300]}', "invalid", "'weights"),
    (b'{"ids": ["1"]}', "unknown-id", "'1'"),
    (b'{"ids": [1, 77, 78]}', "unknown-id", "users '77', '78'"),
    (b'{"ids": [99999999999999999999]}', "unknown-id", "'99999999999999999999'"),
    (b'{"history": [1, 77]}', "unknown-id", "the item '77'"),
    (json.dumps({"ids": [1] * 257}).encode(), "invalid", "at most 256"),
    (json.dumps({"ids": [1], "deny": [1] * 10_001}).encode(), "invalid", "at most 10000"),
    (json.dumps({"ids": [1], "allow": ["x"]}).encode(), "unknown-id", "integers, got 'x'"),
    (b" " * 1_000_001, "too-large", "1000000 bytes"),
]


@pytest.mark.parametrize(("body", "kind", "sentence"), BAD_BODIES)
def test_bad_body(client: httpx.Client, body: bytes, kind: str, sentence: str) -> None:
    answer = client.post("/v1/user2item", content=body, headers=JSON)
    check_problem(answer, kind, sentence)


def test_every_route_refuses_an_unknown_query_parameter(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    asked = [(method, path) for path, methods in paths.items() if path.startswith("/v1/") for method in methods]
    assert len(asked) >= 12
    for method, path in asked:
        answer = client.request(method, path.format(id=1), params={"nonsense": 1})
        check_problem(answer, "invalid", "'nonsense': unknown query parameter, ")


def test_a_body_may_not_bring_query_parameters(client: httpx.Client) -> None:
    check_problem(client.post("/v1/user2item?k=3", json={"ids": [1]}), "invalid", "'k': .* there are none here")


@pytest.mark.parametrize(
    ("kind", "got"),
    [(None, "it has none"), ("application/x-www-form-urlencoded", "'application/x-www-form-urlencoded'")],
)
def test_a_body_that_is_not_said_to_be_json_gets_a_sentence(client: httpx.Client, kind: str | None, got: str) -> None:
    headers = {} if kind is None else {"content-type": kind}
    for body in (b'{"ids": [1]}', b""):
        problem = check_problem(client.post("/v1/user2item", content=body, headers=headers), "invalid", got)
        assert "'content-type: application/json'" in problem["detail"]


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", "application/ld+json"])
def test_a_body_that_is_said_to_be_json_is_read(client: httpx.Client, kind: str) -> None:
    answer = client.post("/v1/user2item", content=b'{"ids": [1]}', headers={"content-type": kind})
    assert answer.status_code == 200


def integers(value: Any) -> Iterator[int]:
    """Yield every integer of a JSON value."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from integers(part)
    elif isinstance(value, int):
        yield value


@pytest.fixture
def large(serve: Serve, make_model: MakeModel, tmp_path: Path) -> tuple[httpx.Client, mfrec.Recommender]:
    model = with_large_ids(make_model(3))
    model.save(tmp_path / "large")
    return serve(tmp_path / "large"), model


@pytest.mark.parametrize("name", DIRECTIONS)
@pytest.mark.parametrize("key", LARGE)
def test_ids_beyond_doubles_are_strings_both_ways(
    large: tuple[httpx.Client, mfrec.Recommender], name: str, key: int
) -> None:
    client, model = large
    one = client.get(f"/v1/{name}/{key}?k=40&exclude_seen=false").json()
    (expected,) = model.recommend(name, [key], 40, exclude_seen=False)
    assert [r["id"] for r in one["results"]] == list(map(str, expected.ids))
    assert one["query"]["id"] == str(key)
    for ids in ([str(key)], [key]):
        body = {"ids": ids, "k": 40, "exclude_seen": False}
        (ranking,) = client.post(f"/v1/{name}", json=body).json()["rankings"]
        assert ranking["results"] == one["results"]
    denied = str(expected.ids[0])
    body = {
        "ids": [str(key)],
        "allow": [denied, str(expected.ids[1]), "77777"],
        "deny": [denied],
        "exclude_seen": False,
    }
    (ranking,) = client.post(f"/v1/{name}", json=body).json()["rankings"]
    assert [r["id"] for r in ranking["results"]] == [str(expected.ids[1])]
    (folded,) = client.post(f"/v1/{name}", json={"history": [str(key)], "k": 40}).json()["rankings"]
    assert str(key) not in [r["id"] for r in folded["results"] if DIRECTIONS[name].across]


def test_large_ids_that_are_unknown_have_near_misses(large: tuple[httpx.Client, mfrec.Recommender]) -> None:
    client, _ = large
    for answer in (client.get(f"/v1/user2item/{2**63 - 2}"), client.post("/v1/user2item", json={"ids": ["9" * 18]})):
        near = check_problem(answer, "unknown-id", "does not know the user")["near"]
        assert str(2**63 - 1) in [entry["id"] for entry in near]


def test_sides_say_how_their_ids_travel(
    large: tuple[httpx.Client, mfrec.Recommender], serve: Serve, make_model: MakeModel, tmp_path: Path
) -> None:
    sides = large[0].get("/v1/model").json()["sides"]
    assert {side: (sides[side]["ids"], sides[side]["json"]) for side in sides} == {
        "user": ("int", "string"),
        "item": ("int", "string"),
    }
    make_model(3, text_ids=True).save(tmp_path / "text")
    assert serve(tmp_path / "text").get("/v1/model").json()["sides"]["user"]["json"] == "string"


@pytest.mark.parametrize("kind", ["small", "large", "text"])
def test_every_route_answers_its_own_examples_without_an_integer_that_would_be_rounded(
    serve: Serve, make_model: MakeModel, tmp_path: Path, kind: str
) -> None:
    """What the page of the API offers is of the model that is being served, and works."""
    model = make_model(3, text_ids=kind == "text")
    model = with_large_ids(model) if kind == "large" else model
    model.with_segments(model.segments("item", 3)).save(tmp_path / "m")
    client = serve(tmp_path / "m")
    document = client.get("/openapi.json").json()
    assert all(abs(number) < 2**53 for number in integers(document["paths"]))
    asked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            given = {p["name"]: p["example"] for p in operation.get("parameters", ()) if "example" in p}
            assert {p["name"] for p in operation.get("parameters", ()) if p["required"]} <= set(given)
            address = path.format(**{name: quote(str(text), safe="") for name, text in given.items()})
            query = {name: text for name, text in given.items() if f"{{{name}}}" not in path}
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for example in content.get("examples", {"": {"value": None}}).values():
                answer = client.request(method, address, params=query, json=example["value"])
                assert answer.status_code == 200, (path, answer.text)
                assert all(abs(number) < 2**53 for number in integers(answer.json())), path
                results = answer.json().get("results", [1]), answer.json().get("rankings", [{"results": [1]}])
                assert results[0], path
                assert results[1][0]["results"], path
                asked += 1
    assert asked >= 4 + 8 + 4


def test_examples_follow_what_is_served(serve: Serve, folders: Folders, make_model: MakeModel, tmp_path: Path) -> None:
    def example(client: httpx.Client) -> Any:
        paths = client.get("/openapi.json").json()["paths"]
        return paths["/v1/user2item/{id}"]["get"]["parameters"][0].get("example")

    (tmp_path / "store" / "versions").mkdir(parents=True)
    client = serve(tmp_path / "store")
    assert example(client) is None
    publish(folders(0), tmp_path / "store")
    wait_for(lambda: example(client))
    first = mfrec.load(folders(0))
    assert example(client) == str(first.ids.user.id(int(first.adjacency.user.degree.argmax())))
    make_model(0, text_ids=True).save(tmp_path / "text")
    publish(tmp_path / "text", tmp_path / "store")
    wait_for(lambda: example(client).startswith("user/"))


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)], ids=str)
def test_the_only_one_of_its_side_is_served(
    serve: Serve, make_model: MakeModel, tmp_path: Path, shape: tuple[int, int]
) -> None:
    users, items = shape
    make_model(0, users=users, items=items).save(tmp_path / "m")
    client = serve(tmp_path / "m")
    assert client.get("/readyz").status_code == 200
    sizes = {"user": users, "item": items}
    for name, direction in DIRECTIONS.items():
        expected = sizes[direction.target] - (not direction.across)
        query = "?k=10&exclude_seen=false"
        assert len(client.get(f"/v1/{name}/1{query}").json()["results"]) == expected
        body = {"ids": [1], "exclude_seen": False}
        assert len(client.post(f"/v1/{name}", json=body).json()["rankings"][0]["results"]) == expected
    for path in ("/v1/model", "/v1/map", "/v1/explain?user=1&item=1", "/v1/search?q=star", "/openapi.json"):
        assert client.get(path).status_code == 200


def test_a_body_that_lies_about_its_length_is_cut_off(client: httpx.Client) -> None:
    answer = client.post("/v1/user2item", content=(b" " * 100_000 for _ in range(20)), headers=JSON)
    check_problem(answer, "too-large", "1000000 bytes")


def test_near_misses_come_with_an_unknown_id(client: httpx.Client) -> None:
    near = client.get("/v1/item2item/misarables").json()["near"]
    assert near[0] == {"id": 3, "label": "Misérables, Les (1995)"}
    assert client.get("/v1/user2item/41").json()["near"]


def test_text_ids_travel_in_paths_and_bodies(serve: Serve, make_model: MakeModel, tmp_path: Path) -> None:
    made = make_model(5, text_ids=True)
    made.save(tmp_path / "m")
    client = serve(tmp_path / "m")
    key = "user/003 é?#%&"
    one = client.get(f"/v1/user2item/{quote(key, safe='')}?k=3").json()
    assert one["query"]["id"] == key
    assert one["results"] == expected(made.user2item(key, 3))
    assert client.get(f"/v1/user2item/{quote(key)}?k=3").json() == one
    assert client.post("/v1/user2item", json={"ids": [key], "k": 3}).json()["rankings"][0]["results"] == one["results"]
    check_problem(client.post("/v1/user2item", json={"ids": [3]}), "unknown-id", "strings, got 3|'3'")
    assert client.get(f"/v1/explain?user={quote(key)}&item={quote('item/003 é?#%&')}").status_code == 200


def test_ids_and_labels_that_are_no_unicode_still_travel(serve: Serve, tmp_path: Path) -> None:
    from dataclasses import replace

    from tests.service.conftest import model_of

    made = model_of(6)
    labels = mfrec.model.string_array.StringArray.pack([f"bad \udcff {n}" for n in range(30)])
    replace(made, labels=mfrec.Pair(None, labels)).save(tmp_path / "m")
    answer = serve(tmp_path / "m").get("/v1/user2item/1?k=2")
    assert answer.status_code == 200
    assert "bad \\udcff" in answer.text


def test_api_key(serve: Serve) -> None:
    key = "0123456789abcdef"
    client = serve(api_key=key)
    for path in ("/healthz", "/readyz", "/", "/docs"):
        assert client.get(path).status_code == 200
    for path in ("/v1/user2item/1", "/v1/model", "/metrics", "/openapi.json", "/nothing"):
        answer = client.get(path)
        check_problem(answer, "unauthorized", "Authorization: Bearer KEY")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for headers in ({"authorization": f"Bearer {key}"}, {"authorization": f"bearer  {key}"}, {"x-api-key": key}):
        assert client.get("/v1/user2item/1", headers=headers).status_code == 200
    for wrong in (key[:-1], key + "0", "", "é" * 16):
        assert client.get("/v1/user2item/1", headers={b"x-api-key": wrong.encode()}).status_code == 401
    with pytest.raises(mfrec.ParameterError, match="at least 16 ASCII characters"):
        serve(api_key="short")


def test_other_origins_may_read_only_where_they_are_named(serve: Serve, client: httpx.Client) -> None:
    asked = {"origin": "https://a.example"}
    assert "access-control-allow-origin" not in client.get("/v1/user2item/1?k=1", headers=asked).headers
    named = serve(origins=("https://a.example",))
    for path in ("/v1/user2item/1", "/v1/model"):
        assert named.get(path, headers=asked).headers["access-control-allow-origin"] == "https://a.example"
        assert "access-control-allow-origin" not in named.get(path, headers={"origin": "https://b.example"}).headers


def test_whatever_breaks_inside_no_traceback_leaves(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("mfrec.service.handlers.one", broken)
    monkeypatch.setattr("mfrec.service.handlers.search", broken)
    for path in ("/v1/user2item/1", "/v1/user2item/1?k=1", "/v1/search?q=a"):
        answer = client.get(path)
        check_problem(answer, "internal", "log says why")
        assert "secret" not in answer.text


def test_metrics(serve: Serve) -> None:
    client = serve()
    for path in ("/v1/user2item/1", "/v1/user2item/1?k=3", "/v1/user2item/999", "/v1/search?q=a", "/v1/x/1", "/zzz"):
        client.get(path)
    text = client.get("/metrics").text
    assert 'mfrec_requests_total{route="user2item",status="200"} 2.0\n' in text
    assert 'mfrec_requests_total{route="user2item",status="404"} 1.0\n' in text
    assert 'mfrec_requests_total{route="search",status="200"} 1.0\n' in text
    assert 'mfrec_requests_total{route="other",status="404"} 2.0\n' in text
    assert 'mfrec_request_seconds_bucket{le="+Inf",route="user2item"} 3.0\n' in text
    assert 'mfrec_request_seconds_count{route="user2item"} 3.0\n' in text
    assert "mfrec_ready 1.0\n" in text
    assert re.search(r'mfrec_model_info\{version="[0-9a-f]{12}"\} 1\.0\n', text)
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) .+|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [0-9.e+-]+', line), line


def test_a_json_line_per_request(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    client = serve(json_log=True)
    client.get("/v1/user2item/1?k=3")
    client.get("/v1/user2item/a%0Ab")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["path"], line["status"]) for line in lines] == [
        ("/v1/user2item/1", 200),
        ("/v1/user2item/a\nb", 404),
    ]
    assert lines[0]["query"] == "k=3"
    assert lines[0]["bytes"] > 100
    assert lines[0]["version"]


def test_the_openapi_document_names_every_route_and_error(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    for name in DIRECTIONS:
        assert set(document["paths"][f"/v1/{name}/{{id}}"]) == {"get"}
        assert set(document["paths"][f"/v1/{name}"]) == {"post"}
        assert set(document["paths"][f"/v1/{name}"]["post"]["responses"]) >= {"200", "401", "404", "413", "422"}
    body = document["components"]["schemas"]["Ask"]["properties"]
    assert body["k"]["maximum"] == 1000
    assert "HTTPValidationError" not in json.dumps(document)


def test_pages_are_safe_to_show(client: httpx.Client) -> None:
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        # nothing is fetched from anywhere else, and nothing runs that is not in a file of ours
        assert not re.search(r"https?://|<script>|style=|onclick=", page.text)
        for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
            assert client.get(name).status_code == 200
    assert client.head("/").status_code == 200
