"""Put what the defaults are worth in each direction into docs/accuracy.md, between its two markers.

Usage: MFREC_DATA_HOME=... python -m benchmarks.readme_accuracy

A random 20 % of the events (seed 42) is the test part; figures are hit rates @10 and @100 over unseen candidates, as
``mfrec evaluate`` prints them.
"""

import mfrec
from benchmarks.page import put

DATA = ("ml-100k", "ml-latest-small")
CONTENDERS = ("mfrec", "popularity", "most-active", "co-occurrence", "kNN cosine", "kNN BM25")
KS = (10, 100)


def table(names: tuple[str, ...] = DATA) -> str:
    """Return the table as Markdown; the best of a row is bold at each k."""
    head = ["hit rate @10 / @100", *CONTENDERS]
    lines = [head, ["---", *["---:"] * len(CONTENDERS)]]
    for name in names:
        train, test = mfrec.splits.random_split(mfrec.load_movielens(name), 0.2, seed=42)
        model = mfrec.fit(train, index_params=mfrec.IndexParams(index="exact"))
        report = mfrec.evaluate(model, test, KS, train=train)
        for direction in mfrec.DIRECTIONS:
            lines.append([f"{name} {direction}", *_cells(report, direction)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cells(report: "mfrec.evaluation.Report", direction: str) -> list[str]:
    known = {r.contender for r in report.rows if r.direction == direction}
    values = {
        (who, k): report.value(direction, "hit_rate", k, contender=who)
        for who in CONTENDERS
        if who in known
        for k in KS
    }
    best = {k: max(value for (_, own), value in values.items() if own == k) for k in KS}

    def cell(who: str, k: int) -> str:
        text = f"{values[who, k]:.3f}"
        return f"**{text}**" if values[who, k] == best[k] else text

    return [" / ".join(cell(who, k) for k in KS) if who in known else "" for who in CONTENDERS]


def main() -> None:
    """Evaluate and rewrite the page."""
    text = table()
    put("accuracy", text)
    print(text)


if __name__ == "__main__":
    main()
