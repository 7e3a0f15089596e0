"""`Reply`: a finished answer, and the JSON in it."""

import json
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Send

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY

Headers = tuple[tuple[bytes, bytes], ...]

# every answer is data for a program or a page of our own: nothing is to be guessed, framed or passed on
_SAFE: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


def json_bytes(value: Any) -> bytes:
    """Return compact JSON; numpy values count as plain ones."""
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        # lone surrogates, which ids and labels may hold, have no UTF-8 form but a JSON escape
        return json.dumps(value, default=_plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    return value.tolist()


@dataclass(frozen=True)
class Reply:
    """A finished answer."""

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: Headers = ()

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Return all headers as ASGI wants them."""
        return [
            (b"content-type", self.media_type.encode("ascii")),
            (b"content-length", b"%d" % len(self.body)),
            *_SAFE,
            *self.headers,
        ]

    async def send(self, send: Send) -> None:
        """Send it over ASGI."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.raw_headers()})
        await send({"type": "http.response.body", "body": self.body})

    def response(self) -> Response:
        """Return it as the framework's response."""
        response = Response(self.body, self.status)
        response.raw_headers = self.raw_headers()
        return response
