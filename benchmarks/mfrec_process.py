"""The mfrec side of the cost measurements: the same work in the same order as ``two_tower.py run`` and ``first``.

Usage: python -m benchmarks.mfrec_process run SPLIT OUT [--queries 500] [--user 42] [--title ...]
       python -m benchmarks.mfrec_process first OUT [--user 42] [--title ...]

Each writes ``OUT/<command>.json``.
"""

import argparse
import importlib
import json
import time
from pathlib import Path
from typing import Any

STARTED = time.time()

import numpy as np  # noqa: E402

import mfrec  # noqa: E402
from benchmarks.two_tower_data import SplitFile  # noqa: E402

K = 10

Answers = dict[str, list[Any]]


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Go from the split to first answers, then measure what serving costs."""
    train = read(args.split)
    # imports are no training, on neither side; mfrec imports what trains when it is first named
    fit_als = mfrec.fit_als
    importlib.import_module("tqdm.auto")
    began = time.perf_counter()
    factors = fit_als(train)
    fitted = time.perf_counter()
    model = mfrec.build(train, factors)
    built = time.perf_counter()
    answers = answer_all(model, args.user, args.title)
    costs = {
        "first_answer_at": time.time(),
        "peak_mb": peak_mb(),
        "fit_seconds": fitted - began,
        "index_seconds": built - fitted,
        "answers": answers,
    }
    return costs | {"latency": {"mfrec": latencies(model, args.queries)}} | save(model, args.out / "saved")


def read(path: Path) -> mfrec.Interactions:
    """Read the training part of a split, straight from its numbers."""
    import pandas as pd

    split = SplitFile.read(path)
    frame = pd.DataFrame(
        {
            "user": split.users[split.train_user],
            "item": split.titles[split.train_item],
            "weight": split.train_weight,
            "time": split.train_time,
        }
    )
    return mfrec.Interactions.from_frame(frame, weight="weight", time="time")


def first(args: argparse.Namespace) -> dict[str, Any]:
    """Load what `run` saved and answer one query in each direction."""
    answers = answer_all(mfrec.load(args.out / "saved"), args.user, args.title)
    return {"first_answer_at": time.time(), "peak_mb": peak_mb(), "answers": answers}


def answer_all(model: mfrec.Recommender, user: str, title: str) -> Answers:
    """Return the lists of one user and one title in all four directions."""
    asked = {"user": user, "item": title}
    return {
        name: model.recommend(name, [asked[direction.query]], K)[0].ids for name, direction in mfrec.DIRECTIONS.items()
    }


def latencies(model: mfrec.Recommender, queries: int) -> dict[str, list[float]]:
    """Return seconds of single queries, one after another, by direction; from id to ids."""
    rng = np.random.default_rng(0)
    numbers = {side: rng.integers(len(model.ids[side]), size=queries) for side in ("user", "item")}
    found = {}
    for name, direction in mfrec.DIRECTIONS.items():
        keys = model.ids[direction.query].ids(numbers[direction.query])
        for key in keys[:5]:
            model.recommend(name, [key], K)
        seconds = []
        for key in keys:
            began = time.perf_counter()
            model.recommend(name, [key], K)
            seconds.append(time.perf_counter() - began)
        found[name] = seconds
    return found


def save(model: mfrec.Recommender, folder: Path) -> dict[str, float]:
    """Save the model, and say how large it is and how long it took."""
    began = time.perf_counter()
    model.save(folder)
    seconds = time.perf_counter() - began
    return {"save_seconds": seconds, "saved_mb": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6}


def peak_mb() -> float:
    """Return the most memory this process ever held, in MB; not that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def main() -> None:
    """Parse the command line and run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for command in (run, first):
        sub = commands.add_parser(command.__name__)
        sub.set_defaults(command=command)
        if command is run:
            sub.add_argument("split", type=Path)
        sub.add_argument("out", type=Path)
        sub.add_argument("--user", default="42")
        sub.add_argument("--title", default="Toy Story (1995)")
        sub.add_argument("--queries", type=int, default=500)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    result = args.command(args)
    (args.out / f"{args.command.__name__}.json").write_text(json.dumps({"started_at": STARTED} | result))


if __name__ == "__main__":
    main()
