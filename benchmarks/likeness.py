"""How much "similar" means similar: likeness and next interactions, for several maps of the same-side vectors.

``python -m benchmarks.likeness`` prints the front, and puts it into docs/accuracy.md. Of items: the share of a film's
sequels and siblings among its ten nearest (ML-100K, films with 20 ratings or more, by title), how alike the genres of
the ten nearest are (the mean share of genres that two films have in common), the share of the planted genre (generated
sample), the mean cosine of the ten nearest of the 300 most rated films, and the hit rate @10 of next items on held-out
parts of both MovieLens sets. Of users: the share of the planted taste, and the hit rate @10 of votes.
"""

import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from tabulate import tabulate

from benchmarks.page import put
from mfrec.arrays import Matrix, unit_rows
from mfrec.data.interactions import Interactions
from mfrec.data.movielens import load_items, load_movielens
from mfrec.data.synthetic import sample
from mfrec.directions import Pair, Side
from mfrec.evaluation.baselines import Training, model_scorer
from mfrec.evaluation.metrics import hit_rate
from mfrec.evaluation.ranking import by_scores
from mfrec.evaluation.splits import random_split
from mfrec.evaluation.tasks import TASKS, match
from mfrec.model.factors import Factors
from mfrec.training import same_side
from mfrec.training.als import solve, with_same_side
from mfrec.training.params import ALSParams
from mfrec.training.regularization import derive

NEAREST, RATED, MOST_RATED = 10, 20, 300
# how the titles of one franchise begin or go on
FRANCHISES = (
    r"Star Wars|Empire Strikes Back|Return of the Jedi",
    r"Alien \(|Aliens|Alien 3|Alien: Resurrection",
    r"Die Hard",
    r"Wrong Trousers|Close Shave|Grand Day Out|Wallace & Gromit",
    r"Star Trek",
    r"Three Colors",
    r"Godfather",
    r"Batman|Batman Forever|Batman & Robin|Batman Returns",
    r"Raiders of the Lost Ark|Indiana Jones",
    r"Terminator",
    r"Free Willy",
    r"Jurassic Park|Lost World: Jurassic",
    r"Nightmare on Elm Street|Wes Craven's New Nightmare",
    r"Monty Python|Life of Brian",
    r"Blues Brothers",
    r"Jean de Florette|Manon of the Spring",
    r"Ace Ventura",
    r"Scream \(|Scream 2",
    r"Crow, The|Crow: City",
    r"Brady Bunch Movie|Very Brady Sequel",
    r"Candyman",
    r"Prophecy",
    r"Mortal Kombat",
    r"Under Siege",
    r"Young Guns",
    r"Homeward Bound",
    r"Escape from",
    r"Grease",
    r"Jaws",
    r"Army of Darkness|Evil Dead",
    r"Lawnmower Man",
    r"Speed",
    r"GoldenEye|Tomorrow Never Dies",
)
# the constants of `mfrec.training.same_side` that are compared: how much is evened out, how far popularity is let in
MAPS = ((2.0, 5.0), (1.25, 4.5), (1.0, 4.0), (1.0, 3.0), (0.5, 3.0))


def siblings(interactions: Interactions) -> list[list[int]]:
    """Return the numbers of the films of every franchise that has two or more with enough ratings."""
    rated = interactions.degree.item >= RATED
    titles = list(interactions.labels.item or ())
    groups = [[n for n in np.flatnonzero(rated).tolist() if re.match(p, titles[n])] for p in FRANCHISES]
    return [group for group in groups if len(group) > 1]


def nearest(vectors: Matrix) -> tuple[NDArray[np.int64], Matrix]:
    """Return the ten nearest of each row by cosine, and their cosines."""
    unit = unit_rows(vectors)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    best = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]
    return best, np.take_along_axis(cosines, best, axis=1)


def found_siblings(vectors: Matrix, groups: list[list[int]]) -> float:
    """Return the mean share of a film's siblings among its ten nearest."""
    best, _ = nearest(vectors)
    shares = [
        len(set(best[film].tolist()) & set(group)) / min(NEAREST, len(group) - 1) for group in groups for film in group
    ]
    return float(np.mean(shares))


def spread(vectors: Matrix, degree: NDArray[np.int64]) -> float:
    """Return the mean cosine of the ten nearest of the most rated."""
    return float(nearest(vectors)[1][np.argsort(-degree, kind="stable")[:MOST_RATED]].mean())


@cache
def genres(source: str) -> dict[int, frozenset[str]]:
    """Return the genres of every film."""
    films = load_items(source)
    ids, listed = films["item_id"].tolist(), films["genres"].tolist()
    return {film: frozenset(names.split("|")) for film, names in zip(ids, listed, strict=True)}


def same_genres(vectors: Matrix, interactions: Interactions, source: str) -> float:
    """Return the mean share of genres (of either) that a film and its ten nearest have in common, of rated films."""
    films = np.flatnonzero(interactions.degree.item >= RATED)
    best, _ = nearest(vectors[films])
    own = [genres(source)[i] for i in interactions.ids.item.ids(films)]
    shares = [len(own[a] & own[b]) / max(1, len(own[a] | own[b])) for a, row in enumerate(best.tolist()) for b in row]
    return float(np.mean(shares))


def planted(vectors: Matrix, kinds: NDArray[np.int64]) -> float:
    """Return the share of the ten nearest that are of the same planted kind."""
    best, _ = nearest(vectors)
    return float((kinds[best] == kinds[:, None]).mean())


def next_hits(factors: Factors, train: Interactions, test: Interactions, direction: str) -> float:
    """Return the hit rate at ten over unseen items."""
    events = match(train.ids, train.adjacency, test, train, max_queries=20_000, seed=42)
    scorer = model_scorer(direction, factors, Training(train.adjacency, 50, 42))
    return float(hit_rate(by_scores(TASKS[direction](events), scorer, ("unseen",), (10,))["unseen"].ranks, 10).mean())


def mapped(factors: Factors, constants: tuple[float, float] | None) -> Factors:
    """Return factors with what is compared on one side, by other constants; None for the factors themselves."""
    if constants is None:
        return factors
    kept = same_side.EVENED, same_side.POPULARITY
    same_side.EVENED, same_side.POPULARITY = constants
    try:
        return with_same_side(factors)
    finally:
        same_side.EVENED, same_side.POPULARITY = kept


def co_occurrence(interactions: Interactions, side: Side) -> Matrix:
    """Return vectors whose cosines are those of the interactions themselves."""
    rows = csr_matrix(interactions.matrix if side == "user" else interactions.matrix.T).astype(bool)
    dense: Matrix = rows.toarray().astype(np.float32)
    return dense


def main() -> None:
    """Print the front."""
    whole = {name: load_movielens(name) for name in ("ml-100k", "ml-latest-small")}
    made = sample(2_000, 1_500, 60_000, n_genres=10, seed=7)
    splits = {name: random_split(data) for name, data in whole.items()}
    fitted = {name: _solved(data) for name, data in whole.items()} | {"made": _solved(made.interactions)}
    parts = {name: _solved(train) for name, (train, _) in splits.items()}
    groups = siblings(whole["ml-100k"])
    films = whole["ml-100k"].degree.item

    def row(name: str, vectors: dict[str, Pair[Matrix]], hits: dict[str, Any]) -> list[str]:
        own = vectors["ml-100k"].item
        figures = [
            found_siblings(own, groups),
            *(same_genres(vectors[source].item, whole[source], source) for source in whole),
            planted(vectors["made"].item, made.genre.item),
            spread(own, films),
            *(hits[source]["item2item"] for source in whole),
            planted(vectors["made"].user, made.genre.user),
            *(hits[source]["user2user"] for source in whole),
        ]
        return [name, *("" if f is None else f"{f:.3f}" for f in figures)]

    lines = []
    for constants in (*MAPS, None):
        vectors: dict[str, Pair[Matrix]] = {name: mapped(f, constants).same_side for name, f in fitted.items()}
        hits = {
            name: {d: next_hits(mapped(parts[name], constants), *splits[name], d) for d in ("item2item", "user2user")}
            for name in whole
        }
        current = constants == (same_side.EVENED, same_side.POPULARITY)
        shown = (
            "the factors themselves" if constants is None else f"evened {constants[0]:g}, popularity {constants[1]:g}"
        )
        lines.append(row(f"{shown} (default)" if current else shown, vectors, hits))
    data = {**whole, "made": made.interactions}
    vectors = {name: Pair(co_occurrence(d, "user"), co_occurrence(d, "item")) for name, d in data.items()}
    lines.append(row("cosine of co-occurrence", vectors, {name: _of_neighbours(*splits[name]) for name in whole}))
    head = ["vectors", "siblings", "genres", "genres (small)", "planted", "mean cosine"]
    head += ["item2item @10", "(small)", "planted tastes", "user2user @10", "(small)"]
    count = sum(map(len, groups))
    table = tabulate(lines, head, tablefmt="github", disable_numparse=True)
    text = f"{count} films of {len(groups)} franchises:\n\n{table}\n"
    put("likeness", text)
    print(text)


def _of_neighbours(train: Interactions, test: Interactions) -> dict[str, float]:
    """Return the hit rates of nearest neighbours by the cosine of co-occurrence."""
    vectors = Pair.of(lambda side: co_occurrence(train, side))
    stand_in = Factors(np.zeros((train.shape[0], 1), np.float32), np.zeros((train.shape[1], 1), np.float32))
    factors = replace(stand_in, given_same_side=vectors)
    return {d: next_hits(factors, train, test, d) for d in ("item2item", "user2user")}


def _solved(interactions: Interactions) -> Factors:
    return solve(interactions, derive(interactions, ALSParams()).params)


if __name__ == "__main__":
    main()
