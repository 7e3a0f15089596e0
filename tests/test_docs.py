"""README and docs: their Python runs, their commands exist, and they name all that is public."""

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest

import mfrec
from mfrec.cli.catalogues import catalogue_options
from mfrec.cli.main import COMMANDS, cli
from mfrec.directions import DIRECTIONS
from mfrec.index import BACKENDS


@catalogue_options
def _takes_catalogues() -> None: ...


# as the command line has them
COLD = [option.opts[0] for option in click.command()(_takes_catalogues).params]

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = {path.name: path.read_text() for path in (README, *sorted(DOCS.glob("*.md")))}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# a block of ``py`` is another library's, and is read only; one of ``python`` runs
RUN, READ = "python", "py"
SHELL = ("sh", "bash", "")
MENTIONED = re.compile(r"`((?:mfrec|make|python -m) [^`]+)`")


def blocks(page: str, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in these languages."""
    return [text for language, text in FENCED.findall(PAGES[page]) if language in languages]


def commands(page: str) -> Iterator[list[str]]:
    """Yield the words of every command that a page shows, in blocks and in its sentences."""
    lines = [
        line.removeprefix("$ ") for block in blocks(page, *SHELL) for line in block.replace("\\\n", " ").splitlines()
    ]
    shown = [line for line in lines if re.match(r"(\.venv\S*/bin/)?(mfrec|make|python -m) ", line)]
    for line in [*shown, *MENTIONED.findall(FENCED.sub("", PAGES[page]))]:
        words = shlex.split(line, comments=True)
        words[0] = Path(words[0]).name
        yield words


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the tables that pages take as an example."""
    rng = np.random.default_rng(1)
    customers, products = rng.integers(40, size=500), rng.integers(25, size=500)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(300 * 86_400, size=500), "s")
    frame = pd.DataFrame({"customer": customers, "product": products, "when": when}).drop_duplicates(
        ["customer", "product"]
    )
    frame = frame.assign(customer="c" + frame["customer"].astype(str), product="p" + frame["product"].astype(str))
    frame.to_csv(tmp_path / "purchases.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# what a page takes as given
GIVEN: dict[str, Any] = {
    "cold-start.md": lambda: {
        "mfrec": mfrec,
        "model": mfrec.fit(mfrec.sample(60, 25, 300).interactions),
        "tracks_frame": pd.DataFrame(
            {
                "track": [*range(25), 9001],
                "title": [f"Title {n % 5}" for n in range(26)],
                "label": [f"label {n % 3}" for n in range(26)],
                "year": [1990 + n for n in range(26)],
            }
        ),
    }
}


@pytest.mark.parametrize("page", [name for name in PAGES if blocks(name, RUN)])
@pytest.mark.usefixtures("tables")
def test_the_python_of_a_page_runs(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # in place of MovieLens, for the time that it takes
    sample = mfrec.sample(120, 190, 2_000).interactions
    monkeypatch.setattr("mfrec.data.movielens.load_movielens", lambda name: sample)
    names: dict[str, Any] = GIVEN.get(page, dict)()
    for block in blocks(page, RUN):
        exec(compile(block, page, "exec"), names)  # noqa: S102


@pytest.mark.parametrize("page", [name for name in PAGES if blocks(name, READ)])
def test_the_python_of_other_libraries_is_python(page: str) -> None:
    for block in blocks(page, READ):
        compile(block, page, "exec")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_exist(page: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for program, first, *rest in commands(page):
        if program == "make":
            assert first in targets
        elif program == "python":
            assert rest[0].split(".")[0] == "venv" or find_spec(rest[0]) is not None, rest[0]
        elif not first.startswith("-") and first.islower():
            command = cli.get_command(click.Context(cli), first)
            assert command is not None, f"mfrec {first}"
            known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
            asked = {word.split("=")[0] for word in rest if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
            assert asked <= {*known, "--help"}, f"mfrec {first}"


def test_commands_are_found_in_pages() -> None:
    assert ["mfrec", "fit", "purchases.csv"] in [words[:3] for words in commands("README.md")]
    assert ["make", "bench"] in list(commands("benchmarks.md"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_its_page_and_has_help(name: str) -> None:
    assert f"`mfrec {name}" in PAGES["command-line.md"]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    undocumented = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
    assert undocumented == []


@pytest.mark.parametrize("name", [*COLD, "--cold-start", "--cold item", "--cold user"])
def test_every_option_about_cold_items_and_users_is_in_its_page(name: str) -> None:
    assert f"`{name}" in PAGES["cold-start.md"]


@pytest.mark.parametrize("name", mfrec.__all__)
def test_every_public_name_exists_and_is_in_the_reference(name: str) -> None:
    value = getattr(mfrec, name)
    assert value.__doc__
    assert f"mfrec.{name}" in PAGES["api.md"]
    assert f"mfrec.{name}" in PAGES["directions.md"] or name.endswith("Error")


def test_every_direction_is_in_the_readme_and_every_index_in_its_page() -> None:
    assert [name for name in DIRECTIONS if f"`{name}`" not in PAGES["README.md"]] == []
    assert [name for name in BACKENDS if f'`"{name}"`' not in PAGES["indexes.md"]] == []


def test_every_page_is_in_the_site_and_is_linked_from_the_readme() -> None:
    site = (ROOT / "mkdocs.yml").read_text()
    for page in sorted(PAGES.keys() - {"README.md"}):
        assert f" {page}\n" in site
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)", PAGES["README.md"]))
    # the site's own pages (on GitHub, notebooks are seen in their folder), and one that another page is about
    assert PAGES.keys() - linked == {"README.md", "index.md", "api.md", "notebooks.md", "published-splits.md"}


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_to_files(page: str) -> None:
    folder = ROOT if page == "README.md" else DOCS
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", FENCED.sub("", PAGES[page]))
    assert [link for link in links if "://" not in link and not (folder / link).exists()] == []


def test_the_readme_is_one_page() -> None:
    assert len(README.read_text().splitlines()) <= 160


def test_the_changelog_knows_the_version() -> None:
    assert f"## {mfrec.__version__}" in (ROOT / "CHANGELOG.md").read_text()
