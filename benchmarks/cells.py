"""The only way a figure gets into the report: by its name in the summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.summary import Line

MISSING = "-"


@dataclass(frozen=True)
class Cells:
    """Figures as text.

    Parameters
    ----------
    lines
        The summary, by name.
    """

    lines: Mapping[str, Line]

    def value(self, name: str) -> float | None:
        """Return a figure as a number, to compare; None where it was not measured."""
        return self.lines[name].value if name in self.lines else None

    def text(self, name: str, form: str = ".3f") -> str:
        """Return a figure as text."""
        return self.show(self.lines[name].value, form) if name in self.lines else MISSING

    def spread(self, name: str, form: str = ".3f") -> str:
        """Return a mean with the standard deviation over the seeds."""
        if name not in self.lines:
            return MISSING
        line = self.lines[name]
        return (
            f"{self.show(line.value, form)} ± {self.show(line.spread, form)}"
            if line.count > 1
            else self.text(name, form)
        )

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
