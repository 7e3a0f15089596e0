"""mfrec against the two-tower, like against like: who is ahead, by more than chance or not."""

from dataclasses import dataclass

from scipy.stats import norm as normal
from scipy.stats import t as student

from benchmarks.cells import MISSING, Cells, table
from benchmarks.names import DUELS, HITS, PROTOCOLS
from benchmarks.summary import gap

# a difference that chance alone would show once in twenty times is none
CHANCE = 0.05
# with two seeds Student's t has one degree of freedom: everything would be level, which says nothing
FEWEST = 3
NOT_TESTED = "not tested"

TEXT = """## Like against like

Tuned against tuned, in user2item. A cell holds mfrec's hit rate, the two-tower's (the better one where two are
alike), and their difference ± its standard error: over the seeds on the random split, whose overlap is allowed for
(Nadeau and Bengio, 2003); over the users on the split by time, which is the same for all seeds. What chance would show
in more than one of twenty cases (by Student's t over seeds, by the normal distribution over users) is *level*. Where
the search chose a two-tower that never sees the time, asking it at the event's time changes nothing. Both were tuned
over unseen titles; over all titles mfrec puts what a user has rated first, more than a two-tower does, and that fills
its lists."""


@dataclass(frozen=True)
class Duel:
    """One comparison of mfrec's contender with the best of some others by one figure."""

    dataset: str
    protocol: str
    ours: str
    theirs: str
    metric: str

    @property
    def gap(self) -> str:
        """Return the name of the difference in the summary."""
        return f"{self.dataset}|{self.protocol}|{gap(self.ours, self.theirs)}|{self.metric}"

    def sign(self, cells: Cells) -> str:
        """Say who is ahead."""
        line = cells.line(self.gap)
        if line is None or (line.how == "gap" and line.count < FEWEST):
            return NOT_TESTED
        sure = 1 - CHANCE / 2
        errors = float(student.ppf(sure, line.count - 1) if line.how == "gap" else normal.ppf(sure))
        if abs(line.value) <= errors * line.spread or not line.value:
            return "level"
        return "ahead" if line.value > 0 else "**behind**"

    def figures(self, cells: Cells) -> tuple[str, str]:
        """Return both sides' figures as text."""
        ours, theirs = (
            cells.text(f"{self.dataset}|{self.protocol}|{who}|{self.metric}") for who in (self.ours, self.theirs)
        )
        return ours, theirs

    def cell(self, cells: Cells) -> str:
        """Return both figures, the difference, and who is ahead; or that it was not measured."""
        line = cells.line(self.gap)
        if line is None:
            return MISSING
        ours, theirs = self.figures(cells)
        return (
            f"{ours} / {theirs}, {cells.show(line.value, '+.3f')} ± {cells.show(line.spread, '.3f')} {self.sign(cells)}"
        )


def best_of(
    cells: Cells, dataset: str, protocol: str, ours: tuple[str, ...], theirs: tuple[str, ...], metric: str
) -> Duel:
    """Hold the best of one side against the best of the other; the first where none was measured."""

    def best(who: tuple[str, ...]) -> str:
        return max(who, key=lambda name: cells.value(f"{dataset}|{protocol}|{name}|{metric}") or 0.0)

    return Duel(dataset, protocol, best(ours), best(theirs), metric)


def duels(cells: Cells, dataset: str, protocol: str, how: str) -> list[Duel]:
    """Return the comparisons of one way to ask on one split, one per figure."""
    terms = DUELS[how]
    if protocol not in terms.protocols:
        return []
    return [best_of(cells, dataset, protocol, (terms.ours,), terms.theirs, metric) for metric in HITS]


def section(cells: Cells, datasets: list[str]) -> str:
    """Return the table of all comparisons."""
    rows = [
        [f"{dataset}, {words}, {how}", *(duel.cell(cells) for duel in duels(cells, dataset, protocol, how))]
        for dataset in datasets
        for protocol, words in PROTOCOLS.items()
        for how, terms in DUELS.items()
        if protocol in terms.protocols
    ]
    if all(cell == MISSING for _, *cells_of in rows for cell in cells_of):
        return ""
    header = [f"{metric.split('/')[1]} hit rate@{metric.split('@')[1]}" for metric in HITS]
    return f"{TEXT}\n\n{table(['', *header], rows)}"
