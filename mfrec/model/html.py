"""Small pieces of HTML for notebooks: no script, no style sheet, and everything that comes from data is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

# rows that a table shows, and characters of a cell
ROWS, WIDEST = 20, 120


def block(title: str, *parts: str, notes: Iterable[str] = ()) -> str:
    """Return a title, parts that are HTML already, and notes as text."""
    lines = "".join(f"<p><small>{_text(note)}</small></p>" for note in notes)
    return f"<div><p><strong>{_text(title)}</strong></p>{''.join(parts)}{lines}</div>"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table of the first `ROWS` rows, with a line that says how many more there are."""
    head = "".join(f"<th>{_text(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows[:ROWS])
    more = f"<p><small>{len(rows) - ROWS:,} more</small></p>" if len(rows) > ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def preformatted(text: str) -> str:
    """Return a text as it stands, in a font of one width."""
    return f"<pre>{escape(text)}</pre>"


def _text(value: Any) -> str:
    # a lone surrogate has no place in a page
    text = str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    return escape(text if len(text) <= WIDEST else text[: WIDEST - 1] + "…")
