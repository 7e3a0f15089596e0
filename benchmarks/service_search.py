"""Search among 200,000 titles of made-up words, one query at a time: median milliseconds of each kind of query.

Usage: python -m benchmarks.service_search      (exits with 1 when a kind takes more than 50 ms)
"""

import statistics
import time

import numpy as np

from mfrec.model.ids import IdMap
from mfrec.model.label_search import LabelSearch
from mfrec.model.string_array import StringArray

TITLES, WORDS, LONGEST = 200_000, 120_000, 8
MOST_MILLISECONDS = 50
ROUNDS = 9
# letters by how frequent they are in English
LETTERS = np.array(list("etaoinshrdlucmfwypvbgkqjxz"))


def titles(rng: np.random.Generator) -> list[str]:
    """Return titles of one to eight words and a year; few words are frequent, as in any language."""
    common = np.arange(len(LETTERS), 0, -1) / np.arange(len(LETTERS) + 1).sum()
    letters = rng.choice(LETTERS, (WORDS, 11), p=common)
    words = ["".join(row[:size]) for row, size in zip(letters, rng.integers(2, 12, WORDS), strict=True)]
    frequent = np.arange(1, WORDS + 1) ** -0.8
    drawn = rng.choice(WORDS, (TITLES, LONGEST), p=frequent / frequent.sum())
    sizes, years = rng.integers(1, LONGEST + 1, TITLES), rng.integers(1930, 2024, TITLES)
    return [
        f"{' '.join(words[n] for n in row[:size])} ({year})"
        for row, size, year in zip(drawn.tolist(), sizes.tolist(), years.tolist(), strict=True)
    ]


def main() -> None:
    """Search, and print how long it takes."""
    rng = np.random.default_rng(1)
    known = titles(rng)
    search = LabelSearch(IdMap.of("item", range(TITLES)), StringArray.pack(known), rng.integers(1, 10_000, TITLES))
    begun = time.perf_counter()
    search.find("zzzz")
    print(f"first search: {time.perf_counter() - begun:.1f} s")
    longest = max(known, key=len)
    queries = {
        "one letter": "a",
        "what half of all have": "19",
        "a year": "1994",
        "a whole title": longest,
        "another order": " ".join(reversed(longest.split())),
        "a slip in every word": " ".join(word[:1] + word[2:] for word in longest.split()),
        "no such word": "zzzzqqqq",
        "many short words": " ".join("abcdefghijklmnopqrstuvwxyz"),
        "three titles at once": " ".join(known[:3]),
    }
    slowest = 0.0
    for name, query in queries.items():
        taken = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            search.find(query)
            taken.append(1000 * (time.perf_counter() - begun))
        slowest = max(slowest, statistics.median(taken))
        print(f"{name:24} {statistics.median(taken):5.1f} ms")
    raise SystemExit(slowest > MOST_MILLISECONDS)


if __name__ == "__main__":
    main()
