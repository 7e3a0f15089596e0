"""Text for a terminal: one line, clipped, and commands that can be pasted."""

import shlex
import subprocess
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfrec.cli.output import print_json, table
from mfrec.cli.text import WIDEST, clipped, one_line, to_paste


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Toy Story (1995)", "Toy Story (1995)"),
        ("two\nlines\r\x0b\x0c\x1c\x85\u2028\u2029end", r"two\nlines\r\x0b\x0c\x1c\x85\u2028\u2029end"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("gpj.\u202efdp", r"gpj.\u202efdp"),
        ("lone \udcff", r"lone \udcff"),
        # what is not printable in Python's eyes, but harmless: a space that does not break, joined emoji
        ("a\xa0b \U0001f468\u200d\U0001f469", "a\xa0b \U0001f468\u200d\U0001f469"),
    ],
)
def test_what_breaks_a_line_is_escaped(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert len(one_line(text).splitlines()) == 1


@given(st.text(st.characters(), max_size=200))
def test_a_clipped_text_is_short_on_one_line_and_can_be_printed(text: str) -> None:
    shown = clipped(text)
    assert len(shown) <= WIDEST
    assert len(f"x{shown}x".splitlines()) == 1
    assert "Cc" not in map(unicodedata.category, shown)
    shown.encode("utf-8")


def test_a_table_has_a_line_per_row() -> None:
    rows: list[dict[str, Any]] = [{"id": "a\nb", "label": "x" * 1000}, {"id": 2**63 - 1, "label": "\x1b[2J"}]
    lines = table(rows).splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) < 100
    assert r"a\nb" in lines[2]
    assert str(2**63 - 1) in lines[3]


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=3))
def test_a_pasted_command_has_its_arguments(arguments: list[str]) -> None:
    line = to_paste("recommend", *arguments, options=("-k", 5))
    words = shlex.split(line)
    assert words[:4] == ["mfrec", "recommend", "-k", "5"]
    assert [word for word in words[4:] if word != "--"] == [word for word in arguments if word != "--"]
    assert (words[4:5] == ["--"]) or not any(word.startswith("-") for word in arguments)


def test_a_shell_reads_what_was_meant() -> None:
    line = to_paste("recommend", "models/a b", "user2item", "-5; echo $HOME 'x'")
    done = subprocess.run(["sh", "-c", f"mfrec() {{ printf '%s|' \"$@\"; }}; {line}"], capture_output=True, check=True)
    assert done.stdout.decode() == "recommend|--|models/a b|user2item|-5; echo $HOME 'x'|"


def test_json_holds_what_has_no_utf8(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"id": "bad \udcff", "label": "é"})
    assert capsys.readouterr().out == '{\n  "id": "bad \\udcff",\n  "label": "é"\n}\n'
