"""The four directions, as one table that everything else is derived from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from mfrec.arrays import Similarity
from mfrec.errors import ParameterError

Side = Literal["user", "item"]

SIDES: tuple[Side, Side] = ("user", "item")

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Pair(Generic[T]):
    """One value for the user side and one for the item side; ``pair[side]`` picks one."""

    user: T
    item: T

    def __getitem__(self, side: Side) -> T:
        """Return the value of one side."""
        return self.user if side == "user" else self.item

    def __iter__(self) -> Iterator[T]:
        """Yield the user's value, then the item's."""
        yield self.user
        yield self.item

    @classmethod
    def of(cls, make: Callable[[Side], T]) -> "Pair[T]":
        """Call ``make`` once per side."""
        return cls(make("user"), make("item"))


def other(side: Side) -> Side:
    """Return the opposite side."""
    return "item" if side == "user" else "user"


@dataclass(frozen=True)
class Direction:
    """Whom we ask for (``query``), whom we return (``target``), and how the two are compared."""

    name: str
    query: Side
    target: Side
    similarity: Similarity
    question: str

    @property
    def across(self) -> bool:
        """Whether query and target are of different sides, so that seen ones can be excluded."""
        return self.query != self.target

    @property
    def index(self) -> tuple[Side, Similarity]:
        """The index that answers this direction."""
        return self.target, self.similarity


DIRECTIONS: dict[str, Direction] = {
    d.name: d
    for d in (
        Direction("user2item", "user", "item", "dot", "what should this user see"),
        Direction("item2item", "item", "item", "cosine", "what is like this item"),
        Direction("user2user", "user", "user", "cosine", "who is like this user"),
        Direction("item2user", "item", "user", "dot", "who should see this item"),
    )
}

INDEX_KEYS: tuple[tuple[Side, Similarity], ...] = tuple(dict.fromkeys(d.index for d in DIRECTIONS.values()))


def find_direction(name: str) -> Direction:
    """Return the direction of that name; ParameterError lists the names when there is none."""
    try:
        return DIRECTIONS[name]
    except (KeyError, TypeError):
        raise ParameterError(f"unknown direction {name!r}: choose one of {', '.join(DIRECTIONS)}") from None
