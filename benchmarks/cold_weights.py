"""Choose how much a user's row weighs when vectors are learnt from attributes: degree to which power.

Usage: python -m benchmarks.cold_weights

On MovieLens 100K without the users that `mfrec evaluate ml-100k --cold user` holds out: those who are left are
cross-validated, five folds three times, with a fit of the factors for each. Prints recall@10 and recall@100 of the
lists of the users in the held-out fold, and how far each is behind the best with one standard error over the users.
"""

import numpy as np
from numpy.typing import NDArray

import mfrec
from mfrec.coldstart.catalogue import Catalogue
from mfrec.coldstart.content import fit_content

EXPONENTS = (0.0, -0.25, -0.5, -0.75, -1.0, -1.25)
FOLDS, TIMES = 5, 3
SEED, FRACTION = 42, 0.2
KS = (10, 100)

Recalls = dict[tuple[float, int], NDArray[np.float64]]


def recall(scores: NDArray[np.float32], taken: NDArray[np.int64], k: int) -> float:
    """Return the share of what a user took that is among the k best."""
    return float(np.isin(taken, np.argpartition(-scores, k)[:k]).mean())


def of_fold(
    likes: mfrec.Interactions, catalogue: Catalogue, kept: NDArray[np.int64], held: NDArray[np.int64]
) -> Recalls:
    """Learn from the users who are kept, and return the recall of each user who is held out."""
    train = likes.take(np.isin(likes.users, kept))
    factors, rows = mfrec.fit_als(train), catalogue.rows("user", likes.ids.user)
    degree = train.degree.user[kept].astype(float)
    found = {}
    for exponent in EXPONENTS:
        content = fit_content(factors.user[kept], rows.iloc[kept], **catalogue.roles, weights=degree**exponent)
        scores = content.vectors(rows.iloc[held]) @ factors.item.T
        for k in KS:
            per_user = [recall(s, likes.matrix[u].indices, k) for s, u in zip(scores, held.tolist(), strict=True)]
            found[exponent, k] = np.array(per_user)
    return found


def main() -> None:
    """Print one line per exponent."""
    likes, catalogue = mfrec.load_movielens("ml-100k"), Catalogue.movielens("ml-100k", "user")
    count = likes.shape[0]
    known = np.sort(np.random.default_rng(SEED).permutation(count)[round(FRACTION * count) :])
    total: Recalls = {(e, k): np.zeros(count) for e in EXPONENTS for k in KS}
    for time in range(TIMES):
        fold = np.random.default_rng(time).permutation(len(known)) % FOLDS
        for number in range(FOLDS):
            held = known[fold == number]
            for key, recalls in of_fold(likes, catalogue, known[fold != number], held).items():
                total[key][held] += recalls / TIMES
    for k in KS:
        means = {e: total[e, k][known].mean() for e in EXPONENTS}
        best = max(means, key=lambda e: means[e])
        for exponent in EXPONENTS:
            behind = (total[best, k] - total[exponent, k])[known]
            error = behind.std(ddof=1) / np.sqrt(len(known))
            print(
                f"recall@{k} at degree ** {exponent:5}: {means[exponent]:.4f}, behind {behind.mean():.4f} ± {error:.4f}"
            )


if __name__ == "__main__":
    main()
