"""`create`: the ASGI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from mfrec.errors import MfrecError
from mfrec.service import pages, routes, schemas
from mfrec.service.errors import problem_of
from mfrec.service.examples import with_examples
from mfrec.service.metrics import Metrics
from mfrec.service.middleware import ServiceMiddleware
from mfrec.service.routes import Context
from mfrec.service.settings import Settings
from mfrec.service.sources import source_of
from mfrec.service.watcher import Watcher

_ABOUT = (
    "Four directions of recommendation: what a user should see, what is like an item, who is like a user, who "
    "should see an item. Scores are better the higher they are; every answer names the model version it is from."
)


def create(settings: Settings, watcher: Watcher | None = None) -> ASGIApp:
    """Return the application; it opens its model when the server starts it.

    Raises
    ------
    ArtifactError
        When the path is neither a store nor a model.
    """
    watcher = watcher or Watcher(source_of(settings.path), settings.poll, settings.retry)
    context = Context(settings, watcher)
    metrics = Metrics(watcher)
    app = FastAPI(
        title="mfrec",
        version=version("mfrec"),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(watcher),
    )
    routes.add(app.router, context)
    pages.add(app.router, context, metrics)
    _add_handlers(app, settings)
    _describe(app, watcher)
    return ServiceMiddleware(app, context, metrics)


def from_environment() -> ASGIApp:
    """Return the application of a worker process."""
    return create(Settings.from_environment())


def _lifespan(watcher: Watcher) -> Any:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watcher.start()
        task = asyncio.create_task(watcher.watch())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    return lifespan


def _add_handlers(app: FastAPI, settings: Settings) -> None:
    async def answer(request: Request, error: Exception) -> Response:
        return problem_of(error, request.method, request.url.path, settings.limits).response()

    # the framework raises what nobody foresaw again behind its answer, and the middleware logs it
    for kind in (HTTPException, RequestValidationError, MfrecError, Exception):
        app.add_exception_handler(kind, answer)


def _describe(app: FastAPI, watcher: Watcher) -> None:
    """Put what the framework cannot know into the OpenAPI document."""
    framework = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = framework()
            components = document["components"]
            components["schemas"]["Problem"] = schemas.Problem.model_json_schema()
            for unused in ("HTTPValidationError", "ValidationError"):
                components["schemas"].pop(unused, None)
            components["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
            # with no key set, none is needed
            document["security"] = [{}, {"bearer": []}, {"header": []}]
            app.openapi_schema = document
        # of the version that is served now
        return app.openapi_schema if watcher.live is None else with_examples(app.openapi_schema, watcher.live)

    app.openapi = openapi  # type: ignore[method-assign]
