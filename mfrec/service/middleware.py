"""`ServiceMiddleware`: what every request passes, in and out: the key, limits, time, counters and log."""

import asyncio
import hmac
import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mfrec.directions import DIRECTIONS
from mfrec.service.errors import ProblemError, problem_of, too_large
from mfrec.service.metrics import OTHER, ROUTES, Metrics
from mfrec.service.routes import Context
from mfrec.service.settings import Limits

log = logging.getLogger("mfrec.service")

# health checks come from machines without a key; the explorer's page holds no data and asks for the key itself
OPEN = ("/healthz", "/readyz", "/", "/docs", "/static/", "/favicon.ico")

# every answer is data for a program or a page of our own: nothing is to be guessed, framed or passed on
_SAFE = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))


class Exchange:
    """One request and its answer, counted as they pass.

    Parameters
    ----------
    scope
        Of the request.
    receive, send
        Of the server.
    limits
        Of the service.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.limits = limits
        self.status = 0
        self.sent = 0
        self.version = ""
        self.body_ended = False
        self._got = 0
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """Pass the body on, up to the limit."""
        message = await self._receive()
        self._got += len(message.get("body", b""))
        self.body_ended = not message.get("more_body", False)
        if self._got > self.limits.body:
            raise too_large(self.limits)
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on, and remember what is logged of it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.version = dict(message["headers"]).get(b"mfrec-version", b"").decode("ascii")
            message["headers"] = [*message["headers"], *_SAFE]
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)

    def check_length(self) -> None:
        """Raise where the headers already announce a body beyond the limit."""
        length = self.headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self.limits.body:
            raise too_large(self.limits)


@dataclass(frozen=True, eq=False)
class ServiceMiddleware:
    """The outermost ASGI application."""

    app: ASGIApp
    context: Context
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing that goes wrong inside leaves as anything but a problem."""
        await self._entry(scope, receive, send)

    @cached_property
    def _entry(self) -> ASGIApp:
        origins = self.context.settings.origins
        if not origins:
            return self._serve
        # before the key is asked for: a browser's preflight cannot carry one
        return CORSMiddleware(
            self._serve,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-api-key"],
            expose_headers=["mfrec-version"],
        )

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        exchange = Exchange(scope, receive, send, self.context.settings.limits)
        try:
            await self._answer(scope, exchange)
        finally:
            seconds = time.perf_counter() - begun
            self.metrics.observe(_route(scope["path"]), exchange.status, seconds)
            if self.context.settings.json_log:
                _log_line(scope, exchange, seconds)

    async def _answer(self, scope: Scope, exchange: Exchange) -> None:
        settings = self.context.settings
        try:
            async with asyncio.timeout(settings.timeout):
                self._check_key(scope["path"], exchange.headers)
                exchange.check_length()
                await self.app(scope, exchange.receive, exchange.send)
            return
        except TimeoutError:
            late = "overdue" if exchange.body_ended else "too-slow"
            problem = ProblemError(late, f"A request may take {settings.timeout:g} seconds.")
        except Exception as error:  # nothing leaves as anything but a problem
            problem = problem_of(error, scope["method"], scope["path"], settings.limits)
            if problem.kind == "internal":
                log.exception("%s %s failed", scope["method"], scope["path"])
        # once the status is out, all that is left is to end the connection, which the server does
        if not exchange.status:
            await problem.response()(scope, exchange.receive, exchange.send)

    def _check_key(self, path: str, headers: Mapping[bytes, bytes]) -> None:
        key = self.context.settings.api_key
        if key is None or path in OPEN or path.startswith("/static/"):
            return
        kind, _, token = headers.get(b"authorization", b"").partition(b" ")
        given = headers.get(b"x-api-key") or (token.strip() if kind.lower() == b"bearer" else b"")
        # digests are of one length, so that not even the key's length can be timed
        if not hmac.compare_digest(sha256(given).digest(), sha256(key.encode()).digest()):
            raise ProblemError(
                "unauthorized", "Send the API key as 'Authorization: Bearer KEY' or in the header 'X-API-Key'."
            )


def _route(path: str) -> str:
    """Return what a request is counted as: the part after ``/v1/``, where it is one of ours."""
    parts = path.split("/", 3)
    if len(parts) > 2 and parts[1] == "v1" and parts[2] in ROUTES and (len(parts) == 3 or parts[2] in DIRECTIONS):
        return parts[2]
    return OTHER


def _log_line(scope: Scope, exchange: Exchange, seconds: float) -> None:
    line: dict[str, Any] = {
        "time": round(time.time(), 3),
        "event": "request",
        "client": (scope.get("client") or [None])[0],
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        "status": exchange.status,
        "ms": round(seconds * 1000, 3),
        "bytes": exchange.sent,
        "version": exchange.version,
    }
    # one write per line, so that lines of several workers do not mix
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
