"""What is not under ``/v1``: health, metrics, and the explorer's files."""

import mimetypes
from importlib.resources import files

from fastapi import APIRouter, Response

from mfrec.service.errors import ProblemError
from mfrec.service.metrics import MEDIA_TYPE, Counters, page
from mfrec.service.reply import Headers, Reply, json_bytes
from mfrec.service.routes import Context

# the pages run our own files and talk to this host: nothing inline, nothing from elsewhere, in nobody's frame
_CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Headers = ((b"content-security-policy", _CSP), (b"cache-control", b"no-cache"))

_PAGES = {"/": "index.html", "/docs": "docs.html", "/favicon.ico": "icon.svg"}


def create(context: Context, counters: Counters) -> APIRouter:
    """Return the router of health, metrics and pages."""
    router = APIRouter()
    _add_health(router, context)
    _add_pages(router)

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Reply(page(counters, context.watcher), media_type=MEDIA_TYPE).response()

    return router


def _add_health(router: APIRouter, context: Context) -> None:
    @router.get(
        "/healthz", tags=["health"], response_model=None, responses={200: {"content": {"application/json": {}}}}
    )
    async def healthz() -> Response:
        """Tell that the process is alive."""
        return Reply(json_bytes({"status": "ok"})).response()

    @router.get("/readyz", tags=["health"], response_model=None, responses={200: {"content": {"application/json": {}}}})
    async def readyz() -> Response:
        """Tell whether requests are answered, and from which version."""
        live = context.live()
        refused = context.watcher.refused
        body = {"status": "ready", "version": live.version, "refused": refused.wanted if refused else None}
        return Reply(json_bytes(body), headers=live.header).response()


def _add_pages(router: APIRouter) -> None:
    static = {entry.name: _file(entry.name, entry.read_bytes()) for entry in files("mfrec.service.static").iterdir()}

    def add(path: str, name: str) -> None:
        async def serve() -> Response:
            return static[name].response()

        router.add_api_route(path, serve, methods=["GET", "HEAD"], include_in_schema=False, response_model=None)

    for path, name in _PAGES.items():
        add(path, name)

    @router.get("/static/{name}", include_in_schema=False, response_model=None)
    async def file(name: str) -> Response:
        if name not in static:
            raise ProblemError("no-such-route", f"There is no file {name[:100]!r} here.")
        return static[name].response()


def _file(name: str, content: bytes) -> Reply:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind = f"{kind}; charset=utf-8"
    return Reply(content, media_type=kind, headers=_HEADERS)
