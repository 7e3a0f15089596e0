"""How much "similar" means similar: likeness and next interactions, for several maps of the same-side vectors.

The front is put into docs/accuracy.md. Of items: the share of a film's
sequels and siblings among its ten nearest (ML-100K, films with 20 ratings or more, by title), how alike the genres of
the ten nearest are (the mean share of genres that two films have in common), the share of the planted genre (generated
sample), the mean cosine of the ten nearest of the 300 most rated films, and the hit rate @10 of next items on held-out
parts of both MovieLens sets. Of users: the share of the planted taste, and the hit rate @10 of votes.
"""

import re
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from tabulate import tabulate

from benchmarks.tools import command, put
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
FRANCHISES = r"""
Star Wars|Empire Strikes Back|Return of the Jedi; Alien \(|Aliens|Alien 3|Alien: Resurrection; Die Hard;
Wrong Trousers|Close Shave|Grand Day Out|Wallace & Gromit; Star Trek; Three Colors; Godfather;
Batman|Batman Forever|Batman & Robin|Batman Returns; Raiders of the Lost Ark|Indiana Jones; Terminator; Free Willy;
Jurassic Park|Lost World: Jurassic; Nightmare on Elm Street|Wes Craven's New Nightmare; Monty Python|Life of Brian;
Blues Brothers; Jean de Florette|Manon of the Spring; Ace Ventura; Scream \(|Scream 2; Crow, The|Crow: City;
Brady Bunch Movie|Very Brady Sequel; Candyman; Prophecy; Mortal Kombat; Under Siege; Young Guns; Homeward Bound;
Escape from; Grease; Jaws; Army of Darkness|Evil Dead; Lawnmower Man; Speed; GoldenEye|Tomorrow Never Dies
"""
# the constants of `mfrec.training.same_side` that are compared: how much is evened out, how far popularity is let in
MAPS = ((2.0, 5.0), (1.25, 4.5), (1.0, 4.0), (1.0, 3.0), (0.5, 3.0))


def siblings(interactions: Interactions) -> list[list[int]]:
    """Return the numbers of the films of every franchise that has two or more with enough ratings."""
    rated = interactions.degree.item >= RATED
    titles = list(interactions.labels.item or ())
    groups = [
        [n for n in np.flatnonzero(rated).tolist() if re.match(p.strip(), titles[n])] for p in FRANCHISES.split(";")
    ]
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


def hits(split: tuple[Interactions, Interactions], factors: Factors) -> dict[str, float]:
    """Return the hit rates within a side."""
    return {direction: next_hits(factors, *split, direction) for direction in ("item2item", "user2user")}


def neighbours(interactions: Interactions) -> Factors:
    """Return factors that compare by co-occurrence."""
    users, items = interactions.shape
    vectors = Pair.of(lambda side: co_occurrence(interactions, side))
    empty = Factors(np.zeros((users, 1), np.float32), np.zeros((items, 1), np.float32))
    return replace(empty, given_same_side=vectors)


def solved(interactions: Interactions) -> Factors:
    """Return what is fitted with the defaults."""
    return solve(interactions, derive(interactions, ALSParams()).params)


@command
def main() -> None:
    """Print the front."""
    made = sample(2_000, 1_500, 60_000, n_genres=10, seed=7)
    whole = {name: load_movielens(name) for name in ("ml-100k", "ml-latest-small")}
    splits = {name: random_split(data) for name, data in whole.items()}
    data = {**whole, "made": made.interactions}
    fitted = {name: solved(one) for name, one in data.items()}
    parts = {name: solved(train) for name, (train, _) in splits.items()}
    groups = siblings(whole["ml-100k"])

    def row(name: str, factors: dict[str, Factors], of_parts: dict[str, Factors]) -> list[str]:
        vectors = {name: one.same_side for name, one in factors.items()}
        own = vectors["ml-100k"].item
        found = {name: hits(splits[name], one) for name, one in of_parts.items()}
        figures = [
            found_siblings(own, groups),
            *(same_genres(vectors[source].item, whole[source], source) for source in whole),
            planted(vectors["made"].item, made.genre.item),
            spread(own, whole["ml-100k"].degree.item),
            *(found[source]["item2item"] for source in whole),
            planted(vectors["made"].user, made.genre.user),
            *(found[source]["user2user"] for source in whole),
        ]
        return [name, *(f"{figure:.3f}" for figure in figures)]

    lines = []
    for constants in (*MAPS, None):
        shown = f"evened {constants[0]:g}, popularity {constants[1]:g}" if constants else "the factors themselves"
        shown += " (default)" * (constants == (same_side.EVENED, same_side.POPULARITY))
        both = [{name: mapped(one, constants) for name, one in some.items()} for some in (fitted, parts)]
        lines.append(row(shown, *both))
    both = [{n: neighbours(one) for n, one in data.items()}, {n: neighbours(train) for n, (train, _) in splits.items()}]
    lines.append(row("cosine of co-occurrence", *both))
    head = ["vectors", "siblings", "genres", "genres (small)", "planted", "mean cosine"]
    head += ["item2item @10", "(small)", "planted tastes", "user2user @10", "(small)"]
    table = tabulate(lines, head, tablefmt="github", disable_numparse=True)
    count = sum(map(len, groups))
    put("docs/accuracy.md", "likeness", f"{count} films of {len(groups)} franchises:\n\n{table}\n")
