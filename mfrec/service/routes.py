"""The routes under ``/v1``, derived from the table of directions."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from inspect import Parameter, signature
from typing import Annotated, Any, Literal, cast
from urllib.parse import parse_qsl

from fastapi import APIRouter, Body, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError, create_model

from mfrec.directions import DIRECTIONS, Direction, Side
from mfrec.model.diversify import pool_size
from mfrec.model.ids import LONGEST_ID
from mfrec.service import handlers, schemas
from mfrec.service.errors import KINDS, MEDIA_TYPE, ProblemError
from mfrec.service.reply import JsonResponse
from mfrec.service.settings import Settings
from mfrec.service.sources import ServedModel
from mfrec.service.watcher import Watcher

Endpoint = Callable[..., Coroutine[Any, Any, Response]]

# ids that one answer may hold before it is worked out in a thread, so that small requests need not wait
_HEAVY = 2000
# and candidates that a diverse list may be chosen from, likewise
_HEAVY_POOL = 200
# allocations that are made or wait in one process
_QUEUED = 16


IdInPath = Annotated[str, Path(max_length=LONGEST_ID, description="An external id")]
IdInQuery = Annotated[str, Query(max_length=LONGEST_ID, description="An external id")]


@dataclass(frozen=True)
class Context:
    """What every route needs: the settings, and the watcher, which knows what is being served."""

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
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    listed = [KINDS[name] for name in (*kinds, "malformed", "unauthorized", "too-large", "invalid", "not-ready")]
    return {kind.status: {"description": kind.title, "content": content} for kind in listed}


def reply(live: ServedModel, answer: handlers.Answer) -> JsonResponse:
    """Return an answer as JSON, with the version in a header as well."""
    return JsonResponse(answer, headers={"mfrec-version": live.version})


Answer = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """A route that refuses what it would otherwise pass over: unknown query parameters, and bodies of another type.

    What it knows is what the framework read off the signature of its endpoint.
    """

    hint = ""

    def get_route_handler(self) -> Answer:
        """Return what answers a request."""
        known = [field.alias for field in self.dependant.query_params]
        answer, needs_body = self.answerer(), self.body_field is not None

        async def checked(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request.query_params, known, self.hint)
            if needs_body:
                _check_content_type(request.headers.get("content-type", ""))
            return await answer(request)

        return checked

    def answerer(self) -> Answer:
        """Return what answers a request that was not refused."""
        return super().get_route_handler()


def _check_query(given: Iterable[str], known: list[str], hint: str) -> None:
    what = f"unknown query parameter, {'known are ' + ', '.join(known) if known else 'there are none here'}{hint}"
    unknown = [{"type": "extra_forbidden", "loc": ("query", name), "msg": what} for name in given if name not in known]
    if unknown:
        raise RequestValidationError(unknown)


def _check_content_type(given: str) -> None:
    kind = given.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        got = f"not {given[:100]!r}" if given else "and it has none"
        raise ProblemError("invalid", f"A body needs the header 'content-type: application/json', {got}.")


class DirectRoute(StrictRoute):
    """A route whose parameters are single values, which are validated in one step.

    The framework validates them one by one, which takes it longer than the model takes to answer. What a parameter
    may be is said once, in the signature of the endpoint; a test compares the answers with the framework's.
    """

    hint = "; a POST takes more, in its body"

    def answerer(self) -> Answer:
        """Return what answers a request that was not refused."""
        empty, endpoint = Parameter.empty, self.endpoint
        fields: dict[str, Any] = {
            name: (parameter.annotation, ... if parameter.default is empty else parameter.default)
            for name, parameter in signature(endpoint).parameters.items()
        }
        parameters = create_model("Parameters", **fields)

        async def answer(request: Request) -> Response:
            try:
                query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
                values = parameters.model_validate({**dict(query), **request.path_params})
            except ValidationError as error:
                raise RequestValidationError(error.errors()) from None
            found: Response = await endpoint(**vars(values))
            return found

        return answer


def add(router: APIRouter, context: Context) -> None:
    """Add every route under ``/v1``, the most frequent first, since they are tried in order."""
    ask = schemas.ask_model(context.settings.limits)
    for direction in DIRECTIONS.values():
        question = f"{direction.question[0].upper()}{direction.question[1:]}?"
        options: dict[str, Any] = {"response_model": None, "tags": ["directions"]}
        router.add_api_route(
            f"/v1/{direction.name}/{{id:path}}",
            _one(context, direction),
            methods=["GET"],
            responses={200: {"model": schemas.OneRanking}, **problems("unknown-id")},
            operation_id=direction.name,
            summary=question,
            route_class_override=DirectRoute,
            **options,
        )
        router.add_api_route(
            f"/v1/{direction.name}",
            _many(context, direction, ask),
            methods=["POST"],
            responses={200: {"model": schemas.Rankings}, **problems("unknown-id")},
            operation_id=f"{direction.name}_many",
            summary=f"{question} Many at once, or for a {direction.query} nobody has seen",
            route_class_override=StrictRoute,
            **options,
        )
    router.add_api_route(
        "/v1/allocate",
        _allocate(context, schemas.allocation_model(context.settings.limits)),
        methods=["POST"],
        responses={200: {"model": schemas.Allocation}, **problems("unknown-id", "busy")},
        operation_id="allocate",
        summary="Who is offered what, where items have limited stock?",
        route_class_override=StrictRoute,
        response_model=None,
        tags=["applications"],
    )
    for path, name, model, kinds in (
        ("model", _model(context), schemas.About, ()),
        ("popular", _popular(context), schemas.Popular, ()),
        ("search", _search(context), schemas.FoundList, ()),
        ("map", _chart(context), schemas.Chart, ("unknown-id",)),
        ("history", _history(context), schemas.History, ("unknown-id",)),
        ("explain", _explain(context), schemas.Explanation, ("unknown-id",)),
        ("segments", _segments(context), schemas.Segments, ("no-segments",)),
    ):
        responses: dict[int | str, dict[str, Any]] = {200: {"model": model}, **problems(*kinds)}
        options = {"response_model": None, "tags": ["model"], "route_class_override": StrictRoute}
        router.add_api_route(f"/v1/{path}", name, responses=responses, **options)

    router.add_api_route(
        "/v1/lookalikes",
        _lookalikes(context, schemas.lookalikes_model(context.settings.limits)),
        methods=["POST"],
        responses={200: {"model": schemas.Lookalikes}, **problems("unknown-id")},
        operation_id="lookalikes",
        response_model=None,
        tags=["applications"],
        route_class_override=StrictRoute,
    )


def _one(context: Context, direction: Direction) -> Endpoint:
    async def ask(
        id: IdInPath,
        k: Annotated[int, Query(ge=1, le=context.settings.limits.k, description="How many results")] = 10,
        exclude_seen: Annotated[
            bool, Query(description="Exclude seen ones: what the query has interacted with")
        ] = True,
        min_score: Annotated[
            float | None, Query(allow_inf_nan=False, description="Only what scores at least this")
        ] = None,
        diversity: Annotated[
            float, Query(ge=0, le=1, allow_inf_nan=False, description="Avoid results that are like each other")
        ] = 0.0,
        fallback: Annotated[
            Literal["popular"] | None, Query(description="What to answer for an unknown id, instead of an error")
        ] = None,
    ) -> Response:
        live = context.live()
        options = {"k": k, "exclude_seen": exclude_seen, "min_score": min_score, "diversity": diversity}
        options |= {"allow": None, "deny": None}
        if diversity and pool_size(k, diversity) > _HEAVY_POOL:
            return reply(live, await asyncio.to_thread(handlers.one, live, direction, id, options, fallback))
        return reply(live, handlers.one(live, direction, id, options, fallback))

    return ask


def _many(context: Context, direction: Direction, model: type[schemas.Ask]) -> Endpoint:
    async def ask(body: Annotated[Any, Body()]) -> Response:
        asked = cast(schemas.Ask, body)
        live = context.live()
        listed = (asked.history or (), asked.allow or (), asked.deny or ())
        if len(asked.ids or ()) * pool_size(asked.k, asked.diversity) + sum(map(len, listed)) > _HEAVY:
            return await asyncio.to_thread(_answer, live, direction, asked)
        return _answer(live, direction, asked)

    ask.__annotations__["body"] = model
    return ask


def _answer(live: ServedModel, direction: Direction, asked: schemas.Ask) -> Response:
    options = asked.model_dump(include={"k", "exclude_seen", "min_score", "diversity", "allow", "deny"})
    if asked.history is not None:
        return reply(live, handlers.folded(live, direction, asked.history, asked.weights, options))
    return reply(live, handlers.many(live, direction, asked.ids or (), options, asked.fallback))


def _allocate(context: Context, model: type[schemas.AskAllocation]) -> Endpoint:
    # a thread of its own: an allocation may take seconds, and goes on where its request was given up
    pool, asked = ThreadPoolExecutor(1), set[Future[Response]]()

    async def allocate(body: Annotated[Any, Body()]) -> Response:
        """Say who is offered what, so that no item exceeds its units; one request after the other."""
        live, pairs = context.live(), context.settings.limits.pairs
        asked.difference_update([one for one in asked if one.done()])
        if len(asked) >= _QUEUED:
            raise ProblemError("busy", f"{_QUEUED} allocations are being made or wait: try again later.")

        def answer() -> Response:
            return reply(live, handlers.allocation(live, cast(schemas.AskAllocation, body), pairs))

        own = pool.submit(answer)
        asked.add(own)
        return await asyncio.wrap_future(own)

    allocate.__annotations__["body"] = model
    return allocate


def _model(context: Context) -> Endpoint:
    async def model() -> Response:
        """Tell what is being served: version, manifest, the check's verdict, measured recalls, limits."""
        live = context.live()
        return reply(live, handlers.about(live, context.refused(), asdict(context.settings.limits)))

    return model


def _popular(context: Context) -> Endpoint:
    async def popular(
        side: Annotated[Side, Query()] = "item",
        k: Annotated[int, Query(ge=1, le=context.settings.limits.k, description="How many results")] = 10,
    ) -> Response:
        """List the most popular items, or the most active users, of late where interactions have times."""
        live = context.live()
        return reply(live, handlers.popular(live, side, k))

    return popular


def _search(context: Context) -> Endpoint:
    limits = context.settings.limits

    async def search(
        q: Annotated[str, Query(max_length=limits.text, description="What somebody typed")],
        side: Annotated[Side, Query()] = "item",
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> Response:
        """Find items or users by text, forgiving of case, accents and slips."""
        live = context.live()
        return reply(live, handlers.search(live, side, q, limit))

    return search


def _chart(context: Context) -> Endpoint:
    limits = context.settings.limits

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

    return chart


def _history(context: Context) -> Endpoint:
    async def history(
        id: Annotated[str, Query(max_length=LONGEST_ID, description="A known user or item")],
        side: Annotated[Side, Query()] = "user",
        limit: Annotated[int, Query(ge=1, le=context.settings.limits.k, description="How many")] = 10,
    ) -> Response:
        """List what a user has interacted with, or who has interacted with an item, the most popular first."""
        live = context.live()
        # an item may have as many users as there are
        return reply(live, await asyncio.to_thread(handlers.history, live, side, id, limit))

    return history


def _explain(context: Context) -> Endpoint:
    limits = context.settings.limits

    async def explain(
        item: IdInQuery,
        user: Annotated[str | None, Query(max_length=LONGEST_ID, description="A known user")] = None,
        history: Annotated[list[str], Query(max_length=limits.ids, description="Or the items of a new one")] = [],  # noqa: B006
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> Response:
        """Tell which other items of the user the score of an item comes from."""
        if (user is None) == (not history):
            raise ProblemError("invalid", "Give either a user or the history of a new one.")
        live = context.live()
        return reply(live, handlers.explain(live, user, history, item, limit))

    return explain


def _segments(context: Context) -> Endpoint:
    limits = context.settings.limits

    async def segments(
        side: Annotated[Side, Query()] = "item",
        segment: Annotated[int | None, Query(ge=0, description="Only this one, with its members")] = None,
        limit: Annotated[int, Query(ge=1, le=limits.k, description="How many members")] = 100,
    ) -> Response:
        """List the segments that were saved with the model: sizes, names, and the items that describe them."""
        live = context.live()
        return reply(live, handlers.segments(live, side, segment, limit))

    return segments


def _lookalikes(context: Context, model: type[schemas.AskLookalikes]) -> Endpoint:
    async def lookalikes(body: Annotated[Any, Body()]) -> Response:
        """Find the users (or items) most like a group of them, which are never among them."""
        asked = cast(schemas.AskLookalikes, body)
        live = context.live()
        # a look at everybody, whatever is asked
        return reply(live, await asyncio.to_thread(handlers.lookalikes, live, **vars(asked)))

    lookalikes.__annotations__["body"] = model
    return lookalikes
