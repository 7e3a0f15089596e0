"""What commands that read a table share: its columns, and one option per field of a parameter class."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import click
from click.core import ParameterSource

from mfrec.data.files import FORMATS, QUOTING
from mfrec.data.interactions import Interactions
from mfrec.data.merge import AGGREGATES
from mfrec.data.movielens import RELEASES, load_movielens
from mfrec.data.parquet import is_parts
from mfrec.data.streams import STDIN
from mfrec.data.synthetic import sample
from mfrec.errors import ParameterError
from mfrec.index import BACKENDS
from mfrec.training.params import ALSParams

Command = Callable[..., Any]

SAMPLE = "sample"
COLUMN_OPTIONS = ("user_col", "item_col", "weight_col", "time_col", "item_label_col", "user_label_col")
# argument of `Interactions.read`: option
NAMES = {
    "user": "user_col",
    "item": "item_col",
    "weight": "weight_col",
    "time": "time_col",
    "item_labels": "item_label_col",
    "user_labels": "user_label_col",
}
# how a table is written, and what is done with its rows: arguments of `Interactions.read`, and options of that name
READING = ("sep", "decimal", "encoding", "header", "quoting", "format")
ROWS = ("time_format", "drop_invalid", "aggregate")
LIMITS = ("min_user_interactions", "min_item_interactions")

READING_OPTIONS = (
    click.option("--sep", metavar="TEXT", help="What separates fields, as ';' or tab  [default: found]"),
    click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True, help="Decimal sign."),
    click.option("--encoding", default="utf-8", show_default=True, help="Of the text, as latin-1 or utf-16."),
    click.option(
        "--no-header", "header", flag_value=False, default=True, type=bool,
        help="The first line is data; name columns by their position, from 0.",
    ),
    click.option(
        "--quoting", type=click.Choice(QUOTING), default="auto", show_default=True,
        help="none: quotes are characters as others; csv: trust quoted fields of several lines.",
    ),
    click.option(
        "--format", type=click.Choice(FORMATS), default="auto", show_default=True,
        help="lists: each line a user, then items; triples: each line a user, an item, a count.",
    ),
)  # fmt: skip

_SOURCE = (
    click.option("--user-col", default="user", show_default=True, help="Column of user ids."),
    click.option("--item-col", default="item", show_default=True, help="Column of item ids."),
    click.option("--weight-col", help="Column of weights above 0; every row weighs 1 without it."),
    click.option("--time-col", help="Column of times: dates, or numbers since 1970, whose magnitude tells the unit."),
    click.option("--item-label-col", help="Column of item titles."),
    click.option("--user-label-col", help="Column of user names."),
    *READING_OPTIONS,
    click.option("--time-format", metavar="FORMAT", help="How times are written, as %d/%m/%Y  [default: year first]"),
    click.option("--drop-invalid", is_flag=True, help="Leave out rows that cannot be used, and say how many."),
    click.option(
        "--aggregate",
        type=click.Choice([*AGGREGATES]),
        default="sum",
        show_default=True,
        help="The weight of a pair that several rows have.",
    ),
    click.option("--min-user-interactions", default=1, show_default=True, help="Drop users with fewer."),
    click.option("--min-item-interactions", default=1, show_default=True, help="Drop items with fewer."),
)


def source_options(command: Command) -> Command:
    """Give a command the options that `read_source` takes."""
    for option in reversed(_SOURCE):
        command = option(command)
    return command


def reading_options(command: Command) -> Command:
    """Give a command the options that say how a table is written: the arguments of `mfrec.data.files.Reading`."""
    for option in reversed(READING_OPTIONS):
        command = option(command)
    return command


def params_option(command: Command) -> Command:
    """Give a command the option that `als_params` takes."""
    kind = click.Path(path_type=Path)
    return click.option("--params", type=kind, help="Parameters that mfrec tune wrote; other options override them.")(
        command
    )


def parameter_options(*classes: type, only: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """Give a command one option per field of a parameter class, or per field named, with its type and default."""

    def add(command: Command) -> Command:
        seen: set[str] = set()
        for cls in classes:
            kinds = get_type_hints(cls)
            for field in reversed(fields(cls)):
                kind = _option_type(field.name, kinds[field.name])
                if kind is None or field.name in seen or (only and field.name not in only):
                    continue
                seen.add(field.name)
                default = "derived" if field.default is None else field.default
                option = click.option(
                    f"--{field.name.replace('_', '-')}",
                    field.name,
                    type=kind,
                    default=None,
                    help=f"{cls.__name__}.{field.name}  [default: {default}]",
                )
                command = option(command)
        return command

    return add


def _option_type(name: str, hint: Any) -> Any:
    """Return what click reads a field of this type as; None for what has no place on a command line."""
    if name == "index":
        return click.Choice([*BACKENDS, "auto"])
    return next((kind for kind in (bool, int, float, str) if hint in (kind, kind | None)), None)


def read_source(source: str, options: dict[str, Any]) -> Interactions:
    """Read a release, the sample, or a table whose columns the options name; drop what has too few interactions."""
    return _read(source, options).filter(**{name: options[name] for name in LIMITS})


def is_movielens(source: str) -> bool:
    """Whether a source is a MovieLens release: a name, a folder or a zip."""
    path = Path(source)
    return source in RELEASES or (path.is_dir() and not is_parts(path)) or path.suffix == ".zip"


def _read(source: str, options: dict[str, Any]) -> Interactions:
    if source == SAMPLE:
        return sample().interactions
    path = Path(source)
    if is_movielens(source):
        context = click.get_current_context()
        given = [o for o in COLUMN_OPTIONS[2:] if options.get(o)]
        given += [o for o in (*READING, *ROWS) if context.get_parameter_source(o) is ParameterSource.COMMANDLINE]
        if given:
            option = "no-header" if given[0] == "header" else given[0].replace("_", "-")
            raise ParameterError(f"--{option} is for tables; a MovieLens release needs no columns")
        return load_movielens(source)
    names = {name: options[option] for name, option in NAMES.items()}
    path_or_stream = STDIN if source == STDIN else path
    return Interactions.read(path_or_stream, **names, **{name: options[name] for name in (*READING, *ROWS)})


def from_options(cls: Any, options: dict[str, Any]) -> Any:
    """Make a parameter object of the options that were given."""
    names = {field.name for field in fields(cls)}
    return cls(**{name: value for name, value in options.items() if name in names and value is not None})


def als_params(options: dict[str, Any]) -> ALSParams:
    """Make the parameters of the fit of a parameter file, where one is named, and the options that were given."""
    from mfrec.tuning.params_file import read_params

    path = options.get("params")
    held = {} if path is None else read_params(path)
    given = {name: value for name, value in options.items() if value is not None}
    return ALSParams(**{**held, **{f.name: given[f.name] for f in fields(ALSParams) if f.name in given}})
