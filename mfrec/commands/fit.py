"""``mfrec fit``: from a table to a model folder."""

import time
from pathlib import Path
from typing import Any

import click

from mfrec.als import ALSParams
from mfrec.commands.options import (
    als_params,
    from_options,
    parameter_options,
    params_option,
    read_source,
    source_options,
)
from mfrec.commands.output import index_rows, table
from mfrec.index import IndexParams
from mfrec.pipeline import fit as fit_model


@click.command()
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), help="Model folder  [default: models/SOURCE]")
@source_options
@params_option
@parameter_options(ALSParams, IndexParams)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def fit(source: str, out: Path | None, quiet: bool, **options: Any) -> None:
    """Fit a model on SOURCE and save it.

    SOURCE is a MovieLens release by name (or its folder or zip), the word sample, or a CSV or Parquet file.

    \b
    mfrec fit ml-100k
    mfrec fit ml-100k --params params.json
    mfrec fit plays.csv --user-col listener --item-col track --weight-col plays --out models/plays
    """
    started = time.perf_counter()
    als, index = als_params(options), from_options(IndexParams, options)
    interactions = read_source(source, options)
    read = time.perf_counter()
    click.echo(f"{interactions!r} read in {read - started:.1f} s")
    model = fit_model(interactions, als, index, progress=not quiet)
    fitted = time.perf_counter()
    folder = out or Path("models") / Path(source).name.split(".")[0]
    model.save(folder)
    click.echo(f"{model!r} fitted and indexed in {fitted - read:.1f} s, saved to {folder}")
    click.echo(table(index_rows(model)))
    some = next(iter(model.ids.user))
    click.echo(f"next: mfrec recommend {folder} user2item {some}")
