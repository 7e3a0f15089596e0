"""``mfrec export``: the answers for a whole side, as a file."""

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

import click
import numpy as np

from mfrec.cli.output import json_text
from mfrec.cli.text import with_utf8
from mfrec.directions import DIRECTIONS, Direction, Side
from mfrec.errors import ParameterError
from mfrec.model.rankings import Rankings
from mfrec.model.recommender import Recommender
from mfrec.storage.atomic import check_file, replacing_file
from mfrec.storage.folder import load

# what is written: the columns of some hits
Columns = dict[str, Any]
Append = Callable[[Columns], None]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("direction", type=click.Choice(list(DIRECTIONS)))
@click.option("-k", default=100, show_default=True, help="How many per id.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .csv, .csv.gz, .jsonl or .parquet file.")
@click.option("--labels", is_flag=True, help="Also write titles and names, in columns of their own.")
@click.option("--include-seen", is_flag=True, help="Also return seen ones: what the query has interacted with.")
@click.option("--min-score", type=float, help="Write only what scores at least this.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def export(
    folder: Path,
    direction: str,
    k: int,
    out: Path,
    labels: bool,
    include_seen: bool,
    min_score: float | None,
    quiet: bool,
) -> None:
    """Answer DIRECTION for every id of the model in FOLDER, exactly, and write one row per hit.

    \b
    mfrec export models/ml-100k user2item -k 20 --labels --out top.csv.gz

    The file appears when it is whole; an interrupted export leaves what was there before.
    """
    write = writer_of(out)
    model = load(folder)
    texts = _texts(model, DIRECTIONS[direction]) if labels else None
    rows = 0
    options: dict[str, Any] = {"exclude_seen": not include_seen, "min_score": min_score, "progress": not quiet}
    with replacing_file(out) as scratch, write(scratch) as append:
        for block in model.recommend_all(direction, k, **options):
            append(_columns(block, texts))
            rows += len(block)
    click.echo(f"wrote {rows} rows to {out}")


# the texts of the query side and of the target side by number; None for a side that has none
Texts = tuple[Any, Any]


def _texts(model: Recommender, direction: Direction) -> Texts:
    """Return every label of the two sides, the id where one has none."""
    if not any(model.labels):
        raise ParameterError("--labels: the model has no titles and no names, fit it with --item-label-col")
    found: dict[Side, Any] = {}
    for side in {direction.query, direction.target}:
        labels = model.labels[side]
        if labels is not None:
            pairs = zip(labels, model.ids[side], strict=True)
            found[side] = np.array([with_utf8(text or str(key)) for text, key in pairs], object)
    return found.get(direction.query), found.get(direction.target)


def _columns(block: Rankings, texts: Texts | None) -> Columns:
    """Return the columns to write: the two ids, each followed by its label where there are some, rank and score."""
    import pandas as pd

    query, target = block.names
    of_query, of_target = texts or (None, None)
    # without rows, too, a column has its type: a file takes that of the first block
    frame = block.to_frame()
    columns: Columns = {query: frame[query]}
    if of_query is not None:
        columns[f"{query}_label"] = pd.Series(of_query[block.query_numbers], dtype="str")
    columns[target] = frame[target]
    if of_target is not None:
        columns[f"{target}_label"] = pd.Series(of_target[block.numbers], dtype="str")
    return {**columns, "rank": block.ranks, "score": block.scores}


@contextmanager
def _csv(path: Path) -> Iterator[Append]:
    with path.open("w", newline="", encoding="utf-8") as file:
        yield _csv_to(file)


@contextmanager
def _csv_gz(path: Path) -> Iterator[Append]:
    # without a name and a time in it, the same rows give the same bytes
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as file,
    ):
        yield _csv_to(file)


def _csv_to(file: IO[str]) -> Append:
    import pandas as pd

    first = True

    def append(columns: Columns) -> None:
        nonlocal first
        pd.DataFrame(columns).to_csv(file, index=False, header=first, lineterminator="\n")
        first = False

    return append


@contextmanager
def _jsonl(path: Path) -> Iterator[Append]:
    with path.open("w", newline="", encoding="utf-8") as file:

        def append(columns: Columns) -> None:
            # numpy knows the shortest digits of a float32
            plain = {
                name: map(float, values.astype(str)) if values.dtype == np.float32 else values.tolist()
                for name, values in columns.items()
            }
            for row in zip(*plain.values(), strict=True):
                file.write(json_text(dict(zip(plain, row, strict=True))) + "\n")

        yield append


@contextmanager
def _parquet(path: Path) -> Iterator[Append]:
    try:
        import pandas as pd
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        raise ParameterError("writing Parquet needs pyarrow: pip install 'mfrec[parquet]'") from None
    writer: Any = None

    def append(columns: Columns) -> None:
        nonlocal writer
        table = pa.Table.from_pandas(pd.DataFrame(columns), preserve_index=False)
        writer = writer or ParquetWriter(path, table.schema)
        writer.write_table(table)

    try:
        yield append
    finally:
        if writer is not None:
            writer.close()


WRITERS = {".csv": _csv, ".csv.gz": _csv_gz, ".jsonl": _jsonl, ".parquet": _parquet}


def writer_of(out: Path) -> Callable[[Path], AbstractContextManager[Append]]:
    """Return what writes a file of that ending; ParameterError where nothing does, or it cannot be written."""
    write = next((writer for ending, writer in WRITERS.items() if out.name.lower().endswith(ending)), None)
    if write is None:
        raise ParameterError(f"--out must end in {', '.join(WRITERS)}, got {out}")
    check_file(out)
    return write
