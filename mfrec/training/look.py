"""A held-out look: a few candidates, fitted on a part of the training data and judged by the rest."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mfrec.data.interactions import Interactions
from mfrec.directions import Pair, Side
from mfrec.evaluation.baselines import constant, dot
from mfrec.evaluation.ranking import Task
from mfrec.evaluation.tasks import TASKS, match_parts
from mfrec.model.check import LIFT
from mfrec.model.factors import Factors
from mfrec.training.als import solve
from mfrec.training.held_out import USERS, factors_for, is_better, ndcg_of, some_users
from mfrec.training.params import ALSParams

# the penalty is tried stepwise within limits, with other exponents, and with scales, which need no fit of their own
STEP, LOWEST, HIGHEST = 1.4, 1.0, 8.0
OTHER_EXPONENTS = ((0.3, 0.4), (0.5, 0.5))
SCALES = (0.0, 0.2, 1.0)
# of users, for item2user alone: no other direction compares users by the lengths of their vectors
USER_SCALES = (0.0, 0.2, 0.4, -0.2)
# of small data several tenths are held out in turn, so that there is enough to judge by
TENTHS, MOST_PARTS, ENOUGH = 10, 5, 2_000


@dataclass(frozen=True)
class Candidate:
    """A point that a look tries: a multiple of the edge of the noise, exponents per side, and an item scale."""

    multiple: float
    exponents: tuple[float, float]
    scale: float

    def params(self, base: ALSParams, edge: float) -> ALSParams:
        """Return the base with the values of this point."""
        user, item = self.exponents
        penalty = self.multiple * edge
        return replace(base, regularization=penalty, user_exponent=user, item_exponent=item, item_scale=self.scale)


@dataclass(frozen=True)
class Found:
    """What a look found: the best candidate and user scale, how many were tried on how many held-out interactions.

    The lift is the best candidate's NDCG divided by that of a list of the most popular.
    """

    best: Candidate
    user_scale: float
    tried: int
    events: int
    lift: float


@dataclass(frozen=True, eq=False)
class _Part:
    train: Interactions
    edge: float
    tasks: Mapping[str, Task]
    degree: Pair[NDArray[np.float64]]


class Look:
    """Candidates judged by held-out parts of some interactions.

    Parameters
    ----------
    interactions
        Training data.
    base
        What is not searched, and how many factors the fit will have.
    edge
        The edge of the noise of some interactions.

    Raises
    ------
    DataError
        When nothing can be held out, or nothing of it can be judged.
    """

    def __init__(self, interactions: Interactions, base: ALSParams, edge: Callable[[Interactions], float]) -> None:
        sample = some_users(interactions, base.seed)
        parts = int(np.clip(-(-ENOUGH * TENTHS // len(sample)), 1, MOST_PARTS))
        self.base = replace(base, factors=factors_for(base, sample), user_scale=0.0)
        self.parts = []
        order = np.random.default_rng(base.seed).permutation(len(sample))
        for held_out in np.array_split(order, TENTHS)[:parts]:
            trained = np.ones(len(sample), bool)
            trained[held_out] = False
            train, test = sample.take(trained), sample.take(~trained)
            events = match_parts(train, test, max_queries=USERS // parts, seed=base.seed, warm=True)
            tasks = {name: TASKS[name](events) for name in ("user2item", "item2user")}
            relative = Pair(_relative(train, "user"), _relative(train, "item"))
            self.parts.append(_Part(train, edge(train), tasks, relative))
        self.solved: dict[Candidate, list[Factors]] = {}
        self.seen: dict[Candidate, NDArray[np.float64]] = {}

    def run(self, start: Candidate, exponents: bool, scale: bool, user_scales: Sequence[float]) -> Found:
        """Walk from a candidate to better ones.

        Parameters
        ----------
        exponents, scale
            Whether these are to be chosen, too.
        user_scales
            To choose from; the first is kept where no other is better.
        """
        scales = SCALES if scale else (start.scale,)
        best = self._walk(self._best([replace(start, scale=s) for s in scales], start), scales)
        if exponents:
            # the multiple that is right for some exponents is right for others
            best = self._best([replace(best, exponents=e, scale=s) for e in OTHER_EXPONENTS for s in scales], best)
        popular = np.concatenate(
            [ndcg_of(part.tasks["user2item"], constant(part.degree.item.astype(np.float32))) for part in self.parts]
        )
        popularity = max(float(popular.mean()), 1e-12)
        if self._judged(best).mean() < LIFT * popularity and scale:
            # there is next to nothing to personalise by: what is nearest to popularity errs least
            nearest = Candidate(HIGHEST, best.exponents, SCALES[-1])
            best = best if is_better(self._judged(best), self._judged(nearest)) else nearest
        lift = float(self._judged(best).mean()) / popularity
        events = sum(len(part.tasks["user2item"].relevant.numbers) for part in self.parts)
        return Found(best, self._user_scale(best, user_scales), len(self.seen), events, lift)

    def _user_scale(self, candidate: Candidate, scales: Sequence[float]) -> float:
        """Return the best scale for item2user: the longer a user's vector, the more items list that user."""
        if len(scales) == 1:
            return scales[0]
        found = {scale: [] for scale in scales}  # type: dict[float, list[NDArray[np.float64]]]
        for part, factors in zip(self.parts, self._solved(candidate), strict=True):
            for scale in scales:
                users = (factors.user * (part.degree.user**scale)[:, None]).astype(np.float32)
                found[scale].append(ndcg_of(part.tasks["item2user"], dot(replace(factors, user=users), "item", "user")))
        best, *others = scales
        for scale in others:
            if is_better(np.concatenate(found[scale]), np.concatenate(found[best])):
                best = scale
        return best

    def _walk(self, best: Candidate, scales: Sequence[float]) -> Candidate:
        """Raise the penalty as long as that is better; where it is not at once, lower it."""
        for step in (STEP, 1 / STEP):
            begun = best
            while LOWEST <= best.multiple * step <= HIGHEST:
                further = replace(best, multiple=best.multiple * step)
                found = self._best([replace(further, scale=s) for s in scales], best)
                if found == best:
                    break
                best = found
            if best != begun:
                break
        return best

    def _best(self, candidates: Iterable[Candidate], best: Candidate) -> Candidate:
        for candidate in candidates:
            if is_better(self._judged(candidate), self._judged(best)):
                best = candidate
        return best

    def _judged(self, candidate: Candidate) -> NDArray[np.float64]:
        """Return the NDCG of every user of every part."""
        if candidate not in self.seen:
            found = []
            for part, factors in zip(self.parts, self._solved(candidate), strict=True):
                items = (factors.item * (part.degree.item**candidate.scale)[:, None]).astype(np.float32)
                found.append(ndcg_of(part.tasks["user2item"], dot(replace(factors, item=items), "user", "item")))
            self.seen[candidate] = np.concatenate(found)
        return self.seen[candidate]

    def _solved(self, candidate: Candidate) -> list[Factors]:
        """Return what a candidate's fit on each part gives, before scaling; one serves all scales."""
        plain = replace(candidate, scale=0.0)
        if plain not in self.solved:
            self.solved[plain] = [solve(part.train, plain.params(self.base, part.edge)) for part in self.parts]
        return self.solved[plain]


def _relative(interactions: Interactions, side: Side) -> NDArray[np.float64]:
    """Return each user's (item's) number of interactions, at least 1, divided by their mean."""
    counts = np.maximum(interactions.degree[side].astype(np.float64), 1)
    relative: NDArray[np.float64] = counts / counts.mean()
    return relative
