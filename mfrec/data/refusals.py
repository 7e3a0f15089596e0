"""What a table is refused with: a line for people, and the options that would mend it, for `mfrec inspect`."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from mfrec.errors import DataError

_SHOWN = 20


class RefusedError(DataError):
    """A table that is not read as it is.

    Parameters
    ----------
    message
        One line that names the place, what is wrong, and the remedy.
    **options
        Arguments of `mfrec.Interactions.read` with which it would be read, where some are known.
    """

    def __init__(self, message: str, **options: Any) -> None:
        super().__init__(" ".join(message.split("\n")))
        self.options = options


class Doubt(str):
    """A note on what was read, but is probably not what was meant: `mfrec inspect` lists it as a problem."""

    __slots__ = ()


def require_columns(have: Iterable[Any], names: Iterable[Any], what: str) -> None:
    """Raise RefusedError unless every named column is there; the message lists what there is, and near misses."""
    have = list(have)
    missing = [name for name in dict.fromkeys(names) if name not in have]
    if not missing:
        return
    listed, dots = ", ".join(map(repr, have[:_SHOWN])) or "no columns", ", ..." if len(have) > _SHOWN else ""
    near = [close for name in missing for close in near_misses(name, have)]
    meant = f"; did you mean {' or '.join(map(repr, dict.fromkeys(near)))}?" if near else ""
    raise RefusedError(f"{what} has no column {', '.join(map(repr, missing))}: it has {listed}{dots}{meant}")


def require_once(have: Iterable[Any], names: Iterable[Any], what: str) -> None:
    """Raise RefusedError where one of the named columns is there twice."""
    have = list(have)
    for name in names:
        if have.count(name) > 1:
            raise RefusedError(f"column {name!r} stands {have.count(name)} times in {what}: rename one")


def near_misses(name: Any, have: Iterable[Any]) -> list[Any]:
    """Return up to two columns whose names are like that one, whatever their case and the spaces around them."""
    plain: dict[str, Any] = {str(column).strip().casefold(): column for column in have}
    return [plain[close] for close in get_close_matches(str(name).strip().casefold(), plain, 2, 0.6)]


def clip(text: Any, length: int = 40) -> str:
    """Return the repr of a value, short enough for a message."""
    # numbers of NumPy's, as Python's
    shown = repr(text.item() if hasattr(text, "item") and hasattr(text, "dtype") else text)
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"
