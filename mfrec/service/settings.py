"""`Settings`: what an operator can choose about the service."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mfrec.errors import ParameterError

# settings travel to worker processes in these; the key apart, so that a listing of the other one is harmless
ENVIRONMENT = "MFREC_SERVE"
KEY = "MFREC_API_KEY"
SHORTEST_KEY = 16


@dataclass(frozen=True)
class Limits:
    """Bounds on what one request may ask for.

    Parameters
    ----------
    k
        Results per ranking.
    ids
        Rankings per request.
    listed
        Ids in ``allow``, ``deny`` or ``history``.
    seeds
        Seeds of look-alikes.
    lookalikes
        Results of look-alikes.
    text
        Characters of a search.
    points
        Points of a map.
    body
        Bytes of a request's body.
    pairs
        Users times items of an allocation, of which at least 20 count: they say what it takes.
    """

    k: int = 1000
    ids: int = 256
    listed: int = 10_000
    seeds: int = 10_000
    lookalikes: int = 10_000
    text: int = 200
    points: int = 10_000
    body: int = 1_000_000
    pairs: int = 500_000


def check_key(key: str, what: str) -> None:
    """Raise ParameterError for an API key that is too short to be one; ``what`` says where it is from."""
    if not key.isascii() or len(key) < SHORTEST_KEY:
        raise ParameterError(
            f"{what} must be at least {SHORTEST_KEY} ASCII characters, got {len(key)}: make one with "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )


@dataclass(frozen=True)
class Settings:
    """What an operator can choose.

    Parameters
    ----------
    path
        A model folder or a store.
    limits
        See `Limits`.
    api_key
        What every request must present, but for health checks and the explorer's page; None asks for nothing.
    origins
        Origins of web pages on other hosts that may read answers (CORS); none by default.
    timeout
        Seconds that a request may take, reading its body included.
    poll
        Seconds between two looks at whether there is a new version.
    retry
        Seconds before a refused version is tried again.
    json_log
        Whether to log one JSON line per request.
    """

    path: Path
    limits: Limits = field(default_factory=Limits)
    api_key: str | None = field(default=None, repr=False)
    origins: tuple[str, ...] = ()
    timeout: float = 30.0
    poll: float = 1.0
    retry: float = 30.0
    json_log: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("timeout", "poll", "retry"):
            if not getattr(self, name) > 0:
                raise ParameterError(f"{name} must be above 0 seconds, got {getattr(self, name)}")
        for row in fields(self.limits):
            if getattr(self.limits, row.name) < 1:
                raise ParameterError(f"the limit {row.name} must be at least 1, got {getattr(self.limits, row.name)}")
        if self.api_key is not None:
            check_key(self.api_key, "the API key")

    def to_environment(self) -> dict[str, str]:
        """Return environment variables that `from_environment` reads in a worker."""
        plain = asdict(self) | {"path": str(self.path)}
        key = plain.pop("api_key")
        return {ENVIRONMENT: json.dumps(plain)} | ({KEY: key} if key else {})

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Restore the settings that `to_environment` put into the environment."""
        plain: dict[str, Any] = json.loads(environment[ENVIRONMENT])
        plain["path"], plain["limits"] = Path(plain["path"]), Limits(**plain["limits"])
        plain["origins"] = tuple(plain["origins"])
        return cls(**plain, api_key=environment.get(KEY))
