"""``mfrec verify``: check a model folder."""

from pathlib import Path

import click

from mfrec.cli.output import counted, index_rows, print_json, table
from mfrec.storage import folder as model_folder


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the whole manifest as JSON.")
def verify(folder: Path, as_json: bool) -> None:
    """Check every file of the model in FOLDER and say what it holds."""
    content = model_folder.verify(folder)
    if as_json:
        print_json(content)
        return
    counts, files = content["counts"], content["files"]
    size = sum(entry["size"] for entry in files.values())
    click.echo(f"{folder} is whole: {len(files)} files, {size / 2**20:.1f} MiB")
    click.echo(
        f"{counts['users']} users x {counts['items']} items x {counts['factors']} factors, "
        f"{counts['links']} interactions"
    )
    cold = content["info"].get("cold", {})
    if any(cold.values()):
        click.echo(f"{' and '.join(counted(cold[side], side) for side in cold if cold[side])} without interactions")
    click.echo(table(index_rows(model_folder.load(folder))))
