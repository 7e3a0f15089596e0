"""Rows for what has no interactions: vectors, such as those of `mfrec.coldstart.content`, placed into a fitted model.

They are then rows like any other: indexes, folders and the serving side know no difference.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Matrix
from mfrec.directions import Pair, Side, other
from mfrec.errors import DataError
from mfrec.index import IndexParams
from mfrec.model.adjacency import Adjacency
from mfrec.model.check import check
from mfrec.model.factors import Factors
from mfrec.model.ids import Id, IdMap
from mfrec.model.recommender import Recommender
from mfrec.model.string_array import StringArray
from mfrec.training.fit import index


def with_cold(
    model: Recommender,
    side: Side,
    ids: Iterable[Id],
    vectors: Matrix,
    labels: Mapping[Any, str] | None = None,
    index_params: IndexParams | None = None,
) -> Recommender:
    """Return a model that also knows these items (or users), who have no interactions.

    The indexes are built anew. Saving the result keeps the vectors: serving needs no scikit-learn.

    Parameters
    ----------
    model
        A fitted model, loaded or not; it is not changed.
    side
        ``"item"`` or ``"user"``: what the ids are.
    ids
        New external ids of the model's kind. An id that the model knows with interactions is refused; one that
        it knows without any gets its vector replaced.
    vectors
        One row per id.
    labels
        Texts by id, where there are any; those of ids that the model knows already replace the model's.
    index_params
        Those of the model where not given.

    Raises
    ------
    DataError
        When ids are repeated or have interactions already, or the vectors do not fit.
    """
    return indexed(widened(model, side, ids, vectors, labels), index_params)


def widened(
    model: Recommender, side: Side, ids: Iterable[Id], vectors: Matrix, labels: Mapping[Any, str] | None = None
) -> Recommender:
    """Place new rows as `with_cold` does, but leave the indexes, which no longer fit, to `indexed`."""
    given = list(ids)
    rows = np.asarray(vectors, np.float32)
    if rows.shape != (len(given), model.factors.size) or not np.isfinite(rows).all():
        raise DataError(f"vectors of shape {rows.shape} for {len(given)} ids and {model.factors.size} factors")
    IdMap.of(side, given)
    _refuse_ids_with_interactions(model, side, given)
    old = model.ids[side]
    ids_now = IdMap.of(side, [*old, *(key for key in given if key not in old)])
    place = ids_now.numbers(old)
    factors = _placed(model.factors, side, len(ids_now), place, ids_now.numbers(given), rows)
    adjacency = _adjacency(model.adjacency, side, len(ids_now), place)
    # what has a vector without interactions: earlier additions count, the zero vectors of items in a fit do not
    cold = int(((adjacency[side].degree == 0) & factors[side].any(axis=1)).sum())
    return replace(
        model,
        factors=factors,
        ids=_with(model.ids, side, ids_now),
        adjacency=adjacency,
        labels=_with(model.labels, side, _labels(model.labels[side], old, ids_now, labels or {})),
        indexes={},
        given_map=None,
        saved_segments=Pair(None, None),
        info={**model.info, "cold": {**model.info.get("cold", {}), side: cold}},
    )


def indexed(model: Recommender, params: IndexParams | None = None) -> Recommender:
    """Return the model with indexes built anew, by its own parameters where none are given."""
    params = params or IndexParams.from_json(model.info.get("index", {}))
    lift = None if model.check is None else model.check.lift
    return replace(
        model,
        indexes=index(model.factors, params),
        check=check(model.factors, model.adjacency, lift),
        info={**model.info, "index": asdict(params)},
    )


def _refuse_ids_with_interactions(model: Recommender, side: Side, ids: Sequence[Id]) -> None:
    old, adjacency = model.ids[side], model.adjacency[side]
    known = [key for key in ids if key in old and len(adjacency.of(old.number(key)))]
    if known:
        raise DataError(f"{side} {known[0]!r} has interactions: its own vector is better than one from content")


def _with(pair: Pair[Any], side: Side, value: Any) -> Pair[Any]:
    return Pair.of(lambda s: value if s == side else pair[s])


def _placed(
    factors: Factors, side: Side, size: int, place: NDArray[np.int64], new: NDArray[np.int64], rows: Matrix
) -> Factors:
    """Return the factors with room for new rows; what folding in uses stays that of the fit."""
    matrix = np.zeros((size, factors.size), np.float32)
    degree = np.zeros(size, np.int64)
    matrix[place], degree[place] = factors[side], factors.degree[side]
    matrix[new] = rows
    both = _with(Pair(factors.user, factors.item), side, matrix)
    degrees = _with(factors.degree, side, degree)
    recent = factors.recent
    if recent is not None:
        wide = np.zeros(size, np.float32)
        wide[place] = recent[side]
        recent = _with(recent, side, wide)
    return Factors(both.user, both.item, factors.weighting, degrees, factors.gram, factors.maps, recent=recent)


def _adjacency(adjacency: Pair[Adjacency], side: Side, size: int, place: NDArray[np.int64]) -> Pair[Adjacency]:
    own, across = adjacency[side], adjacency[other(side)]
    counts = np.zeros(size, np.int64)
    counts[place] = own.degree
    # ids keep their order, so the numbers within a row stay ascending
    moved = Adjacency(across.starts, place[across.numbers].astype(across.numbers.dtype))
    starts = np.concatenate([[0], np.cumsum(counts)])
    return _with(_with(adjacency, side, Adjacency(starts, own.numbers)), other(side), moved)


def _labels(labels: StringArray | None, old: IdMap, ids: IdMap, new: Mapping[Any, str]) -> StringArray | None:
    if labels is None and not new:
        return None
    texts = dict(zip(old, labels, strict=True)) if labels is not None else {}
    texts.update(new)
    return StringArray.pack(texts.get(key, "") for key in ids)
