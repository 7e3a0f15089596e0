"""What an allocation costs, and what it is worth beside greedy.

One table: MovieLens 100K, and 200,000 users x 1,000 items of random vectors whose covariance, mean and lengths are
those of the model of MovieLens 100K. Each row is a process of its own; its seconds are those of the call and of
the whole process, its memory the highest of the process, fit or drawing included.
"""

import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

import mfrec
from benchmarks.tools import command, put
from mfrec.arrays import Matrix, lengths
from mfrec.directions import Pair
from mfrec.index import IndexParams
from mfrec.model.adjacency import Adjacency
from mfrec.model.recommender import Recommender

SEED = 42
USERS, ITEMS = 200_000, 1_000
# where from, items, units of each, items per user, score
CASES: tuple[tuple[str, int, int, int, str], ...] = (
    ("ml-100k", 6, 100, 1, "dot"),
    ("ml-100k", 6, 100, 2, "dot"),
    ("ml-100k", 6, 100, 1, "lift"),
    ("ml-100k", 1_682, 10, 2, "dot"),
    ("random", ITEMS, 500, 1, "dot"),
    ("random", ITEMS, 500, 2, "dot"),
)
_MEBI = 2**20


def drawn(like: Matrix, count: int, rng: np.random.Generator) -> Matrix:
    """Return random vectors with the mean, the covariance and the lengths of some real ones."""
    known = lengths(like)
    real = like[known > 0].astype(np.float64)
    vectors = rng.multivariate_normal(real.mean(axis=0), np.cov(real.T), count, method="eigh")
    vectors *= (rng.choice(known[known > 0], count) / np.linalg.norm(vectors, axis=1))[:, None]
    return vectors.astype(np.float32)


def fitted() -> Recommender:
    """Return the model of MovieLens 100K."""
    ratings = mfrec.load_movielens("ml-100k")
    return mfrec.fit(ratings, mfrec.ALSParams(seed=SEED), IndexParams(index="exact"))


def random_model(users: int, items: int) -> Recommender:
    """Return a model of random vectors, without interactions or indexes."""
    real, rng = fitted().factors, np.random.default_rng(SEED)
    factors = mfrec.Factors(drawn(real.user, users, rng), drawn(real.item, items, rng))
    ids = Pair(mfrec.IdMap.of("user", range(users)), mfrec.IdMap.of("item", range(items)))
    return Recommender(factors, ids, Pair(Adjacency.empty(users), Adjacency.empty(items)), {})


def case(source: str, items: int, units: int, per_user: int, score: str) -> dict[str, Any]:
    """Return the figures of one row, in this process."""
    model = random_model(USERS, items) if source == "random" else fitted()
    chosen = list(model.ids.item) if source == "random" else model.popular("item", items).ids
    before, busy = time.perf_counter(), time.process_time()
    found = model.allocate(dict.fromkeys(chosen, units), per_user=per_user, score=score)  # type: ignore[arg-type]
    seconds, busy = time.perf_counter() - before, time.process_time() - busy
    return {
        "data": f"{source}, {len(model.ids.user):,} x {items:,} x {units}",
        "per user": per_user,
        "score": score,
        "greedy: total": f"{found.greedy.total:,.1f}",
        "reached": f"{found.greedy.reached:,}",
        "left": f"{found.greedy.left:,}",
        "allocated: total": f"{found.total:,.1f}",
        "reached ": f"{found.reached:,}",
        "left ": f"{sum(found.left.values()):,}",
        "more": f"{found.total / found.greedy.total - 1:+z.2%}",
        "gap at most": f"{found.gap:.4%}",
        "s": f"{seconds:.2f}",
        "CPU s": f"{busy:.2f}",
        "MiB": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // _MEBI:,}",
    }


def measured(row: int) -> dict[str, Any]:
    """Return the figures of one row, from 1, from a process of its own."""
    call = [sys.executable, "-m", "benchmarks.scale.run", "allocation", "--row", str(row)]
    before = time.perf_counter()
    found: dict[str, Any] = json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout)
    return {**found, "process, s": f"{time.perf_counter() - before:.1f}"}


def compare(row: int = 0, write: bool = False) -> None:
    """Print the table, which may be written into its page, or the figures of one row, from 1."""
    if row:
        print(json.dumps(case(*CASES[row - 1])))
        return
    rows = [measured(place) for place in range(1, len(CASES) + 1)]
    cells = [rows[0].keys(), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    text = "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in cells)
    if write:
        put("docs/limited-stock.md", "allocation", text)
    else:
        print(text)


main = command(compare)
