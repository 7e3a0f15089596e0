"""Text for a terminal: ids and labels come from data, and may hold anything."""

import os
import shlex
import shutil
import sys
from unicodedata import bidirectional, category

# characters of a cell of a table, and of a heading
WIDEST = 60

# what breaks a line, moves the cursor or has no form in UTF-8 (control characters, separators, lone surrogates)
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})
# what turns the direction of all that follows
_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def one_line(text: str) -> str:
    """Return a text that stays on its line: line breaks and control characters are escaped as in Python."""
    if text.isprintable():
        return text
    return "".join(_escaped(c) if category(c) in _BREAKING or bidirectional(c) in _TURNING else c for c in text)


def clipped(text: str) -> str:
    """Return a text on one line, of at most `WIDEST` characters."""
    # what is cut off need not be escaped
    line = one_line(text[: WIDEST + 1])
    return line if len(line) <= WIDEST else line[: WIDEST - 1] + "…"


def with_utf8(text: str) -> str:
    """Return a text that has a UTF-8 form: of lone surrogates, which ids and labels may hold, their escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def to_paste(command: str, *arguments: object, options: tuple[object, ...] = ()) -> str:
    """Return a command of mfrec's, quoted for a shell; what begins with ``-`` is kept from being an option."""
    given = [str(argument) for argument in arguments]
    guard = ["--"] if any(text.startswith("-") for text in given) else []
    return f"{program()} {shlex.join([command, *map(str, options), *guard, *given])}"


def program() -> str:
    """Return the word that starts this program in a shell: ``mfrec`` if PATH leads to it, else its path as called."""
    called = sys.argv[0]
    # under a test runner or ``python -c`` this is another program, or none
    if os.path.basename(called) != "mfrec" or not os.path.isfile(called):
        return "mfrec"
    found = shutil.which("mfrec")
    if found is not None and os.path.samefile(found, called):
        return "mfrec"
    return shlex.quote(called if os.path.dirname(called) else os.path.join(os.curdir, called))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
