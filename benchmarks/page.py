"""Blocks of docs/accuracy.md that scripts write, each between two markers."""

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "accuracy.md"


def block(name: str) -> str:
    """Return what stands between the markers of a block."""
    found = _pattern(name).search(PAGE.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{PAGE} has no block {name!r}")
    return found[2]


def put(name: str, text: str) -> None:
    """Replace what stands between the markers of a block."""
    PAGE.write_text(_pattern(name).sub(lambda m: m[1] + text + m[3], PAGE.read_text(encoding="utf-8")))


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}:start -->\n)(.*?)(<!-- {name}:end -->)", re.DOTALL)
