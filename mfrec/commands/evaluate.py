"""``mfrec evaluate``: how good each of the four directions is, beside the baselines."""

from typing import Any

import click

from mfrec.als import ALSParams
from mfrec.commands.options import als_params, parameter_options, params_option, read_source, source_options
from mfrec.evaluation import evaluate as run
from mfrec.evaluation import splits
from mfrec.index import IndexParams
from mfrec.interactions import Interactions
from mfrec.pipeline import fit

SPLITS = ("random", "last", "time")


@click.command()
@click.argument("source")
@click.option("--split", type=click.Choice(SPLITS), default="random", show_default=True, help="How to hold out.")
@click.option("--test-fraction", type=float, default=0.2, show_default=True, help="Held out by random and time.")
@click.option("--last", default=1, show_default=True, help="Held out per user by --split last.")
@click.option("-k", "ks", type=int, multiple=True, default=(10, 100), show_default=True, help="Repeat for several.")
@click.option("--warm", is_flag=True, help="Leave out events whose user or item has no training data.")
@click.option("--through-index", is_flag=True, help="Measure what the indexes return, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@source_options
@params_option
@parameter_options(ALSParams)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def evaluate(
    source: str, ks: tuple[int, ...], warm: bool, through_index: bool, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Fit on a part of SOURCE and measure all four directions on the rest.

    SOURCE is what mfrec fit takes. mfrec/evaluation/README.md says what each direction is asked.

    \b
    mfrec evaluate ml-100k
    mfrec evaluate ml-100k --split time --warm -k 20 --params params.json
    """
    params = als_params(options)
    train, test = _split(read_source(source, options), options, params.seed)
    # scores are exhaustive: an index is only built well where it is measured
    index = IndexParams() if through_index else IndexParams(index="exact")
    model = fit(train, params, index, progress=not quiet)
    report = run(model, test, ks, train=train, through_index=through_index, warm=warm, seed=params.seed)
    click.echo(report.to_json() if as_json else report)


def _split(interactions: Interactions, options: dict[str, Any], seed: int) -> tuple[Interactions, Interactions]:
    if options["split"] == "last":
        return splits.leave_last_n_split(interactions, options["last"], seed=seed)
    if options["split"] == "time":
        return splits.time_split(interactions, options["test_fraction"])
    return splits.random_split(interactions, options["test_fraction"], seed)
