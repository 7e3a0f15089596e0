"""`Recommender`: the four directions over one pair of factor matrices."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import cleandoc
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mfrec.arrays import NOTHING, Numbers, Scores, Similarity, Vector
from mfrec.directions import DIRECTIONS, SIDES, Direction, Pair, Side, find_direction, other
from mfrec.errors import DataError, ParameterError, check_integer, check_number
from mfrec.index import Hits, Index
from mfrec.model import fold_in as closed_form
from mfrec.model import html
from mfrec.model.adjacency import Adjacency
from mfrec.model.allocation import Allocation, Stock
from mfrec.model.check import Check
from mfrec.model.diversify import check_diversity, diversified, pool_size
from mfrec.model.factors import Factors
from mfrec.model.ids import Id, IdMap
from mfrec.model.map2d import Points, coordinates
from mfrec.model.rankings import Ranking, Rankings
from mfrec.model.segmentation import Segmentation
from mfrec.model.string_array import StringArray

# scores are float32
_HIGHEST = float(np.finfo(np.float32).max)


def _method(name: str) -> Callable[..., Ranking]:
    def ask(
        self: "Recommender",
        key: Id,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] | None = None,
        min_score: float | None = None,
        diversity: float = 0.0,
    ) -> Ranking:
        options: dict[str, Any] = {"exclude_seen": exclude_seen, "allow": allow, "deny": deny}
        options |= {"min_score": min_score, "diversity": diversity}
        return self.recommend(name, [key], k, **options)[0]

    ask.__name__ = name
    ask.__qualname__ = f"Recommender.{name}"
    return ask


@dataclass(frozen=True, eq=False)
class Recommender:
    """A fitted model that answers all four directions.

    It never changes, so that threads may ask it side by side, and copies share its indexes. A pickle holds the vectors
    and grows the indexes again where it is read: between processes `save` and `mfrec.load` are quicker.

    Parameters
    ----------
    factors, ids, labels
        The vectors, external ids and texts of both sides, all by number.
    adjacency
        What each user and each item has interacted with.
    indexes
        One index per (target side, similarity).
    info
        JSON values that tell where the model comes from: parameters and library versions.
    given_map
        What `map` returns, where it was saved with the model.
    check
        What the lists look like, with a verdict; None in a folder from before there was one.
    saved_segments
        The segments of each side that `save` keeps with the model, and `mfrec.load` finds again; None where there are
        none. `with_segments` puts them there.
    """

    factors: Factors
    ids: Pair[IdMap]
    adjacency: Pair[Adjacency]
    indexes: Mapping[tuple[Side, Similarity], Index]
    labels: Pair[StringArray | None] = field(default_factory=lambda: Pair(None, None))
    info: Mapping[str, Any] = field(default_factory=dict)
    given_map: Pair[Points] | None = None
    check: Check | None = None
    saved_segments: Pair[Segmentation | None] = field(default_factory=lambda: Pair(None, None))

    user2item = _method("user2item")
    item2item = _method("item2item")
    user2user = _method("user2user")
    item2user = _method("item2user")

    def __repr__(self) -> str:
        """Say how large the model is and which indexes it has."""
        return f"Recommender({len(self.ids.user)} users x {len(self.ids.item)} items x {self.factors.size} factors)"

    def _repr_html_(self) -> str:
        """Return a small table of the indexes for notebooks, with the check's verdict."""
        rows = [(" ".join(key), index.backend, _recalls(index)) for key, index in self.indexes.items()]
        notes = () if self.check is None else self.check.lines()
        return html.block(repr(self), html.table(("index", "backend", "recall"), rows), notes=notes)

    @cached_property
    def map(self) -> Pair[Points]:
        """The place of every user and item on the explorer's map; see `mfrec.model.map2d.coordinates`."""
        return self.given_map or coordinates(self.factors)

    def recommend(
        self,
        direction: str,
        ids: Iterable[Id],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] | None = None,
        min_score: float | None = None,
        diversity: float = 0.0,
    ) -> list[Ranking]:
        """Return one ranking per id.

        Parameters
        ----------
        direction
            A key of `mfrec.DIRECTIONS`.
        ids
            External ids of the query side.
        k
            How many to return; fewer come back only where fewer are eligible, or reach ``min_score``.
        exclude_seen
            Across sides: exclude what the query has interacted with. On the same side it has no meaning;
            the query itself never appears.
        allow, deny
            External ids of the target side: return only these, never these. Ids that the model does not know
            are passed over, since such lists are often newer than the model.
        min_score
            Return only what scores at least this: on the same side a cosine, from -1 to 1; across sides an inner
            product, whose unit is the model's own.
        diversity
            From 0 to 1: how much to avoid results that are like each other, at the cost of score. The list is then in
            the order of choice, not of scores; see `mfrec.model.diversify.diversified`.

        Raises
        ------
        UnknownIdError
            For an id that the model has never seen, or of the wrong type.
        ParameterError
            For an unknown direction, a k that is not an integer above 0, a ``min_score`` that is not finite, or a
            ``diversity`` outside of 0 to 1, or with a k above 1,000.
        """
        spec = find_direction(direction)
        numbers = self.ids[spec.query].numbers(ids)
        check_min_score(min_score)
        allowed, denied = self._lists(spec.target, k, allow, deny)
        diversity = check_diversity(diversity, k)
        matrix, adjacency = self.factors.vectors(spec.query, spec.similarity), self.adjacency[spec.query]
        rankings = []
        for number in numbers.tolist():
            own = _own(spec, number, adjacency, exclude_seen)
            excluded = _union(own, denied)
            rankings.append(self._answer(spec, matrix[number], k, allowed, excluded, min_score, diversity))
        return rankings

    def popular(
        self, side: Side, k: int = 10, *, allow: Iterable[Id] | None = None, deny: Iterable[Id] | None = None
    ) -> Ranking:
        """Return the most popular items, or the most active users: for whoever has no history.

        The score is the recent degree, the number of interactions in training, each of which counts half for every
        half-life (``info["als"]["recency_half_life"]``, days) of its age; without times, all count 1.

        Parameters
        ----------
        side
            ``"item"`` or ``"user"``: what to return.
        k
            How many to return; fewer come back only where fewer are eligible. What has no interactions is not.
        allow, deny
            As in `recommend`.

        Raises
        ------
        ParameterError
            For an unknown side, or a k that is not an integer above 0.
        """
        check_side(side)
        allowed, denied = self._lists(side, k, allow, deny)
        numbers, scores = self._popularity[side]
        eligible = np.ones(len(numbers), bool) if allowed is None else np.isin(numbers, allowed)
        first = np.flatnonzero(eligible & ~np.isin(numbers, denied))[:k]
        return self._ranking(side, Hits(numbers[first], scores[first], exact=True))

    @cached_property
    def _popularity(self) -> Pair[tuple[Numbers, Scores]]:
        """What has interactions, the most popular of late first (then of all times, then by number), and its scores."""

        def ordered(side: Side) -> tuple[Numbers, Scores]:
            degree, recent = self.adjacency[side].degree, self.factors.recent
            scores = (degree if recent is None else recent[side]).astype(np.float32)
            order = np.lexsort((-degree, -scores))
            order = order[degree[order] > 0]
            return order, scores[order]

        return Pair.of(ordered)

    def recommend_vectors(
        self,
        direction: str,
        vectors: ArrayLike,
        k: int = 10,
        *,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] | None = None,
        min_score: float | None = None,
        diversity: float = 0.0,
    ) -> list[Ranking]:
        """Return one ranking per vector, such as `fold_in` returns; a single vector gives a list of one.

        Raises
        ------
        DataError
            When a vector has the wrong size or is not finite.
        """
        spec = find_direction(direction)
        try:
            queries = np.atleast_2d(np.asarray(vectors, np.float32))
        except (TypeError, ValueError):
            raise DataError("vectors must be numbers, in rows of the same length") from None
        if queries.ndim != 2 or queries.shape[1] != self.factors.size:
            raise DataError(f"vectors have shape {np.shape(vectors)}: the model's have {self.factors.size} factors")
        if not np.isfinite(queries).all():
            raise DataError("vectors must be finite, got NaN or infinity")
        check_min_score(min_score)
        allowed, denied = self._lists(spec.target, k, allow, deny)
        diversity = check_diversity(diversity, k)
        queries = self.factors.mapped(spec.query, spec.similarity, queries)
        return [self._answer(spec, query, k, allowed, denied, min_score, diversity) for query in queries]

    def fold_in(
        self, side: Side, ids: Iterable[Id], weights: ArrayLike | None = None, decay: ArrayLike | None = None
    ) -> Vector:
        """Return the vector of a new user from item ids, or of a new item from user ids.

        Parameters
        ----------
        side
            ``"user"`` or ``"item"``: what the new vector stands for.
        ids
            External ids of the *other* side; a repeated id counts once, or with the sum of its weights.
        weights
            One weight above zero per id, in the unit the model was fitted on; 1 each where not given.
        decay
            One factor above zero per id, which its confidence is multiplied by: less than 1 for what matters
            less at the moment of the query, such as ``0.5 ** (age / half_life)``. Of a repeated id, the largest.

        Returns
        -------
        Vector
            float32 of shape ``(factors,)``.
        """
        check_side(side)
        numbers = self.ids[other(side)].numbers(ids)
        distinct, place = np.unique(numbers, return_inverse=True)
        if weights is not None:
            given = closed_form.check_weights(numbers, weights)
            weights = np.bincount(place, given, minlength=len(distinct))
        if decay is not None:
            factor = np.zeros(len(distinct))
            np.maximum.at(factor, place, closed_form.check_weights(numbers, decay, "decay"))
            decay = factor
        return closed_form.fold_in(self.factors, side, distinct, weights, decay)

    def recommend_all(
        self,
        direction: str,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        min_score: float | None = None,
        progress: bool = False,
    ) -> Iterator[Rankings]:
        """Answer one direction for every id, exactly, block after block; see `mfrec.model.batch.recommend_all`."""
        from mfrec.model.batch import recommend_all

        return recommend_all(self, direction, k, exclude_seen=exclude_seen, min_score=min_score, progress=progress)

    def segments(self, side: Side, n: int | None = None, seed: int = 0) -> Segmentation:
        """Put one side into segments; see `mfrec.applications.segments.segments`."""
        from mfrec.applications.segments import segments

        return segments(self, side, n, seed)

    def with_segments(self, found: Segmentation) -> "Recommender":
        """Return the model with segments of one side to keep, in the place of earlier ones.

        Raises
        ------
        DataError
            When they are those of another model, or of another fit.
        """
        if not isinstance(found, Segmentation):
            raise DataError(f"segments must be what model.segments() returns, got {type(found).__name__}")
        if not found.belongs_to(self.ids[found.side], self.factors.same_side[found.side]):
            raise DataError(
                f"these {found.side} segments are not of this model: find them again with its own segments()"
            )
        kept = Pair.of(lambda side: found if side == found.side else self.saved_segments[side])
        return replace(self, saved_segments=kept)

    def lookalikes(
        self,
        side: Side,
        seeds: Iterable[Id],
        k: int = 10,
        *,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] | None = None,
    ) -> Ranking:
        """Return the users (or items) most like a group of seeds, which are never among them.

        Parameters
        ----------
        side
            ``"user"`` or ``"item"``: what the seeds are, and what to return.
        seeds
            External ids; a repeated one counts once. Those that the model does not know are left out, with a warning.
        k
            How many to return; it may be more than there are.
        allow, deny
            As in `recommend`; ``allow`` for the likest of some, such as influencers.

        Returns
        -------
        Ranking
            The score is the logarithm of how much likelier each is among the seeds than among everybody, as far as
            normal distributions go: above 0, it is more like the seeds. See `mfrec.applications.lookalikes`.

        Raises
        ------
        DataError
            Without seeds.
        UnknownIdError
            Where the model knows none of the seeds, or one is of the wrong type.
        ParameterError
            For an unknown side, or a k that is not an integer above 0.
        """
        from mfrec.applications.lookalikes import lookalikes

        return lookalikes(self, side, seeds, k, allow=allow, deny=deny)

    def allocate(
        self,
        stock: Stock,
        *,
        per_user: int = 1,
        users: Iterable[Id] | None = None,
        exclude_seen: bool = True,
        min_score: float | None = None,
        score: Literal["dot", "lift"] = "dot",
    ) -> Allocation:
        """Offer items of limited stock to users; see `mfrec.applications.allocation.allocate`."""
        from mfrec.applications.allocation import allocate

        return allocate(
            self,
            stock,
            per_user=per_user,
            users=users,
            exclude_seen=exclude_seen,
            min_score=min_score,
            score=score,
        )

    def save(self, path: Any) -> None:
        """Write the model to a folder; see `mfrec.storage.folder.save`."""
        from mfrec.storage.folder import save

        save(self, path)

    def _lists(
        self, target: Side, k: int, allow: Iterable[Id] | None, deny: Iterable[Id] | None
    ) -> tuple[Numbers | None, Numbers]:
        check_integer("k", k, 1)
        ids = self.ids[target]
        allowed = None if allow is None else _known(ids, allow)
        return allowed, NOTHING if deny is None else _known(ids, deny)

    def _search(self, direction: Direction, query: Vector, k: int, allowed: Numbers | None, excluded: Numbers) -> Hits:
        index = self.indexes[direction.index]
        if allowed is None:
            return index.search(query, k, excluded)
        eligible = np.setdiff1d(allowed, excluded, assume_unique=True)
        return Hits(*index.candidates.best(query, eligible, k), exact=True)

    def _answer(
        self,
        direction: Direction,
        query: Vector,
        k: int,
        allowed: Numbers | None,
        excluded: Numbers,
        min_score: float | None,
        diversity: float,
    ) -> Ranking:
        hits = self._search(direction, query, pool_size(k, diversity), allowed, excluded)
        if min_score is not None:
            high = hits.scores >= min_score
            hits = Hits(hits.numbers[high], hits.scores[high], hits.exact)
        if diversity:
            hits = diversified(hits, self.factors.same_side[direction.target], k, diversity)
        return self._ranking(direction.target, hits)

    def _ranking(self, side: Side, hits: Hits) -> Ranking:
        return Ranking.of(self.ids[side], self.labels[side], hits.numbers, hits.scores, hits.exact)


def check_min_score(min_score: float | None) -> None:
    """Raise ParameterError for what is neither None nor a number that a score can be."""
    if min_score is not None:
        check_number("min_score", min_score, -_HIGHEST, _HIGHEST)


def check_side(side: str) -> None:
    """Raise ParameterError for what is neither user nor item."""
    if side not in SIDES:
        raise ParameterError(f"unknown side {side!r}: choose user or item")


def _explain(name: str) -> None:
    """Give the method of a direction a docstring, with what `recommend` says of the parameters they share."""
    direction, method = DIRECTIONS[name], getattr(Recommender, name)
    # without docstrings (python -OO) there is nothing to share
    _, parameter, shared = cleandoc(Recommender.recommend.__doc__ or "").partition("\nk\n")
    method.__doc__ = (
        f"Return the best {direction.target}s for one {direction.query}: {direction.question}?\n\n"
        "The answer is a `Ranking` of ids, scores and labels, best first and never padded.\n\n"
        f"Parameters\n----------\nkey\n    External id of the {direction.query}.{parameter}{shared}"
    )


for _name in DIRECTIONS:
    _explain(_name)


def _recalls(index: Index) -> str:
    return ", ".join(f"{share:.3f} @{k}" for k, share in index.measured.get("recall", {}).items())


def _own(direction: Direction, number: int, adjacency: Adjacency, exclude_seen: bool) -> Numbers:
    """Return what the query itself rules out: itself on its own side, its seen ones across."""
    if not direction.across:
        return np.array([number], np.int64)
    return adjacency.of(number) if exclude_seen else NOTHING


def _known(ids: IdMap, wanted: Iterable[Id]) -> Numbers:
    found = ids.find(wanted)
    return np.unique(found[found >= 0])


def _union(a: Numbers, b: Numbers) -> Numbers:
    return np.union1d(a, b) if len(a) and len(b) else a if len(a) else b
