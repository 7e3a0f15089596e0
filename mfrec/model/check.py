"""`Check`: what a model's lists look like, and one verdict: whether it personalises at all."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Matrix
from mfrec.directions import Pair
from mfrec.model.adjacency import Adjacency
from mfrec.model.best import best_of
from mfrec.model.factors import Factors

# lists of so many users are looked at, drawn by this seed, and so long
USERS, LENGTH, SEED = 1_000, 10, 42
# collapsed: fewer different lists than this part of the users, or a rank below this; with fewer users nothing is said
FEW_LISTS, LEAST_RANK, ENOUGH_USERS = 0.05, 1.05, 10
# close to popularity: hardly better than a list of the most popular, or nearly the same list
LIFT, OVERLAP = 1.1, 0.8
REMEDY = "lower --regularization or run mfrec tune"
# scores of so many pairs at once
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Check:
    """What a model's lists look like.

    Parameters
    ----------
    verdict
        ``"good"``, ``"close to popularity: ..."`` or ``"collapsed: ..."``, with the reason and what to do.
    effective_rank
        The exponential of the entropy of the singular values of all scores: how many factors are in use (Roy and
        Vetterli, "The Effective Rank", 2007). At most ``factors``.
    factors
        Length of every vector.
    users
        How many users' lists were looked at.
    distinct_lists
        How many different lists of ten items they would get, with seen items.
    items_reached
        Share of all items that are in at least one of their lists of ten unseen items.
    overlap
        Share of those lists that is also among the ten most popular ones the user has not seen.
    lift
        NDCG@20 on held-out interactions divided by popularity's, from the fit; None where nothing was held out.
    notes
        What else to know, such as sides that are too small for a direction.
    """

    verdict: str
    effective_rank: float
    factors: int
    users: int
    distinct_lists: int
    items_reached: float
    overlap: float
    lift: float | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Check":
        """Restore from `to_json`."""
        return cls(**{**values, "notes": tuple(values["notes"])})

    def __str__(self) -> str:
        """Say the verdict first, then what it stands on."""
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Return what to print, the verdict first."""
        lists = "list" if self.distinct_lists == 1 else "lists"
        users = "user" if self.users == 1 else "users"
        lift = "not measured" if self.lift is None else f"{self.lift:.2f} times popularity (NDCG@20, held out)"
        return [
            f"check: {self.verdict}",
            f"  {self.distinct_lists:,} different {lists} for {self.users:,} {users}; {self.items_reached:.0%} of the "
            f"items are in at least one list; {self.overlap:.0%} of the entries are among the most popular",
            f"  effective rank {self.effective_rank:.1f} of {self.factors} factors; lift: {lift}",
            *(f"  note: {note}" for note in self.notes),
        ]


def check(factors: Factors, adjacency: Pair[Adjacency], lift: float | None = None) -> Check:
    """Look at the lists of a sample of users with interactions."""
    degree = np.diff(adjacency.item.starts)
    known = np.flatnonzero(np.diff(adjacency.user.starts) > 0)
    users = np.sort(np.random.default_rng(SEED).permutation(known)[:USERS])
    most_popular = degree.astype(np.float32)
    lists, shared, shown, reached = set(), 0, 0, np.zeros(len(degree), bool)
    rows = max(1, _BLOCK // max(1, len(degree)))
    for start in range(0, len(users), rows):
        block = users[start : start + rows]
        scores = factors.user[block] @ factors.item.T
        lists |= _lists(scores)
        popular = np.tile(most_popular, (len(block), 1))
        seen = adjacency.user.take(block)
        row = np.repeat(np.arange(len(block)), seen.degree)
        scores[row, seen.numbers] = popular[row, seen.numbers] = -np.inf
        own, most = _listed(scores), _listed(popular)
        reached |= own.any(axis=0)
        shared, shown = shared + int((own & most).sum()), shown + int(own.sum())
    rank = _effective_rank(factors.user[known], factors.item)
    overlap = shared / shown if shown else 0.0
    return Check(
        _verdict(len(users), len(lists), rank, overlap, lift, len(degree)),
        round(rank, 2),
        factors.size,
        len(users),
        len(lists),
        round(float(reached.mean()) if len(reached) else 0.0, 4),
        round(overlap, 4),
        None if lift is None else round(lift, 3),
        _notes(factors),
    )


def _lists(scores: Matrix) -> set[bytes]:
    """Return the different lists of the best ten, in order."""
    best = best_of(scores, LENGTH)
    columns = best.columns[best.place < LENGTH].reshape(len(scores), -1)
    return {row.tobytes() for row in columns}


def _listed(scores: Matrix) -> NDArray[np.bool_]:
    """Mark the best ten of every row; what scores -inf is never among them."""
    best = best_of(scores, LENGTH)
    first = best.place < LENGTH
    marked = np.zeros(scores.shape, bool)
    marked[best.rows[first], best.columns[first]] = True
    return marked


def _effective_rank(users: Matrix, items: Matrix) -> float:
    """Return the exponential of the entropy of the singular values of ``users @ items.T``."""
    user, item = users.astype(np.float64), items.astype(np.float64)
    values, axes = np.linalg.eigh(user.T @ user)
    root = axes * np.sqrt(np.maximum(values, 0))
    squares = np.linalg.eigvalsh(root.T @ (item.T @ item) @ root)
    singular = np.sqrt(np.maximum(squares, 0))
    shares = singular / max(float(singular.sum()), 1e-300)
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0


def _verdict(users: int, lists: int, rank: float, overlap: float, lift: float | None, items: int) -> str:
    if lift is not None and lift < LIFT:
        return (
            f"close to popularity: {lift:.2f} times a list of the most popular on held-out interactions; the data hold "
            "next to nothing to personalise by"
        )
    enough = users >= ENOUGH_USERS and items > LENGTH
    if enough and lists <= FEW_LISTS * users:
        different = f"{lists:,} different for {users:,} users"
        return f"collapsed: everybody gets the same list ({different}); {REMEDY}"
    if enough and rank < LEAST_RANK:
        return f"collapsed: one direction decides nearly all scores (effective rank {rank:.2f}); {REMEDY}"
    if overlap >= OVERLAP and items > 2 * LENGTH:
        return f"close to popularity: {overlap:.0%} of every list are the most popular items; run mfrec tune"
    return "good"


def _notes(factors: Factors) -> tuple[str, ...]:
    sides = {"user": ("user2user", len(factors.user)), "item": ("item2item", len(factors.item))}
    small = [f"too small for {name}: there is one {side}" for side, (name, n) in sides.items() if n < 2]
    short = [
        f"there are {n} {side}s: lists of ten are never full" for side, (_, n) in sides.items() if 2 <= n <= LENGTH
    ]
    return (*small, *short)
