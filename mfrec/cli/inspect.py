"""``mfrec inspect``: what a table holds, what is wrong with it, and how to fit it."""

from typing import Any

import click

from mfrec.cli.options import READING, reading_options
from mfrec.cli.output import print_json, table
from mfrec.cli.text import program
from mfrec.data.files import Reading
from mfrec.data.inspect import Column, Inspection, inspect_table


@click.command()
@click.argument("file")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(file: str, as_json: bool, **options: Any) -> None:
    """Look at a table in FILE before anything is fitted.

    It says which format, separator and encoding it has, what its columns hold and which look like users, items,
    weights, times and titles, how many pairs are repeated, and what is wrong, in the order in which to mend it. Last
    comes the mfrec fit line to paste. FILE is a table that mfrec fit takes, or - for standard input.

    \b
    mfrec inspect plays.csv
    mfrec inspect plays.csv --json
    """
    found = inspect_table(file, Reading(**{name: options[name] for name in READING}))
    if as_json:
        print_json(found.to_json())
        return
    for line in _lines(found):
        click.echo(line)


def _lines(found: Inspection) -> list[str]:
    lines = [f"{found.file}: {_kind(found)}"]
    if found.columns:
        lines += ["", table([_row(column) for column in found.columns]), ""]
    if found.pairs is not None and found.density is not None:
        lines.append(
            f"{found.users} users x {found.items} items, {found.pairs} pairs ({found.repeated} repeated), "
            f"density {found.density:.3%}"
        )
    lines += [f"times: {found.times}"] if found.times else []
    lines += [f"note: {note}" for note in found.notes]
    if found.problems:
        lines += ["", "what is wrong, in the order in which to mend it:"]
        lines += [f"{place}. {problem}" for place, problem in enumerate(found.problems, 1)]
    lines.append("")
    fit = found.fit and program() + found.fit.removeprefix("mfrec")
    lines.append(fit or "no option of mfrec fit helps: mend the file first")
    return lines


def _kind(found: Inspection) -> str:
    if found.format is None:
        return "not read"
    parts = [found.format, *([f"separator {found.separator!r}"] if found.separator else [])]
    return ", ".join([*parts, *([found.encoding] if found.encoding else []), f"{found.rows} rows"])


def _row(column: Column) -> dict[str, Any]:
    return {
        "column": column.name, "holds": column.holds, "distinct": column.distinct, "missing": column.missing,
        "looks like": column.role or "", "because": column.why,
    }  # fmt: skip
