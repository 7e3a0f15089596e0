"""``mfrec publish``: put a verified model into a store."""

from pathlib import Path

import click

from mfrec.storage.store import KEEP


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--keep", default=KEEP, show_default=True, help="Newest versions to keep; the current one stays too.")
def publish(model: Path, store: Path, keep: int) -> None:
    """Put a verified copy of MODEL into STORE as its new version, and serve that from now on."""
    from mfrec.storage import store as stores

    click.echo(stores.publish(model, store, keep=keep))
