"""Errors as clients see them: one JSON object with one sentence, after RFC 9457."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mfrec.errors import DataError, MfrecError, ParameterError, UnknownIdError
from mfrec.service.reply import Reply, json_bytes

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """One way a request can go wrong."""

    status: int
    title: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


_CLOSE = ((b"connection", b"close"),)

KINDS: dict[str, Kind] = {
    "malformed": Kind(400, "The request cannot be read"),
    "unauthorized": Kind(401, "An API key is needed", ((b"www-authenticate", b'Bearer realm="mfrec"'),)),
    "unknown-id": Kind(404, "The model does not know this id"),
    "no-such-route": Kind(404, "There is nothing at this address"),
    "method-not-allowed": Kind(405, "This address does not answer that method"),
    "too-slow": Kind(408, "The request took too long to arrive", _CLOSE),
    "too-large": Kind(413, "The request is too large", _CLOSE),
    "invalid": Kind(422, "The request is outside the limits"),
    "internal": Kind(500, "The service made a mistake"),
    "not-ready": Kind(503, "No model is being served", ((b"retry-after", b"1"),)),
    "overdue": Kind(503, "The answer took too long", ((b"retry-after", b"5"),)),
}

# statuses that can be told from the framework's own errors
BY_STATUS = {400: "malformed", 401: "unauthorized", 404: "no-such-route", 405: "method-not-allowed", 413: "too-large"}

# what the library raises on purpose, and what a client is told it was
BY_ERROR: dict[type[MfrecError], str] = {
    UnknownIdError: "unknown-id",
    ParameterError: "invalid",
    DataError: "invalid",
}


@dataclass
class ProblemError(Exception):
    """A request that cannot be answered; ``extra`` members go into the JSON beside the usual ones."""

    kind: str
    detail: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def reply(self) -> Reply:
        """Return what is sent."""
        kind = KINDS[self.kind]
        body = {
            "type": f"urn:mfrec:problem:{self.kind}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            **self.extra,
        }
        return Reply(json_bytes(body), kind.status, MEDIA_TYPE, (*kind.headers, *self.headers))


def of_error(error: MfrecError) -> ProblemError:
    """Return the problem that an error of the library stands for."""
    kind = next((kind for cls, kind in BY_ERROR.items() if isinstance(error, cls)), None)
    if kind is None:
        return ProblemError("internal", "The service failed to answer; its log says why.")
    return ProblemError(kind, _sentence(str(error)))


def too_large(most: int) -> ProblemError:
    """Return the problem of a body beyond the limit."""
    return ProblemError("too-large", f"A body may have {most} bytes.", {"limits": {"body": most}})


def of_validation(errors: Iterable[Mapping[str, Any]], limits: Mapping[str, int]) -> ProblemError:
    """Return the problem that a failed validation stands for, with the limits by name."""
    found = list(errors)
    if any(error["type"] == "json_invalid" for error in found):
        return ProblemError("malformed", "The body is not readable JSON.")
    listed = [{"where": _where(e["loc"]), "what": str(e["msg"])} for e in found][:10]
    detail = "; ".join(f"{e['where']!r}: {e['what']}" for e in listed[:3])
    return ProblemError("invalid", _sentence(f"out of bounds: {detail}"), {"errors": listed, "limits": dict(limits)})


def _where(place: Iterable[Any]) -> str:
    parts = [str(part) for part in place]
    return ".".join(parts[1:] or parts)[:100]


def _sentence(text: str) -> str:
    short = text if len(text) <= 600 else f"{text[:600]}..."
    return short[:1].upper() + short[1:] + ("" if short.endswith(".") else ".")
