"""The only way a figure gets into the report: by its name in the summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.summary import Line

MISSING = "-"


@dataclass(frozen=True)
class Cells:
    """Figures as text.

    Parameters
    ----------
    lines
        The summary, by name.
    used
        The names of all figures that were asked for.
    """

    lines: Mapping[str, Line]
    used: set[str] = field(default_factory=set)

    def line(self, name: str) -> Line | None:
        """Return a figure, or None where it was not measured."""
        if name in self.lines:
            self.used.add(name)
        return self.lines.get(name)

    def value(self, name: str) -> float | None:
        """Return a figure as a number, to compare; None where it was not measured."""
        line = self.line(name)
        return None if line is None else line.value

    def text(self, name: str, form: str = ".3f") -> str:
        """Return a figure as text."""
        line = self.line(name)
        return MISSING if line is None else self.show(line.value, form)

    def spread(self, name: str, form: str = ".3f") -> str:
        """Return a mean with the standard deviation over the seeds."""
        line = self.line(name)
        if line is None or line.count < 2:
            return self.text(name, form)
        return f"{self.show(line.value, form)} ± {self.show(line.spread, form)}"

    def ratio(self, over: str, under: str, form: str = ".2f") -> str:
        """Return the quotient of two figures."""
        a, b = self.value(over), self.value(under)
        return MISSING if a is None or not b else self.show(a / b, form) + "x"

    def show(self, value: float, form: str) -> str:
        """Format a number."""
        return format(value, form)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are figures."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
