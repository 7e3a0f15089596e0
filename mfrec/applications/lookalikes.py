"""Look-alikes: the users (or items) most like a group of seeds.

Everybody is described by the direction of their same-side vector and by the logarithm of their degree. The score is
that of a linear discriminant: the logarithm of how much likelier such a description is among the seeds than among
everybody, if both are normal with the covariance of everybody. So what counts is what sets the seeds apart, and
activity counts as far as the seeds are more, or less, active than most.

Where the seeds are not one group they get several centres, and the likelihoods are added. A further centre is taken
only where seeds that were held out are found better with it. `python -m benchmarks.accuracy.lookalikes` compares this
with simpler ways.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mfrec.arrays import ROUNDING, Candidates, Numbers, Scores, Values, near_top, unit_rows, without
from mfrec.directions import Side
from mfrec.errors import DataError, UnknownIdError
from mfrec.model.ids import Id, IdMap, as_list
from mfrec.model.rankings import Ranking
from mfrec.model.recommender import Recommender, check_side

log = logging.getLogger("mfrec")

# of the ridge, relative to the mean spread of a direction: the first always, the second over the seeds of a centre
RIDGE, RIDGE_PER_SEED = 2.0, 100.0
MOST_CENTRES = 4
# fewer seeds than so many times the folds are one group
FOLDS, SEEDS_PER_FOLD = 5, 4
# a further centre must leave less above held-out seeds, by this part and by so many standard errors
GAIN, SURE = 0.05, 2.0
# of everybody and of the seeds at most so many are looked at to describe them, and to choose the number of centres
DESCRIBED, COMPARED = 20_000, 2_000
_SEED, _ROUNDS, _ROWS, _NAMED = 0, 20, 1 << 15, 5


@dataclass(frozen=True, eq=False)
class Seeds:
    """What was given as seeds, sorted out.

    Parameters
    ----------
    numbers
        The distinct seeds that the model knows, ascending.
    given
        How many ids were given.
    repeated
        How many of them had been given before.
    unknown
        The distinct ids that the model does not know, in the order given.
    """

    numbers: Numbers
    given: int
    repeated: int
    unknown: list[Id]

    def notes(self, side: Side) -> list[str]:
        """Return a sentence on seeds that are unknown, and one on those that are repeated."""
        notes = []
        if self.unknown:
            notes.append(f"{_unknown(side, self.unknown, self.given - self.repeated)}: the others are the seeds")
        if self.repeated:
            notes.append(f"{self.repeated} of {self.given} seeds repeat others: each counts once")
        return notes


def find_seeds(ids: IdMap, seeds: Iterable[Id]) -> Seeds:
    """Look up seeds.

    Raises
    ------
    DataError
        Where there are none.
    UnknownIdError
        Where the model knows none of them, or one is of the wrong type.
    """
    given = as_list(seeds)
    return sorted_out(ids, given, ids.find(given))


def sorted_out(ids: IdMap, given: Sequence[Id], found: Numbers) -> Seeds:
    """Sort out seeds whose numbers were looked up, which are below 0 where one is unknown."""
    if not len(given):
        raise DataError("no seeds: give at least one id")
    unknown = list(dict.fromkeys(key for key, number in zip(given, found.tolist(), strict=True) if number < 0))
    numbers = np.unique(found[found >= 0])
    distinct = len(numbers) + len(unknown)
    if not len(numbers):
        raise UnknownIdError(f"{_unknown(ids.side, unknown, distinct)}: give at least one of its {len(ids)}")
    return Seeds(numbers, len(given), len(given) - distinct, unknown)


def lookalikes(
    model: Recommender,
    side: Side,
    seeds: Iterable[Id],
    k: int = 10,
    *,
    allow: Iterable[Id] | None = None,
    deny: Iterable[Id] | None = None,
) -> Ranking:
    """Return the users (items) most like a group of them; see `mfrec.Recommender.lookalikes`."""
    check_side(side)
    found = find_seeds(model.ids[side], seeds)
    for note in found.notes(side):
        log.warning(note)
    return most_like(model, side, found.numbers, k, allow=allow, deny=deny)


def most_like(
    model: Recommender,
    side: Side,
    seeds: Numbers,
    k: int,
    *,
    allow: Iterable[Id] | None = None,
    deny: Iterable[Id] | None = None,
) -> Ranking:
    """Return those most like some, which are given by distinct ascending numbers."""
    allowed, denied = model._lists(side, k, allow, deny)
    eligible = np.arange(len(model.ids[side])) if allowed is None else allowed
    eligible = without(without(eligible, seeds), denied)
    space = Space.of(model.indexes[side, "cosine"].candidates, model.factors.degree[side])
    group = Group.of(space, _some(seeds, DESCRIBED))
    if len(eligible) > k:
        eligible = eligible[near_top(group.fast_scores(space, eligible), k, group.margin(space))]
    scores = group.scores(space, eligible)
    order = np.lexsort((eligible, -scores))[:k]
    return Ranking.of(model.ids[side], model.labels[side], eligible[order], scores[order], exact=True)


@dataclass(frozen=True, eq=False)
class Space:
    """What describes everybody of one side, and how it is spread.

    A description has the unit vector, scaled to a spread of 1 in all, and the activity, of spread 1.

    Parameters
    ----------
    candidates
        The same-side vectors.
    scale
        What unit vectors are multiplied by.
    activity
        The logarithm of each degree, with mean 0 and spread 1; 0 without interactions, when it is not known.
    mean
        The mean description.
    spread, axes
        The eigenvalues and eigenvectors of the covariance.
    sample
        Numbers of everybody, or of some, whom this was computed from.
    """

    candidates: Candidates
    scale: float
    activity: Values
    mean: Values
    spread: Values
    axes: Values
    sample: Numbers

    @classmethod
    def of(cls, candidates: Candidates, degree: Numbers) -> "Space":
        """Describe one side of a model, of its same-side vectors and its degrees."""
        known = np.flatnonzero(degree)
        sample = _some(known if len(known) else np.arange(len(degree)), DESCRIBED)
        logs = np.log1p(degree.astype(np.float64))
        spread = float(logs[sample].std())
        activity = np.where(degree > 0, (logs - logs[sample].mean()) / (spread or 1.0), 0.0)
        unit = unit_rows(candidates.vectors[sample], candidates.norms[sample]).astype(np.float64)
        scale = 1 / (float(np.sqrt(unit.var(axis=0).sum())) or 1.0)
        rows = np.column_stack([unit * scale, activity[sample]])
        mean = rows.mean(axis=0)
        rows -= mean
        values, axes = np.linalg.eigh(rows.T @ rows / len(rows))
        return cls(candidates, scale, activity, mean, np.maximum(values, 0), axes, sample)

    def rows(self, numbers: Numbers) -> Values:
        """Return descriptions, with the mean taken off."""
        unit = unit_rows(self.candidates.vectors[numbers], self.candidates.norms[numbers]).astype(np.float64)
        rows: Values = np.column_stack([unit * self.scale, self.activity[numbers]]) - self.mean
        return rows


@dataclass(frozen=True, eq=False)
class Group:
    """Seeds, as one or several centres.

    Parameters
    ----------
    weights
        What descriptions are multiplied by, a row per centre.
    offsets
        What is added, one per centre.
    """

    weights: Values
    offsets: Values

    @classmethod
    def of(cls, space: Space, seeds: Numbers) -> "Group":
        """Describe seeds by as many centres as held-out seeds ask for."""
        return cls.with_centres(space, space.rows(seeds), _chosen(space, seeds))

    @classmethod
    def with_centres(cls, space: Space, rows: Values, count: int) -> "Group":
        """Describe seeds, given by their descriptions, by a number of centres."""
        # in these coordinates everybody is a round cloud, and the shorter for it where the seeds say little
        ridge = (RIDGE + RIDGE_PER_SEED * count / len(rows)) / len(space.spread)
        white = space.axes / np.sqrt(space.spread + ridge)
        centres, shares = _centres(rows @ white, count)
        return cls(centres @ white.T, np.log(shares) - np.square(centres).sum(axis=1) / 2)

    def of_rows(self, rows: Values) -> Values:
        """Return the score of each description."""
        return np.asarray(np.logaddexp.reduce(rows @ self.weights.T + self.offsets, axis=1), np.float64)

    def scores(self, space: Space, numbers: Numbers) -> Scores:
        """Score by number, in float64, and round: the same on every machine."""
        blocks = range(0, len(numbers), _ROWS)
        scores = [self.of_rows(space.rows(numbers[start : start + _ROWS])) for start in blocks]
        return (np.concatenate([np.zeros(0), *scores]) + 0.0).astype(np.float32)

    def fast_scores(self, space: Space, numbers: Numbers) -> Scores:
        """Score by number in float32: quick, but off by rounding."""
        few = numbers if 2 * len(numbers) < len(space.activity) else None
        parts = []
        for weights, offset in zip(self.weights, self.offsets - self.weights @ space.mean, strict=True):
            along = weights[:-1].astype(np.float32)
            cosines = space.candidates.fast_scores(along, few)
            cosines = cosines if few is not None else cosines[numbers]
            length = space.scale * float(np.linalg.norm(weights[:-1]))
            parts.append(length * cosines + weights[-1] * space.activity[numbers] + offset)
        return np.asarray(np.logaddexp.reduce(parts, axis=0), np.float64).astype(np.float32)

    def margin(self, space: Space) -> float:
        """Return how far `fast_scores` can be off."""
        terms = space.scale * np.abs(self.weights).sum(axis=1) + np.abs(self.weights[:, -1]) * np.abs(
            space.activity
        ).max(initial=0)
        return ROUNDING * float((terms + np.abs(self.offsets - self.weights @ space.mean)).max())


def _chosen(space: Space, seeds: Numbers) -> int:
    """Return how many centres find held-out seeds best, among everybody else."""
    others = without(space.sample, seeds)
    if len(seeds) < FOLDS * SEEDS_PER_FOLD or not len(others):
        return 1
    crowd, rows = space.rows(_some(others, COMPARED)), space.rows(_some(seeds, COMPARED))
    fold = np.random.default_rng(_SEED).permutation(len(rows)) % FOLDS
    best = _missed(space, rows, fold, crowd, 1)
    for count in range(2, MOST_CENTRES + 1):
        further = _missed(space, rows, fold, crowd, count)
        gain = best - further
        if gain.mean() <= max(GAIN, SURE * gain.std() / np.sqrt(len(gain))):
            return count - 1
        best = further
    return MOST_CENTRES


def _missed(space: Space, rows: Values, fold: Numbers, crowd: Values, count: int) -> Values:
    """Return, per seed, the logarithm of the share of the others that score as high, when it is held out."""
    missed = np.zeros(len(rows))
    for held in range(FOLDS):
        group = Group.with_centres(space, rows[fold != held], count)
        ascending = np.sort(group.of_rows(crowd))
        below = np.searchsorted(ascending, group.of_rows(rows[fold == held]))
        missed[fold == held] = np.log((len(crowd) - below + 1) / len(crowd))
    return missed


def _centres(points: Values, count: int) -> tuple[Values, Values]:
    """Return at most so many centres by k-means, and the share of the points that belong to each.

    It starts from the mean, and splits the widest group along its longest axis until there are enough.
    """
    place = np.zeros(len(points), np.int64)
    centres = points.mean(axis=0, keepdims=True)
    while len(centres) < count:
        apart = np.square(points - centres[place]).sum(axis=1)
        widest = int(np.bincount(place, apart).argmax())
        own = points[place == widest] - centres[widest]
        axis = np.linalg.eigh(own.T @ own)[1][:, -1]
        side = own @ axis > 0
        if side.all() or not side.any():
            break
        halves = np.stack([own[side].mean(axis=0), own[~side].mean(axis=0)]) + centres[widest]
        centres = np.concatenate([np.delete(centres, widest, axis=0), halves])
        place, centres = _settled(points, centres)
    return centres, np.bincount(place, minlength=len(centres)) / len(points)


def _settled(points: Values, centres: Values) -> tuple[Numbers, Values]:
    """Return which centre each point is nearest to, and the centres, after some rounds of k-means; none is empty."""
    place = np.zeros(0, np.int64)
    for _ in range(_ROUNDS):
        nearest = (points @ centres.T - np.square(centres).sum(axis=1) / 2).argmax(axis=1)
        _, nearest = np.unique(nearest, return_inverse=True)
        if np.array_equal(nearest, place):
            break
        place = nearest
        centres = np.stack([points[place == n].mean(axis=0) for n in range(place.max() + 1)])
    return place, centres


def _some(numbers: Numbers, most: int) -> Numbers:
    """Return the numbers, ascending, or a seeded sample of so many."""
    if len(numbers) <= most:
        return numbers
    return np.sort(np.random.default_rng(_SEED).choice(numbers, most, replace=False))


def _unknown(side: Side, unknown: list[Id], distinct: int) -> str:
    names = ", ".join(map(repr, unknown[:_NAMED])) + (", ..." if len(unknown) > _NAMED else "")
    return f"{len(unknown)} of {distinct} seeds are no {side}s of the model ({names})"
