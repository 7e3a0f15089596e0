"""``mfrec popular``: what to show whoever has no history."""

from pathlib import Path

import click

from mfrec.cli.output import print_json, ranking_rows, table
from mfrec.directions import SIDES, Pair, Side
from mfrec.model.label_search import LabelSearch
from mfrec.storage.folder import load


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("side", type=click.Choice(SIDES))
@click.option("-k", default=10, show_default=True, help="How many to return.")
@click.option("--allow", multiple=True, metavar="ID", help="Return only these; repeat the option for several.")
@click.option("--deny", multiple=True, metavar="ID", help="Never return these; repeat the option for several.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def popular(folder: Path, side: Side, k: int, allow: tuple[str, ...], deny: tuple[str, ...], as_json: bool) -> None:
    """List the most popular items, or the most active users, of the model in FOLDER.

    Where interactions have times, those of late count more: the score is the number of interactions, each of which
    counts half for every half-life of its age.

    \b
    mfrec popular models/ml-100k item
    mfrec popular models/ml-100k user -k 3
    """
    model = load(folder)
    number = LabelSearch.of(model, side).one
    ranking = model.popular(side, k, allow=[number(text) for text in allow] or None, deny=map(number, deny))
    half_life = model.factors.weighting.recency_half_life if model.factors.recent is not None else None
    if as_json:
        print_json({"side": side, "half_life": half_life, **ranking.to_json()})
        return
    what = Pair(user="most active users", item="most popular items")[side]
    when = "" if half_life is None else f" of late (an interaction counts half after {half_life:g} days)"
    click.secho(f"{what}{when}", bold=True)
    click.echo(table(ranking_rows(ranking)) if len(ranking) else "nothing is eligible")
