"""The README names every command and every public name, and the changelog knows the version."""

import re
from pathlib import Path

import click
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
README = (ROOT / "README.md").read_text()
COLD_START = (ROOT / "docs" / "cold-start.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(name: str) -> None:
    assert f"`mfrec {name}" in README
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    undocumented = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
    assert undocumented == []


@pytest.mark.parametrize("name", [*COLD, "--cold-start", "--cold item", "--cold user"])
def test_every_option_about_cold_items_and_users_is_in_its_page(name: str) -> None:
    assert f"`{name}" in COLD_START


@pytest.mark.parametrize("name", mfrec.__all__)
def test_every_public_name_exists_and_is_in_the_readme(name: str) -> None:
    assert getattr(mfrec, name) is not None
    assert re.search(rf"\b{name}\b", README), f"{name} is not in the README"


@pytest.mark.parametrize("name", [*DIRECTIONS, *BACKENDS])
def test_every_direction_and_index_is_in_the_readme(name: str) -> None:
    assert name in README


def test_the_changelog_knows_the_version() -> None:
    assert f"## {mfrec.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_no_public_name_is_undocumented() -> None:
    assert [n for n in mfrec.__all__ if not (getattr(mfrec, n).__doc__ or isinstance(getattr(mfrec, n), dict))] == []
