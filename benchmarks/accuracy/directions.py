"""What the defaults are worth in each direction: hit rates, put into docs/accuracy.md.

A random 20 % of the events (seed 42) is the test part; figures are hit rates @10 and @100 over unseen candidates, as
``mfrec evaluate`` prints them. The best of a row is bold at each k.
"""

import mfrec
from benchmarks.tools import command, put

PAGE = "docs/accuracy.md"
DATA = ("ml-100k", "ml-latest-small")
CONTENDERS = ("mfrec", "popularity", "most-active", "co-occurrence", "kNN cosine", "kNN BM25")
KS = (10, 100)


def table(names: tuple[str, ...] = DATA) -> str:
    """Return the table as Markdown."""
    lines = [["hit rate @10 / @100", *CONTENDERS], ["---", *["---:"] * len(CONTENDERS)]]
    for name in names:
        train, test = mfrec.splits.random_split(mfrec.load_movielens(name), 0.2, seed=42)
        model = mfrec.fit(train, index_params=mfrec.IndexParams(index="exact"))
        report = mfrec.evaluate(model, test, KS, train=train)
        for direction in mfrec.DIRECTIONS:
            rows = [r for r in report.rows if (r.direction, r.metric, r.segment) == (direction, "hit_rate", "all")]
            rates = {(r.contender, r.k): r.value for r in rows if r.protocol == "unseen" and r.contender in CONTENDERS}
            best = {k: max(value for (_, own), value in rates.items() if own == k) for k in KS}
            cells = {
                who: " / ".join(
                    f"**{rates[who, k]:.3f}**" if rates[who, k] == best[k] else f"{rates[who, k]:.3f}" for k in KS
                )
                for who, _ in rates
            }
            lines.append([f"{name} {direction}", *(cells.get(who, "") for who in CONTENDERS)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


@command
def main() -> None:
    """Evaluate and rewrite the page."""
    put(PAGE, "accuracy", table())
