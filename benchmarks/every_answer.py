"""Ask saved models all four directions for every user and item, and check every answer.

Usage: python benchmarks/every_answer.py MODEL [MODEL ...] [-k 10]

A new process loads each folder. No answer may hold an excluded id, be short, repeat an id, or be out of order.
Exit code 1 when one does.
"""

import argparse
import sys
import time

import mfrec


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


def main() -> None:
    """Check every model that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("-k", type=int, default=10)
    options = parser.parse_args()
    failures = 0
    for folder in options.models:
        model = mfrec.load(folder)
        for direction in mfrec.DIRECTIONS:
            started = time.perf_counter()
            asked, wrong = check(model, direction, options.k)
            failures += wrong
            print(f"{folder} {direction}: {asked} asked, {wrong} wrong, {time.perf_counter() - started:.1f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
