"""`Report`: every figure of an evaluation, for people and for programs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from mfrec.errors import ParameterError
from mfrec.evaluation.ranking import PROTOCOLS

if TYPE_CHECKING:
    import pandas as pd

# what the printed table shows; the rest is in the rows
SHOWN = ("hit_rate", "recall", "ndcg", "coverage")
# random lists cover the most and are the most even: that is no win
STARRED = frozenset(SHOWN) - {"coverage", "gini"}


@dataclass(frozen=True)
class Row:
    """One figure.

    Parameters
    ----------
    direction
        A key of `mfrec.DIRECTIONS`.
    protocol
        ``"unseen"`` or ``"plain"``; see `mfrec.evaluation.ranking.PROTOCOLS`.
    contender
        The model or a baseline.
    segment
        ``"all"``, or the third of the queries by training degree: ``"head"``, ``"mid"``, ``"tail"``.
    metric, k, value
        As in `mfrec.evaluation.metrics`; ``value`` is the mean over events or queries.
    """

    direction: str
    protocol: str
    contender: str
    segment: str
    metric: str
    k: int
    value: float


@dataclass(frozen=True)
class Report:
    """What `mfrec.evaluate` found.

    Parameters
    ----------
    rows
        Every figure.
    questions
        Per direction, what a query is and what is ranked.
    sizes
        Per direction, how many queries and held-out events.
    notes
        What was left out of the test part, and why.
    """

    rows: tuple[Row, ...]
    questions: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def value(
        self,
        direction: str,
        metric: str,
        k: int,
        *,
        protocol: str = "unseen",
        contender: str | None = None,
        segment: str = "all",
    ) -> float:
        """Return one figure; the first contender, which is the model, where none is named.

        Raises
        ------
        ParameterError
            When there is no such figure.
        """
        contender = contender or next((r.contender for r in self.rows), "")
        wanted = (direction, protocol, contender, segment, metric, k)
        for r in self.rows:
            if (r.direction, r.protocol, r.contender, r.segment, r.metric, r.k) == wanted:
                return r.value
        have = {n: sorted({str(getattr(r, n)) for r in self.rows}) for n in ("direction", "contender", "metric", "k")}
        raise ParameterError(f"the report has no figure for {wanted}; it has {have}")

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with one line per figure and the columns of `Row`."""
        import pandas as pd

        return pd.DataFrame([asdict(r) for r in self.rows])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    def to_json(self, indent: int | None = 2) -> str:
        """Return the whole report as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    def __str__(self) -> str:
        """Return one table per direction; the best figure of each column and protocol bears a star."""
        directions = dict.fromkeys(r.direction for r in self.rows)
        protocols = dict.fromkeys(r.protocol for r in self.rows)
        parts = [f"{p}: {PROTOCOLS[p]}" for p in protocols]
        parts += [f"note: {note}" for note in self.notes]
        return "\n".join(["\n\n".join(self._section(d) for d in directions), "", *parts, "* the best"])

    def _section(self, direction: str) -> str:
        rows = [r for r in self.rows if r.direction == direction]
        size = self.sizes.get(direction, {})
        counts = ", ".join(f"{n:,} {what}" for what, n in size.items())
        title = f"{direction}: {self.questions.get(direction, '')} ({counts})"
        return f"{title}\n{_table(rows)}"


def _table(rows: list[Row]) -> str:
    ks = dict.fromkeys(r.k for r in rows)
    columns = [(metric, k) for metric in SHOWN for k in ks]
    values = {(r.protocol, r.contender, r.segment, r.metric, r.k): r.value for r in rows}
    best: dict[tuple[str, str, str, int], float] = {}
    for r in rows:
        if r.metric in STARRED:
            place = (r.protocol, r.segment, r.metric, r.k)
            best[place] = max(r.value, best.get(place, 0.0))
    lines = []
    for protocol, contender, segment in dict.fromkeys((r.protocol, r.contender, r.segment) for r in rows):
        cells = [protocol, contender if segment == "all" else f"- {segment}"]
        for metric, k in columns:
            value = values.get((protocol, contender, segment, metric, k))
            star = "*" if value == best.get((protocol, segment, metric, k)) else " "
            cells.append("" if value is None else f"{value:.4f}{star}")
        lines.append(cells)
    return tabulate(lines, ["protocol", "contender", *(f"{m}@{k}" for m, k in columns)], disable_numparse=True)
