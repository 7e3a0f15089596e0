"""Examples for the OpenAPI document, from the model that is being served, so that what the page offers answers."""

from copy import deepcopy
from typing import Any

import numpy as np

from mfrec.directions import DIRECTIONS, SIDES, Pair, Side, other
from mfrec.model.ids import Id
from mfrec.service.sources import ServedModel

_MANY = 2


def with_examples(document: dict[str, Any], live: ServedModel) -> dict[str, Any]:
    """Return a document with examples of the ids that have most interactions; the one given is not changed."""
    document = deepcopy(document)
    paths, ids = document["paths"], Pair.of(lambda side: _most_active(live, side))
    for direction in DIRECTIONS.values():
        _parameters(paths[f"/v1/{direction.name}/{{id}}"], id=str(ids[direction.query][0]))
        body = paths[f"/v1/{direction.name}"]["post"]["requestBody"]["content"]["application/json"]
        new = f"a new {direction.query}, known by {other(direction.query)}s"
        body["examples"] = {
            "known": {"summary": f"known {direction.query}s", "value": {"ids": ids[direction.query], "k": 5}},
            "new": {"summary": new, "value": {"history": ids[other(direction.query)], "k": 5}},
        }
    body = paths["/v1/allocate"]["post"]["requestBody"]["content"]["application/json"]
    stock = {"stock": [{"id": key, "units": 2} for key in ids.item], "users": ids.user, "per_user": 2}
    body["examples"] = {"stock": {"summary": "two units of some items", "value": stock}}
    body = paths["/v1/lookalikes"]["post"]["requestBody"]["content"]["application/json"]
    body["examples"] = {
        side: {"summary": f"like some {side}s", "value": {"side": side, "seeds": ids[side], "k": 5}} for side in SIDES
    }
    number = live.model.ids.item.number(live.received("item", ids.item[0]))
    _parameters(paths["/v1/search"], q=live.search.item.label(number))
    _parameters(paths["/v1/history"], id=str(ids.user[0]))
    _parameters(paths["/v1/explain"], user=str(ids.user[0]), item=str(ids.item[0]))
    return document


def _most_active(live: ServedModel, side: Side) -> list[Id]:
    degree = live.model.adjacency[side].degree
    numbers = np.argsort(-degree, kind="stable")[:_MANY]
    return [live.sent(side, key) for key in live.model.ids[side].ids(numbers)]


def _parameters(path: dict[str, Any], **examples: str) -> None:
    for parameter in path["get"]["parameters"]:
        if parameter["name"] in examples:
            parameter["example"] = examples[parameter["name"]]
