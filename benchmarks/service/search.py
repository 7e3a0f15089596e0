"""Search among 200,000 titles of made-up words, one query at a time: median milliseconds of each kind of query."""

import statistics
import time

import numpy as np

from benchmarks.tools import Figures, command
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


@command
def main() -> Figures:
    """Search; what takes more than `MOST_MILLISECONDS` is ``missed``."""
    rng = np.random.default_rng(1)
    known = titles(rng)
    search = LabelSearch(IdMap.of("item", range(TITLES)), StringArray.pack(known), rng.integers(1, 10_000, TITLES))
    begun = time.perf_counter()
    search.find("zzzz")
    found: Figures = {"seconds_of_the_first_search": round(time.perf_counter() - begun, 1)}
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
    for name, query in queries.items():
        taken = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            search.find(query)
            taken.append(1000 * (time.perf_counter() - begun))
        found[name] = round(statistics.median(taken), 1)
    return {**found, "missed": [name for name in queries if found[name] > MOST_MILLISECONDS]}
