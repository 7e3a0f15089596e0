"""The default backend: a norm-ranged index, calibrated to a recall target.

Which head, which tail and how far to search it depends on the data, so candidates for all of them are built and
tried on real queries. The cheapest that reaches the target wins. Cost is counted (values read), not timed, so
that the same seed gives the same index on a busy machine, too; the time is measured afterwards and reported.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import Similarity
from mfrec.index import annoy, cells, sketch
from mfrec.index.base import Candidates, Settings
from mfrec.index.calibrate import Queries, Trial, choose, least_effort
from mfrec.index.params import IndexParams
from mfrec.index.ranged import NO_HEAD, RangedIndex, Tail, by_length, head_of

# up to here one matrix-vector product takes no longer than any search
SMALL = 4096

HEADS = (0.01, 0.02, 0.05, 0.1, 0.2)
DIMS = (8, 16, 32, 64)
SLACKS = (1.0, 0.7, 0.5, 0.35)
TREE_HEAD = 0.05
SEARCH_K = (300, 1000, 3000, 10_000, 30_000)
# the last step scans everything: where cells do not reach the target at some k, they still serve the others
PROBES = (4, 8, 16, 24, 32, 64, 128, 1_000_000_000)

Options = Callable[[Candidates, Trial, IndexParams], Iterator[RangedIndex]]


def build(candidates: Candidates, queries: Queries, params: IndexParams) -> RangedIndex:
    """Build the cheapest index that reaches the target recall.

    Raises
    ------
    BackendError
        When the installed annoy fails its self-test.
    """
    annoy.self_test()
    trial = Trial.of(candidates, queries, params)
    names = _tails(candidates, params)
    return choose((option for name in names for option in OPTIONS[name](candidates, trial, params)), trial)


def _tails(candidates: Candidates, params: IndexParams) -> tuple[str, ...]:
    fitting = FITTING[candidates.similarity]
    if params.tail in fitting:
        return (params.tail,)
    return ("none",) if len(candidates) <= SMALL else fitting


def _dense(candidates: Candidates, trial: Trial, params: IndexParams) -> Iterator[RangedIndex]:
    yield RangedIndex(candidates, NO_HEAD, None)


def _sketches(candidates: Candidates, trial: Trial, params: IndexParams) -> Iterator[RangedIndex]:
    order, axes = by_length(candidates), sketch.principal_axes(candidates)
    least = min(2 * max(params.at_k), len(candidates) - 1)
    sizes = sorted({max(least, round(share * len(candidates))) for share in HEADS})
    for d in sorted({min(d, axes.shape[1]) for d in DIMS}):
        whole = sketch.build(candidates, order, axes[:, :d], 1.0)
        for size in sizes:
            head = head_of(candidates, order[:size])
            for slack in SLACKS:
                yield RangedIndex(candidates, head, replace(whole.beyond(size), slack=slack))


def _trees(candidates: Candidates, trial: Trial, params: IndexParams) -> Iterator[RangedIndex]:
    order = by_length(candidates)
    size = round(TREE_HEAD * len(candidates)) if candidates.similarity == "dot" else 0
    head = head_of(candidates, order[:size])
    forest = annoy.build(candidates, np.sort(order[size:]), params.trees, params.seed, ((1, 1),))
    yield least_effort(lambda effort: RangedIndex(candidates, head, replace(forest, search_k=effort)), SEARCH_K, trial)


def _cells(candidates: Candidates, trial: Trial, params: IndexParams) -> Iterator[RangedIndex]:
    grouped = cells.build(candidates, ((1, 1),), params.seed)
    yield least_effort(lambda effort: RangedIndex(candidates, NO_HEAD, replace(grouped, probes=effort)), PROBES, trial)


FITTING: dict[Similarity, tuple[str, ...]] = {"dot": ("none", "sketch", "trees"), "cosine": ("none", "cells", "trees")}
OPTIONS: dict[str, Options] = {"none": _dense, "sketch": _sketches, "trees": _trees, "cells": _cells}


def restore(
    candidates: Candidates, settings: Settings, arrays: Mapping[str, NDArray[Any]], path: Path | None
) -> RangedIndex:
    """Restore an index from what it kept; a forest without a file is grown again."""
    kind = settings["tail"]
    tail: Tail | None = None
    own: dict[str, Any] = {
        name.removeprefix("tail."): array for name, array in arrays.items() if name.startswith("tail.")
    }
    if kind == "sketch":
        tail = sketch.Sketch(candidates, **own, slack=settings["slack"])
    elif kind == "cells":
        tail = cells.Cells(**own, probes=tuple((k, n) for k, n in settings["probes"]))
    elif kind == "trees":
        tail = annoy.restore(candidates, settings, own["numbers"], path)
    head = replace(NO_HEAD, numbers=arrays["head"], vectors=arrays["head_vectors"]) if "head" in arrays else NO_HEAD
    return RangedIndex(candidates, head, tail)
