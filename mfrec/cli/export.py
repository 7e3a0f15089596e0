"""``mfrec export``: the answers for a whole side, as a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mfrec.directions import DIRECTIONS
from mfrec.errors import ParameterError
from mfrec.model.rankings import Rankings
from mfrec.storage.atomic import check_file, replacing_file
from mfrec.storage.folder import load

Append = Callable[[Rankings], None]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("direction", type=click.Choice(list(DIRECTIONS)))
@click.option("-k", default=100, show_default=True, help="How many per id.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .csv or .parquet file.")
@click.option("--include-seen", is_flag=True, help="Also return seen ones: what the query has interacted with.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def export(folder: Path, direction: str, k: int, out: Path, include_seen: bool, quiet: bool) -> None:
    """Answer DIRECTION for every id of the model in FOLDER, exactly, and write one row per hit.

    The file appears when it is whole; an interrupted export leaves what was there before.
    """
    if out.suffix.lower() not in WRITERS:
        raise ParameterError(f"--out must end in {' or '.join(WRITERS)}, got {out}")
    check_file(out)
    model = load(folder)
    rows = 0
    with replacing_file(out) as scratch, WRITERS[out.suffix.lower()](scratch) as append:
        for block in model.recommend_all(direction, k, exclude_seen=not include_seen, progress=not quiet):
            append(block)
            rows += len(block)
    click.echo(f"wrote {rows} rows to {out}")


@contextmanager
def _csv(path: Path) -> Iterator[Append]:
    with path.open("w", newline="", encoding="utf-8") as file:

        def append(block: Rankings) -> None:
            block.to_frame().to_csv(file, index=False, header=file.tell() == 0, lineterminator="\n")

        yield append


@contextmanager
def _parquet(path: Path) -> Iterator[Append]:
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        raise ParameterError("writing Parquet needs pyarrow: pip install 'mfrec[parquet]'") from None
    writer: Any = None

    def append(block: Rankings) -> None:
        nonlocal writer
        table = pa.Table.from_pandas(block.to_frame(), preserve_index=False)
        writer = writer or ParquetWriter(path, table.schema)
        writer.write_table(table)

    try:
        yield append
    finally:
        if writer is not None:
            writer.close()


WRITERS = {".csv": _csv, ".parquet": _parquet}
