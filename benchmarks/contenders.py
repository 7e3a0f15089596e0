"""The contenders that run in mfrec's environment; the two-towers are in ``towers.py``, ``moment.py`` asks with time."""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

import mfrec
from benchmarks.judge import Contender
from benchmarks.protocols import Split
from mfrec.coldstart.catalogue import title_years
from mfrec.coldstart.content import fit_content, weights_of
from mfrec.evaluation import Scorer
from mfrec.evaluation.baselines import at_random, constant, dot

# of the item-kNN; 20 (the default of implicit) to 200 were tried on a validation split, and more were better
NEIGHBOURS = 200


def popularity(split: Split) -> Contender:
    """Rank titles by how often they were rated, and users by how much they rated."""
    began = time.perf_counter()
    degree = split.train.degree
    items, users = (constant(degree[side].astype(np.float32)) for side in ("item", "user"))
    scorers = {"user2item": items, "item2item": items, "user2user": users, "item2user": users}
    return Contender(scorers, fit_seconds=time.perf_counter() - began)


def random(split: Split) -> Contender:
    """Rank at random."""
    n_users, n_items = split.train.shape
    items, users = at_random(n_items, split.seed), at_random(n_users, split.seed)
    scorers = {"user2item": items, "item2item": items, "user2user": users, "item2user": users}
    return Contender(scorers, settings={"seed": split.seed})


def item_knn(split: Split) -> Contender:
    """Score by implicit's item-kNN (cosine); user2user by the same on the transposed matrix."""
    began = time.perf_counter()
    seen = csr_matrix((np.ones(len(split.train)), split.train.matrix.indices, split.train.matrix.indptr))
    seen.resize(split.train.shape)
    near = _neighbours(seen)
    seconds = time.perf_counter() - began
    scores = (seen @ near).astype(np.float32)
    scorers = {
        "user2item": _rows(scores),
        "item2item": _rows(near.astype(np.float32)),
        "user2user": _rows(_neighbours(seen.T.tocsr()).astype(np.float32)),
        "item2user": _rows(scores.T.tocsr()),
    }
    return Contender(scorers, fit_seconds=seconds, settings={"neighbours": NEIGHBOURS})


def mfrec_with(split: Split, **changes: Any) -> Contender:
    """Fit mfrec; what is not named keeps its default. Scores are exhaustive, so that no index is calibrated."""
    params = mfrec.ALSParams(**{"seed": split.seed, **changes})
    began = time.perf_counter()
    factors = mfrec.fit_als(split.train, params)
    seconds = time.perf_counter() - began
    model = mfrec.build(split.train, factors, mfrec.IndexParams(index="exact"))
    return Contender(model=model, fit_seconds=seconds, settings=asdict(params))


def titles_in_words(split: Split, **changes: Any) -> Contender:
    """Fit mfrec, and give titles without any event a vector from their words and year, as a title tower does."""
    began = time.perf_counter()
    params = mfrec.ALSParams(**{"seed": split.seed, **changes})
    factors, degree = mfrec.fit_als(split.train, params), split.train.degree.item
    titles, warm = pd.DataFrame({"title": list(split.train.ids.item)}), degree > 0
    titles["year"] = title_years(titles["title"])
    content = fit_content(
        factors.item[warm],
        titles[warm],
        text=["title"],
        numbers=["year"] if titles.loc[warm, "year"].notna().any() else [],
        weights=weights_of("item", degree[warm]),
        degree=degree[warm],
        seed=split.seed,
    )
    items = factors.item.copy()
    items[~warm] = content.vectors(titles[~warm])
    seconds = time.perf_counter() - began
    scorers = {"user2item": dot(mfrec.Factors(factors.user, items), "user", "item")}
    extra = {"content_alpha": content.alpha}
    return Contender(scorers, fit_seconds=seconds, settings=asdict(params), extra=extra)


BASELINES: Mapping[str, Callable[[Split], Contender]] = {
    "popularity": popularity,
    "random": random,
    "item-kNN": item_knn,
    "mfrec": mfrec_with,
}


def _neighbours(matrix: csr_matrix) -> csr_matrix:
    model = CosineRecommender(K=NEIGHBOURS)
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        # implicit warns of a conversion that it makes itself
        warnings.simplefilter("ignore")
        model.fit(matrix, show_progress=False)
    return model.similarity


def _rows(scores: csr_matrix) -> Scorer:
    return lambda numbers: np.asarray(scores[numbers].toarray(), np.float32)
