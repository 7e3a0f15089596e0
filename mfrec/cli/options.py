"""What commands that read a table share: its columns, and one option per field of a parameter class."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import click

from mfrec.data.interactions import Interactions
from mfrec.data.movielens import RELEASES, load_movielens
from mfrec.data.synthetic import sample
from mfrec.errors import ParameterError
from mfrec.index import BACKENDS
from mfrec.training.params import ALSParams

Command = Callable[..., Any]

SAMPLE = "sample"
COLUMN_OPTIONS = ("user_col", "item_col", "weight_col", "time_col", "item_label_col", "user_label_col")
LIMITS = ("min_user_interactions", "min_item_interactions")

_SOURCE = (
    click.option("--user-col", default="user", show_default=True, help="Column of user ids."),
    click.option("--item-col", default="item", show_default=True, help="Column of item ids."),
    click.option("--weight-col", help="Column of weights above 0; every row weighs 1 without it."),
    click.option("--time-col", help="Column of times: seconds since 1970, or dates."),
    click.option("--item-label-col", help="Column of item titles."),
    click.option("--user-label-col", help="Column of user names."),
    click.option("--min-user-interactions", default=1, show_default=True, help="Drop users with fewer."),
    click.option("--min-item-interactions", default=1, show_default=True, help="Drop items with fewer."),
)


def source_options(command: Command) -> Command:
    """Give a command the options that `read_source` takes."""
    for option in reversed(_SOURCE):
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
    return source in RELEASES or path.is_dir() or path.suffix == ".zip"


def _read(source: str, options: dict[str, Any]) -> Interactions:
    if source == SAMPLE:
        return sample().interactions
    path = Path(source)
    if is_movielens(source):
        given = [o for o in COLUMN_OPTIONS[2:] if options.get(o)]
        if given:
            raise ParameterError(f"--{given[0].replace('_', '-')} is for tables; a MovieLens release needs no columns")
        return load_movielens(source)
    names = {
        "user": "user_col",
        "item": "item_col",
        "weight": "weight_col",
        "time": "time_col",
        "item_labels": "item_label_col",
        "user_labels": "user_label_col",
    }
    return Interactions.read(path, **{name: options[option] for name, option in names.items()})


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
