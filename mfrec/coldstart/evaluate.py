"""`evaluate_cold`: items, or users, held out entirely and known by their content alone."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mfrec.arrays import Matrix, Numbers, Values
from mfrec.coldstart.catalogue import Catalogue
from mfrec.coldstart.content import ContentModel, learn, scale_of, weights_of
from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES, Pair, Side
from mfrec.errors import DataError, ParameterError, check_fraction, check_integer
from mfrec.evaluation.baselines import constant, dot
from mfrec.evaluation.metrics import RANK_METRICS, cutoffs
from mfrec.evaluation.ranking import Scorer, Task, by_scores
from mfrec.evaluation.splits import generator
from mfrec.model import html
from mfrec.model.adjacency import Adjacency
from mfrec.model.factors import Factors
from mfrec.training.fit import fit_als
from mfrec.training.params import ALSParams

METRICS = ("hit_rate", "recall", "query_hit_rate", "ndcg")
# what the printed table shows of them
SHOWN = {"recall": "recall", "query_hit_rate": "hit rate"}
EVERYTHING = "all items"
HELD_OUT = "held-out items"

# (what is ranked, contender, metric, k) -> one value per user, of the hit rate one per event
Figures = dict[tuple[str, str, str, int], Values]


@dataclass(frozen=True)
class ColdRow:
    """One figure.

    Parameters
    ----------
    ranked
        `EVERYTHING`: all items but the user's training items; or `HELD_OUT`: those items alone.
    contender
        ``"content"`` or a baseline.
    metric, k, value
        As in `mfrec.evaluation.metrics`; a mean over the users asked, of ``hit_rate`` over the held-out events; higher
        is better.
    ahead, error
        How far content is ahead of this contender, and one standard error of that mean over the users (or events).
    """

    ranked: str
    contender: str
    metric: str
    k: int
    value: float
    ahead: float
    error: float


@dataclass(frozen=True)
class ColdReport:
    """What `evaluate_cold` found.

    Parameters
    ----------
    side
        What was held out.
    held_out, asked
        How many items (or users) that were, and how many users' lists were looked at.
    rows
        Every figure.
    columns, alpha, regression_error
        What the vectors come from; as in `mfrec.coldstart.content.ContentModel`.
    notes
        What else one should know of the figures.
    """

    side: Side
    held_out: int
    asked: int
    rows: tuple[ColdRow, ...]
    columns: tuple[str, ...]
    alpha: float
    regression_error: float
    notes: tuple[str, ...] = ()

    def value(self, contender: str = "content", *, ranked: str = EVERYTHING, metric: str = "recall", k: int) -> float:
        """Return one figure.

        Raises
        ------
        ParameterError
            When there is no such figure.
        """
        for row in self.rows:
            if (row.contender, row.ranked, row.metric, row.k) == (contender, ranked, metric, k):
                return row.value
        raise ParameterError(f"the report has no figure for {(contender, ranked, metric, k)}")

    def to_json(self, indent: int | None = 2) -> str:
        """Return the whole report as JSON text."""
        return json.dumps(asdict(self), indent=indent)

    def _repr_html_(self) -> str:
        """Return what `print` shows, for notebooks."""
        return html.preformatted(str(self))

    def __str__(self) -> str:
        """Return a table."""
        from tabulate import tabulate

        ks = dict.fromkeys(row.k for row in self.rows)
        columns = [(metric, k) for metric in SHOWN for k in ks]
        figures = {(r.ranked, r.contender, r.metric, r.k): r for r in self.rows}
        lines = []
        for ranked, contender in dict.fromkeys((r.ranked, r.contender) for r in self.rows):
            rows = [figures[ranked, contender, *column] for column in columns]
            last = figures[ranked, contender, "recall", max(ks)]
            ahead = "" if contender == "content" else f"{last.ahead:+.4f} ± {last.error:.4f}"
            lines.append([ranked, contender, *(f"{row.value:.4f}" for row in rows), ahead])
        head = f"{self.held_out} {self.side}s held out entirely, known by {', '.join(self.columns)}"
        asked = f"{self.asked} users' lists; content: ridge penalty {self.alpha:g}, {self.regression_error:.0%} of the "
        names = [f"{SHOWN[metric]}@{k}" for metric, k in columns]
        table = tabulate(lines, ["ranked", "by", *names, f"content ahead, recall@{max(ks)}"], disable_numparse=True)
        notes = "".join(f"\nnote: {note}" for note in self.notes)
        return f"{head}\n{asked}vectors' variance unexplained\n{table}{notes}"


@dataclass(frozen=True, eq=False)
class _ColdSplit:
    """A fit that knows nothing of what is held out, and the users whose lists are judged."""

    side: Side
    cold: NDArray[np.bool_]
    train: Interactions
    test: Interactions
    factors: Factors
    asked: Numbers


def evaluate_cold(
    interactions: Interactions,
    table: pd.DataFrame,
    *,
    key: str,
    side: Side = "item",
    text: Sequence[str] = (),
    categories: Sequence[str] = (),
    numbers: Sequence[str] = (),
    fraction: float = 0.2,
    k: int | Iterable[int] = 100,
    params: ALSParams | None = None,
    max_queries: int = 20_000,
    progress: bool = False,
    seed: int = 42,
) -> ColdReport:
    """Hold items (or users) out entirely, give them vectors from their content, and look at users' lists.

    With items held out, the queries are the users who interacted with a held-out item and with something else; their
    lists should hold those held-out items. With users held out, the queries are these users, and their lists should
    hold the items they interacted with.
    The baselines: the mean vector, which is the fit without content; popularity, the number of users of an item,
    and for users also popularity where each training user has one vote, shared among the user's items; and random,
    by expectation over all orders, like every tie.

    Parameters
    ----------
    interactions
        The user-item interactions.
    table
        What is known about the items (or users); column ``key`` holds their ids.
    side
        ``"item"`` or ``"user"``: what is held out.
    text, categories, numbers
        Columns, as in `mfrec.coldstart.content.fit_content`.
    fraction
        Share of the items (or users) to hold out.
    k
        Lengths of the lists.
    params
        Of the fit.
    max_queries
        Where more users are to be asked, a random sample of so many is.
    progress
        Show a progress bar of the fit on stderr.
    seed
        Of the choice of what is held out, and of the sample.

    Raises
    ------
    DataError
        When the table lacks an id, as `Catalogue` does, or as `mfrec.coldstart.content.fit_content` does.
    ParameterError
        For an unknown side, or a fraction, a k, a seed or a number of queries out of range.
    """
    ks = cutoffs(k)
    if side not in SIDES:
        raise ParameterError(f"side must be user or item, got {side!r}")
    check_fraction("fraction", fraction)
    check_integer("max_queries", max_queries, 1)
    catalogue = Catalogue(table, key, text, categories, numbers)
    rows = catalogue.rows(side, interactions.ids[side])
    split = _hold_out(interactions, side, fraction, params, max_queries, progress, seed)
    warm = split.train.degree[side] > 0
    counts = split.train.degree[side][warm]
    content = learn(split.factors[side][warm], side, rows[warm], counts, catalogue)
    contenders = _contenders(split, content.vectors(rows[split.cold]), _mean(split.factors[side][warm], side, counts))
    figures = _figures(split, contenders, ks)
    return _report(split, content, figures)


def _hold_out(
    interactions: Interactions,
    side: Side,
    fraction: float,
    params: ALSParams | None,
    max_queries: int,
    progress: bool,
    seed: int,
) -> _ColdSplit:
    rng = generator(seed)
    cold = np.zeros(len(interactions.ids[side]), bool)
    cold[rng.permutation(len(cold))[: max(1, round(fraction * len(cold)))]] = True
    held = cold[Pair(interactions.users, interactions.items)[side]]
    train, test = interactions.take(~held), interactions.take(held)
    # a user without any training data has no vector to ask with, unless that is what content gives
    asked = np.flatnonzero((test.degree.user > 0) & ((train.degree.user > 0) | (side == "user")))
    if not len(asked):
        raise DataError("nobody can be asked: no user of a held-out item has interacted with anything else")
    if len(asked) > max_queries:
        asked = np.sort(rng.choice(asked, max_queries, replace=False))
    return _ColdSplit(side, cold, train, test, fit_als(train, params, progress=progress), asked)


def _mean(vectors: Matrix, side: Side, degree: NDArray[Any]) -> NDArray[Any]:
    """Return the vector that a regression without any attribute gives to all: the mean, as long as content makes it."""
    mean: NDArray[Any] = np.average(vectors, axis=0, weights=weights_of(side, degree))
    return mean * scale_of(vectors, np.broadcast_to(mean, vectors.shape), degree)


def _contenders(split: _ColdSplit, vectors: NDArray[Any], mean: NDArray[Any]) -> dict[str, Scorer]:
    train = split.train
    contenders = {
        "content": _with_rows(split, vectors),
        "mean vector": _with_rows(split, mean),
        "popularity": constant(train.degree.item.astype(np.float32)),
        "random": constant(np.zeros(len(train.ids.item), np.float32)),
    }
    if split.side == "item":
        return contenders
    share = 1 / np.maximum(train.degree.user, 1)
    votes = np.bincount(train.items, share[train.users], minlength=train.shape[1])
    random = contenders.pop("random")
    return {**contenders, "popularity, one vote each": constant(votes.astype(np.float32)), "random": random}


def _with_rows(split: _ColdSplit, vectors: NDArray[Any]) -> Scorer:
    """Score by the inner product, with vectors for what is held out."""
    matrix = split.factors[split.side].copy()
    matrix[split.cold] = vectors
    both = Pair.of(lambda side: matrix if side == split.side else split.factors[side])
    return dot(Factors(both.user, both.item), "user", "item")


def _figures(split: _ColdSplit, contenders: Mapping[str, Scorer], ks: tuple[int, ...]) -> Figures:
    """Return one value per user asked (of the hit rate, per event) for every figure."""
    groups = {EVERYTHING: np.arange(split.train.shape[1])}
    if split.side == "item":
        groups = {HELD_OUT: np.flatnonzero(split.cold), **groups}
    found: Figures = {}
    for ranked, items in groups.items():
        seen, taken = (_adjacency(part.matrix[split.asked][:, items]) for part in (split.train, split.test))
        nothing = Adjacency.empty(len(split.asked))
        masks = {"plain": nothing, "unseen": seen}
        task = Task(split.asked, taken, masks, len(items), width=split.train.shape[1])
        for name, scorer in contenders.items():
            ranks = by_scores(task, _among(scorer, items), ("unseen",), ks)["unseen"].ranks
            for metric in METRICS:
                for k in ks:
                    found[ranked, name, metric, k] = RANK_METRICS[metric](ranks, k)
    return found


def _adjacency(matrix: Any) -> Adjacency:
    rows = matrix.tocsr()
    rows.sort_indices()
    return Adjacency.from_csr(rows.indptr, rows.indices)


def _among(scorer: Scorer, items: Numbers) -> Scorer:
    return lambda numbers: np.ascontiguousarray(scorer(numbers)[:, items])


def _report(
    split: _ColdSplit, content: ContentModel, figures: Mapping[tuple[str, str, str, int], Values]
) -> ColdReport:
    rows = []
    for (ranked, name, metric, k), values in figures.items():
        ahead = figures[ranked, "content", metric, k] - values
        error = float(ahead.std(ddof=1) / np.sqrt(len(ahead))) if len(ahead) > 1 else 0.0
        rows.append(ColdRow(ranked, name, metric, k, float(values.mean()), float(ahead.mean()), error))
    return ColdReport(
        split.side,
        int(split.cold.sum()),
        len(split.asked),
        tuple(rows),
        content.columns,
        content.alpha,
        round(content.error, 4),
    )
