"""``mfrec tune``: from a table to the parameters that suit it, and a model fitted with them."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mfrec.cli.options import als_params, parameter_options, params_option, read_source, source_options
from mfrec.cli.output import print_json, table
from mfrec.data.interactions import Interactions
from mfrec.errors import ParameterError, check_number
from mfrec.evaluation.splits import random_split, time_split
from mfrec.index import IndexParams
from mfrec.storage.atomic import check_file
from mfrec.storage.folder import check_target
from mfrec.training.fit import fit as fit_model
from mfrec.training.params import ALSParams
from mfrec.tuning.folds import MOST_PARTS
from mfrec.tuning.params_file import HeldOut, leak, write_params
from mfrec.tuning.space import BY_TIME, SPACE
from mfrec.tuning.trials import Trial
from mfrec.tuning.tune import Tuned
from mfrec.tuning.tune import tune as search

# of ALSParams, what is given rather than searched
GIVEN = ("transform", "threshold", "half_life", "seed", "threads")
SHOWN = (*SPACE, *BY_TIME)


@click.command()
@click.argument("source")
@click.option("--minutes", type=float, default=5.0, show_default=True, help="Time for the search.")
@click.option("--trials", type=int, help="End after so many trials of this call, if that is sooner.")
@click.option("--metric", default="ndcg@20", show_default=True, help="What to maximise on held-out parts.")
@click.option(
    "--split",
    type=click.Choice(list(MOST_PARTS)),
    default="random",
    show_default=True,
    help="How to hold out: time chooses for tomorrow, and searches half-lives and recency, too.",
)
@click.option("--parts", type=int, help="Held-out fifths to judge each trial by  [default: by size].")
@click.option(
    "--hold-out", type=float, default=0.0, show_default=True, help="Fraction kept from the search, for mfrec evaluate."
)
@click.option("--plain", is_flag=True, help="Search plain ALS: exponents and scales stay 0.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="FILE", help="Log of trials to go on from.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("params.json"), show_default=True, help="Parameter file."
)
@click.option("--model", type=click.Path(path_type=Path), help="Model folder  [default: models/SOURCE-tuned]")
@click.option("--no-fit", is_flag=True, help="Find the parameters only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@source_options
@params_option
@parameter_options(ALSParams, only=GIVEN)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def tune(
    source: str,
    out: Path,
    model: Path | None,
    no_fit: bool,
    as_json: bool,
    quiet: bool,
    split: str,
    resume: Path | None,
    hold_out: float,
    **options: Any,
) -> None:
    """Search for the parameters of SOURCE, write them to a file, and fit a model on all data.

    Random fifths are held out to choose by: one of large data, up to five of small data. With --split time it is the
    last fifth, and the ones before it: the parameters for tomorrow. Ctrl-C ends the search and
    keeps the best so far; with --resume the next call of the same search goes on from there. --params names the first
    trial and what is not searched.

    \b
    mfrec tune ml-100k --minutes 5 --resume trials.jsonl
    mfrec fit ml-100k --params params.json

    What the search chose by is no honest test. With --hold-out the part that mfrec evaluate asks for (--split as here,
    --test-fraction as here, the same --seed) is taken out first; the model is fitted on all data all the same.

    \b
    mfrec tune ml-100k --hold-out 0.2
    mfrec evaluate ml-100k --params params.json
    """
    folder = model or Path("models") / f"{Path(source).name.split('.')[0]}-tuned"
    _check_targets(out, resume, None if no_fit else folder)
    base = als_params(options)
    interactions = read_source(source, options)
    searched, held_out = _without_test(interactions, hold_out, base.seed, options["params"], split)
    found = search(
        searched,
        base=base,
        split=split,
        resume=resume,
        seed=base.seed,
        progress=not quiet,
        **{name: options[name] for name in ("minutes", "trials", "metric", "parts", "plain")},
    )
    if found.interrupted and not found.finished:
        raise KeyboardInterrupt
    write_params(out, found.best.params, held_out)
    _show(found, as_json)
    click.echo(f"parameters are in {out}", err=as_json)
    if split == "random" and interactions.times is not None:
        click.echo(
            "they suit the period of the data, without recency; --split time chooses for what comes next", err=True
        )
    if not no_fit:
        _fit(interactions, found.best.params, folder, quiet, as_json)


def _check_targets(out: Path, resume: Path | None, folder: Path | None) -> None:
    """Refuse what cannot be written before the search rather than after it."""
    for path in filter(None, (out, resume)):
        check_file(path)
    if resume is not None and resume.absolute() == out.absolute():
        raise ParameterError(f"--resume and --out both name {out}: a log of trials and parameters are two files")
    if folder is not None:
        check_target(folder)


def _without_test(
    interactions: Interactions, fraction: float, seed: int, params: Path | None, split: str
) -> tuple[Interactions, HeldOut | None]:
    """Take out the test part that ``mfrec evaluate`` asks for, and say what was taken out."""
    # 0 holds out nothing
    check_number("--hold-out", fraction, 0, 1, high_open=True)
    if not fraction:
        return interactions, None
    rest, test = time_split(interactions, fraction) if split == "time" else random_split(interactions, fraction, seed)
    held_out = HeldOut.of(test, split, fraction, seed)
    # a search that starts from what another one chose has seen what that one saw
    seen = None if params is None else leak(params, held_out)
    if seen is not None:
        click.echo(f"mfrec: {seen}", err=True)
    return rest, held_out if seen is None else None


def _fit(interactions: Interactions, params: ALSParams, folder: Path, quiet: bool, as_json: bool) -> None:
    model = fit_model(interactions, params, IndexParams(), progress=not quiet)
    model.save(folder)
    click.echo(f"{model!r}, fitted on all data, saved to {folder}", err=as_json)


def _show(found: Tuned, as_json: bool) -> None:
    made = f"{len(found.trials)} trials, best {found.metric} {found.best.score:.4f}"
    if found.interrupted:
        click.echo(f"stopped by Ctrl-C; what follows is the best so far: {made}", err=True)
    if as_json:
        print_json({**asdict(found), "best": asdict(found.best)})
        return
    ranked = sorted(found.finished, key=lambda t: -t.score)
    # what is 0 throughout was not searched
    shown = [name for name in SHOWN if any(getattr(t.params, name) for t in ranked)]
    click.echo(table([_row(place, t, found.metric, shown) for place, t in enumerate(ranked[:10], 1)]))
    stopped = sum(t.stopped for t in found.trials)
    click.echo(f"{made}; {stopped} were given up early or diverged")


def _row(place: int, trial: Trial, metric: str, shown: list[str]) -> dict[str, str]:
    values = {name: f"{getattr(trial.params, name):.3g}" for name in shown}
    return {"#": str(place), metric: f"{trial.score:.4f}", **values, "seconds": f"{trial.seconds:.1f}"}
