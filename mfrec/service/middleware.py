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

from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mfrec.directions import DIRECTIONS
from mfrec.errors import MfrecError
from mfrec.service import fast
from mfrec.service.errors import ProblemError, of_error, too_large
from mfrec.service.metrics import OTHER, ROUTES, Counters
from mfrec.service.routes import Context

log = logging.getLogger("mfrec.service")

# health checks come from machines without a key; the explorer's page holds no data and asks for the key itself
OPEN = ("/healthz", "/readyz", "/", "/docs", "/static/", "/favicon.ico")


class Exchange:
    """One request and its answer, counted as they pass.

    Parameters
    ----------
    scope
        Of the request.
    receive, send
        Of the server.
    most
        Bytes that the body may have.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.most = most
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
        if self._got > self.most:
            # the framework turns anything but its own exception into an unreadable body
            raise HTTPException(413)
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on, and remember what is logged of it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.version = dict(message["headers"]).get(b"mfrec-version", b"").decode("ascii")
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)

    def check_length(self) -> None:
        """Raise where the headers already announce a body beyond the limit."""
        length = self.headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self.most:
            raise too_large(self.most)


@dataclass(frozen=True, eq=False)
class ServiceMiddleware:
    """The outermost ASGI application."""

    app: ASGIApp
    context: Context
    counters: Counters

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
        exchange = Exchange(scope, receive, send, self.context.settings.limits.body)
        try:
            await self._answer(scope, exchange)
        finally:
            seconds = time.perf_counter() - begun
            self.counters.observe(_route(scope["path"]), exchange.status, seconds)
            if self.context.settings.json_log:
                _log_line(scope, exchange, seconds)

    async def _answer(self, scope: Scope, exchange: Exchange) -> None:
        problem = None
        try:
            async with asyncio.timeout(self.context.settings.timeout):
                await self._pass(scope, exchange)
        except ProblemError as found:
            problem = found
        except MfrecError as error:
            problem = of_error(error)
        except TimeoutError:
            late = "overdue" if exchange.body_ended else "too-slow"
            problem = ProblemError(late, f"A request may take {self.context.settings.timeout:g} seconds.")
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            problem = ProblemError("internal", "The service failed to answer; its log says why.")
        # once the status is out, all that is left is to end the connection, which the server does
        if problem is not None and not exchange.status:
            await problem.reply().send(exchange.send)

    async def _pass(self, scope: Scope, exchange: Exchange) -> None:
        self._check_key(scope["path"], exchange.headers)
        exchange.check_length()
        reply = fast.answer(self.context, scope)
        if reply is not None:
            exchange.body_ended = True
            await reply.send(exchange.send)
        else:
            await self.app(scope, exchange.receive, exchange.send)

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
