"""The indexes that are compared: how each is built, and the settings it is tried with, fastest first.

A contender yields builds. Whatever a library may do best with is tried: more than one size, for inner products also
vectors of equal length, and a ladder of search settings for each.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from benchmarks.retrieval.workloads import KS, SEED, LeftOut, Problem, Search
from mfrec.index import BACKENDS, IndexParams

T = TypeVar("T")
Settings = Iterator[tuple[str, Search]]

SEARCH_K = (300, 1000, 3000, 10_000, 20_000, 50_000, 100_000)
EF = (16, 32, 64, 128, 256, 512, 1024, 2048)
LISTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
# what is scored again exactly, in lists of length k
RESCORED = (2, 10, 50)
# indexes of more candidates are built with less effort, so that a run has an end
LARGE = 300_000
# of graphs: 0 for the vectors as they are and 1 for equal norms, links per node, effort of building
GRAPHS = ((0, 32, 200), (0, 64, 400), (1, 32, 200), (0, 16, 100))
GRAPHS_OF_MANY = ((0, 16, 40), (0, 64, 200), (1, 16, 40))


@dataclass(frozen=True)
class Built:
    """One index: seconds to build, bytes on disk, and its settings, each to be used before the next is asked for.

    A search takes the place of a fresh query and how many answers to return. ``excludes`` says that it leaves out
    the query itself; the others are asked for one answer more.
    """

    seconds: float
    bytes: int
    settings: Settings
    excludes: bool = False


Contender = Callable[[Problem], Iterator[Built]]


def timed(make: Callable[[], T]) -> tuple[T, float]:
    """Return what a function returns, and its seconds."""
    started = time.perf_counter()
    made = make()
    return made, round(time.perf_counter() - started, 3)


def written(write: Callable[[str], object]) -> int:
    """Return how many bytes something writes to a file or a folder."""
    with tempfile.TemporaryDirectory() as folder:
        write(str(Path(folder) / "index"))
        return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def ladder(
    label: str,
    steps: Sequence[int],
    search: Callable[[int, int, int], Any],
    prepare: Callable[[int], Any] | None = None,
) -> Settings:
    """Yield a search for every step: ``search(step, place, count)``."""
    for step in steps:
        if prepare:
            prepare(step)
        yield f"{label} {step:,}", partial(search, step)


def _each(build: Callable[[Problem, T], Built], *sizes: T) -> Contender:
    """Return a contender that builds one index per size."""
    return lambda problem: (build(problem, size) for size in sizes)


def _mfrec(backend: str, problem: Problem, target: float) -> Built:
    params = IndexParams(index=backend, target_recall=target, at_k=KS, seed=SEED)
    index, seconds = timed(lambda: BACKENDS[backend].build(problem.candidates, problem.calibration, params))
    asked = problem.vectors[problem.direction.query][problem.numbers]

    def search(place: int, count: int) -> Any:
        return index.search(asked[place], count, problem.own(place)).numbers

    size = sum(array.nbytes for array in index.arrays().values())
    finder = index.finder
    if finder is not None:
        size += written(lambda path: finder.write(Path(path)))
    return Built(seconds, size, iter([(f"target {target}", search)]), excludes=True)


def _annoy(metric: Literal["angular", "dot"], problem: Problem, trees: int) -> Built:
    from annoy import AnnoyIndex

    cosine = problem.direction.similarity == "cosine"
    if cosine and metric == "dot":
        raise LeftOut("for cosine Annoy's metric is angular")
    base, asked = (problem.base, problem.asked) if cosine or metric == "dot" else problem.equal_norms()
    forest, queries = AnnoyIndex(base.shape[1], metric), asked.tolist()
    forest.set_seed(SEED)

    def grow() -> None:
        for number, vector in enumerate(base):
            forest.add_item(number, vector)
        forest.build(trees, n_jobs=1)

    _, seconds = timed(grow)
    label, search = f"{trees} trees, search_k", lambda step, at, n: forest.get_nns_by_vector(queries[at], n, step)
    return Built(seconds, written(forest.save), ladder(label, SEARCH_K, search))


class _Fitted:
    """What implicit's `AnnoyModel` needs of a model: factors that are fitted already."""

    def __init__(self, user: Any, item: Any) -> None:
        self.user_factors, self.item_factors = user, item

    def fit(self, *_: Any) -> None:
        """Do nothing."""


def _implicit(steps: Sequence[int], problem: Problem, trees: int) -> Built:
    from implicit.ann.annoy import AnnoyModel

    if problem.direction.target == "user":
        raise LeftOut("it serves user2item and item2item only")
    similar, ids = not problem.direction.across, problem.numbers.tolist()
    model = AnnoyModel(_Fitted(*problem.vectors), similar, not similar, n_trees=trees)
    _, seconds = timed(lambda: model.fit(None, show_progress=False))

    def search(_: int, place: int, count: int) -> Any:
        if similar:
            return model.similar_items(ids[place], count)[0]
        return model.recommend(ids[place], None, count, filter_already_liked_items=False)[0]

    forest = model.similar_items_index if similar else model.recommend_index
    settings = ladder(f"{trees} trees, search_k", steps, search, partial(setattr, model, "search_k"))
    return Built(seconds, written(forest.save), settings)


def _import_faiss() -> Any:
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss


def _ask_faiss(index: Any, asked: Any, _: int, place: int, count: int) -> Any:
    return index.search(asked[place : place + 1], count)[1][0]


def _faiss_flat(problem: Problem) -> Iterator[Built]:
    index = _import_faiss().IndexFlatIP(problem.base.shape[1])
    _, seconds = timed(lambda: index.add(problem.base))
    yield Built(seconds, problem.base.nbytes, iter([("", partial(_ask_faiss, index, problem.asked, 0))]))


def _faiss_ivf(problem: Problem) -> Iterator[Built]:
    faiss, large = _import_faiss(), len(problem.base) > LARGE
    for space, base, asked in problem.spaces():
        for factor in (1,) if large else (4, 1):
            size, lists = base.shape[1], min(round(factor * np.sqrt(len(base))), len(base) // 39)
            index = faiss.IndexIVFFlat(faiss.IndexFlatIP(size), size, lists, faiss.METRIC_INNER_PRODUCT)
            if large:
                index.cp.niter, index.cp.max_points_per_centroid = 5, 64
            train, add = partial(index.train, base), partial(index.add, base)
            seconds = timed(train)[1] + timed(add)[1]
            search, prepare = partial(_ask_faiss, index, asked), partial(setattr, index, "nprobe")
            settings = ladder(f"{space}{lists:,} lists, nprobe", _up_to(lists), search, prepare)
            yield Built(seconds, len(faiss.serialize_index(index)), settings)


def _up_to(lists: int) -> list[int]:
    return [step for step in LISTS if step < lists] + [lists]


def _graphs(build: Callable[[str, Any, Any, int, int], Built]) -> Contender:
    """Return a contender that tries graphs of more than one size."""

    def contender(problem: Problem) -> Iterator[Built]:
        spaces = list(problem.spaces())
        for number, adjacency, effort in GRAPHS_OF_MANY if len(problem.base) > LARGE else GRAPHS:
            for space, base, asked in spaces[number : number + 1]:
                yield build(f"{space}M {adjacency}, ef", base, asked, adjacency, effort)

    return contender


def _faiss_hnsw(label: str, base: Any, asked: Any, adjacency: int, effort: int) -> Built:
    faiss = _import_faiss()
    index = faiss.IndexHNSWFlat(base.shape[1], adjacency, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = effort
    _, seconds = timed(lambda: index.add(base))
    settings = ladder(label, EF, partial(_ask_faiss, index, asked), partial(setattr, index.hnsw, "efSearch"))
    return Built(seconds, len(faiss.serialize_index(index)), settings)


def _hnswlib(label: str, base: Any, asked: Any, adjacency: int, effort: int) -> Built:
    import hnswlib

    index = hnswlib.Index(space="ip", dim=base.shape[1])
    index.init_index(max_elements=len(base), ef_construction=effort, M=adjacency, random_seed=SEED)
    _, seconds = timed(lambda: index.add_items(base, num_threads=1))

    def search(_: int, place: int, count: int) -> Any:
        # for lists longer than ef, hnswlib itself searches with ef = k
        try:
            return index.knn_query(asked[place], count, num_threads=1)[0][0]
        except RuntimeError:
            # it reached fewer than were asked for, which it refuses to return
            return np.zeros(0, np.int64)

    return Built(seconds, index.index_file_size(), ladder(label, EF, search, index.set_ef))


def _usearch(label: str, base: Any, asked: Any, adjacency: int, effort: int) -> Built:
    from usearch.index import Index

    index: Any = Index(ndim=base.shape[1], metric="ip", dtype="f32", connectivity=adjacency, expansion_add=effort)
    _, seconds = timed(lambda: index.add(np.arange(len(base)), base, threads=1))

    def search(_: int, place: int, count: int) -> Any:
        return index.search(asked[place], count, threads=1).keys

    return Built(
        seconds, index.serialized_length, ladder(label, EF, search, partial(setattr, index, "expansion_search"))
    )


def _voyager(label: str, base: Any, asked: Any, adjacency: int, effort: int) -> Built:
    from voyager import Index, Space

    index = Index(Space.InnerProduct, base.shape[1], M=adjacency, ef_construction=effort, random_seed=SEED)
    _, seconds = timed(lambda: index.add_items(base, num_threads=1))

    def search(ef: int, place: int, count: int) -> Any:
        # voyager refuses an ef below the length of the list
        return index.query(asked[place], count, num_threads=1, query_ef=max(ef, count))[0]

    return Built(seconds, written(index.save), ladder(label, EF, search))


def _scann(problem: Problem) -> Iterator[Built]:
    import scann

    for space, base, asked in problem.spaces():
        for factor in (1, 4):
            leaves = min(round(factor * np.sqrt(len(base))), len(base) // 20)
            builder = scann.scann_ops_pybind.builder(base, max(KS), "dot_product")
            builder = builder.tree(leaves, max(1, leaves // 8), training_sample_size=min(len(base), 250_000))
            index, seconds = timed(builder.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(max(KS)).build)
            size = written(partial(_save_scann, index))
            for rescored in RESCORED:
                label, search = f"{space}{leaves:,} leaves, {rescored}k", partial(_ask_scann, index, asked, rescored)
                yield Built(seconds, size, ladder(f"{label} rescored, searched", _up_to(leaves), search))


def _save_scann(index: Any, path: str) -> None:
    Path(path).mkdir()
    index.serialize(path)


def _ask_scann(index: Any, asked: Any, rescored: int, step: int, place: int, count: int) -> Any:
    return index.search(asked[place], count, rescored * count, step)[0]


def _lorann(problem: Problem) -> Iterator[Built]:
    import lorann

    dimensions, clusters = problem.base.shape[1], round(np.sqrt(len(problem.base)))
    if dimensions < 64:
        raise LeftOut("it takes vectors of at least 64 dimensions")
    # for inner products the queries lie elsewhere than the candidates: LoRANN may learn from those that are not asked
    asking = np.delete(problem.vectors[problem.direction.query], problem.numbers, axis=0)
    for learns in (False, True) if problem.direction.across else (False,):
        for rank in (32, 64) if dimensions > 64 else (32,):
            index: Any = lorann.LorannIndex(problem.base, clusters, None, rank=rank)
            _, seconds = timed(partial(index.build, n_threads=1, training_queries=asking if learns else None))
            size = written(index.save)
            for rescored in RESCORED:
                label = f"rank {rank}{', learned from queries' if learns else ''}, {rescored}k rescored, searched"
                search = partial(_ask_lorann, index, problem.asked, rescored)
                yield Built(seconds, size, ladder(label, _up_to(clusters), search))


def _ask_lorann(index: Any, asked: Any, rescored: int, step: int, place: int, count: int) -> Any:
    return index.search(asked[place], count, step, rescored * count, False, 1)


CONTENDERS: dict[str, Contender] = {
    "exact": _each(partial(_mfrec, "exact"), 0.99),
    "annoy": _each(partial(_mfrec, "annoy"), 0.99, 0.9, 0.999),
    "faiss": _each(partial(_mfrec, "faiss"), 0.99, 0.9, 0.999),
    "implicit AnnoyModel, defaults": _each(partial(_implicit, (-1,)), 50),
    "implicit AnnoyModel, tuned": _each(partial(_implicit, SEARCH_K), 50, 150),
    "Annoy dot": _each(partial(_annoy, "dot"), 50, 150),
    "Annoy angular": _each(partial(_annoy, "angular"), 50, 150),
    "faiss flat": _faiss_flat,
    "faiss IVF": _faiss_ivf,
    "faiss HNSW": _graphs(_faiss_hnsw),
    "hnswlib": _graphs(_hnswlib),
    "usearch": _graphs(_usearch),
    "voyager": _graphs(_voyager),
    "ScaNN": _scann,
    "LoRANN": _lorann,
}
