"""What `mfrec fit` and `mfrec evaluate` share about tables of items and users: options, reading, a summary."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mfrec.cli.options import Command, is_movielens
from mfrec.cli.output import counted
from mfrec.coldstart.catalogue import Catalogue
from mfrec.coldstart.content import encoded
from mfrec.data.files import Reading
from mfrec.data.interactions import Interactions
from mfrec.data.movielens import tells_users
from mfrec.data.refusals import RefusedError
from mfrec.directions import SIDES, Pair, Side
from mfrec.errors import ParameterError
from mfrec.model.recommender import Recommender

# option of a side: (argument of Catalogue, may be repeated, what it holds)
ROLES: dict[str, tuple[str, bool, str]] = {
    "text": ("text", True, "text, such as a title, or genres joined by |"),
    "category": ("categories", True, "categories"),
    "number": ("numbers", True, "numbers, such as a year or an age"),
    "label": ("label", False, "titles or names to show"),
}


def catalogue_options(command: Command) -> Command:
    """Give a command the options that `read_catalogues` takes."""
    command = click.option("--strict", is_flag=True, help="Refuse tables that lack an item or user with interactions.")(
        command
    )
    for side in SIDES:
        for option in reversed(list(_options(side))):
            command = option(command)
    return command


def _options(side: Side) -> Iterator[Command]:
    name = f"--{side}s"
    yield click.option(
        name, type=click.Path(path_type=Path), metavar="FILE", help=f"Table of what is known about {side}s, as SOURCE."
    )
    yield click.option(f"{name}-id", metavar="COL", help=f"Its column of ids  [default: that of --{side}-col]")
    for role, (_, several, what) in ROLES.items():
        repeat = "; repeat for several" if several else ""
        yield click.option(f"{name}-{role}", metavar="COL", multiple=several, help=f"Its column of {what}{repeat}.")


def read_catalogues(
    source: str, options: dict[str, Any], interactions: Interactions, *, bundled: bool
) -> Pair[Catalogue | None]:
    """Read the tables that the options name, and of the other sides what the MovieLens release tells if ``bundled``.

    All that can be wrong with them shows here, before anything is fitted.
    """
    if bundled and not is_movielens(source):
        raise ParameterError(f"{source} is no MovieLens release: name tables with --items FILE or --users FILE")
    return Pair.of(lambda side: _read(source, side, options, interactions, bundled))


def read_catalogue(source: str, side: Side, options: dict[str, Any], interactions: Interactions) -> Catalogue:
    """Read the table of one side, and of that side alone: the one that the options name, else the release's."""
    strange = [other for other in named_sides(options) if other != side]
    if strange:
        raise ParameterError(f"--{strange[0]}s has no meaning with --cold {side}")
    found = _read(source, side, options, interactions, is_movielens(source))
    if found is None:
        raise ParameterError(f"{source} tells nothing about its {side}s: name a table with --{side}s FILE")
    return found


def named_sides(options: dict[str, Any]) -> list[Side]:
    """Return the sides for which some option of `catalogue_options` was given."""
    ends = ("", "_id", *(f"_{role}" for role in ROLES))
    return [side for side in SIDES if any(options[f"{side}s{end}"] for end in ends)]


def told(model: Recommender, catalogues: Pair[Catalogue | None]) -> Iterator[str]:
    """Yield a line per catalogue: how many ids have a vector from it, and from what."""
    for side in SIDES:
        catalogue, content = catalogues[side], model.info.get("content", {}).get(side)
        if catalogue is None:
            continue
        if content is None:
            yield f"{catalogue.name} lists no {side} without interactions"
            continue
        yield (
            f"{counted(model.info['cold'][side], side)} without interactions: vectors from "
            f"{', '.join(content['columns'])} ({content['error']:.0%} of the variance unexplained)"
        )


def _read(
    source: str, side: Side, options: dict[str, Any], interactions: Interactions, bundled: bool
) -> Catalogue | None:
    found = _named(side, options, interactions)
    if found is None and bundled and (side == "item" or tells_users(source)):
        found = Catalogue.movielens(source, side)
    if found is not None:
        # what would end the run after the fit ends it here
        encoded(found.rows(side, interactions.ids[side]), **found.roles)
    return found


def _named(side: Side, options: dict[str, Any], interactions: Interactions) -> Catalogue | None:
    if side not in named_sides(options):
        return None
    name = f"{side}s"
    path, columns = options[name], {argument: options[f"{name}_{role}"] for role, (argument, *_) in ROLES.items()}
    if path is None:
        raise ParameterError(f"name the table of {name} whose columns you mean: --{name} FILE")
    if not (columns["text"] or columns["categories"] or columns["numbers"]):
        raise ParameterError(f"say what to learn from {path}: --{name}-text, --{name}-category or --{name}-number COL")
    key, ids = options[f"{name}_id"] or options[f"{side}_col"], interactions.ids[side]
    try:
        return Catalogue.read(path, ids, key, strict=options["strict"], **columns)
    except RefusedError as error:
        # --encoding is that of SOURCE, and of this table where it is no UTF-8
        if "encoding" not in error.options or options["encoding"] == "utf-8":
            raise
        return Catalogue.read(
            path, ids, key, how=Reading(encoding=options["encoding"]), strict=options["strict"], **columns
        )
