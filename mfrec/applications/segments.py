"""`segments`: groups of alike users or items, by mini-batch k-means on the vectors that a side is compared by."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Matrix, Numbers, Scores, Values, unit_rows
from mfrec.directions import Pair, Side
from mfrec.errors import ParameterError, check_integer
from mfrec.model.recommender import Recommender, check_side
from mfrec.model.segmentation import DESCRIBING, NONE, Segmentation

# numbers of segments that are tried where none is asked for, and the most that may be
TRIED, MOST = (4, 6, 8, 12, 16, 24, 32, 48), 1_000
# rows that centres are found from, and rows that silhouettes are measured on; both are drawn by the seed
FITTED, MEASURED = 200_000, 2_000
# the power of its interactions that each row counts with: every user the same; but most items are taken by hardly
# anybody, their vectors are mostly noise, and they would have most of the segments
WEIGHED = Pair(user=0.0, item=1.0)
# a lift counts as if so many more users had shown a lift of 1
SMOOTHING = 20.0
# what describes a segment was taken by so many of its users, at least, and by this share of them
LEAST_USERS, LEAST_SHARE = 2, 0.02
# values of a block of cosines: 32 MiB
_BLOCK = 4 * 2**20

Labels = NDArray[np.int32]


def segments(model: Recommender, side: Side, n: int | None = None, seed: int = 0) -> Segmentation:
    """Put one side of a model into segments.

    The centres are found by scikit-learn's mini-batch k-means on the unit vectors that item2item, or user2user,
    compares; an item weighs as much as it has interactions, a user as much as any other. The centres are moved to
    length 1, and everybody belongs to the centre with the highest cosine. What has a vector without interactions (cold
    start) belongs to a segment like all others, but has no say in where the centres are; what has no vector is in no
    segment.

    What describes a segment is what sets it apart, not what is popular. The lift of an item for a user segment is its
    part of all that the segment's users take, divided by its part of all that anybody takes. The lift of an item in
    its own segment is the segment's part of what else the item's users take, divided by the segment's part of all that
    anybody takes. Both are drawn towards 1 where few users say so (`SMOOTHING`), and items that fewer than
    `LEAST_USERS` took, or than `LEAST_SHARE` of a user segment, are left out.

    Parameters
    ----------
    model
        A fitted model.
    side
        ``"item"`` or ``"user"``.
    n
        How many segments; where not given, that of `TRIED` with the best mean silhouette on a sample.
    seed
        Of all that is random; the same seed gives the same segments. Stability compares with ``seed + 1``.

    Raises
    ------
    ParameterError
        For an unknown side, an n below 2, above `MOST` or above the number of rows with interactions, or a seed that
        is no integer from 0 on.
    """
    check_side(side)
    check_integer("seed", seed, 0, 2**31 - 2)
    vectors = unit_rows(model.factors.same_side[side])
    with_vector = vectors.any(axis=1)
    rows = np.flatnonzero(with_vector & (model.adjacency[side].degree > 0))
    choices = _choices(n, len(rows), side)
    rng = np.random.default_rng(seed)
    weights = model.adjacency[side].degree.astype(np.float64) ** WEIGHED[side]
    fitted = _Rows.of(vectors, weights, _drawn(rows, FITTED, rng))
    centres, silhouettes = _best(fitted, choices, seed, rng)
    everybody = np.flatnonzero(with_vector)
    labels, cosines = _nearest(vectors, centres, everybody)
    _fill(vectors, centres, everybody, labels, cosines)
    another, _ = _nearest(vectors, _centres(fitted, len(centres), seed + 1), everybody)
    segment = np.full(len(vectors), NONE, np.int32)
    distance = np.ones(len(vectors), np.float32)
    place = _by_size(labels, len(centres))
    segment[everybody] = place[labels]
    distance[everybody] = np.clip(np.float32(1) - cosines, 0, 2)
    described, lifts = _describe(model, side, segment, len(centres))
    return Segmentation(
        side,
        model.ids,
        model.labels,
        segment,
        distance,
        np.ascontiguousarray(centres[np.argsort(place)]),
        described,
        lifts,
        _agreement(labels, another),
        seed,
        silhouettes,
    )


def _choices(n: int | None, rows: int, side: Side) -> tuple[int, ...]:
    """Return the numbers of segments to try."""
    if rows < 2:
        raise ParameterError(f"segments need 2 {side}s with interactions or more, the model has {rows}")
    if n is None:
        # a silhouette needs segments of two rows, on average
        return tuple(count for count in TRIED if 2 * count <= min(rows, MEASURED)) or (2,)
    most = min(rows, MOST)
    if check_integer("n", n, 2) > most:
        raise ParameterError(
            f"n must be an integer from 2 to {most}, got {n}: the model has {rows} {side}s with interactions, "
            f"and {MOST} segments are the most"
        )
    return (int(n),)


class _Rows(NamedTuple):
    """Unit vectors, and how much each counts."""

    vectors: Matrix
    weights: Values

    @classmethod
    def of(cls, vectors: Matrix, weights: Values, rows: Numbers) -> "_Rows":
        return cls(vectors[rows], weights[rows])


def _drawn(rows: Numbers, most: int, rng: np.random.Generator) -> Numbers:
    return rows if len(rows) <= most else np.sort(rng.permutation(rows)[:most])


def _centres(rows: _Rows, n: int, seed: int) -> Matrix:
    """Return unit centres."""
    from sklearn.cluster import MiniBatchKMeans

    means = MiniBatchKMeans(n, n_init=3, batch_size=2048, random_state=seed, compute_labels=False)
    means.fit(rows.vectors, sample_weight=rows.weights)
    return unit_rows(means.cluster_centers_.astype(np.float32))


def _best(
    rows: _Rows, choices: tuple[int, ...], seed: int, rng: np.random.Generator
) -> tuple[Matrix, dict[int, float]]:
    """Return the centres with the best silhouette, the fewest among equals, and all silhouettes."""
    found = {n: _centres(rows, n, seed) for n in choices}
    if len(choices) == 1:
        return found[choices[0]], {}
    sample = _Rows.of(rows.vectors, rows.weights, _drawn(np.arange(len(rows.vectors)), MEASURED, rng))
    silhouettes = {n: _silhouette(sample, centres) for n, centres in found.items()}
    return found[max(choices, key=lambda n: silhouettes[n])], silhouettes


def _silhouette(sample: _Rows, centres: Matrix) -> float:
    from sklearn.metrics import silhouette_samples

    labels, _ = _nearest(sample.vectors, centres, np.arange(len(sample.vectors)))
    # where all rows are in one segment, or each is in its own, there is nothing to compare
    if not 2 <= len(np.unique(labels)) < len(labels):
        return -1.0
    each = silhouette_samples(sample.vectors, labels, metric="cosine")
    return round(float(np.average(each, weights=sample.weights)), 4)


def _nearest(vectors: Matrix, centres: Matrix, rows: Numbers) -> tuple[Labels, Scores]:
    """Return the nearest centre of some rows, and the cosine with it."""
    labels, cosines = np.zeros(len(rows), np.int32), np.zeros(len(rows), np.float32)
    step = max(1, _BLOCK // len(centres))
    for start in range(0, len(rows), step):
        block = vectors[rows[start : start + step]] @ centres.T
        best = block.argmax(axis=1)
        labels[start : start + step] = best
        cosines[start : start + step] = block[np.arange(len(block)), best]
    return labels, cosines


def _fill(vectors: Matrix, centres: Matrix, rows: Numbers, labels: Labels, cosines: Scores) -> None:
    """Give every empty segment the row that is farthest from its centre, of those that are not alone in theirs."""
    sizes = np.bincount(labels, minlength=len(centres))
    for empty in np.flatnonzero(sizes == 0).tolist():
        place = int(np.argmin(np.where(sizes[labels] > 1, cosines, np.inf)))
        sizes[labels[place]] -= 1
        sizes[empty] = 1
        labels[place], cosines[place], centres[empty] = empty, 1, vectors[rows[place]]


def _by_size(labels: Labels, n: int) -> Labels:
    """Return the new number of each segment: the largest first, then that of the lowest row."""
    first = np.full(n, len(labels))
    np.minimum.at(first, labels, np.arange(len(labels)))
    place = np.empty(n, np.int32)
    place[np.lexsort((first, -np.bincount(labels, minlength=n)))] = np.arange(n)
    return place


def _agreement(labels: Labels, another: Labels) -> float:
    from sklearn.metrics import adjusted_rand_score

    return round(float(adjusted_rand_score(labels, another)), 4)


def _describe(model: Recommender, side: Side, segment: Labels, n: int) -> tuple[Numbers, Scores]:
    """Return, per segment, the numbers of the items with the highest lift, and the lifts."""
    described, lifts = np.full((n, DESCRIBING), NONE, np.int64), np.zeros((n, DESCRIBING), np.float32)
    order = np.argsort(segment, kind="stable")
    bounds = np.searchsorted(segment[order], np.arange(n + 1))
    for number in range(n):
        members = order[bounds[number] : bounds[number + 1]]
        items, lift = _of_users(model, members) if side == "user" else _of_items(model, members)
        best = np.lexsort((items, -lift))[:DESCRIBING]
        described[number, : len(best)], lifts[number, : len(best)] = items[best], lift[best]
    return described, lifts


def _of_users(model: Recommender, members: Numbers) -> tuple[Numbers, Values]:
    """Return the items that these users take more often than others do, with their lifts."""
    degree = model.adjacency.item.degree
    taken = np.bincount(model.adjacency.user.take(members).numbers, minlength=len(degree))
    expected = taken.sum() * degree / max(1, degree.sum())
    lift = (taken + SMOOTHING) / (expected + SMOOTHING)
    items = np.flatnonzero((taken >= max(LEAST_USERS, LEAST_SHARE * len(members))) & (lift > 1))
    return items, lift[items]


def _of_items(model: Recommender, members: Numbers) -> tuple[Numbers, Values]:
    """Return those of these items whose users take more of the others than all users do, with their lifts."""
    activity = model.adjacency.user.degree
    links = model.adjacency.item.take(members)
    per_user = np.bincount(links.numbers, minlength=len(activity))
    item = np.repeat(np.arange(len(members)), links.degree)
    # the item itself does not count
    together = np.bincount(item, per_user[links.numbers] - 1, minlength=len(members))
    others = np.bincount(item, activity[links.numbers] - 1, minlength=len(members))
    expected = others * len(links.numbers) / max(1, activity.sum())
    ratio = together / np.where(expected > 0, expected, 1)
    lift = (links.degree * ratio + SMOOTHING) / (links.degree + SMOOTHING)
    known = (links.degree >= LEAST_USERS) & (lift > 1)
    return members[known], lift[known]
