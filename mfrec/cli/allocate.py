"""``mfrec allocate``: items of limited stock, offered to users."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np

from mfrec.applications.allocation import Score
from mfrec.cli.export import writer_of
from mfrec.cli.options import reading_options
from mfrec.cli.output import name_of, print_json, table
from mfrec.data.files import Reading, read_columns
from mfrec.data.numbers import numbers
from mfrec.errors import DataError, ParameterError
from mfrec.model.allocation import Allocation
from mfrec.model.label_search import LabelSearch
from mfrec.model.recommender import Recommender
from mfrec.storage.atomic import replacing_file
from mfrec.storage.folder import load

# items of the table; --json has all
_SHOWN = 10


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--stock", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Table of items and their units."
)
@click.option("--item-col", default="item", show_default=True, help="Its column of items: ids or titles.")
@click.option("--units-col", default="units", show_default=True, help="Its column of units, integers of 0 or more.")
@reading_options
@click.option("--per-user", default=1, show_default=True, help="How many items a user gets at most.")
@click.option("--include-seen", is_flag=True, help="Also offer what a user has interacted with.")
@click.option("--min-score", type=float, help="Offer only what scores at least this.")
@click.option(
    "--score",
    type=click.Choice(get_args(Score)),
    default="dot",
    show_default=True,
    help="lift: the score minus the item's mean over all users.",
)
@click.option("--out", type=click.Path(path_type=Path), help="A .csv, .csv.gz, .jsonl or .parquet file of the offers.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; without --out, the offers too.")
def allocate(
    folder: Path,
    stock: Path,
    item_col: str,
    units_col: str,
    per_user: int,
    include_seen: bool,
    min_score: float | None,
    score: Score,
    out: Path | None,
    as_json: bool,
    **reading: Any,
) -> None:
    """Offer items of limited stock to the users of the model in FOLDER, so that the total score is highest.

    No item is offered more often than it has units. The gap to the highest total is proved. Greedy, which takes pairs
    by descending score, stands beside it.

    \b
    mfrec allocate models/ml-100k --stock stock.csv --per-user 2 --out offers.csv
    """
    write = None if out is None else writer_of(out)
    if out is not None and out.exists() and stock.exists() and out.samefile(stock):
        raise ParameterError(f"--out {out} is the stock itself: choose another path")
    units = _units(stock, item_col, units_col, Reading(**reading))
    model = load(folder)
    one = LabelSearch.of(model, "item").one
    found = model.allocate(
        [(one(item), count) for item, count in units],
        per_user=per_user,
        exclude_seen=not include_seen,
        min_score=min_score,
        score=score,
    )
    if write is not None and out is not None:
        with replacing_file(out) as scratch, write(scratch) as append:
            append(_columns(found))
    if as_json:
        print_json(_json(found, offers=out is None))
        return
    click.echo(_shown(model, found))
    if out is not None:
        click.echo(f"wrote {len(found)} rows to {out}")


def _units(path: Path, item: str, units: str, how: Reading) -> list[tuple[str, Any]]:
    """Return the items of a file as text, and their units: integers, or whatever other numbers stand there."""
    read, _ = read_columns(path, [item], [], [units], how)
    parsed = numbers(read.columns[units], read.decimal, f"{path}: column {units!r}")
    bad = np.flatnonzero(parsed.missing | parsed.wrong)
    if len(bad):
        value = read.columns[units].iloc[int(bad[0])]
        got = "nothing" if parsed.missing[bad[0]] else repr(value)
        raise DataError(f"{path}, {read.place(int(bad[0]))}: the units must be an integer of at least 0, got {got}")
    counts = [int(value) if float(value).is_integer() else value for value in parsed.values.tolist()]
    return list(zip(map(str, read.columns[item].tolist()), counts, strict=True))


def _columns(found: Allocation) -> dict[str, Any]:
    """Return the columns to write: user, item, the place among the user's offers, and score."""
    frame = found.to_frame()
    ranks = frame.groupby("user", sort=False).cumcount().to_numpy(np.int64) + 1
    return {"user": frame["user"], "item": frame["item"], "rank": ranks, "score": found.scores}


def _json(found: Allocation, *, offers: bool) -> dict[str, Any]:
    summary: dict[str, Any] = {
        **asdict(found.outcome),
        "bound": found.bound,
        "gap": found.gap,
        "greedy": asdict(found.greedy),
        "items": [{"item": item, "left": left} for item, left in found.left.items()],
    }
    if offers:
        pairs = zip(found.users.tolist(), found.items.tolist(), found.scores, strict=True)
        summary["offers"] = [{"user": user, "item": item, "score": score} for user, item, score in pairs]
    return summary


def _shown(model: Recommender, found: Allocation) -> str:
    """Return the totals beside greedy's, and the items that most units are left of."""
    header, *rows = found.compared()
    lines = [table([dict(zip(header, row, strict=True)) for row in rows], colalign=("left", *["right"] * 3)), ""]
    below = f"the total is at most {found.gap:.3%} below the highest" if found.gap else "this is the highest total"
    lines.append(f"{len(found)} offers to {found.reached} users; proved: {below}")
    left = sorted(((count, item) for item, count in found.left.items() if count), key=lambda pair: -pair[0])
    if left:
        items = [{"item": name_of(model, "item", item), "units left": count} for count, item in left[:_SHOWN]]
        lines += ["", table(items, colalign=("left", "right"))]
    if len(left) > _SHOWN:
        lines.append(f"and {len(left) - _SHOWN} more items of which units are left")
    return "\n".join(lines)
