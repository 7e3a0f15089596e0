"""The indexes that `retrieval.py` compares: how each is built, and the settings it is tried with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from mfrec.index.norm_ranged import build as build_ours

import mfrec
from mfrec.directions import Direction
from mfrec.index import Candidates
from mfrec.index.calibrate import draw

Search = Callable[[Any, int], Any]


@dataclass(frozen=True)
class Built:
    """An index, its size, and a search function per setting."""

    settings: Callable[[], Iterator[tuple[str, Search]]]
    bytes: int


@dataclass(frozen=True)
class Contender:
    """How to build one index of some vectors; ``fast_build`` ones are also tried with a million."""

    build: Callable[[mfrec.Factors, Direction, Any], Built]
    fast_build: bool = True


def _mfrec(tail: str) -> Callable[[mfrec.Factors, Direction, Any], Built]:
    def build(factors: mfrec.Factors, row: Direction, base: Any) -> Built:
        candidates = Candidates(factors[row.target], row.similarity)
        queries = draw(factors[row.query], len(candidates), not row.across, 42)
        # at a million, 50 trees take minutes and lose; the rest of the choice stays
        forced = "sketch" if tail == "auto" and len(candidates) >= 1_000_000 and row.across else tail
        index = build_ours(candidates, queries, mfrec.IndexParams(tail=forced))
        size = sum(a.nbytes for a in index.arrays().values())

        def settings() -> Iterator[tuple[str, Search]]:
            yield str(index.settings()), lambda query, k: index.search(query, k).numbers

        return Built(settings, size)

    return build


def _exact(factors: mfrec.Factors, row: Direction, base: Any) -> Built:
    def search(query: Any, k: int) -> Any:
        scores = base @ query
        return np.argpartition(scores, len(scores) - k)[len(scores) - k :]

    return Built(lambda: iter([("", search)]), base.nbytes)


def _annoy(augmented: bool) -> Callable[[mfrec.Factors, Direction, Any], Built]:
    def build(factors: mfrec.Factors, row: Direction, base: Any) -> Built:
        from annoy import AnnoyIndex

        metric: Literal["angular", "dot"] = "angular" if augmented or row.similarity == "cosine" else "dot"
        vectors = base
        if augmented:
            squares = np.einsum("ij,ij->i", base, base)
            vectors = np.column_stack([base, np.sqrt(squares.max() - squares)]).astype(np.float32)
        forest = AnnoyIndex(vectors.shape[1], metric)
        for number, vector in enumerate(vectors):
            forest.add_item(number, vector.tolist())
        forest.set_seed(42)
        forest.build(50, n_jobs=1)
        tail = [0.0] if augmented else []

        def settings() -> Iterator[tuple[str, Search]]:
            for search_k in (1000, 3000, 10_000, 30_000, 100_000):

                def search(query: Any, k: int, search_k: int = search_k) -> Any:
                    return forest.get_nns_by_vector(query.tolist() + tail, k, search_k)

                yield f"search_k {search_k}", search

        return Built(settings, 0)

    return build


def _faiss(kind: str) -> Callable[[mfrec.Factors, Direction, Any], Built]:
    def build(factors: mfrec.Factors, row: Direction, base: Any) -> Built:
        import faiss

        faiss.omp_set_num_threads(1)
        size, count = base.shape[1], len(base)
        lists = round(np.sqrt(count) * 4) if count > 200_000 else 256
        make: dict[str, Callable[[], Any]] = {
            "flat": lambda: faiss.IndexFlatIP(size),
            "ivf": lambda: faiss.IndexIVFFlat(faiss.IndexFlatIP(size), size, lists, faiss.METRIC_INNER_PRODUCT),
            "hnsw": lambda: faiss.IndexHNSWFlat(size, 32, faiss.METRIC_INNER_PRODUCT),
        }
        index = make[kind]()
        index.train(base)
        index.add(base)

        def settings() -> Iterator[tuple[str, Search]]:
            steps = {"flat": [0], "ivf": [1, 2, 4, 8, 16, 32, 64, 128], "hnsw": [16, 32, 64, 128, 256, 512, 1024]}
            for step in steps[kind]:
                if kind == "ivf":
                    index.nprobe = step
                if kind == "hnsw":
                    index.hnsw.efSearch = step
                yield (
                    f"{'nprobe' if kind == 'ivf' else 'ef'} {step}",
                    lambda query, k: index.search(query[None], k)[1][0],
                )

        return Built(settings, len(faiss.serialize_index(index)) if count < 200_000 else 0)

    return build


def _hnswlib(factors: mfrec.Factors, row: Direction, base: Any) -> Built:
    import hnswlib

    index = hnswlib.Index(space="ip", dim=base.shape[1])
    index.init_index(max_elements=len(base), ef_construction=200, M=32, random_seed=42)
    index.set_num_threads(1)
    index.add_items(base, num_threads=1)

    def settings() -> Iterator[tuple[str, Search]]:
        for ef in (16, 32, 64, 128, 256, 512, 1024):
            # for longer lists hnswlib itself searches with ef = k
            index.set_ef(ef)
            yield f"ef {ef}", lambda query, k: index.knn_query(query, k, num_threads=1)[0][0]

    return Built(settings, index.index_file_size())


def _usearch(factors: mfrec.Factors, row: Direction, base: Any) -> Built:
    from usearch.index import Index

    index: Any = Index(ndim=base.shape[1], metric="ip", dtype="f32", connectivity=32, expansion_add=200)
    index.add(np.arange(len(base)), base, threads=1)

    def settings() -> Iterator[tuple[str, Search]]:
        for ef in (16, 32, 64, 128, 256, 512, 1024):
            index.expansion_search = ef
            yield f"ef {ef}", lambda query, k: index.search(query, k, threads=1).keys

    return Built(settings, index.serialized_length)


def _voyager(factors: mfrec.Factors, row: Direction, base: Any) -> Built:
    from voyager import Index, Space

    index = Index(Space.InnerProduct, num_dimensions=base.shape[1], M=32, ef_construction=200)
    index.add_items(base, num_threads=1)

    def settings() -> Iterator[tuple[str, Search]]:
        for ef in (128, 256, 512, 1024):

            def search(query: Any, k: int, ef: int = ef) -> Any:
                return index.query(query, k, num_threads=1, query_ef=ef)[0]

            yield f"ef {ef}", search

    return Built(settings, 0)


def _scann(factors: mfrec.Factors, row: Direction, base: Any) -> Built:
    import scann

    leaves = max(64, round(np.sqrt(len(base))))
    builder = scann.scann_ops_pybind.builder(base, 10, "dot_product")
    tree = builder.tree(num_leaves=leaves, num_leaves_to_search=leaves // 8, training_sample_size=len(base))
    index = tree.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(400).build()

    def settings() -> Iterator[tuple[str, Search]]:
        for share in (16, 8, 4, 2):

            def search(query: Any, k: int, share: int = share) -> Any:
                leaves_here = max(1, leaves // share)
                return index.search(query, final_num_neighbors=k, leaves_to_search=leaves_here)[0]

            yield f"leaves 1/{share}", search

    return Built(settings, 0)


CONTENDERS = {
    "mfrec": Contender(_mfrec("auto")),
    "mfrec, trees only": Contender(_mfrec("trees"), fast_build=False),
    "exact numpy": Contender(_exact),
    "annoy dot": Contender(_annoy(False), fast_build=False),
    "annoy augmented": Contender(_annoy(True), fast_build=False),
    "faiss flat": Contender(_faiss("flat")),
    "faiss IVF": Contender(_faiss("ivf")),
    "faiss HNSW": Contender(_faiss("hnsw"), fast_build=False),
    "hnswlib": Contender(_hnswlib, fast_build=False),
    "usearch": Contender(_usearch, fast_build=False),
    "voyager": Contender(_voyager, fast_build=False),
    "ScaNN": Contender(_scann, fast_build=False),
}
