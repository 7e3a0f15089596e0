"""How answers look: tables for people, JSON for programs."""

import json
from typing import Any

import click
from tabulate import tabulate

from mfrec.arrays import Similarity
from mfrec.cli.text import clipped, with_utf8
from mfrec.directions import DIRECTIONS, Direction, Side
from mfrec.index import Index, IndexParams, median_us, queries_of
from mfrec.model.rankings import Ranking
from mfrec.model.recommender import Recommender

TIMED = 50
# per index and k: median microseconds of a search, and of the exact scan
Times = dict[tuple[Side, Similarity], dict[int, tuple[float, float]]]


def table(rows: list[dict[str, Any]], **options: Any) -> str:
    """Return rows as a plain table with a header; a cell is clipped, and stays on its line."""
    cells = [{name: clipped(str(value)) for name, value in row.items()} for row in rows]
    return tabulate(cells, headers="keys", tablefmt="simple", disable_numparse=True, **options)


def name_of(model: Recommender, side: str, key: Any) -> str:
    """Return an id together with its label, where it has one."""
    texts = model.labels.user if side == "user" else model.labels.item
    ids = model.ids.user if side == "user" else model.ids.item
    text = texts[ids.number(key)] if texts is not None else ""
    return f"{clipped(str(key))} {clipped(text)}" if text else clipped(str(key))


def ranking_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """Return one row per hit: place, id, label where there is one, score."""
    labels = ranking.labels or [""] * len(ranking)
    rows = []
    for place, (key, label, score) in enumerate(zip(ranking.ids, labels, ranking.scores.tolist(), strict=True), 1):
        row = {"#": place, "id": key, "label": label, "score": f"{score:.3f}"}
        rows.append(row if ranking.labels else {k: v for k, v in row.items() if k != "label"})
    return rows


def show_ranking(model: Recommender, direction: Direction, key: Any, ranking: Ranking) -> None:
    """Print one ranking under a heading that names its direction and query."""
    click.secho(
        f"\n{direction.name}: {direction.question}? ({direction.query} {name_of(model, direction.query, key)})",
        bold=True,
    )
    click.echo(table(ranking_rows(ranking)) if len(ranking) else "nothing is eligible")


def ranking_json(direction: Direction, key: Any, ranking: Ranking) -> dict[str, Any]:
    """Return one answer as JSON values."""
    return {"direction": direction.name, direction.query: key, "target": direction.target, **ranking.to_json()}


def index_rows(model: Recommender, times: Times | None = None) -> list[dict[str, Any]]:
    """Return one row per index: how it searches, its recall and, where they were taken, times beside the scan's."""
    return [_index_row(key, index, times) for key, index in model.indexes.items()]


def _index_row(key: tuple[Side, Similarity], index: Index, times: Times | None) -> dict[str, Any]:
    settings = index.settings()
    row = {"index": " ".join(key), "backend": index.backend, "candidates": str(len(index.candidates))}
    row["trees"] = str(settings.get("trees", ""))
    for name in ("heads", "search_k"):
        row[name] = "/".join(str(value) for value in settings.get(name, {}).values())
    row |= {f"recall@{k}": f"{share:.3f}" for k, share in index.measured["recall"].items()}
    row["scans from k"] = str(settings["scan_from_k"])
    for k, (own, scan) in (times or {}).get(key, {}).items():
        row[f"us@{k}"] = f"{own:.0f} ({scan:.0f})"
    return row


def show_indexes(model: Recommender, params: IndexParams) -> None:
    """Print the indexes with the time of a search beside a scan's, and which option is for scanning."""
    directions = {direction.index: direction for direction in DIRECTIONS.values()}
    times: Times = {}
    for key, index in model.indexes.items():
        queries, scan = queries_of(model.factors, directions[key], TIMED, params.seed), Index(index.candidates)
        times[key] = {k: (median_us(index, queries, k), median_us(scan, queries, k)) for k in params.at_k}
    click.echo(table(index_rows(model, times)))
    click.echo("us: median microseconds of a search (and of an exact scan)")
    slow = [" ".join(key) for key, by_k in times.items() if all(own >= 2 * scan for own, scan in by_k.values())]
    if slow and params.index == "annoy":
        click.echo(
            f"{', '.join(slow)}: an exact scan is at least twice as fast on this machine; --index auto takes it there, "
            "--index exact everywhere"
        )


def counted(count: int, side: Side) -> str:
    """Return ``"1 item"``, ``"2 items"``."""
    return f"{count} {side}" if count == 1 else f"{count} {side}s"


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json_text(value, indent=2))


def json_text(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON that has a UTF-8 form."""
    # a score is a float32 of numpy's
    return with_utf8(json.dumps(value, ensure_ascii=False, indent=indent, default=float))
