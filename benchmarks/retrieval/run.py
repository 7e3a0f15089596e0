"""How fast and how right the indexes are: ``python -m benchmarks.retrieval.run NAME [options]``; no name lists them."""

from benchmarks.tools import choose

MEASUREMENTS = {
    "compare": "recall against time: mfrec's indexes and the libraries that a reader would try instead",
    "report": "report.md and the table in docs/indexes.md again, from results.json",
    "every_answer": "every user and item of saved models asked in all directions: how many answers are wrong?",
}

if __name__ == "__main__":
    choose("retrieval", MEASUREMENTS)
