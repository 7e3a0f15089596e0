"""Which of a user's items a score comes from.

With the item factors Y fixed, a user's vector is ``s A^-1 sum_j c_j y_j`` over the items j of the user, where
A is the matrix of `mfrec.model.fold_in` and s the user's scale. So the score of item i is the sum of
``s c_j (y_i . A^-1 y_j)``: one part per item of the user. Hu, Koren and Volinsky, "Collaborative Filtering for
Implicit Feedback Datasets" (2008), section 5.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Numbers
from mfrec.model import fold_in
from mfrec.model.factors import Factors


@dataclass(frozen=True)
class Parts:
    """What each item of a user adds to the score of one item.

    Parameters
    ----------
    numbers
        The user's items, the largest part first.
    contributions
        float64, one per item. Their sum is the score of the folded-in user, which is the model's own score
        up to what the fit's last iterations still moved.
    """

    numbers: Numbers
    contributions: NDArray[np.float64]


def parts(factors: Factors, history: Numbers, item: int, user: int | None = None) -> Parts:
    """Split the score of an item for the user who has a history.

    Parameters
    ----------
    factors
        Of a fitted model.
    history
        Distinct numbers of the user's items; may be empty.
    item
        Number of the item.
    user
        Number of the user, where the model knows it; else the history is as recent as can be.
    """
    rows = factors.solved("item", history)
    # a model keeps no weights, so each item counts 1
    confidence = fold_in.confidence(factors, "user", history)
    # the matrix is symmetric: one solution for the item serves every part
    weight = fold_in.solve(factors, "item", rows, confidence, factors.item[item].astype(np.float64))
    if user is None:
        scale = factors.weighting.scale("user", [len(history)], [len(history)])
    else:
        scale = factors.scale("user", np.array([user]))
    contributions = confidence * (rows @ weight) * scale
    order = np.lexsort((history, -contributions))
    return Parts(history[order], contributions[order])
