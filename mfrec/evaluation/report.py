"""`Report`: every figure of an evaluation, for people and for programs."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from mfrec.errors import ParameterError
from mfrec.evaluation.ranking import PROTOCOLS
from mfrec.model import html

if TYPE_CHECKING:
    import pandas as pd

# what the printed table shows; the rest is in the rows
SHOWN = ("hit_rate", "recall", "ndcg", "coverage")
# what the verdicts and the short table show: the share of held-out events whose target is in the list
METRIC = "hit_rate"
# contenders that know no taste; the first of them that is measured is what everything should be ahead of
FLOORS = ("popularity", "most-active", "random")
# from this ratio on, a verdict gives the ratio instead of a percentage
FACTOR = 1.5
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
        """Return JSON values: the fields and the verdicts."""
        return {"verdicts": list(self.verdicts), **asdict(self)}

    def to_json(self, indent: int | None = 2) -> str:
        """Return the whole report as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One sentence per direction: the model against the popular (or active), and against its strongest rival."""
        return tuple(self._verdict(d) for d in dict.fromkeys(r.direction for r in self.rows))

    def __repr__(self) -> str:
        """Say how much there is: all figures would fill pages, and a notebook keeps them beside the table."""
        directions = dict.fromkeys(r.direction for r in self.rows)
        return f"Report({len(self.rows)} figures of {', '.join(directions) or 'no direction'})"

    def __str__(self) -> str:
        """Return the verdicts, one table of contenders by directions at the first cut-off, and the notes."""
        first = self.rows[0]
        header, lines = self._short()
        table = tabulate(lines, header, disable_numparse=True)
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join(
            [*self.verdicts, "", table, "", f"{first.protocol}: {PROTOCOLS[first.protocol]}; * the best", *notes]
        )

    def _repr_html_(self) -> str:
        """Return what `print` shows, for notebooks."""
        if not self.rows:
            return html.block("Report", notes=self.notes)
        first = self.rows[0]
        notes = (*self.verdicts, f"{first.protocol}: {PROTOCOLS[first.protocol]}; * the best", *self.notes)
        return html.block("Report", html.table(*self._short()), notes=notes)

    def _short(self) -> tuple[list[str], list[list[str]]]:
        """Return the header and the rows of the table of contenders by directions at the first cut-off."""
        first = self.rows[0]
        directions = list(dict.fromkeys(r.direction for r in self.rows))
        values = self._hit_rates(first.protocol, first.k)
        lines = []
        for contender in dict.fromkeys(c for _, c in values):
            found = [values.get((d, contender)) for d in directions]
            best = [max(v for (d, _), v in values.items() if d == direction) for direction in directions]
            cells = [
                "" if v is None else f"{v:.4f}{'*' if v == top else ' '}" for v, top in zip(found, best, strict=True)
            ]
            lines.append([contender, *cells])
        return [f"{METRIC}@{first.k}", *directions], lines

    def full(self) -> str:
        """Return one table per direction; the best figure of each column and protocol bears a star."""
        directions = dict.fromkeys(r.direction for r in self.rows)
        protocols = dict.fromkeys(r.protocol for r in self.rows)
        parts = [f"{p}: {PROTOCOLS[p]}" for p in protocols]
        parts += [f"note: {note}" for note in self.notes]
        sections = "\n\n".join(self._section(d) for d in directions)
        return "\n".join([*self.verdicts, "", sections, "", *parts, "* the best"])

    def _hit_rates(self, protocol: str, k: int) -> dict[tuple[str, str], float]:
        shown = (protocol, "all", METRIC, k)
        return {
            (r.direction, r.contender): r.value for r in self.rows if (r.protocol, r.segment, r.metric, r.k) == shown
        }

    def _verdict(self, direction: str) -> str:
        first = self.rows[0]
        values = {c: v for (d, c), v in self._hit_rates(first.protocol, first.k).items() if d == direction}
        own = values.pop(first.contender)
        rivals = {c: v for c, v in values.items() if c not in FLOORS and c != f"{first.contender} (index)"}
        against = [next(((c, values[c]) for c in FLOORS if c in values), None)]
        against.append(max(rivals.items(), key=lambda item: item[1]) if rivals else None)
        events = self.sizes.get(direction, {}).get("events", 1)
        parts = [_compared(own, value, name, events) for name, value in filter(None, against)]
        return f"{direction}: {', '.join(parts) or f'{METRIC}@{first.k} {own:.4f}'}"

    def _section(self, direction: str) -> str:
        rows = [r for r in self.rows if r.direction == direction]
        size = self.sizes.get(direction, {})
        counts = ", ".join(f"{n:,} {what}" for what, n in size.items())
        title = f"{direction}: {self.questions.get(direction, '')} ({counts})"
        return f"{title}\n{_table(rows)}"


def _compared(own: float, rival: float, name: str, events: int) -> str:
    """Say by how much a hit rate is ahead or behind; level where that is within a standard error of the difference."""
    error = math.sqrt((own * (1 - own) + rival * (1 - rival)) / max(events, 1))
    if abs(own - rival) <= error:
        return f"level with {name}"
    if own < rival:
        return f"{1 - own / rival:.0%} behind {name}"
    if rival == 0 or own < FACTOR * rival:
        return f"{own / rival - 1:.0%} ahead of {name}" if rival else f"ahead of {name}, which finds nothing"
    return f"{own / rival:.1f} times {name}"


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
