"""``docs/how-it-works.md`` and ``CONTRIBUTING.md``: what they send a reader to exists, and they know the layers."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.test_layers import LAYER, LAYERS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "how-it-works.md"
PAGES = (PAGE, ROOT / "CONTRIBUTING.md")
TEXT = PAGE.read_text()
BOTH = "\n".join(page.read_text() for page in PAGES)
LINKS = sorted({(page, link) for page in PAGES for link in re.findall(r"\]\(([^)#]+)\)", page.read_text())})
PATHS = sorted(set(re.findall(r"`((?:mfrec|tests|benchmarks|docs|\.ci)/[\w/.-]*)`", BOTH)))
NAMES = sorted(set(re.findall(r"`([A-Za-z_]+)`", TEXT)))
MODULES = sorted(set(re.findall(r"`(mfrec\.[a-z_.]+)(?:\.[A-Z_]+)?`", BOTH)))
TARGETS = sorted(set(re.findall(r"`make ([a-z-]+)`", BOTH)))


@pytest.mark.parametrize(("page", "link"), LINKS, ids=[link for _, link in LINKS])
def test_a_link_leads_to_a_file(page: Path, link: str) -> None:
    assert (page.parent / link).exists()


@pytest.mark.parametrize("path", PATHS)
def test_a_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_imported(name: str) -> None:
    assert import_module(name).__doc__


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_one_of_the_makefile(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_layers_are_those_that_are_checked() -> None:
    rows = re.findall(r"^\| (`.+?) \|", TEXT.split("## Layers")[1].split("\n## ")[0], re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert [LAYER[name] for name in named] == sorted(LAYER[name] for name in named)
    here = {path.stem for path in (ROOT / "mfrec").iterdir()}
    assert set(named) == {name for names in LAYERS for name in names if name in here} - {"__init__"}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_of_the_code(name: str) -> None:
    folders = {path.stem for path in (ROOT / "mfrec").iterdir()}
    words = (re.search(rf"\b{name}\b", path.read_text()) for path in (ROOT / "mfrec").rglob("*.py"))
    assert name in folders or any(words)


def test_a_row_of_the_table_names_where_the_change_belongs() -> None:
    rows = [line for line in TEXT.split("## Where a change belongs")[1].splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 12
    assert all("](../mfrec/" in row for row in rows)
