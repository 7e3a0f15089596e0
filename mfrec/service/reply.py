"""`JsonResponse`: an answer as JSON."""

import json
from typing import Any

import orjson
from starlette.responses import Response


class JsonResponse(Response):
    """An answer as compact JSON; numpy values count as plain ones."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the body."""
        try:
            return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
        except TypeError:
            # lone surrogates, which ids and labels may hold, have no UTF-8 form but a JSON escape
            return json.dumps(content, default=_plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    return value.tolist()
