"""The routes under ``/v1``, derived from the table of directions."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, Path, Query, Response

from mfrec.directions import DIRECTIONS, Direction, Side
from mfrec.service import handlers, schemas
from mfrec.service.errors import KINDS, MEDIA_TYPE, ProblemError
from mfrec.service.reply import Reply, json_bytes
from mfrec.service.settings import Limits, Settings
from mfrec.service.sources import ServedModel
from mfrec.service.watcher import Watcher

# ids that one answer may hold before it is worked out in a thread, so that small requests need not wait
_HEAVY = 2000

_LONGEST_ID = 500

IdInPath = Annotated[str, Path(max_length=_LONGEST_ID, description="An external id")]
IdInQuery = Annotated[str, Query(max_length=_LONGEST_ID, description="An external id")]


@dataclass(frozen=True)
class Context:
    """What every route needs: the settings, and whoever knows what is being served."""

    settings: Settings
    watcher: Watcher

    def live(self) -> ServedModel:
        """Return what is being served, which the request then keeps to."""
        live = self.watcher.live
        if live is None:
            refused = self.watcher.refused
            reason = "the version in the store was refused, see the log" if refused else "none was published yet"
            raise ProblemError("not-ready", f"There is no model to answer from: {reason}.")
        return live

    def refused(self) -> dict[str, Any] | None:
        """Return the version that is wanted but not served, and why, without where it lies."""
        refused = self.watcher.refused
        if refused is None:
            return None
        reason = refused.reason.replace(f"{self.settings.path.absolute()}/", "")
        return {"version": refused.wanted, "reason": reason, "at": round(refused.at, 3)}


def problems(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """Return the part of the OpenAPI document that says which errors a route gives."""
    rows = [(kind, KINDS[kind]) for kind in (*kinds, "malformed", "unauthorized", "too-large", "not-ready")]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {row.status: {"description": row.title, "content": content} for _, row in rows}


def reply(live: ServedModel, answer: handlers.Answer) -> Response:
    """Return an answer as JSON, with the version in a header as well."""
    return Reply(json_bytes(answer), headers=live.header).response()


def create(context: Context) -> APIRouter:
    """Return the router with every route under ``/v1``."""
    router = APIRouter(prefix="/v1")
    limits = context.settings.limits
    ask = schemas.ask_model(limits)
    add_model(router, context)
    add_search(router, context)
    add_map(router, context)
    add_explain(router, context)
    for direction in DIRECTIONS.values():
        router.add_api_route(
            f"/{direction.name}/{{id:path}}",
            _one(context, direction, limits),
            methods=["GET"],
            response_model=None,
            responses={200: {"model": schemas.OneRanking}, **problems("unknown-id", "invalid")},
            operation_id=direction.name,
            summary=f"{direction.question[0].upper()}{direction.question[1:]}?",
            tags=["directions"],
        )
        router.add_api_route(
            f"/{direction.name}",
            _many(context, direction, ask),
            methods=["POST"],
            response_model=None,
            responses={200: {"model": schemas.Rankings}, **problems("unknown-id", "invalid")},
            operation_id=f"{direction.name}_many",
            summary=f"{direction.question[0].upper()}{direction.question[1:]}? "
            f"Many at once, or for a {direction.query} nobody has seen",
            tags=["directions"],
        )
    return router


def _one(context: Context, direction: Direction, limits: Limits) -> Callable[..., Any]:
    async def ask(
        id: IdInPath,
        k: Annotated[int, Query(ge=1, le=limits.k, description="How many results")] = 10,
        exclude_seen: Annotated[
            bool, Query(description="Exclude seen ones: what the query has interacted with")
        ] = True,
    ) -> Response:
        live = context.live()
        return reply(live, handlers.one(live, direction, id, k, exclude_seen))

    return ask


def _many(context: Context, direction: Direction, model: type[schemas.Ask]) -> Callable[..., Any]:
    async def ask(body: Annotated[Any, Body()]) -> Response:
        asked = cast(schemas.Ask, body)
        live = context.live()
        size = len(asked.ids or ()) * asked.k + sum(
            map(len, (asked.history or (), asked.allow or (), asked.deny or ()))
        )
        if size > _HEAVY:
            return await asyncio.to_thread(_answer, live, direction, asked)
        return _answer(live, direction, asked)

    ask.__annotations__["body"] = model
    return ask


def _answer(live: ServedModel, direction: Direction, asked: schemas.Ask) -> Response:
    rest = (asked.k, asked.exclude_seen, asked.allow, asked.deny)
    if asked.history is not None:
        return reply(live, handlers.folded(live, direction, asked.history, asked.weights, *rest))
    return reply(live, handlers.many(live, direction, asked.ids or (), *rest))


def add_model(router: APIRouter, context: Context) -> None:
    """Add ``/v1/model``."""

    @router.get("/model", responses={200: {"model": schemas.About}, **problems()}, response_model=None, tags=["model"])
    async def model() -> Response:
        """Tell what is being served: version, manifest, measured recalls, limits."""
        live = context.live()
        return reply(live, handlers.about(live, context.refused(), asdict(context.settings.limits)))


def add_search(router: APIRouter, context: Context) -> None:
    """Add ``/v1/search``."""
    limits = context.settings.limits

    @router.get(
        "/search",
        responses={200: {"model": schemas.FoundList}, **problems("invalid")},
        response_model=None,
        tags=["model"],
    )
    async def search(
        q: Annotated[str, Query(max_length=limits.text, description="What somebody typed")],
        side: Annotated[Side, Query()] = "item",
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> Response:
        """Find items or users by text, forgiving of case, accents and slips."""
        live = context.live()
        return reply(live, handlers.search(live, side, q, limit))


def add_map(router: APIRouter, context: Context) -> None:
    """Add ``/v1/map``."""
    limits = context.settings.limits

    @router.get(
        "/map",
        responses={200: {"model": schemas.Chart}, **problems("unknown-id", "invalid")},
        response_model=None,
        tags=["model"],
    )
    async def chart(
        side: Annotated[Side, Query()] = "item",
        limit: Annotated[
            int, Query(ge=1, le=limits.points, description="How many, those with most interactions first")
        ] = 3000,
        id: Annotated[list[str], Query(max_length=limits.ids, description="These instead")] = [],  # noqa: B006
    ) -> Response:
        """Place a side in the plane: two principal components, shared by both sides."""
        live = context.live()
        return reply(live, handlers.chart(live, side, limit, id))


def add_explain(router: APIRouter, context: Context) -> None:
    """Add ``/v1/explain``."""
    limits = context.settings.limits

    @router.get(
        "/explain",
        responses={200: {"model": schemas.Explanation}, **problems("unknown-id", "invalid")},
        response_model=None,
        tags=["model"],
    )
    async def explain(
        item: IdInQuery,
        user: Annotated[str | None, Query(max_length=_LONGEST_ID, description="A known user")] = None,
        history: Annotated[list[str], Query(max_length=limits.ids, description="Or the items of a new one")] = [],  # noqa: B006
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> Response:
        """Tell which of the user's items the score of an item comes from."""
        if (user is None) == (not history):
            raise ProblemError("invalid", "Give either a user or the history of a new one.")
        live = context.live()
        return reply(live, handlers.explain(live, user, history, item, limit))
