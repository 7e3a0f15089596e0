"""Answers: what goes into the JSON, from one version and a request's parameters."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mfrec.directions import DIRECTIONS, SIDES, Direction, Side, other
from mfrec.model.ids import Id
from mfrec.model.label_search import as_id
from mfrec.model.rankings import Ranking
from mfrec.service.errors import ProblemError
from mfrec.service.explain import parts
from mfrec.service.sources import ServedModel

Answer = dict[str, Any]

_NEAR = 5


def one(live: ServedModel, direction: Direction, text: str, k: int, exclude_seen: bool) -> Answer:
    """Return the ranking for one id, given as it stands in the address."""
    key = known(live, direction.query, text)
    ranking = live.model.recommend(direction.name, [key], k, exclude_seen=exclude_seen)[0]
    return {"version": live.version, "direction": direction.name, **_ranking(live, direction, key, ranking)}


def many(
    live: ServedModel,
    direction: Direction,
    ids: Sequence[Id],
    k: int,
    exclude_seen: bool,
    allow: Sequence[Id] | None,
    deny: Sequence[Id] | None,
) -> Answer:
    """Return one ranking per id."""
    ids = _received(live, direction.query, ids)
    allowed, denied = _listed(live, direction.target, allow), _listed(live, direction.target, deny)
    found = live.model.recommend(direction.name, ids, k, exclude_seen=exclude_seen, allow=allowed, deny=denied)
    rankings = [_ranking(live, direction, key, ranking) for key, ranking in zip(ids, found, strict=True)]
    return {"version": live.version, "direction": direction.name, "rankings": rankings}


def folded(
    live: ServedModel,
    direction: Direction,
    history: Sequence[Id],
    weights: Sequence[float] | None,
    k: int,
    exclude_seen: bool,
    allow: Sequence[Id] | None,
    deny: Sequence[Id] | None,
) -> Answer:
    """Return the ranking for somebody the model has never seen, known by their history."""
    history = _received(live, other(direction.query), history)
    vector = live.model.fold_in(direction.query, history, weights)
    # the history is of the target's side only in the directions across
    seen = history if direction.across and exclude_seen else ()
    allowed, denied = _listed(live, direction.target, allow), [*(_listed(live, direction.target, deny) or ()), *seen]
    ranking = live.model.recommend_vectors(direction.name, vector, k, allow=allowed, deny=denied)[0]
    rankings = [_ranking(live, direction, None, ranking)]
    return {"version": live.version, "direction": direction.name, "rankings": rankings}


def search(live: ServedModel, side: Side, text: str, limit: int) -> Answer:
    """Return what matches a text best."""
    matches = live.search[side].find(text, limit)
    found = [{"id": live.sent(side, m.id), "label": m.label, "similarity": m.similarity} for m in matches]
    return {"version": live.version, "side": side, "q": text, "results": found}


def chart(live: ServedModel, side: Side, limit: int, keys: Sequence[str]) -> Answer:
    """Return the places of a side's most active, or of the ids given, column by column."""
    ids = live.model.ids[side]
    if keys:
        numbers = np.array([ids.number(known(live, side, key)) for key in keys], np.int64)
    else:
        degree = np.diff(live.model.adjacency[side].starts)
        numbers = np.argsort(-degree, kind="stable")[:limit]
    labels = live.search[side]
    places = np.ascontiguousarray(live.model.map[side][numbers].round(4).T)
    return {
        "version": live.version,
        "side": side,
        "count": len(ids),
        "ids": [live.sent(side, key) for key in ids.ids(numbers)],
        "labels": [labels.label(n) for n in numbers.tolist()],
        "x": places[0],
        "y": places[1],
    }


def explain(live: ServedModel, user: str | None, history: Sequence[str], item: str, limit: int) -> Answer:
    """Return the items of a user, or of a history, that the score of an item comes from, the largest part first."""
    model, items = live.model, live.model.ids.item
    target = items.number(known(live, "item", item))
    if user is not None:
        number = model.ids.user.number(known(live, "user", user))
        seen = model.adjacency.user.of(number)
    else:
        number = None
        seen = np.unique([items.number(known(live, "item", text)) for text in history])
    split = parts(model.factors, seen, target)
    total = float(split.contributions.sum())
    because = [
        {**_entry(live, "item", n), "contribution": part, "share": part / total if total else 0.0}
        for n, part in zip(split.numbers[:limit].tolist(), split.contributions[:limit].tolist(), strict=True)
    ]
    return {
        "version": live.version,
        "user": None if number is None else _entry(live, "user", number),
        "item": _entry(live, "item", target),
        "score": total if number is None else float(model.factors.user[number] @ model.factors.item[target]),
        "explained": total,
        "seen": bool(np.isin(target, seen)),
        "history": len(seen),
        "because": because,
    }


def about(live: ServedModel, refused: Answer | None, limits: Answer) -> Answer:
    """Return what is being served."""
    model = live.model
    return {
        "version": live.version,
        "loaded_at": round(live.loaded, 3),
        "counts": live.content["counts"],
        "directions": [vars(direction) for direction in DIRECTIONS.values()],
        "check": None if model.check is None else model.check.to_json(),
        "indexes": recalls(live),
        "sides": {side: _side(live, side) for side in SIDES},
        "limits": limits,
        "refused": refused,
        "manifest": live.content,
    }


def _side(live: ServedModel, side: Side) -> Answer:
    kind = live.model.ids[side].kind
    text = kind == "str" or live.as_text[side]
    return {"ids": kind, "json": "string" if text else "number", "labels": live.model.labels[side] is not None}


def recalls(live: ServedModel) -> list[Answer]:
    """Return each index with its recall by k, as it was measured when it was built."""
    return [
        {
            "target": target,
            "similarity": similarity,
            "backend": index.backend,
            "recall": index.measured["recall"],
            "settings": index.settings(),
            "measured": dict(index.measured),
        }
        for (target, similarity), index in live.model.indexes.items()
    ]


def known(live: ServedModel, side: Side, text: str) -> Id:
    """Return an id given as text.

    Raises
    ------
    ProblemError
        When the model does not know it, with near misses.
    """
    ids = live.model.ids[side]
    key = as_id(ids, text)
    if key is None or key not in ids:
        raise _unknown(live, side, [text])
    return key


def _received(live: ServedModel, side: Side, keys: Sequence[Id]) -> list[Id]:
    """Return the ids of a body as the model has them; ProblemError where it does not know one."""
    ids = live.model.ids[side]
    found = [live.received(side, key) for key in keys]
    missing = [key for key in found if key not in ids]
    if missing:
        raise _unknown(live, side, [str(key) for key in missing])
    return found


def _listed(live: ServedModel, side: Side, keys: Sequence[Id] | None) -> list[Id] | None:
    """Return a list of a body as the model has its ids, which it need not know."""
    return None if keys is None else [live.received(side, key) for key in keys]


def _unknown(live: ServedModel, side: Side, texts: Sequence[str]) -> ProblemError:
    first, ids = texts[0][:200], live.model.ids[side]
    near = [{"id": live.sent(side, match.id), "label": match.label} for match in live.search[side].near(first, _NEAR)]
    names = ", ".join(repr(text[:200]) for text in texts[:5]) + (", ..." if len(texts) > 5 else "")
    meant = ", ".join(f"{e['id']!r}" if e["label"] == str(e["id"]) else f"{e['id']!r} ({e['label']})" for e in near[:3])
    hint = f"did you mean {meant}?" if meant else f"it knows {len(ids)} {side}s, and none is like it."
    plural = "s" if len(texts) > 1 else ""
    return ProblemError("unknown-id", f"The model does not know the {side}{plural} {names}: {hint}", {"near": near})


def _entry(live: ServedModel, side: Side, number: int) -> Answer:
    return {"id": live.sent(side, live.model.ids[side].id(number)), "label": live.search[side].label(number)}


def _ranking(live: ServedModel, direction: Direction, key: Id | None, ranking: Ranking) -> Answer:
    """Return a ranking in which every result has a label; a query without an id is somebody new."""
    labels = ranking.labels if ranking.labels is not None else [str(i) for i in ranking.ids]
    ids = [live.sent(direction.target, key) for key in ranking.ids]
    return {
        "query": None if key is None else _entry(live, direction.query, live.model.ids[direction.query].number(key)),
        "target": direction.target,
        **replace(ranking, ids=ids, labels=labels).to_json(),
    }
