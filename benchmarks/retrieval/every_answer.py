"""Ask saved models all four directions for every user and item, and check every answer.

``--models`` are folders. No answer may hold an excluded id, be short, repeat an id, or be out of order.
Exit code 1 when one does.
"""

import sys
import time

import mfrec
from benchmarks.tools import command


def check(model: mfrec.Recommender, name: str, k: int) -> tuple[int, int]:
    """Return how many answers there are in a direction, and how many of them are wrong."""
    direction = mfrec.DIRECTIONS[name]
    keys = list(model.ids[direction.query])
    wrong = 0
    for number, (key, ranking) in enumerate(zip(keys, model.recommend(name, keys, k), strict=True)):
        excluded = (
            {key}
            if not direction.across
            else set(model.ids[direction.target].ids(model.adjacency[direction.query].of(number)))
        )
        expected = min(k, len(model.ids[direction.target]) - len(excluded))
        scores = ranking.scores.tolist()
        wrong += (
            len(ranking.ids) != expected
            or len(set(ranking.ids)) != expected
            or not excluded.isdisjoint(ranking.ids)
            or scores != sorted(scores, reverse=True)
        )
    return len(keys), wrong


@command
def main(models: tuple[str, ...] = (), k: int = 10) -> None:
    """Check every model that the command line names."""
    failures = 0
    for folder in models:
        model = mfrec.load(folder)
        for direction in mfrec.DIRECTIONS:
            started = time.perf_counter()
            asked, wrong = check(model, direction, k)
            failures += wrong
            print(f"{folder} {direction}: {asked} asked, {wrong} wrong, {time.perf_counter() - started:.1f} s")
    sys.exit(1 if failures or not models else 0)
