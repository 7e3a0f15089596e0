"""mfrec against a TensorFlow Recommenders two-tower: everything that is measured, in one command that resumes.

Usage: python -m benchmarks.two_tower.run [--dataset ml-100k ...] [--out FOLDER] [--fresh] [--smoke]
                                          [--step untuned searches tuned curves costs]

Every result is one JSON file under ``OUT`` (`raw/` beside this file, which git ignores); a file that is there, and
was made with the same settings, is not made again. Everything but curves and costs may run beside other work; those
are times and want an idle machine, so ``--step`` runs some alone. ``--fresh`` removes them all first. The figures and
their tables are written last, to ``OUT/results.jsonl`` and ``OUT/report.md``;
``python -m benchmarks.two_tower.report --take OUT`` makes them the committed ones.
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import mfrec
from benchmarks.two_tower import report, results, splits, towers
from benchmarks.two_tower.steps import PLANS, Plan, Steps

RAW = Path(__file__).parent / "raw"
SMOKE_FOLDER = Path("build") / "bench-smoke"

STEPS = ("untuned", "searches", "tuned", "curves", "costs")


def run(plan: Plan, folder: Path, chosen: Iterable[str] = STEPS) -> None:
    """Measure everything that can be measured here, and note what cannot."""
    reason = towers.missing()
    missing = {} if reason is None else {"two-tower": reason}
    names = []
    for name in plan.datasets:
        problem = fetch(name)
        if problem is not None:
            missing[name] = problem
        # the smoke run has to have something to run on
        names += [name] if problem is None else ["sample"] if plan.users else []
    if not names:
        sys.exit(f"nothing can be measured here: {'; '.join(map(': '.join, missing.items()))}")
    for name in names:
        steps = Steps(plan, folder / name, name, splits.load(name, plan.users or None), with_towers=reason is None)
        for step in chosen:
            getattr(steps, step)()
    results.write_raw(folder / "status.json", {"missing": missing})


def fetch(name: str) -> str | None:
    """Download a data set unless it is there; say why it cannot be had, or None."""
    try:
        splits.load(name)
    except mfrec.DataError:
        try:
            mfrec.download(name)
        except mfrec.MfrecError as error:
            return str(error)
    return None


def main() -> None:
    """Parse the command line, measure, and write figures and tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", action="append", help="a MovieLens release; may be given again")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--step", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="one epoch of a small sample, to see that all of it runs")
    args = parser.parse_args()
    # every split says which users and titles have no training data; the raw files do too
    logging.getLogger("mfrec").setLevel(logging.ERROR)
    plan = PLANS["smoke" if args.smoke else "full"]
    plan = replace(plan, datasets=args.dataset or plan.datasets)
    folder = args.out or (SMOKE_FOLDER if args.smoke else RAW)
    if args.fresh or args.smoke:
        for name in (*plan.datasets, "sample"):
            shutil.rmtree(folder / name, ignore_errors=True)
    kept = len(list(folder.glob("*/*/*.json")))
    if kept:
        print(f"{kept} results are there already: those of the same settings are kept; --fresh makes them again")
    run(plan, folder, args.step)
    figures = results.summarise(results.read_raw(folder))
    results.write(folder / "results.jsonl", figures)
    report.write(figures, folder, prose=False)
    print(f"the tables are in {folder / 'report.md'}")


if __name__ == "__main__":
    main()
