"""From what a user typed, an id or a title, to an id of the model."""

import difflib
import unicodedata
from typing import Any

from mfrec.directions import Side
from mfrec.errors import UnknownIdError
from mfrec.recommender import Recommender

# titles longer than this are compared by their beginning: near misses are typed, not pasted
LONGEST = 80


def resolve(model: Recommender, side: Side, text: str) -> Any:
    """Return the id that ``text`` stands for: the id itself, or the one id of that title.

    Raises
    ------
    UnknownIdError
        When nothing matches, with near misses, or when several ids share the title.
    """
    ids = model.ids[side]
    key: Any = _integer(text) if ids.kind == "int" else text
    if key is not None and key in ids:
        return key
    titles = model.labels[side]
    if titles is None:
        return ids.id(ids.number(text if key is None else key))
    plain = [fold(title) for title in titles]
    wanted = fold(text)
    same = [n for n, title in enumerate(plain) if title == wanted]
    if len(same) == 1:
        return ids.id(same[0])
    if same:
        listed = ", ".join(str(ids.id(n)) for n in same)
        raise UnknownIdError(f"{len(same)} {side}s have the title {text!r}: ask for one of the ids {listed}")
    near = _near_misses(wanted, plain)
    shown = "; did you mean " + " or ".join(repr(titles[n]) for n in near) + "?" if near else ""
    raise UnknownIdError(f"no {side} has the id or title {text!r}{shown}")


def fold(text: str) -> str:
    """Return text without case, accents and outer blanks, for comparing."""
    decomposed = unicodedata.normalize("NFKD", text.strip())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def _near_misses(wanted: str, titles: list[str]) -> list[int]:
    containing = [n for n, title in enumerate(titles) if wanted and wanted in title]
    if containing:
        return sorted(containing, key=lambda n: len(titles[n]))[:3]
    short = {title[:LONGEST]: n for n, title in reversed(list(enumerate(titles)))}
    return [short[t] for t in difflib.get_close_matches(wanted[:LONGEST], short, n=3, cutoff=0.6)]


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
