"""mfrec against a TensorFlow Recommenders two-tower: everything that is measured, in one command that resumes.

Usage: python -m benchmarks.bench [--dataset ml-100k ...] [--seeds 5] [--out benchmarks/report] [--fresh] [--smoke]
                                  [--step untuned searches tuned curves costs]

Every result is one JSON file under ``OUT/raw``; a file that is there, and was made with the same settings, is not
made again. Everything but curves and costs may run beside other work; those are times and want a quiet machine, so
``--step`` runs some alone. ``--fresh`` removes all but the searches, ``--fresh-search`` those too. The report is
written last.
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import mfrec
from benchmarks import protocols, raw, reporting, towers
from benchmarks.plan import SMOKE, TITLE, USER, Plan
from benchmarks.steps import Steps

REPORT = Path(__file__).parent / "report"
SMOKE_REPORT = Path("build") / "bench-smoke"


STEPS: Mapping[str, Callable[[Steps], None]] = {
    "untuned": Steps.untuned,
    "searches": Steps.searches,
    "tuned": Steps.tuned,
    "curves": Steps.curves,
    "costs": Steps.costs,
}


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
        names += [name] if problem is None else ["sample"] if plan.users is not None else []
    if not names:
        sys.exit(f"nothing can be measured here: {'; '.join(map(': '.join, missing.items()))}")
    for name in names:
        ratings = protocols.load(name, plan.users)
        steps = Steps(plan, folder / "raw" / name, name, ratings, with_towers=reason is None)
        for step in chosen:
            STEPS[step](steps)
    raw.write(folder / "raw" / "status.json", {"about": raw.about(), "missing": missing, "user": USER, "title": TITLE})


def fetch(name: str) -> str | None:
    """Download a data set unless it is there; say why it cannot be had, or None."""
    try:
        protocols.load(name)
    except mfrec.DataError:
        try:
            mfrec.download(name)
        except mfrec.MfrecError as error:
            return str(error)
    return None


def clear(folder: Path, *, searches: bool) -> None:
    """Remove results, so that they are made again."""
    for path in sorted(folder.glob("raw/*/*")):
        if path.is_dir() and (searches or not path.name.startswith("search-")):
            shutil.rmtree(path)


def main() -> None:
    """Parse the command line, measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", action="append", help="a MovieLens release; may be given again")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--trials", type=int, help="of each two-tower search")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--step", nargs="+", choices=tuple(STEPS), default=tuple(STEPS))
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--fresh-search", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="one epoch of a small sample, to see that all of it runs")
    args = parser.parse_args()
    # every split says which users and titles have no training data; the raw files do too
    logging.getLogger("mfrec").setLevel(logging.ERROR)
    plan = SMOKE if args.smoke else Plan()
    plan = replace(
        plan,
        datasets=tuple(args.dataset or plan.datasets),
        seeds=args.seeds or plan.seeds,
        tower_trials=args.trials or plan.tower_trials,
        tower_trials_by_time=args.trials or plan.tower_trials_by_time,
    )
    folder = args.out or (SMOKE_REPORT if args.smoke else REPORT)
    if args.fresh or args.fresh_search or args.smoke:
        clear(folder, searches=args.fresh_search or args.smoke)
    kept = len(list(folder.glob("raw/*/*/*.json")))
    if kept:
        print(f"{kept} results are there already: those of the same settings are kept; --fresh makes them again")
    run(plan, folder, args.step)
    reporting.write(folder)
    print(f"the report is {folder / 'README.md'}")


if __name__ == "__main__":
    main()
