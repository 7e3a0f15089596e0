"""``mfrec segments``: one side of a saved model in groups."""

from pathlib import Path

import click

from mfrec.cli.export import writer_of
from mfrec.cli.output import print_json, table
from mfrec.directions import SIDES, Side
from mfrec.errors import ArtifactError
from mfrec.model.segmentation import NAMED, Segment
from mfrec.storage import manifest
from mfrec.storage.atomic import replacing_file
from mfrec.storage.folder import check_target, open_folder


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("side", type=click.Choice(SIDES))
@click.option("-n", type=int, help="How many segments  [default: that with the best silhouette of a few]")
@click.option("--seed", default=0, show_default=True, help="Of all that is random.")
@click.option("--save", is_flag=True, help="Keep the segments in FOLDER, in the place of earlier ones of that side.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Also write a row per id to this .csv, .csv.gz, .jsonl or .parquet."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def segments(folder: Path, side: Side, n: int | None, seed: int, save: bool, out: Path | None, as_json: bool) -> None:
    """Put the items, or the users, of the model in FOLDER into segments, and name each by what sets it apart.

    \b
    mfrec segments models/ml-100k item -n 20
    mfrec segments models/ml-100k user --save

    What is saved is served at /v1/segments, and is model.saved_segments in Python. A new fit does not keep it.
    """
    write = None if out is None else writer_of(out)
    if save:
        check_target(folder)
    opened = open_folder(folder)
    found = opened.model.segments(side, n, seed)
    if out is not None and write is not None:
        with replacing_file(out) as scratch, write(scratch) as append:
            append({str(name): column for name, column in found.to_frame().items()})
    if save:
        if manifest.digest(folder) != opened.sha256:
            raise ArtifactError(f"{folder} was replaced while its segments were found, nothing was saved: try again")
        opened.model.with_segments(found).save(folder)
    if as_json:
        print_json(found.to_json())
        return
    click.echo(table([_row(one) for one in found]))
    for line in found.lines():
        click.echo(line)
    if save:
        click.echo(f"saved in {folder}")


def _row(segment: Segment) -> dict[str, object]:
    """Return what a table says of a segment: its size, and what its name is made of."""
    texts = segment.describing.labels or list(map(str, segment.describing.ids))
    first = [*texts[:NAMED], *[""] * NAMED][:NAMED]
    return {"segment": segment.number, "size": segment.size, "described by": first[0], "2nd": first[1], "3rd": first[2]}
