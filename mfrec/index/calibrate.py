"""How good and how fast an index is, measured on real queries against exact search."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.factors import Matrix
from mfrec.index.base import NOTHING, Candidates, Hits, Index, Numbers, exact_search
from mfrec.index.params import IndexParams
from mfrec.index.ranged import Effort, RangedIndex

LEAST_SAMPLE, MOST_SAMPLE = 200, 500
# exact answers are what a sample costs: with many candidates it has to be smaller
SAMPLE_BUDGET = 100_000_000
# the first look at an option: enough to rank options by work, and to drop hopeless ones
GLANCE = 50
# what is chosen on a sample must also hold on fresh queries
MARGIN = 0.004
# a proof that nothing was missed is worth this much more work
PROOF_PREMIUM = 1.25
TIMED = 100


@dataclass(frozen=True, eq=False)
class Queries:
    """Real queries of one index.

    Parameters
    ----------
    vectors
        float32 of shape ``(m, factors)``.
    own
        On the same side, the number of each query among the candidates, which is never returned; else None.
    """

    vectors: Matrix
    own: Numbers | None = None

    def __len__(self) -> int:
        """Return how many queries there are."""
        return len(self.vectors)

    def excluded(self, place: int) -> Numbers:
        """Return what one query rules out."""
        return NOTHING if self.own is None else self.own[place : place + 1]

    def first(self, count: int) -> "Queries":
        """Return the first few queries."""
        return Queries(self.vectors[:count], None if self.own is None else self.own[:count])


def draw(vectors: Matrix, n_candidates: int, same_side: bool, seed: int) -> Queries:
    """Draw a seeded sample of the vectors that will be asked; those of length zero have no answer to miss."""
    size = int(np.clip(SAMPLE_BUDGET // max(n_candidates, 1), LEAST_SAMPLE, MOST_SAMPLE))
    numbers = np.flatnonzero(vectors.any(axis=1))
    chosen = np.random.default_rng(seed).permutation(numbers)[:size]
    return Queries(np.ascontiguousarray(vectors[chosen]), chosen if same_side else None)


@dataclass(frozen=True, eq=False)
class Trial:
    """Queries together with their exact answers.

    Parameters
    ----------
    queries
        What is asked.
    floors
        For every k the exact k-th score of each query, -inf where fewer than k are eligible.
    target
        The recall to reach at every k.
    """

    queries: Queries
    floors: dict[int, NDArray[np.float32]]
    target: float

    @classmethod
    def of(cls, candidates: Candidates, queries: Queries, params: IndexParams) -> "Trial":
        """Answer the queries exactly."""
        ks = sorted({min(k, len(candidates)) for k in params.at_k})
        floors = {k: np.full(len(queries), -np.inf, np.float32) for k in ks}
        for place, query in enumerate(queries.vectors):
            scores = exact_search(candidates, query, ks[-1], queries.excluded(place)).scores
            for k in ks:
                if len(scores) >= k:
                    floors[k][place] = scores[k - 1]
        return cls(queries, floors, params.target_recall)

    def glance(self) -> "Trial":
        """Return the first few queries alone."""
        return replace(self, queries=self.queries.first(GLANCE), floors={k: f[:GLANCE] for k, f in self.floors.items()})

    def ask(self, index: Index, k: int) -> list[Hits]:
        """Return the hits of every query."""
        vectors = enumerate(self.queries.vectors)
        return [index.search(query, k, self.queries.excluded(place)) for place, query in vectors]

    def recall(self, index: Index, k: int) -> float:
        """Return the share of the k best that an index finds; higher is better."""
        return recall(self.ask(index, k), self.floors[k], k)

    def reached(self, index: Index, k: int) -> bool:
        """Whether the recall at k is on target, with a margin for fresh queries."""
        return self.recall(index, k) >= min(1.0, self.target + MARGIN)


def recall(hits: Sequence[Hits], floors: NDArray[np.float32], k: int) -> float:
    """Return the share of the k best that were found, counted by score, so that a tie is no miss."""
    # both sides are float64 scores rounded once, so that equal vectors compare equal
    pairs = zip(hits, floors, strict=True)
    found = [np.count_nonzero(h.scores >= floor) / k for h, floor in pairs if floor > -np.inf]
    return float(np.mean(found)) if found else 1.0


def least_effort(make: Callable[[Effort], RangedIndex], steps: Sequence[int], trial: Trial) -> RangedIndex:
    """Return an index that searches, at every k, only as far as the target takes; the last step where none does."""
    glance, effort = trial.glance(), []
    for k in trial.floors:
        enough = steps[-1]
        for step in steps:
            index = make(((k, step),))
            if glance.recall(index, k) >= trial.target - 5 * MARGIN and trial.reached(index, k):
                enough = step
                break
        effort.append((k, enough))
    return make(tuple(effort))


def choose(options: Iterable[RangedIndex], trial: Trial) -> RangedIndex:
    """Return the option with the least work that reaches the target at every k, with what it measured.

    Where none does, the option with the best recall is taken.
    """
    looks = [(option, *_look(option, trial.glance())) for option in options]
    hopeful = [look for look in looks if look[2] >= trial.target - 5 * MARGIN]
    for option, _, _ in sorted(hopeful, key=lambda look: look[1]):
        if all(trial.reached(option, k) for k in trial.floors):
            return replace(option, measured=measure(option, trial))
    best = max(looks, key=lambda look: look[2])[0]
    return replace(best, measured=measure(best, trial))


def _look(option: RangedIndex, trial: Trial) -> tuple[float, float]:
    """Return the work per query (the geometric mean over all k), and the worst recall."""
    worst, work = 1.0, 1.0
    for k in trial.floors:
        hits = trial.ask(option, k)
        worst = min(worst, recall(hits, trial.floors[k], k))
        proven = all(h.exact for h in hits)
        work *= float(np.mean([h.work for h in hits])) / (PROOF_PREMIUM if proven else 1.0) if hits else 1.0
    return work ** (1 / len(trial.floors)), worst


def measure(index: Index, trial: Trial) -> dict[str, Any]:
    """Return recall at every k, and the share of proven answers at the smallest."""
    if not len(trial.queries):
        return {}
    found: dict[str, Any] = {"queries": len(trial.queries)}
    for k in trial.floors:
        hits = trial.ask(index, k)
        found[f"recall@{k}"] = round(recall(hits, trial.floors[k], k), 4)
        found.setdefault("exact", round(float(np.mean([h.exact for h in hits])), 4))
    return found


def fastest(options: Sequence[Any], queries: Queries, k: int) -> Any:
    """Time some indexes, nothing else running, and return the fastest with its median microseconds."""
    if not len(queries):
        return options[0]
    times = [median_microseconds(option, queries.first(TIMED), k) for option in options]
    best = int(np.argmin(times))
    return replace(options[best], measured={**options[best].measured, "microseconds": times[best]})


def median_microseconds(index: Index, queries: Queries, k: int) -> float:
    """Return the median time of one search, one after the other."""
    times = []
    for place, query in enumerate(queries.vectors):
        excluded = queries.excluded(place)
        started = time.perf_counter_ns()
        index.search(query, k, excluded)
        times.append(time.perf_counter_ns() - started)
    return round(float(np.median(times)) / 1000, 1)
