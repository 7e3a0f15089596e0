"""What the basis of the factors is worth to the directions within a side, on a validation part.

Usage: MFREC_DATA_HOME=... python benchmarks/whitening.py [ml-100k ml-latest-small]

The validation part is a fifth of the training part (random 80/20, seed 42): nothing here has seen a test part.
"""

import sys

from tabulate import tabulate

import mfrec

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
KS = (10, 100)


def rows(name: str) -> list[list[str]]:
    """Return hit rates over unseen items by strength, and those of co-occurrence."""
    rest, _ = mfrec.splits.random_split(mfrec.load_movielens(name), 0.2, seed=42)
    train, validation = mfrec.splits.random_split(rest, 0.2, seed=42)
    directions = ("item2item", "user2user")
    found = []
    for strength in STRENGTHS:
        params = mfrec.ALSParams(whitening=strength)
        model = mfrec.fit(train, params, mfrec.IndexParams(index="exact"))
        report = mfrec.evaluate(model, validation, KS, directions=directions, train=train)
        for who in ("mfrec", "co-occurrence") if strength == STRENGTHS[-1] else ("mfrec",):
            values = [report.value(d, "hit_rate", k, contender=who) for d in directions for k in KS]
            words = f"whitening={strength:g}" if who == "mfrec" else who
            found.append([name, words, *(f"{value:.4f}" for value in values)])
    return found


def main() -> None:
    """Print a table."""
    names = sys.argv[1:] or ["ml-100k", "ml-latest-small"]
    head = ["data", "", *(f"{d} @{k}" for d in ("item2item", "user2user") for k in KS)]
    print(tabulate([row for name in names for row in rows(name)], head, disable_numparse=True))


if __name__ == "__main__":
    main()
