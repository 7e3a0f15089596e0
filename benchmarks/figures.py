"""How a figure of the report is computed from values of the raw results: value, spread, and of how many."""

import statistics
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Figure = tuple[float, float, int]
Values = list[Any]


def mean(values: Values) -> Figure:
    """Return mean and sample standard deviation."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values)


def median(values: Values) -> Figure:
    """Return the median."""
    return float(statistics.median(values)), 0.0, len(values)


def ratio(values: Values) -> Figure:
    """Return the median over pairs of the first over the second."""
    return median([a / b for a, b in zip(values[::2], values[1::2], strict=True)])


def least_ratio(values: Values) -> Figure:
    """Return the least over pairs of the first over the second."""
    ratios = [a / b for a, b in zip(values[::2], values[1::2], strict=True)]
    return min(ratios), 0.0, len(ratios)


def most(values: Values) -> Figure:
    """Return the largest."""
    return float(max(values)), 0.0, len(values)


def count(values: Values) -> Figure:
    """Return how many there are."""
    return float(len(values)), 0.0, len(values)


def length(values: Values) -> Figure:
    """Return how long the first of some lists is."""
    return float(len(values[0])), 0.0, len(values)


def total(values: Values) -> Figure:
    """Return the sum."""
    return float(sum(values)), 0.0, len(values)


# of the splits that are drawn anew for each seed
TEST_OVER_TRAIN = 0.25


def gap(values: Values) -> Figure:
    """Return the mean difference of pairs, and its standard error over splits that overlap.

    Random splits of one data set share most of their training parts, so their differences are less independent than
    they look: Nadeau and Bengio, "Inference for the Generalization Error" (2003), put ``1 / n + test / train`` in
    place of ``1 / n``.
    """
    differences = [a - b for a, b in zip(values[::2], values[1::2], strict=True)]
    value, spread, n_pairs = mean(differences)
    return value, spread * (1 / n_pairs + TEST_OVER_TRAIN) ** 0.5, n_pairs


def gap_by_user(values: Values) -> Figure:
    """Return the difference of two rates per event, and its standard error over the users.

    The values are triples of hits of one contender, hits of the other, and events, each by user; hits are averaged
    over the triples (several models on one split). The error is that of a ratio of means (Cochran, "Sampling
    Techniques", section 2.11): users, who come with all their events, are what was drawn.
    """
    ours, theirs = (np.mean(np.asarray(values[n::3], float), axis=0) for n in (0, 1))
    events = np.asarray(values[2], float)
    value = float((ours - theirs).sum() / events.sum())
    left, n_users = ours - theirs - value * events, len(events)
    error = float(np.sqrt(n_users / max(n_users - 1, 1) * (left**2).sum()) / events.sum())
    return value, error, len(values) // 3


HOW: Mapping[str, Callable[[Values], Figure]] = {
    "mean": mean,
    "median": median,
    "max": most,
    "count": count,
    "length": length,
    "sum": total,
    "ratio": ratio,
    "least ratio": least_ratio,
    "gap": gap,
    "gap by user": gap_by_user,
}
