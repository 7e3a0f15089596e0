"""``mfrec evaluate``: how good each of the four directions is, beside the baselines."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mfrec.cli.catalogues import catalogue_options, named_sides, read_catalogue
from mfrec.cli.options import als_params, parameter_options, params_option, read_source, source_options
from mfrec.coldstart.evaluate import evaluate_cold
from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES, Side
from mfrec.errors import ParameterError, check_integer
from mfrec.evaluation import evaluate as run
from mfrec.evaluation import splits
from mfrec.index import IndexParams
from mfrec.training.fit import fit
from mfrec.training.params import ALSParams
from mfrec.tuning.params_file import HeldOut, leak

SPLITS = ("random", "last", "time")


@click.command()
@click.argument("source")
@click.option("--split", type=click.Choice(SPLITS), default="random", show_default=True, help="How to hold out.")
@click.option(
    "--test-fraction", type=float, default=0.2, show_default=True, help="Held out by random, time and --cold."
)
@click.option("--last", default=1, show_default=True, help="Held out per user by --split last.")
@click.option(
    "-k",
    "ks",
    type=int,
    multiple=True,
    default=(10, 100),
    show_default=True,
    help="Repeat for several; the short table shows the first.",
)
@click.option("--warm", is_flag=True, help="Leave out events whose user or item has no training data.")
@click.option("--through-index", is_flag=True, help="Measure what the indexes return, too.")
@click.option("--cold", type=click.Choice(SIDES), help="Hold items or users out entirely, known by a table alone.")
@click.option("--full", is_flag=True, help="Print every metric and protocol, a table per direction.")
@click.option("--json", "as_json", is_flag=True, help="Print all that --full does, and more, as JSON.")
@source_options
@catalogue_options
@params_option
@parameter_options(ALSParams)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def evaluate(source: str, cold: Side | None, full: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Fit on a part of SOURCE and measure all four directions on the rest, beside the baselines.

    A verdict per direction comes first, then hit rates over unseen targets; --full has the rest.

    SOURCE is what mfrec fit takes. docs/evaluation.md says what each direction is asked. With --cold, items
    (or users) are held out entirely and get a vector from a table alone: --items (or --users) as in mfrec fit, or
    what a MovieLens release tells.

    \b
    mfrec evaluate ml-100k
    mfrec evaluate ml-100k --split time --warm -k 20 --params params.json
    mfrec evaluate ml-100k --cold item

    Parameters of a file are tested honestly where their search never saw the test part: mfrec tune --hold-out.
    Where the file does not say so, a warning does.
    """
    params = als_params(options)
    # what would end the run after the fit ends it here
    for k in options["ks"]:
        check_integer("k", k, 1)
    if cold is not None:
        _refuse_given("--cold, which holds out at random", "split", "last", "warm", "through_index", "full")
        click.echo(_cold(source, cold, params, as_json, quiet, options))
        return
    if named_sides(options):
        raise ParameterError(f"--{named_sides(options)[0]}s is for --cold {named_sides(options)[0]}")
    if options["split"] == "last":
        _refuse_given("--split last, which holds out by number", "test_fraction")
    else:
        _refuse_given(f"--split {options['split']}", "last")
    train, test = _split(read_source(source, options), options, params.seed)
    notes = _leaks(options, HeldOut.of(test, options["split"], options["test_fraction"], params.seed))
    # scores are exhaustive: an index is only built well where it is measured
    through_index = options["through_index"]
    index = IndexParams() if through_index else IndexParams(index="exact")
    model = fit(train, params, index, progress=not quiet)
    everything = full or as_json
    report = run(
        model,
        test,
        options["ks"] if everything else options["ks"][0],
        train=train,
        protocols=("unseen", "plain") if everything else ("unseen",),
        through_index=through_index,
        warm=options["warm"],
        seed=params.seed,
    )
    report = replace(report, notes=report.notes + notes)
    click.echo(report.to_json() if as_json else report.full() if full else report)


def _leaks(options: dict[str, Any], test: HeldOut) -> tuple[str, ...]:
    """Warn where the parameters of a file may have been chosen on the test part."""
    path: Path | None = options["params"]
    found = None if path is None else leak(path, test)
    if found is None:
        return ()
    click.echo(f"mfrec: {found}", err=True)
    return (found,)


def _refuse_given(what: str, *names: str) -> None:
    ctx = click.get_current_context()
    for name in names:
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise ParameterError(f"--{name.replace('_', '-')} has no meaning with {what}")


def _cold(source: str, side: Side, params: ALSParams, as_json: bool, quiet: bool, options: dict[str, Any]) -> str:
    interactions = read_source(source, options)
    catalogue = read_catalogue(source, side, options, interactions)
    report = evaluate_cold(
        interactions,
        catalogue.table,
        key=catalogue.key,
        side=side,
        **catalogue.roles,
        fraction=options["test_fraction"],
        k=options["ks"],
        params=params,
        progress=not quiet,
        seed=params.seed,
    )
    # no search keeps whole items or users out, so no file can say that this part was
    notes = _leaks(options, HeldOut(f"cold {side}", options["test_fraction"], params.seed, report.held_out, ""))
    report = replace(report, notes=notes)
    return report.to_json() if as_json else str(report)


def _split(interactions: Interactions, options: dict[str, Any], seed: int) -> tuple[Interactions, Interactions]:
    if options["split"] != "random" and interactions.times is None:
        raise ParameterError(f"--split {options['split']} needs times: name their column with --time-col COL")
    if options["split"] == "last":
        return splits.leave_last_n_split(interactions, options["last"], seed=seed)
    if options["split"] == "time":
        return splits.time_split(interactions, options["test_fraction"])
    return splits.random_split(interactions, options["test_fraction"], seed)
