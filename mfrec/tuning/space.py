"""What a search over parameters looks through: the range of each, and where in them it starts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

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
# where good models of other data were found; some of the starts are drawn here, since data may be unlike MovieLens
LIKELY: dict[str, tuple[float, float]] = {
    "alpha": (1.0, 20.0),
    "regularization": (3.0, 15.0),
    "iterations": (8, 20),
    "user_exponent": (0.2, 0.8),
    "item_exponent": (0.0, 0.5),
    "item_scale": (-0.05, 0.2),
    "half_life": (1 / 16, 4.0),
    "recency_half_life": (1 / 64, 1 / 4),
    "item_recency": (0.0, 0.6),
}
# a search starts with so many times the factors of its base, too; more of them want more regularization
SIZES, GROWTH = (2.0, 4.0, 0.5), 0.3
# the share of its directions in which a point near another differs from it
MOVED = 0.5
# what is drawn by its logarithm
BY_RATIO = ("log", "times alpha", "days")
# a search starts with at least so many factors, and with more where there are interactions to learn them from
FEWEST_LIKELY = 32


@dataclass(frozen=True)
class Space:
    """The space of one search.

    Parameters
    ----------
    rows
        As `SPACE`, perhaps without the extensions.
    factors
        The numbers of factors that are tried, ascending.
    likely
        The largest of them that a search starts with.
    days
        The period of the data, where it is searched by time.
    """

    rows: dict[str, tuple[str, float, float]]
    factors: tuple[int, ...]
    likely: int
    days: float = 1.0

    @classmethod
    def of(cls, train: Interactions, plain: bool, *, by_time: bool = False) -> "Space":
        """Return the space for some training data; more factors than half its shorter side are not tried."""
        everything = {**SPACE, **BY_TIME} if by_time else SPACE
        rows = {name: row for name, row in everything.items() if not (plain and name in EXTENSIONS)}
        first, last = train.period if by_time else (0.0, 0.0)
        most = max(FACTORS[0], min(train.shape) // 2)
        likely = max(FEWEST_LIKELY, len(train) ** 0.5 / 2)
        factors = tuple(f for f in FACTORS if f <= most)
        largest = max((f for f in factors if f <= likely), default=factors[0])
        return cls(rows, factors, largest, (last - first) / DAY or 1.0)

    def starts(self, base: ALSParams, count: int, seed: int) -> Iterator[Point]:
        """Yield where a search starts: the base, also larger and smaller, then points around it and likely ones."""
        yield self.nearest(base)
        for times in SIZES:
            size = round(given(base, "factors") * times) or 1
            penalty = given(base, "regularization") * times**GROWTH
            yield self.nearest(replace(base, factors=size, regularization=penalty))
        for number in range(1 + len(SIZES), count):
            rng = np.random.default_rng((seed, number))
            yield self.around(base, rng) if number % 2 else self._likely(rng)

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

    def around(self, params: ALSParams, rng: np.random.Generator) -> Point:
        """Return a point near the given one, moved in about half of its directions."""
        values = self.nearest(params)
        moved = rng.random(len(self.rows) + 1) < MOVED
        if moved[-1] or not moved.any():
            step = int(rng.choice([-2, -1, 1, 2, 3]))
            values["factors"] = int(np.clip(values["factors"] + step, 0, len(self.factors) - 1))
        for (name, (kind, low, high)), move in zip(self.rows.items(), moved, strict=False):
            step, start = rng.standard_normal() * move, values[name]
            value = start * np.exp(step / 2) if kind in BY_RATIO else start + step * (high - low) / 6
            values[name] = (int if kind == "int" else float)(np.clip(value, low, high))
        return values

    def _likely(self, rng: np.random.Generator) -> Point:
        most = self.factors.index(self.likely)
        values: Point = {"factors": int(rng.integers(max(0, most - 4), most + 1))}
        for name, (kind, _, _) in self.rows.items():
            low, high = LIKELY[name]
            drawn = np.exp(rng.uniform(np.log(low), np.log(high))) if kind in BY_RATIO else rng.uniform(low, high)
            values[name] = (int if kind == "int" else float)(drawn)
        return values

    def params(self, base: ALSParams, values: Point) -> ALSParams:
        """Return the base with the values of a point."""
        own = {**values, "factors": self.factors[values["factors"]]}
        for name, (kind, _, _) in self.rows.items():
            if kind == "times alpha":
                own[name] = values[name] * values["alpha"]
            elif kind == "days":
                own[name] = values[name] * self.days
        return replace(base, **own)

    def distributions(self, optuna: Any) -> dict[str, Any]:
        """Return the space as Optuna has it; factors by their place, since neighbours are alike."""
        ints, floats = optuna.distributions.IntDistribution, optuna.distributions.FloatDistribution
        own = {"factors": ints(0, len(self.factors) - 1)}
        for name, (kind, low, high) in self.rows.items():
            own[name] = ints(int(low), int(high)) if kind == "int" else floats(low, high, log=kind in BY_RATIO)
        return own

    def described(self) -> dict[str, Any]:
        """Return what tells this space from another, as JSON values."""
        return {**{name: list(row) for name, row in self.rows.items()}, "factors": list(self.factors)}


def without_extensions(base: ALSParams) -> ALSParams:
    """Return parameters of plain ALS."""
    off: dict[str, Any] = dict.fromkeys(EXTENSIONS, 0.0)
    return replace(base, **off)
