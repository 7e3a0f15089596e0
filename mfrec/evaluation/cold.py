"""`evaluate_cold`: items held out entirely, known by their content alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.als import ALSParams, fit_als
from mfrec.content import fit_content
from mfrec.errors import DataError, ParameterError
from mfrec.factors import Factors
from mfrec.interactions import Interactions

Scorer = Callable[[int], NDArray[np.float64]]


@dataclass(frozen=True)
class ColdReport:
    """Recall of held-out items, a mean over the users who touched any.

    Parameters
    ----------
    k
        Length of the lists.
    items, users
        How many items were held out, and how many users touched one of them.
    among_cold
        Contender -> recall@k where the held-out items alone are ranked. ``"popularity"`` has nothing to go by,
        since nobody has touched any of them: all tie, and it equals ``"random"``. ``"mean vector"`` is the fit
        without content.
    among_all
        Contender -> recall@k where they compete with everything the user has not touched; here popularity ranks
        every known item first and finds none, unless k reaches beyond the known items.
    alpha, error
        As in `mfrec.content.ContentModel`.
    """

    k: int
    items: int
    users: int
    among_cold: dict[str, float]
    among_all: dict[str, float]
    alpha: float
    error: float

    def __str__(self) -> str:
        """Return a table."""
        from tabulate import tabulate

        rows = [(name, f"{self.among_cold[name]:.4f}", f"{self.among_all[name]:.4f}") for name in self.among_cold]
        head = f"recall@{self.k} of {self.items} items held out entirely ({self.users} users)"
        return head + "\n" + tabulate(rows, ["by", "among cold", "among all"], disable_numparse=True)


def evaluate_cold(
    interactions: Interactions,
    table: pd.DataFrame,
    *,
    key: str,
    text: Sequence[str] = (),
    categories: Sequence[str] = (),
    fraction: float = 0.2,
    k: int = 100,
    params: ALSParams | None = None,
    seed: int = 42,
) -> ColdReport:
    """Hold items out entirely, give them vectors from their content, and see whether users' lists find them.

    Parameters
    ----------
    interactions
        Who touched what.
    table
        What is known about the items; column ``key`` holds their ids.
    text, categories
        Columns, as in `mfrec.content.fit_content`.
    fraction
        Share of the items to hold out.
    k
        Length of the lists.
    params, seed
        Of the fit; of the choice of items and of the random baseline.

    Raises
    ------
    DataError
        When the table lacks an item.
    ParameterError
        For a fraction or a k out of range.
    """
    if not 0 < fraction < 1 or k < 1:
        raise ParameterError(f"fraction must be between 0 and 1 and k above 0, got {fraction} and {k}")
    rows = rows_of(table, key, interactions.ids.item)
    cold = np.zeros(interactions.shape[1], bool)
    order = np.random.default_rng(seed).permutation(len(cold))
    cold[order[: max(1, round(fraction * len(cold)))]] = True
    train, test = interactions.take(~cold[interactions.items]), interactions.take(cold[interactions.items])
    factors, degree = fit_als(train, params), train.degree
    warm = degree.item > 0
    counts = degree.item[warm]
    content = fit_content(factors.item[warm], rows[warm], text=text, categories=categories, weights=counts, seed=seed)
    mean = np.average(factors.item[warm], axis=0, weights=counts)
    asked = np.flatnonzero((test.degree.user > 0) & (degree.user > 0))
    contenders: dict[str, Scorer] = {
        "content": _dot(factors, cold, content.vectors(rows[cold])),
        "mean vector": _dot(factors, cold, mean),
        "popularity": lambda user: degree.item.astype(float),
        "random": lambda user: np.zeros(len(cold)),
    }
    only, everything = (
        {name: _recall(scorer, train, test, asked, where, k) for name, scorer in contenders.items()}
        for where in (cold, np.ones(len(cold), bool))
    )
    return ColdReport(k, int(cold.sum()), len(asked), only, everything, content.alpha, content.error)


def _dot(factors: Factors, cold: NDArray[np.bool_], vectors: Any) -> Scorer:
    items = factors.item.astype(float)
    items[cold] = vectors
    return lambda user: items @ factors.user[user]


def rows_of(table: pd.DataFrame, key: str, ids: Any) -> pd.DataFrame:
    """Return the rows of a table in the order of the ids; DataError where one is missing or stands twice."""
    if key not in table.columns:
        raise DataError(f"the table has no column {key!r}: it has {', '.join(map(repr, table.columns))}")
    twice = table[key][table[key].duplicated()].tolist()
    if twice:
        raise DataError(f"{key} {twice[0]!r} stands twice in the table")
    found = table.set_index(key)
    missing = [i for i in ids if i not in found.index]
    if missing:
        raise DataError(f"the table has no row for {key} {missing[0]!r} ({len(missing)} are missing)")
    return found.loc[list(ids)]


def _recall(scorer: Scorer, train: Interactions, test: Interactions, asked: Any, where: Any, k: int) -> float:
    """Return recall@k, its expectation over all orders where scores tie."""
    recalls = []
    for user in asked.tolist():
        eligible = where.copy()
        eligible[train.matrix[user].indices] = False
        scores = np.where(eligible, scorer(user), -np.inf)
        held_out = test.matrix[user].indices
        above = (scores[None, :] > scores[held_out, None]).sum(1)
        tied = (scores[None, :] == scores[held_out, None]).sum(1)
        recalls.append(float(np.clip((k - above) / tied, 0, 1).mean()))
    return float(np.mean(recalls))
