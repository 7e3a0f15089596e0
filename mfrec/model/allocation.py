"""What an allocation of limited stock is: pairs of users and items, and what is proved of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from mfrec.arrays import Scores
from mfrec.model import html
from mfrec.model.ids import Id

if TYPE_CHECKING:
    import pandas as pd


class UnitsOf(Protocol):
    """Units by item, as a dict or a pandas Series has them."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Return pairs of an item and its units."""


Stock = UnitsOf | Iterable[tuple[Id, int]]


@dataclass(frozen=True)
class Outcome:
    """What an assignment comes to: its total score, how many users get something, and units left of all items."""

    total: float
    reached: int
    left: int


@dataclass(frozen=True, eq=False)
class Allocation:
    """Who is offered what: one entry per pair, by user, best first.

    Parameters
    ----------
    users, items
        External ids: int64, or objects where they are texts.
    scores
        float32, of each pair.
    total
        The sum of the scores.
    bound
        What no allocation can exceed.
    gap
        How far the total may be below the highest there is, as a part of the bound; 0 where it is the highest.
    left
        Units left per item of the stock.
    reached
        How many users are offered something.
    greedy
        What taking pairs by descending score comes to.
    """

    users: NDArray[Any]
    items: NDArray[Any]
    scores: Scores
    total: float
    bound: float
    gap: float
    left: dict[Any, int]
    reached: int
    greedy: Outcome

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self.users)

    def __repr__(self) -> str:
        """Say how many offers there are, what they score, and how far that may be from the highest total."""
        return (
            f"Allocation({len(self)} offers of {len(self.left)} items to {self.reached} users, "
            f"total {self.total:.6g}, gap at most {self.gap:.3%})"
        )

    def _repr_html_(self) -> str:
        """Return the totals beside greedy's for notebooks."""
        header, *rows = self.compared()
        return html.block(repr(self), html.table(header, rows))

    @property
    def outcome(self) -> Outcome:
        """The total, users reached and units left, as `greedy` has them."""
        return Outcome(self.total, self.reached, sum(self.left.values()))

    def compared(self) -> list[tuple[str, ...]]:
        """Return the rows of a table: a header, this allocation, greedy and the bound."""
        rows = [("", "total score", "users reached", "units left")]
        for name, found in (("allocated", self.outcome), ("greedy", self.greedy)):
            rows.append((name, f"{found.total:.6g}", str(found.reached), str(found.left)))
        return [*rows, ("no more than", f"{self.bound:.6g}", "", "")]

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with columns ``user``, ``item`` and ``score``."""
        import pandas as pd

        # without rows, too, a column has the type of its ids
        columns = {"user": self.users, "item": self.items}
        kinds = {name: "str" if ids.dtype == object else "int64" for name, ids in columns.items()}
        table: dict[str, Any] = {name: pd.Series(ids, dtype=kinds[name]) for name, ids in columns.items()}
        return pd.DataFrame({**table, "score": self.scores})
