"""``mfrec check``: whether a saved model personalises, and what its lists look like."""

from pathlib import Path

import click

from mfrec.cli.output import print_json
from mfrec.model.check import check as look_at
from mfrec.storage import folder as model_folder


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(folder: Path, as_json: bool) -> None:
    """Say whether the model in FOLDER is good, close to popularity, or collapsed, and why.

    \b
    mfrec check models/ml-100k

    A folder from before there was a check is looked at now; what only a fit can know, the lift on held-out
    interactions, is then missing.
    """
    model = model_folder.load(folder)
    found = model.check or look_at(model.factors, model.adjacency)
    if as_json:
        print_json(found.to_json())
        return
    for line in found.lines():
        click.echo(line)
    if model.check is None:
        click.echo(
            "  note: the folder has no check; the lift over popularity is known only to a fit that held out a part"
        )
