"""What diversity costs and gives: lists of ten for every user with held-out interactions, on two MovieLens sets.

A random fifth is held out (seed 42), the model is fitted with its defaults on the rest, and the lists are asked of its
indexes. Per diversity: NDCG@10 on the held-out part; the mean cosine of the pairs of a list (what diversity works on),
and the mean share of genres that two films of a list have in common (what it does not know); the share of the
catalogue that is in any list.
"""

from collections.abc import Iterable

import numpy as np
from tabulate import tabulate

import mfrec
from benchmarks.tools import command, put
from mfrec.arrays import Numbers, unit_rows
from mfrec.data.movielens import load_items, load_movielens
from mfrec.evaluation.metrics import coverage, ndcg
from mfrec.evaluation.ranking import by_lists
from mfrec.evaluation.splits import random_split
from mfrec.evaluation.tasks import TASKS, match
from mfrec.model.recommender import Recommender

SOURCES = ("ml-100k", "ml-latest-small")
STEPS = tuple(round(0.1 * step, 1) for step in range(11))
K = 10
HEAD = ("diversity", "NDCG@10", "mean cosine", "genres in common", "catalogue shown")


def genres(source: str, model: Recommender) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return which genres every film of a model has, one column per genre."""
    films = load_items(source)
    listed = {key: names.split("|") for key, names in zip(films["item_id"], films["genres"], strict=True)}
    own = [set(listed.get(key, ())) for key in model.ids.item]
    names = sorted(set().union(*own))
    return np.array([[name in some for name in names] for some in own])


def pairs_mean(lists: Iterable[Numbers], values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    """Return the mean over lists of the mean over the pairs of a list."""
    means = [values[np.ix_(one, one)][np.triu_indices(len(one), 1)].mean() for one in lists if len(one) > 1]
    return float(np.mean(means))


def curve(source: str) -> list[tuple[str, ...]]:
    """Return a row of `HEAD` per diversity."""
    train, test = random_split(load_movielens(source))
    model = mfrec.fit(train, mfrec.ALSParams(seed=42), mfrec.IndexParams(seed=42))
    task = TASKS["user2item"](match(model.ids, model.adjacency, test, train, seed=42))
    unit = unit_rows(model.factors.same_side.item).astype(np.float64)
    cosines = unit @ unit.T
    has = genres(source, model).astype(np.float64)
    both = has @ has.T
    either = has.sum(axis=1)[:, None] + has.sum(axis=1) - both
    common = both / np.maximum(either, 1)
    rows = []
    for diversity in STEPS:
        rankings = model.recommend("user2item", model.ids.user.ids(task.queries), K, diversity=diversity)
        lists = [model.ids.item.numbers(ranking.ids) for ranking in rankings]
        outcome = by_lists(task, lambda place, _, k, lists=lists: lists[place], ("unseen",), (K,))["unseen"]  # type: ignore[misc]
        figures = (float(ndcg(outcome.ranks, K).mean()), pairs_mean(lists, cosines), pairs_mean(lists, common))
        rows.append((f"{diversity:g}", *(f"{figure:.3f}" for figure in figures), f"{coverage(outcome.shown[K]):.1%}"))
    return rows


@command
def main() -> None:
    """Put a table per data set into the page."""
    tables = [f"{name}:\n\n{tabulate(curve(name), HEAD, tablefmt='github', disable_numparse=True)}" for name in SOURCES]
    put("docs/diversity.md", "diversity", "\n\n".join(tables) + "\n")
