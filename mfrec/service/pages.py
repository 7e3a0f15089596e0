"""What is not under ``/v1``: health, metrics, and the explorer's files."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles

from mfrec.service.metrics import MEDIA_TYPE, Metrics
from mfrec.service.reply import JsonResponse
from mfrec.service.routes import Context, reply

# the pages run our own files and talk to this host: nothing inline, nothing from elsewhere, in nobody's frame
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGES = {"/": "index.html", "/docs": "docs.html", "/favicon.ico": "icon.svg"}


class Files(StaticFiles):
    """Files of the pages, with the headers of a page."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        """Return a file, or that it is the one which the browser has."""
        response = super().file_response(*args, **options)
        response.headers.update({"content-security-policy": _CSP, "cache-control": "no-cache"})
        return response


def add(router: APIRouter, context: Context, measured: Metrics) -> None:
    """Add health, metrics and pages."""
    _add_health(router, context)
    _add_pages(router)

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(measured.page(), headers={"content-type": MEDIA_TYPE})


def _add_health(router: APIRouter, context: Context) -> None:
    @router.get(
        "/healthz", tags=["health"], response_model=None, responses={200: {"content": {"application/json": {}}}}
    )
    async def healthz() -> Response:
        """Tell that the process is alive."""
        return JsonResponse({"status": "ok"})

    @router.get("/readyz", tags=["health"], response_model=None, responses={200: {"content": {"application/json": {}}}})
    async def readyz() -> Response:
        """Tell whether requests are answered, and from which version."""
        live, refused = context.live(), context.watcher.refused
        wanted = refused.wanted if refused else None
        return reply(live, {"status": "ready", "version": live.version, "refused": wanted})


def _add_pages(router: APIRouter) -> None:
    files = Files(packages=[("mfrec.service", "static"), ("fastapi_swagger", "resources")])
    router.mount("/static", files)

    def add(path: str, name: str) -> None:
        async def serve(request: Request) -> Response:
            return await files.get_response(name, request.scope)

        router.add_api_route(path, serve, methods=["GET", "HEAD"], include_in_schema=False, response_model=None)

    for path, name in _PAGES.items():
        add(path, name)
