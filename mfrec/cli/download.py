"""``mfrec download``: fetch a MovieLens release."""

from pathlib import Path

import click

from mfrec.cli.text import to_paste
from mfrec.data.download import LICENCE_NOTICE
from mfrec.data.download import download as fetch
from mfrec.data.movielens import RELEASES


@click.command()
@click.argument("name", type=click.Choice(list(RELEASES)))
@click.option("--data-home", type=click.Path(path_type=Path), help="Where data sets lie [MFREC_DATA_HOME].")
@click.option("--force", is_flag=True, help="Fetch again what is already there.")
def download(name: str, data_home: Path | None, force: bool) -> None:
    """Fetch the MovieLens release NAME; it is checked, and appears only when it is whole."""
    click.echo(LICENCE_NOTICE)
    folder = fetch(name, data_home, force=force)
    click.echo(f"\n{name} is in {folder}; next: {to_paste('fit', name)}")
