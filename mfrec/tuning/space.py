"""What a search over parameters looks through: the range of each, and where in them it starts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mfrec.data.interactions import DAY, Interactions
from mfrec.training.params import ALSParams, given

# one value per name of the space; of "factors" the place among those that are tried
Point = dict[str, Any]

# name: (kind, low, high); factors are chosen among powers of two and their halves. A fit with twice the alpha wants
# about twice the regularization, so that is searched as a multiple of alpha: the good ones then lie side by side
SPACE: dict[str, tuple[str, float, float]] = {
    "alpha": ("log", 0.5, 60.0),
    "regularization": ("times alpha", 0.3, 60.0),
    "iterations": ("int", 4, 30),
    "user_exponent": ("float", 0.0, 1.0),
    "item_exponent": ("float", 0.0, 1.0),
    "item_scale": ("float", -0.1, 0.5),
}
# by time also half-lives, as parts of the period of the data, and recency; what is long enough is as good as none
BY_TIME: dict[str, tuple[str, float, float]] = {
    "half_life": ("days", 1 / 64, 4.0),
    "recency_half_life": ("days", 1 / 256, 1.0),
    "item_recency": ("float", 0.0, 1.2),
}
FACTORS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
# what plain ALS leaves at 0
EXTENSIONS = ("user_exponent", "item_exponent", "user_scale", "item_scale", "user_recency", "item_recency")
# a search starts with so many times the factors of its base, too; more of them want more regularization
SIZES, GROWTH = (2.0, 4.0, 0.5), 0.3


@dataclass(frozen=True)
class Space:
    """The space of one search.

    Parameters
    ----------
    rows
        As `SPACE`, perhaps without the extensions.
    factors
        The numbers of factors that are tried, ascending.
    days
        The period of the data, where it is searched by time.
    """

    rows: dict[str, tuple[str, float, float]]
    factors: tuple[int, ...]
    days: float = 1.0

    @classmethod
    def of(cls, train: Interactions, plain: bool, *, by_time: bool = False) -> "Space":
        """Return the space for some training data; more factors than half its shorter side are not tried."""
        everything = {**SPACE, **BY_TIME} if by_time else SPACE
        rows = {name: row for name, row in everything.items() if not (plain and name in EXTENSIONS)}
        first, last = train.period if by_time else (0.0, 0.0)
        most = max(FACTORS[0], min(train.shape) // 2)
        return cls(rows, tuple(f for f in FACTORS if f <= most), (last - first) / DAY or 1.0)

    def starts(self, base: ALSParams) -> Iterator[Point]:
        """Yield where a search starts: the base, then larger and smaller ones."""
        yield self.nearest(base)
        for times in SIZES:
            size = round(given(base, "factors") * times) or 1
            yield self.nearest(
                replace(base, factors=size, regularization=given(base, "regularization") * times**GROWTH)
            )

    def nearest(self, params: ALSParams) -> Point:
        """Return the nearest point of the space."""
        place = min(range(len(self.factors)), key=lambda i: abs(self.factors[i] - given(params, "factors")))
        own = {}
        for name, (kind, low, high) in self.rows.items():
            value = given(params, name)
            if kind == "days":
                # a half-life of 0 stands for none
                value = value / self.days or high
            own[name] = min(max(value / params.alpha if kind == "times alpha" else value, low), high)
        return {**own, "factors": place}

    def suggest(self, trial: Any) -> None:
        """Draw a point for a trial of Optuna; factors by their place, since neighbours are alike."""
        trial.suggest_int("factors", 0, len(self.factors) - 1)
        for name, (kind, low, high) in self.rows.items():
            if kind == "int":
                trial.suggest_int(name, int(low), int(high))
            else:
                # what is a ratio is drawn by its logarithm
                trial.suggest_float(name, low, high, log=kind != "float")

    def params(self, base: ALSParams, values: Point) -> ALSParams:
        """Return the base with the values of a point."""
        times = {"times alpha": values["alpha"], "days": self.days}
        own = {name: values[name] * times.get(kind, 1) for name, (kind, _, _) in self.rows.items()}
        return replace(base, **own, factors=self.factors[values["factors"]])


def without_extensions(base: ALSParams) -> ALSParams:
    """Return parameters of plain ALS."""
    off: dict[str, Any] = dict.fromkeys(EXTENSIONS, 0.0)
    return replace(base, **off)
