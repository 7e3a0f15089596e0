"""One exception per way a user can go wrong; every message says what was wrong and what to do."""

from operator import index
from typing import Any


class MfrecError(Exception):
    """Base of every error that mfrec raises on purpose."""


class ParameterError(MfrecError, ValueError):
    """A parameter is of the wrong type or out of its range."""


class DataError(MfrecError, ValueError):
    """The interactions are missing, empty, malformed or not finite."""


class DivergedError(DataError):
    """A fit did not stay finite."""


class UnmeasurableError(DataError):
    """A direction has no held-out event that it could be asked about."""


class UnknownIdError(MfrecError, LookupError):
    """An id that the model has never seen was asked for."""


class ArtifactError(MfrecError):
    """A model folder is missing, incomplete, corrupted, or not one of mfrec's."""


class BackendError(MfrecError):
    """An index library is missing, or returns wrong neighbours on this machine."""


class DownloadError(MfrecError):
    """A data set could not be fetched whole."""


def check_integer(name: str, value: Any, low: int, high: int = 2**31 - 1) -> int:
    """Return an integer, of Python's or numpy's, as Python's; ParameterError where it is none from low to high."""
    number = index(value) if hasattr(value, "__index__") and not isinstance(value, bool) else None
    if number is None or not low <= number <= high:
        limits = f"of at least {low}" if high == 2**31 - 1 else f"from {low} to {high}"
        raise ParameterError(f"{name} must be an integer {limits}, got {value!r}")
    return number
