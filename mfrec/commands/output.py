"""How answers look: tables for people, JSON for programs."""

import json
from typing import Any

import click
from tabulate import tabulate

from mfrec.directions import Direction, Side
from mfrec.index import Index
from mfrec.recommender import Ranking, Recommender

WIDEST = 60


def table(rows: list[dict[str, Any]], **options: Any) -> str:
    """Return rows as a plain table with a header."""
    return tabulate(rows, headers="keys", tablefmt="simple", disable_numparse=True, **options)


def name_of(model: Recommender, side: str, key: Any) -> str:
    """Return an id together with its label, where it has one."""
    texts = model.labels.user if side == "user" else model.labels.item
    ids = model.ids.user if side == "user" else model.ids.item
    text = texts[ids.number(key)] if texts is not None else ""
    return f"{key} {text}" if text else str(key)


def ranking_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """Return one row per hit: place, id, label where there is one, score."""
    labels = ranking.labels or [""] * len(ranking)
    rows = []
    for place, (key, label, score) in enumerate(zip(ranking.ids, labels, ranking.scores.tolist(), strict=True), 1):
        row = {"#": place, "id": key, "label": _shorten(label), "score": f"{score:.3f}"}
        rows.append(row if ranking.labels else {k: v for k, v in row.items() if k != "label"})
    return rows


def show_ranking(model: Recommender, row: Direction, key: Any, ranking: Ranking) -> None:
    """Print one answer under a heading that says what was asked."""
    click.secho(f"\n{row.name}: {row.question}? ({row.query} {name_of(model, row.query, key)})", bold=True)
    click.echo(table(ranking_rows(ranking)) if len(ranking) else "nothing is eligible")


def ranking_json(row: Direction, key: Any, ranking: Ranking) -> dict[str, Any]:
    """Return one answer as JSON values."""
    labels: list[str | None] = [*ranking.labels] if ranking.labels else [None] * len(ranking)
    hits = [
        {"id": i, "score": s} if text is None else {"id": i, "score": s, "label": text}
        for i, s, text in zip(ranking.ids, ranking.scores.tolist(), labels, strict=True)
    ]
    return {"direction": row.name, row.query: key, "target": row.target, "exact": ranking.exact, "results": hits}


def index_rows(model: Recommender) -> list[dict[str, Any]]:
    """Return one row per index: its measured recall, time and settings."""
    return [_index_row(side, similarity, index) for (side, similarity), index in model.indexes.items()]


def _index_row(side: str, similarity: str, index: Index) -> dict[str, Any]:
    measured = index.measured
    return {
        "index": f"{side} {similarity}",
        "backend": index.backend,
        **{name: f"{value:.3f}" for name, value in measured.items() if name.startswith("recall@")},
        "proven": f"{measured['exact']:.0%}" if "exact" in measured else "",
        "median us": str(measured.get("microseconds", "")),
        "settings": ", ".join(f"{name} {value}" for name, value in index.settings().items()),
    }


def counted(count: int, side: Side) -> str:
    """Return ``"1 item"``, ``"2 items"``."""
    return f"{count} {side}" if count == 1 else f"{count} {side}s"


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _shorten(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
