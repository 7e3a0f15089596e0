"""``mfrec rollback``: serve an earlier version of a store again."""

from pathlib import Path

import click


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--to", help="Version to go to; the newest one older than the current where not given.")
def rollback(store: Path, to: str | None) -> None:
    """Serve an earlier version of STORE again."""
    from mfrec.storage import store as stores

    click.echo(stores.rollback(store, to))
