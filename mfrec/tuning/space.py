"""What a search over parameters looks through: the range of each, and where in them it starts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mfrec.data.interactions import DAY, Interactions
from mfrec.training.params import ALSParams, given

# one value per name of the space, as Optuna draws it
Point = dict[str, Any]

# name: (kind, low, high). A fit with twice the alpha wants about twice the regularization, so that is searched as a
# multiple of alpha: the good ones then lie side by side
SPACE: dict[str, tuple[str, float, float]] = {
    "factors": ("log int", 8, 512),
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
# what is drawn by its logarithm
BY_RATIO = ("log int", "log", "times alpha", "days")
# what plain ALS leaves at 0
EXTENSIONS = ("user_exponent", "item_exponent", "user_scale", "item_scale", "user_recency", "item_recency")
# a search starts with so many times the factors of its base, too; more of them want more regularization
SIZES, GROWTH = (2.0, 4.0, 0.5), 0.3


@dataclass(frozen=True)
class Space:
    """The space of one search: rows as in `SPACE`, and the period of the data in days."""

    rows: dict[str, tuple[str, float, float]]
    days: float

    @classmethod
    def of(cls, train: Interactions, plain: bool, *, by_time: bool = False) -> "Space":
        """Return the space for some training data; more factors than half its shorter side are not tried."""
        kind, fewest, most = SPACE["factors"]
        size = (kind, fewest, max(fewest, min(most, *(side // 2 for side in train.shape))))
        everything = {**SPACE, "factors": size, **(BY_TIME if by_time else {})}
        first, last = train.period if by_time else (0.0, 0.0)
        rows = {name: row for name, row in everything.items() if not (plain and name in EXTENSIONS)}
        return cls(rows, (last - first) / DAY or 1.0)

    def starts(self, base: ALSParams) -> Iterator[Point]:
        """Yield where a search starts: the base, then larger and smaller ones."""
        yield self.nearest(base)
        for times in SIZES:
            size, penalty = given(base, "factors") * times, given(base, "regularization") * times**GROWTH
            yield self.nearest(replace(base, factors=round(size) or 1, regularization=penalty))

    def nearest(self, params: ALSParams) -> Point:
        """Return the nearest point of the space."""
        units, point = self._units(params.alpha), {}
        for name, (kind, low, high) in self.rows.items():
            value = given(params, name) / units.get(kind, 1)
            # a half-life of 0 stands for none
            value = high if kind == "days" and not value else min(max(value, low), high)
            point[name] = round(value) if "int" in kind else value
        return point

    def suggest(self, trial: Any) -> Point:
        """Draw a point for a trial of Optuna."""
        for name, (kind, low, high) in self.rows.items():
            draw = trial.suggest_int if "int" in kind else trial.suggest_float
            draw(name, low, high, log=kind in BY_RATIO)
        drawn: Point = trial.params
        return drawn

    def params(self, base: ALSParams, values: Point) -> ALSParams:
        """Return the base with the values of a point."""
        units = self._units(values["alpha"])
        own: Point = {
            n: values[n] * units[kind] if kind in units else values[n] for n, (kind, _, _) in self.rows.items()
        }
        return replace(base, **own)

    def _units(self, alpha: float) -> dict[str, float]:
        return {"times alpha": alpha, "days": self.days}


def without_extensions(base: ALSParams) -> ALSParams:
    """Return parameters of plain ALS."""
    off: dict[str, Any] = dict.fromkeys(EXTENSIONS, 0.0)
    return replace(base, **off)
