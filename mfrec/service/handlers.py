"""Answers: what goes into the JSON, from one version and a request's parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mfrec.applications.allocation import allocate
from mfrec.applications.lookalikes import find_seeds, most_like
from mfrec.directions import DIRECTIONS, SIDES, Direction, Side, other
from mfrec.model.ids import Id
from mfrec.model.label_search import as_id
from mfrec.model.rankings import Ranking
from mfrec.service.errors import ProblemError
from mfrec.service.explain import parts
from mfrec.service.schemas import AskAllocation
from mfrec.service.sources import ServedModel

Answer = dict[str, Any]
# what may be asked besides the query: the keyword arguments of `Recommender.recommend`
Options = Mapping[str, Any]

_NEAR = 5
# what a user costs in an allocation is about the same with fewer items
_FEW_ITEMS = 20
# the one fallback there is for ids that the model does not know
POPULAR = "popular"


def one(live: ServedModel, direction: Direction, text: str, options: Options, fallback: str | None) -> Answer:
    """Return the ranking for one id, given as it stands in the address."""
    key = as_id(live.model.ids[direction.query], text)
    if fallback is not None and (key is None or key not in live.model.ids[direction.query]):
        found = _popular(live, direction, text if key is None else key, options)
    else:
        key = known(live, direction.query, text)
        ranking = live.model.recommend(direction.name, [key], **options)[0]
        found = _ranking(live, direction, key, ranking)
    return {"version": live.version, "direction": direction.name, **found}


def many(live: ServedModel, direction: Direction, ids: Sequence[Id], options: Options, fallback: str | None) -> Answer:
    """Return one ranking per id."""
    keys = [live.received(direction.query, key) for key in ids]
    if fallback is not None:
        # a known user whose id came as text must not pass for an unknown one
        parsed = [as_id(live.model.ids[direction.query], str(key)) for key in keys]
        keys = [key if one is None else one for key, one in zip(keys, parsed, strict=True)]
    queries, given = live.model.ids[direction.query], _given(live, direction, options)
    missing = [key for key in keys if key not in queries]
    if missing and fallback is None:
        raise _unknown(live, direction.query, [str(key) for key in missing])
    found = iter(live.model.recommend(direction.name, [key for key in keys if key in queries], **given))
    rankings = [
        _ranking(live, direction, key, next(found)) if key in queries else _popular(live, direction, key, given)
        for key in keys
    ]
    return {"version": live.version, "direction": direction.name, "rankings": rankings}


def popular(live: ServedModel, side: Side, k: int) -> Answer:
    """Return the most popular items, or the most active users."""
    ranking = live.model.popular(side, k)
    recency = live.model.factors.weighting.recency_half_life if live.model.factors.recent is not None else None
    return {"version": live.version, "side": side, "half_life": recency, **_labelled(live, side, ranking)}


def folded(
    live: ServedModel,
    direction: Direction,
    history: Sequence[Id],
    weights: Sequence[float] | None,
    options: Options,
) -> Answer:
    """Return the ranking for somebody the model has never seen, known by their history."""
    history = _received(live, other(direction.query), history)
    vector = live.model.fold_in(direction.query, history, weights)
    # the history is of the target's side only in the directions across
    rest = _given(live, direction, options)
    seen = history if rest.pop("exclude_seen") and direction.across else ()
    rest["deny"] = [*(rest["deny"] or ()), *seen]
    ranking = live.model.recommend_vectors(direction.name, vector, **rest)[0]
    rankings = [_ranking(live, direction, None, ranking)]
    return {"version": live.version, "direction": direction.name, "rankings": rankings}


def lookalikes(
    live: ServedModel, side: Side, seeds: Sequence[Id], k: int, allow: Sequence[Id] | None, deny: Sequence[Id] | None
) -> Answer:
    """Return those most like a group."""
    found = find_seeds(live.model.ids[side], [live.received(side, key) for key in seeds])
    allow, deny = _listed(live, side, allow), _listed(live, side, deny)
    ranking = most_like(live.model, side, found.numbers, k, allow=allow, deny=deny)
    return {
        "version": live.version,
        "side": side,
        "seeds": len(found.numbers),
        "repeated": found.repeated,
        "unknown": [live.sent(side, key) for key in found.unknown],
        **_labelled(live, side, ranking),
    }


def segments(live: ServedModel, side: Side, number: int | None, limit: int) -> Answer:
    """Return the segments that were saved with the model, or one of them with those nearest to its centre."""
    found = live.model.saved_segments[side]
    if found is None:
        raise ProblemError(
            "no-segments",
            f"No {side} segments were saved with this model: run 'mfrec segments DIR {side} --save', and publish it.",
        )
    if number is not None and number >= len(found):
        raise ProblemError("invalid", f"There is no segment {number}: there are {len(found)}, from 0 on.")
    wanted = found if number is None else [found[number]]
    answer = {
        "version": live.version,
        "side": side,
        "stability": found.stability,
        "segments": [replace(one, describing=_sent(live, "item", one.describing)).to_json() for one in wanted],
        "members": None,
    }
    if number is None:
        return answer
    members = _sent(live, side, found.members(number, limit))
    return {**answer, "members": [{"id": i, "label": text, "similarity": score} for i, score, text in members]}


def allocation(live: ServedModel, asked: AskAllocation, pairs: int) -> Answer:
    """Return who is offered what of a stock, beside what greedy comes to."""
    model = live.model
    items = _received(live, "item", [entry.id for entry in asked.stock])
    users = None if asked.users is None else _received(live, "user", asked.users)
    count = len(model.ids.user) if users is None else len(users)
    if count * max(len(items), _FEW_ITEMS) > pairs:
        raise ProblemError(
            "invalid",
            f"An allocation may have {pairs} pairs, users times items (of which at least {_FEW_ITEMS} count), "
            f"and {count} users x {len(items)} items are more: name fewer users, or run mfrec allocate.",
            {"limits": {"pairs": pairs}},
        )
    options = asked.model_dump(include={"per_user", "exclude_seen", "min_score", "score"})
    units = [(item, entry.units) for item, entry in zip(items, asked.stock, strict=True)]
    found = allocate(model, units, users=users, **options)
    offers = zip(found.users.tolist(), found.items.tolist(), found.scores, strict=True)
    return {
        "version": live.version,
        **asdict(found.outcome),
        "bound": found.bound,
        "gap": found.gap,
        "greedy": asdict(found.greedy),
        "items": [{"id": live.sent("item", item), "left": left} for item, left in found.left.items()],
        "offers": [
            {"user": live.sent("user", user), "item": live.sent("item", item), "score": score}
            for user, item, score in offers
        ],
    }


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
    labels, saved = live.search[side], live.model.saved_segments[side]
    places = np.ascontiguousarray(live.model.map[side][numbers].round(4).T)
    return {
        "version": live.version,
        "side": side,
        "count": len(ids),
        "ids": [live.sent(side, key) for key in ids.ids(numbers)],
        "labels": [labels.label(n) for n in numbers.tolist()],
        "x": places[0],
        "y": places[1],
        "segments": None if saved is None else saved.segment[numbers].tolist(),
    }


def history(live: ServedModel, side: Side, text: str, limit: int) -> Answer:
    """Return what a user has interacted with, or who has interacted with an item, the most popular first."""
    target, key = other(side), known(live, side, text)
    number = live.model.ids[side].number(key)
    seen = live.model.adjacency[side].of(number)
    starts = live.model.adjacency[target].starts
    degree = starts[seen + 1] - starts[seen]
    order = np.argsort(-degree, kind="stable")[:limit]
    return {
        "version": live.version,
        "side": side,
        "query": _entry(live, side, number),
        "target": target,
        "count": len(seen),
        "order": POPULAR,
        "results": [
            {**_entry(live, target, n), "degree": count}
            for n, count in zip(seen[order].tolist(), degree[order].tolist(), strict=True)
        ],
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
    split = parts(model.factors, seen, target, number)
    total = float(split.contributions.sum())
    # that an item is known is no reason for it: its own part is told apart
    itself = split.numbers == target
    own = float(split.contributions[itself].sum()) if itself.any() else None
    others, contributions = split.numbers[~itself], split.contributions[~itself]
    rest = float(contributions.sum())
    because = [
        {**_entry(live, "item", n), "contribution": part, "share": part / rest if rest else 0.0}
        for n, part in zip(others[:limit].tolist(), contributions[:limit].tolist(), strict=True)
    ]
    return {
        "version": live.version,
        "user": None if number is None else _entry(live, "user", number),
        "item": _entry(live, "item", target),
        "score": total if number is None else float(model.factors.user[number] @ model.factors.item[target]),
        "explained": total,
        "own": own,
        "seen": own is not None,
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
    query = None if key is None else _entry(live, direction.query, live.model.ids[direction.query].number(key))
    return {"query": query, "target": direction.target, "fallback": None, **_labelled(live, direction.target, ranking)}


def _given(live: ServedModel, direction: Direction, options: Options) -> dict[str, Any]:
    """Return options with lists as the model has the ids."""
    lists = {name: _listed(live, direction.target, options[name]) for name in ("allow", "deny")}
    return {**options, **lists}


def _popular(live: ServedModel, direction: Direction, key: Id, options: Options) -> Answer:
    """Return what is popular, in the place of an answer for an id that the model does not know, and say so."""
    ranking = live.model.popular(direction.target, options["k"], allow=options["allow"], deny=options["deny"])
    query = {"id": live.sent(direction.query, key), "label": str(key)}
    return {
        "query": query,
        "target": direction.target,
        "fallback": POPULAR,
        **_labelled(live, direction.target, ranking),
    }


def _labelled(live: ServedModel, side: Side, ranking: Ranking) -> Answer:
    """Return a ranking's JSON values, in which every result has a label."""
    return _sent(live, side, ranking).to_json()


def _sent(live: ServedModel, side: Side, ranking: Ranking) -> Ranking:
    """Return a ranking with its ids as they stand in an answer, and a label for each."""
    labels = ranking.labels if ranking.labels is not None else [str(i) for i in ranking.ids]
    return replace(ranking, ids=[live.sent(side, key) for key in ranking.ids], labels=labels)
