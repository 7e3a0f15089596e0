"""Lists that repeat themselves less: maximal marginal relevance on a longer list.

After Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing
Summaries" (1998).
"""

import numpy as np

from mfrec.arrays import Matrix, products, unit_rows
from mfrec.errors import ParameterError, check_number
from mfrec.index import Hits

# places are chosen among so many times k candidates, and never among more than the second figure
POOL, LARGEST_POOL = 10, 1_000


def check_diversity(diversity: float, k: int) -> float:
    """Return a diversity from 0 to 1; ParameterError for anything else, and for a k beyond the largest pool."""
    given = check_number("diversity", diversity, 0, 1)
    if given and k > LARGEST_POOL:
        raise ParameterError(
            f"with diversity k may be at most {LARGEST_POOL}, got {k}: ask for fewer, or leave diversity out"
        )
    return given


def pool_size(k: int, diversity: float) -> int:
    """Return how many candidates a list of k is chosen from: `POOL` times k, at most `LARGEST_POOL`; k without."""
    return min(POOL * k, LARGEST_POOL) if diversity else k


def diversified(hits: Hits, same_side: Matrix, k: int, diversity: float) -> Hits:
    """Choose k of some hits, each for its score and for how little it is like those chosen before it.

    The next is the one with the highest ``(1 - diversity) * relevance - diversity * likeness``. The relevance is the
    score, moved and stretched so that the hits given range from 0 to 1 (all are 1 where their scores are equal): an
    inner product has no unit of its own, so only its place among its rivals can be held against a cosine. The likeness
    is the largest cosine with anything chosen so far. The first is always the best, and ties go to the better place.

    Parameters
    ----------
    hits
        The candidates, best first.
    same_side
        By number, what is compared by cosine on their side.
    k
        How many to choose.
    diversity
        Above 0, where the order would stay as it is, to 1, where only the first is chosen by its score.

    Returns
    -------
    Hits
        In the order chosen, with the scores they came with.
    """
    if not len(hits.numbers):
        return hits
    scores = hits.scores.astype(np.float64)
    span = scores[0] - scores[-1]
    worth = (1 - diversity) * (np.ones(len(scores)) if span == 0 else (scores - scores[-1]) / span)
    unit = unit_rows(same_side[hits.numbers]).astype(np.float64)
    likeness = np.full(len(scores), -np.inf)
    chosen = [0]
    while len(chosen) < min(k, len(scores)):
        # float64, rounded: what is equally like stays so
        cosines = products(unit, unit[chosen[-1]]).astype(np.float32)
        likeness = np.maximum(likeness, cosines)
        worth[chosen[-1]] = -np.inf
        chosen.append(int(np.argmax(worth - diversity * likeness)))
    return Hits(hits.numbers[chosen], hits.scores[chosen], hits.exact)
