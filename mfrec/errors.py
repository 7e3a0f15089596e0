"""One exception per way a user can go wrong; every message says what was wrong and what to do."""

import errno
from math import inf
from numbers import Real
from operator import index
from sys import float_info
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
    """An id is not one of the model's."""


class ArtifactError(MfrecError):
    """A model folder is missing, incomplete, corrupted, or not one of mfrec's."""


class BackendError(MfrecError):
    """An index library is missing, or returns wrong neighbours on this machine."""


class DownloadError(MfrecError):
    """A data set could not be fetched whole."""


# what to do where the system refuses to write; numpy and annoy tell of a disk that is full without a number
_REMEDIES = {
    None: "the disk may be full: free some space, or choose a path on another disk",
    errno.ENOSPC: "free some space, or choose a path on another disk",
    errno.EDQUOT: "free some space, or choose a path on another disk",
    errno.EFBIG: "choose a path on a disk that takes larger files, or raise the limit (ulimit -f)",
    errno.EACCES: "choose another path, or change its permissions",
    errno.EPERM: "choose another path, or change its permissions",
    errno.EROFS: "choose a path on a disk that can be written",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "choose a path below a folder",
}


def why_not_written(error: OSError) -> str:
    """Return why something could not be written and, where that is known, what to do about it."""
    reason, remedy = error.strerror or str(error), _REMEDIES.get(error.errno)
    return f"{reason}: {remedy}" if remedy else reason


def check_integer(name: str, value: Any, low: int, high: int = 2**31 - 1) -> int:
    """Return an integer, of Python's or numpy's, as Python's; ParameterError unless it is one from low to high."""
    number = index(value) if hasattr(value, "__index__") and not isinstance(value, bool) else None
    if number is None or not low <= number <= high:
        limits = f"from {low} to {high}"
        if high == 2**31 - 1:
            limits = f"of at least {low}" if number is None or number < low else "below 2**31"
        raise ParameterError(f"{name} must be an integer {limits}, got {value!r}")
    return number


def check_number(
    name: str, value: Any, low: float, high: float = inf, *, low_open: bool = False, high_open: bool = False
) -> float:
    """Return a finite number, of Python's or numpy's, as Python's; ParameterError unless it is from low to high.

    An open limit is not allowed itself.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Real):
        raise ParameterError(f"{name} must be a number, got {value!r}")
    number: Any = value
    inside = low <= number <= min(high, float_info.max)
    if not inside or (low_open and number == low) or (high_open and number == high):
        lower = f"above {low:g}" if low_open else f"at least {low:g}"
        upper = f"below {high:g}" if high_open else f"at most {high:g}"
        limits = f"finite and {lower}" if high == inf else f"{lower} and {upper}"
        raise ParameterError(f"{name} must be {limits}, got {value!r}")
    return float(number)


def check_fraction(name: str, value: Any) -> float:
    """Return a number above 0 and below 1; ParameterError for anything else."""
    return check_number(name, value, 0, 1, low_open=True, high_open=True)
