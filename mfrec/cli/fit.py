"""``mfrec fit``: from a table to a model folder."""

import time
from pathlib import Path
from typing import Any

import click

from mfrec.cli.catalogues import catalogue_options, read_catalogues, told
from mfrec.cli.options import als_params, from_options, parameter_options, params_option, read_source, source_options
from mfrec.cli.output import show_indexes
from mfrec.cli.text import to_paste
from mfrec.coldstart.catalogue import Catalogue
from mfrec.coldstart.content import cold_start
from mfrec.data.interactions import Interactions
from mfrec.data.streams import STDIN
from mfrec.directions import Pair
from mfrec.errors import ParameterError
from mfrec.index import IndexParams
from mfrec.model.recommender import Recommender
from mfrec.storage.folder import check_target
from mfrec.training.fit import fit as fit_model
from mfrec.training.params import ALSParams


@click.command()
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), help="Model folder  [default: models/SOURCE]")
@source_options
@click.option(
    "--cold-start", "bundled", is_flag=True, help="Take what the MovieLens release tells for --items and --users."
)
@catalogue_options
@params_option
@parameter_options(ALSParams, IndexParams)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def fit(source: str, out: Path | None, bundled: bool, quiet: bool, **options: Any) -> None:
    """Fit a model on SOURCE and save it.

    SOURCE is a MovieLens release by name (or its folder or zip), the word sample, or a table: CSV and other text with
    separators, JSON lines, a Parquet file or a folder of its parts, compressed or not, or - for standard input.
    mfrec inspect looks at a table and says how to call this.

    \b
    mfrec fit ml-100k
    mfrec fit ml-100k --params params.json
    mfrec fit plays.csv --user-col listener --item-col track --weight-col plays --out models/plays
    zcat plays.csv.gz | mfrec fit - --user-col listener --item-col track --out models/plays

    What a table of --items (or --users) lists without interactions gets a vector from its text, categories and
    numbers, learnt from those with interactions, and is part of the model in all four directions. --cold-start does
    so with what a MovieLens release tells of its movies and users.

    \b
    mfrec fit ml-latest-small --cold-start
    mfrec fit plays.csv --user-col listener --item-col track --items tracks.csv --items-text title
    """
    started = time.perf_counter()
    als, index = als_params(options), from_options(IndexParams, options)
    if out is None and source == STDIN:
        raise ParameterError("name the model folder of what comes from standard input: --out FOLDER")
    folder = out or Path("models") / Path(source).name.split(".")[0]
    check_target(folder)
    interactions = read_source(source, options)
    catalogues = read_catalogues(source, options, interactions, bundled=bundled)
    read = time.perf_counter()
    click.echo(f"{interactions!r} read in {read - started:.1f} s")
    model = _fitted(interactions, als, index, catalogues, quiet)
    fitted = time.perf_counter()
    model.save(folder)
    click.echo(f"{model!r} fitted and indexed in {fitted - read:.1f} s, saved to {folder}")
    for line in told(model, catalogues):
        click.echo(line)
    for reason in model.info.get("reasons", ()):
        click.echo(reason)
    show_indexes(model, index)
    if model.check is not None:
        for line in model.check.lines():
            click.echo(line)
    some = next(iter(model.ids.user))
    click.echo(f"next: {to_paste('recommend', folder, 'user2item', some)}")


def _fitted(
    interactions: Interactions,
    als: ALSParams,
    index: IndexParams,
    catalogues: Pair[Catalogue | None],
    quiet: bool,
) -> Recommender:
    if not any(catalogues):
        return fit_model(interactions, als, index, progress=not quiet)
    # indexes of what has interactions would not last: those that scan cost nothing to build
    model = fit_model(interactions, als, IndexParams(index="exact"), progress=not quiet)
    if not quiet:
        click.echo(f"learning vectors from {' and '.join(c.name for c in catalogues if c)}", err=True)
    return cold_start(model, catalogues, index)
