"""``mfrec recommend``: ask a saved model."""

from pathlib import Path
from typing import Any

import click

from mfrec.cli.output import print_json, ranking_json, show_ranking
from mfrec.directions import DIRECTIONS, Pair
from mfrec.model.label_search import LabelSearch
from mfrec.storage.folder import load


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("direction", type=click.Choice(list(DIRECTIONS)))
@click.argument("ids", nargs=-1, required=True)
@click.option("-k", default=10, show_default=True, help="How many to return.")
@click.option("--include-seen", is_flag=True, help="Also return seen ones: what the query has interacted with.")
@click.option("--allow", multiple=True, metavar="ID", help="Return only these; repeat the option for several.")
@click.option("--deny", multiple=True, metavar="ID", help="Never return these; repeat the option for several.")
@click.option("--min-score", type=float, help="Return only what scores at least this; a cosine on the same side.")
@click.option(
    "--diversity", type=float, default=0.0, show_default=True, help="From 0 to 1: avoid results like each other."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def recommend(
    folder: Path,
    direction: str,
    ids: tuple[str, ...],
    k: int,
    include_seen: bool,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    min_score: float | None,
    diversity: float,
    as_json: bool,
) -> None:
    """Ask the model in FOLDER for each of IDS; a title works as an id.

    \b
    mfrec recommend models/ml-100k user2item 42
    mfrec recommend models/ml-100k item2item "Toy Story (1995)" -k 5
    """
    model = load(folder)
    spec = DIRECTIONS[direction]
    named = Pair.of(lambda side: LabelSearch.of(model, side).one)
    keys = [named[spec.query](text) for text in ids]
    allowed = [named[spec.target](text) for text in allow] or None
    denied = [named[spec.target](text) for text in deny]
    options: dict[str, Any] = {
        "exclude_seen": not include_seen,
        "allow": allowed,
        "deny": denied,
        "min_score": min_score,
        "diversity": diversity,
    }
    rankings = model.recommend(direction, keys, k, **options)
    if as_json:
        answers = [ranking_json(spec, key, ranking) for key, ranking in zip(keys, rankings, strict=True)]
        print_json(answers[0] if len(answers) == 1 else answers)
        return
    for key, ranking in zip(keys, rankings, strict=True):
        show_ranking(model, spec, key, ranking)
