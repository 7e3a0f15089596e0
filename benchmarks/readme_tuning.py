"""Put what a search is worth and how soon it is done into the README, between its two markers; measures nothing.

Usage: python benchmarks/readme_tuning.py

Reads ``benchmarks/tuning_results``, which these wrote with ``--out``::

    python benchmarks/accuracy.py --trials 30 --out benchmarks/tuning_results/accuracy.json
    python benchmarks/search_budget.py ml-100k --seconds 121 --seeds 1 --out benchmarks/tuning_results/ml-100k.json
    python benchmarks/search_budget.py sample:700000 --seconds 301 --seeds 1 --out benchmarks/tuning_results/sample.json
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import accuracy, search_budget  # noqa: E402

README, RESULTS = ROOT / "README.md", Path(__file__).parent / "tuning_results"
BLOCK = re.compile(r"(<!-- tuning:start -->\n)(.*?)(<!-- tuning:end -->)", re.DOTALL)
# what was searched, and for how long
BUDGETS = {"ml-100k": 121.0, "sample": 301.0}


def tables() -> str:
    """Return all tables as Markdown."""
    parts = [accuracy.summary(accuracy.read(RESULTS / "accuracy.json"))]
    for name, seconds in BUDGETS.items():
        found = search_budget.read(RESULTS / f"{name}.json")
        parts.append(f"{TITLES[name]}\n\n{search_budget.table(found, seconds)}")
    return "\n\n".join(parts) + "\n"


TITLES = {
    "ml-100k": "ML-100K, two minutes for each search (the best value so far, as a share of the best of both):",
    "sample": "700,000 generated interactions (10,000 users, 5,000 items), five minutes for each:",
}


def main() -> None:
    """Write the block."""
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda found: found[1] + tables() + found[3], text), encoding="utf-8")


if __name__ == "__main__":
    main()
