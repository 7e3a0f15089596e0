"""``docs/how-it-works.md``: every file that it sends a reader to exists, and so does every name in it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "how-it-works.md"
TEXT = PAGE.read_text()
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT)))
PATHS = sorted(set(re.findall(r"`((?:mfrec|tests)/[\w/.]*)`", TEXT)))
NAMES = sorted(set(re.findall(r"`([A-Za-z_]+)`", TEXT)))


@pytest.mark.parametrize("link", LINKS)
def test_a_link_leads_to_a_file(link: str) -> None:
    assert (PAGE.parent / link).exists()


@pytest.mark.parametrize("path", PATHS)
def test_a_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_of_the_code(name: str) -> None:
    folders = {path.stem for path in (ROOT / "mfrec").iterdir()}
    words = (re.search(rf"\b{name}\b", path.read_text()) for path in (ROOT / "mfrec").rglob("*.py"))
    assert name in folders or any(words)


def test_a_row_of_the_table_names_where_the_change_belongs() -> None:
    rows = [line for line in TEXT.split("## Where a change belongs")[1].splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 12
    assert all("](../mfrec/" in row for row in rows)
