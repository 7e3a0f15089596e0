"""The short way for the commonest request, ``GET /v1/{direction}/{id}``.

The framework takes longer to route and validate such a request than the model takes to answer it. This reads
the plain form of one, and passes on whatever it does not understand entirely, so that validation and its
errors stay in one place; a test asks both ways and compares.
"""

from collections.abc import Mapping
from typing import Any

from mfrec.directions import DIRECTIONS
from mfrec.service import handlers
from mfrec.service.reply import Reply, json_bytes
from mfrec.service.routes import Context

_PREFIX = "/v1/"
_BOOLEANS = {b"true": True, b"false": False}


def answer(context: Context, scope: Mapping[str, Any]) -> Reply | None:
    """Return the answer to a plain request for one ranking, or None where the framework has to look.

    Raises
    ------
    ProblemError
        For an unknown id, or while no model is served.
    """
    path = scope["path"]
    if scope["method"] != "GET" or not path.startswith(_PREFIX):
        return None
    name, slash, text = path[len(_PREFIX) :].partition("/")
    direction = DIRECTIONS.get(name)
    options = _options(scope["query_string"], context.settings.limits.k)
    if direction is None or not slash or options is None or not 0 < len(text) < 100:
        return None
    live = context.live()
    return Reply(json_bytes(handlers.one(live, direction, text, *options)), headers=live.header)


def _options(query: bytes, most: int) -> tuple[int, bool] | None:
    """Return ``k`` and ``exclude_seen``, or None for anything but their plain form."""
    k, exclude_seen, left = 10, True, {b"k", b"exclude_seen"}
    for part in query.split(b"&") if query else ():
        key, _, value = part.partition(b"=")
        if key not in left:
            return None
        left.remove(key)
        if key == b"k" and value.isdigit() and len(value) < 10 and 1 <= int(value) <= most:
            k = int(value)
        elif key == b"exclude_seen" and value in _BOOLEANS:
            exclude_seen = _BOOLEANS[value]
        else:
            return None
    return k, exclude_seen
