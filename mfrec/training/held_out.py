"""What is shared by the choices that held-out parts of the data decide: samples, figures, and what is better."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mfrec.data.interactions import Interactions
from mfrec.directions import SIDES, Pair
from mfrec.evaluation.metrics import ndcg
from mfrec.evaluation.ranking import Scorer, Task, by_scores
from mfrec.model.ids import IdMap
from mfrec.training.params import ALSParams, given

# a sample of so many interactions, at most so many query users, and the cut-off of NDCG
INTERACTIONS, USERS, LENGTH = 80_000, 3_000, 20
# of more interactions than this the sample would be too small a part to stand for the rest, and nothing is held out
TOO_MANY = 5_000_000
# with half the factors of the fit, within these limits: with fewer, too weak a penalty looks best where there is
# much to fit
FEWEST, MOST = 64, 128
# a candidate takes the place of another where it is better by this part of the difference's standard error
CLEARLY = 0.5


def is_better(values: NDArray[np.float64], than: NDArray[np.float64]) -> bool:
    """Tell whether values of the same queries are higher on average, by a part of the difference's standard error."""
    gain = values - than
    return bool(gain.mean() > CLEARLY * gain.std() / np.sqrt(len(gain)))


def ndcg_of(task: Task, scorer: Scorer, length: int = LENGTH) -> NDArray[np.float64]:
    """Return the NDCG of every query's list of unseen items."""
    return ndcg(by_scores(task, scorer, ("unseen",), (length,))["unseen"].ranks, length)


def some_users(interactions: Interactions, seed: int) -> Interactions:
    """Return the interactions of as many users, drawn at random, as make a choice of bounded cost."""
    if len(interactions) <= INTERACTIONS:
        return interactions
    order = np.random.default_rng(seed).permutation(interactions.shape[0])
    enough = int(np.searchsorted(np.cumsum(interactions.degree.user[order]), INTERACTIONS)) + 1
    kept = np.zeros(interactions.shape[0], bool)
    kept[order[:enough]] = True
    part = interactions.take(kept[interactions.users])
    # the rest must not be ranked, and costs memory; ids do not matter here
    users, items = (np.flatnonzero(part.degree[side]) for side in SIDES)
    ids = Pair(IdMap.of("user", range(len(users))), IdMap.of("item", range(len(items))))
    return replace(part, matrix=part.matrix[users][:, items], ids=ids, labels=Pair(None, None), notes=())


def factors_for(params: ALSParams, sample: Interactions) -> int:
    """Return how many factors the fits of a choice have."""
    wanted: int = given(params, "factors")
    return min(wanted, int(np.clip(wanted // 2, FEWEST, MOST)), *sample.shape)
