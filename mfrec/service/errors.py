"""Errors as clients see them: one JSON object with one sentence, after RFC 9457."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mfrec.directions import DIRECTIONS
from mfrec.errors import DataError, MfrecError, ParameterError, UnknownIdError
from mfrec.service.reply import JsonResponse
from mfrec.service.settings import Limits

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """One way a request can go wrong."""

    status: int
    title: str
    headers: Mapping[str, str] = field(default_factory=dict)


KINDS: dict[str, Kind] = {
    "malformed": Kind(400, "The request cannot be read"),
    "unauthorized": Kind(401, "An API key is needed", {"www-authenticate": 'Bearer realm="mfrec"'}),
    "unknown-id": Kind(404, "The model does not know this id"),
    "no-segments": Kind(404, "The model has no segments"),
    "no-such-route": Kind(404, "There is nothing at this address"),
    "method-not-allowed": Kind(405, "This address does not answer that method"),
    "too-slow": Kind(408, "The request took too long to arrive", {"connection": "close"}),
    "too-large": Kind(413, "The request is too large", {"connection": "close"}),
    "invalid": Kind(422, "The request is outside the limits"),
    "internal": Kind(500, "The service made a mistake"),
    "not-ready": Kind(503, "No model is being served", {"retry-after": "1"}),
    "busy": Kind(503, "Too many allocations are being made", {"retry-after": "5"}),
    "overdue": Kind(503, "The answer took too long", {"retry-after": "5"}),
}

# the library's exceptions, and the problem that a client gets for each; everything else is "internal"
BY_ERROR: dict[type[MfrecError], str] = {
    UnknownIdError: "unknown-id",
    ParameterError: "invalid",
    DataError: "invalid",
}


class ProblemError(HTTPException):
    """A request that cannot be answered; ``extra`` members go into the JSON beside the usual ones.

    The framework passes its own kind of exception through wherever it is raised, be it while a body is read.
    """

    def __init__(
        self, kind: str, detail: str, extra: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(KINDS[kind].status, detail, {**KINDS[kind].headers, **(headers or {})})
        self.kind = kind
        self.extra = extra or {}

    def response(self) -> JsonResponse:
        """Return what is sent."""
        body = {
            "type": f"urn:mfrec:problem:{self.kind}",
            "title": KINDS[self.kind].title,
            "status": self.status_code,
            "detail": self.detail,
            **self.extra,
        }
        return JsonResponse(body, self.status_code, self.headers, MEDIA_TYPE)


def problem_of(error: Exception, method: str, path: str, limits: Limits) -> ProblemError:
    """Return the problem that a client gets for an error: the one place where errors become answers."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, RequestValidationError):
        return _of_validation(error.errors(), limits)
    if isinstance(error, HTTPException):
        return _of_framework(error, method, path[:200])
    kind = next((kind for cls, kind in BY_ERROR.items() if isinstance(error, cls)), None)
    if kind is None:
        return ProblemError("internal", "The service failed to answer; its log says why.")
    return ProblemError(kind, _sentence(str(error)))


def too_large(limits: Limits) -> ProblemError:
    """Return the problem of a body beyond the limit."""
    return ProblemError("too-large", f"A body may have {limits.body} bytes.", {"limits": {"body": limits.body}})


def _of_framework(error: HTTPException, method: str, path: str) -> ProblemError:
    if error.status_code == 405:
        return ProblemError("method-not-allowed", f"{method} is not for {path!r}.", headers=error.headers)
    if error.status_code != 404:
        return ProblemError("malformed", "The body is not readable JSON.")
    if path.startswith("/static/"):
        return ProblemError("no-such-route", f"There is no file {path.removeprefix('/static/')!r} here.")
    routes = f"the directions are {', '.join(DIRECTIONS)}, and /openapi.json lists every route"
    return ProblemError("no-such-route", f"Nothing is at {path!r}; {routes}.")


def _of_validation(errors: Iterable[Mapping[str, Any]], limits: Limits) -> ProblemError:
    found = list(errors)
    if any(error["type"] == "json_invalid" for error in found):
        return ProblemError("malformed", "The body is not readable JSON.")
    listed = [{"where": _where(e["loc"]), "what": str(e["msg"])} for e in found][:10]
    detail = "; ".join(f"{e['where']!r}: {e['what']}" for e in listed[:3])
    return ProblemError("invalid", _sentence(f"out of bounds: {detail}"), {"errors": listed, "limits": asdict(limits)})


def _where(place: Iterable[Any]) -> str:
    parts = [str(part) for part in place]
    return ".".join(parts[1:] or parts)[:100]


def _sentence(text: str) -> str:
    short = text if len(text) <= 600 else f"{text[:600]}..."
    return short[:1].upper() + short[1:] + ("" if short.endswith(".") else ".")
