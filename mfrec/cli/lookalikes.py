"""``mfrec lookalikes``: who is most like a group."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from mfrec.applications.lookalikes import Seeds, most_like, sorted_out
from mfrec.cli.export import writer_of
from mfrec.cli.output import print_json, ranking_rows, table
from mfrec.cli.text import with_utf8
from mfrec.data import streams
from mfrec.data.files import read_table
from mfrec.directions import SIDES, Side
from mfrec.errors import ParameterError, UnknownIdError
from mfrec.model.ids import Id, IdMap
from mfrec.model.label_search import LabelSearch, as_id
from mfrec.model.rankings import Ranking
from mfrec.storage.atomic import replacing_file
from mfrec.storage.folder import load


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("side", type=click.Choice(SIDES))
@click.option("--seeds", "file", required=True, metavar="FILE", help="The seeds, one id per line; - for stdin.")
@click.option("--seeds-col", metavar="NAME", help="FILE is a table, as CSV or Parquet: the column of ids.")
@click.option("-k", default=10, show_default=True, help="How many to return; it may be more than there are.")
@click.option("--allow", multiple=True, metavar="ID", help="Return only these; repeat the option for several.")
@click.option("--deny", multiple=True, metavar="ID", help="Never return these; repeat the option for several.")
@click.option("--out", type=click.Path(path_type=Path), help="Write a .csv, .csv.gz, .jsonl or .parquet file.")
@click.option("--labels", is_flag=True, help="Also write titles or names, in a column of their own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def lookalikes(
    folder: Path,
    side: Side,
    file: str,
    seeds_col: str | None,
    k: int,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    out: Path | None,
    labels: bool,
    as_json: bool,
) -> None:
    """List those most like the seeds in FILE, which are never among them; unknown and repeated seeds are reported.

    \b
    mfrec lookalikes models/ml-100k user --seeds fans.txt -k 5000 --out more.csv
    mfrec lookalikes models/shop user --seeds buyers.csv --seeds-col customer
    """
    if out is None and labels:
        raise ParameterError("--labels goes with --out: tables and JSON have titles and names where there are some")
    if out is not None and as_json:
        raise ParameterError("give either --out or --json: the ending of --out says what is written")
    write = None if out is None else writer_of(out)
    if out is not None and out.exists() and Path(file).exists() and out.samefile(file):
        raise ParameterError(f"--seeds and --out both name {out}: the answer would take the place of the seeds")
    model = load(folder)
    if labels and model.labels[side] is None:
        raise ParameterError(f"--labels: the {side}s of the model have none, fit it with --{side}-label-col")
    seeds = _read(model.ids[side], file, seeds_col)
    named = LabelSearch.of(model, side).one
    allowed, denied = [named(text) for text in allow] or None, [named(text) for text in deny]
    ranking = most_like(model, side, seeds.numbers, k, allow=allowed, deny=denied)
    for note in seeds.notes(side):
        click.echo(f"mfrec: {note}", err=True)
    if out is not None and write is not None:
        with replacing_file(out) as scratch, write(scratch) as append:
            append(_columns(side, ranking, labels))
        click.echo(f"wrote {len(ranking)} rows to {out}")
    elif as_json:
        told = {"side": side, "seeds": len(seeds.numbers), "repeated": seeds.repeated, "unknown": seeds.unknown}
        print_json({**told, **ranking.to_json()})
    else:
        click.secho(f"most like {len(seeds.numbers)} {side}{'s' * (len(seeds.numbers) != 1)}", bold=True)
        click.echo(table(ranking_rows(ranking)) if len(ranking) else "nothing is eligible")


def _read(ids: IdMap, file: str, column: str | None) -> Seeds:
    """Read the seeds of a file; what cannot be an id of the model is an unknown one."""
    texts = _lines(file) if column is None else read_table(file, [column], [column])[column].dropna().astype(str)
    keys = [as_id(ids, text) for text in texts]
    given: list[Id] = [text if key is None else key for text, key in zip(texts, keys, strict=True)]
    found = np.full(len(keys), -1, np.int64)
    proper = [place for place, key in enumerate(keys) if key is not None]
    found[proper] = ids.find([given[place] for place in proper])
    try:
        return sorted_out(ids, given, found)
    except UnknownIdError as error:
        hint = "in a table, --seeds-col names the column of ids" if column is None else "is it the right column?"
        raise UnknownIdError(f"{streams.name_of(file)}: {error}; {hint}") from None


def _lines(file: str) -> list[str]:
    with streams.opened(file) as stream:
        text = b"".join(streams.blocks(stream, streams.name_of(file)))
    lines = (line.strip() for line in text.decode().split("\n"))
    return [line for line in lines if line]


def _columns(side: Side, ranking: Ranking, labels: bool) -> dict[str, Any]:
    import pandas as pd

    columns: dict[str, Any] = {side: pd.Series(ranking.ids, dtype=None if ranking.ids else object)}
    if labels:
        columns[f"{side}_label"] = pd.Series([*map(with_utf8, ranking.labels or ())], dtype="str")
    return {**columns, "rank": np.arange(1, len(ranking) + 1), "score": ranking.scores}
