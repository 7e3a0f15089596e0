"""``mfrec fit``: from a table to a model folder."""

import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from mfrec.als import ALSParams
from mfrec.commands.output import index_rows, table
from mfrec.datasets import RELEASES, load_movielens
from mfrec.datasets.synthetic import sample
from mfrec.errors import ParameterError
from mfrec.index import BACKENDS, IndexParams
from mfrec.interactions import Interactions
from mfrec.pipeline import fit as fit_model

SAMPLE = "sample"
COLUMN_OPTIONS = ("user_col", "item_col", "weight_col", "time_col", "item_label_col", "user_label_col")


def parameter_options(*classes: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command one option per field of a parameter class, with its type and default."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        seen: set[str] = set()
        for cls in classes:
            for field in reversed(fields(cls)):
                if field.name in seen or not isinstance(field.default, int | float | str):
                    continue
                seen.add(field.name)
                kind: Any = click.Choice(list(BACKENDS)) if field.name == "index" else type(field.default)
                option = click.option(
                    f"--{field.name.replace('_', '-')}",
                    field.name,
                    type=kind,
                    default=None,
                    help=f"{cls.__name__}.{field.name}  [default: {field.default}]",
                )
                command = option(command)
        return command

    return add


@click.command()
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), help="Model folder  [default: models/SOURCE]")
@click.option("--user-col", default="user", show_default=True, help="Column of user ids.")
@click.option("--item-col", default="item", show_default=True, help="Column of item ids.")
@click.option("--weight-col", help="Column of weights above 0; every row weighs 1 without it.")
@click.option("--time-col", help="Column of times: seconds since 1970, or dates.")
@click.option("--item-label-col", help="Column of item titles.")
@click.option("--user-label-col", help="Column of user names.")
@click.option("--min-user-interactions", default=1, show_default=True, help="Drop users with fewer.")
@click.option("--min-item-interactions", default=1, show_default=True, help="Drop items with fewer.")
@parameter_options(ALSParams, IndexParams)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def fit(source: str, out: Path | None, quiet: bool, **options: Any) -> None:
    """Fit a model on SOURCE and save it.

    SOURCE is a MovieLens release by name (or its folder or zip), the word sample, or a CSV or Parquet file.

    \b
    mfrec fit ml-100k
    mfrec fit plays.csv --user-col listener --item-col track --weight-col plays --out models/plays
    """
    started = time.perf_counter()
    interactions = read_source(source, options)
    limits = {name: options[name] for name in ("min_user_interactions", "min_item_interactions")}
    interactions = interactions.filter(**limits)
    read = time.perf_counter()
    click.echo(f"{interactions!r} read in {read - started:.1f} s")
    model = fit_model(
        interactions, from_options(ALSParams, options), from_options(IndexParams, options), progress=not quiet
    )
    fitted = time.perf_counter()
    folder = out or Path("models") / Path(source).name.split(".")[0]
    model.save(folder)
    click.echo(f"{model!r} fitted and indexed in {fitted - read:.1f} s, saved to {folder}")
    click.echo(table(index_rows(model)))
    some = next(iter(model.ids.user))
    click.echo(f"next: mfrec recommend {folder} user2item {some}")


def read_source(source: str, options: dict[str, Any]) -> Interactions:
    """Read a release, the sample, or a table whose columns the options name."""
    if source == SAMPLE:
        return sample().interactions
    path = Path(source)
    if source in RELEASES or path.is_dir() or path.suffix == ".zip":
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
