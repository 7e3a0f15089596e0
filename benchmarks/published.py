"""Hold mfrec against the table of a graph-recommendation paper, on the paper's own split.

Usage: python benchmarks/published.py --train train.txt --validation valid.txt --test test.txt [--minutes 5] [--refit]
       python benchmarks/published.py --write ml-100k FOLDER

A split is plain text as such papers publish it: each line a user number, then that user's item numbers. Parameters
are tuned on the validation file (or read from ``--params``), the model is fitted on the training file (``--refit``
adds the validation file), and the test file is asked once: recall and NDCG over all items, those of the data the
model was fitted on taken out, averaged over the users who have test items. ``--write`` makes the three files of a
MovieLens release: 64 % train, 16 % validation, 20 % test, at random.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from scipy.sparse import csr_matrix

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.errors import MfrecError, ParameterError, check_integer
from mfrec.evaluation import measure
from mfrec.evaluation.read_split import read_lists
from mfrec.evaluation.splits import Split, random_split, read_split
from mfrec.storage.atomic import check_file
from mfrec.training.fit import fit_als
from mfrec.training.params import ALSParams
from mfrec.tuning.params_file import read_params, write_params
from mfrec.tuning.tune import tune

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Result:
    """What is held against a paper: means over users with test items."""

    recall: float
    ndcg: float
    k: int
    users: int
    fit_seconds: float
    params: ALSParams


def judge(split: Split, params: ALSParams, *, k: int = 20, refit: bool = False) -> Result:
    """Fit on the training part, with the validation part where ``refit`` says so, and ask for the test part."""
    train = merged(split.train, split.validation) if refit and split.validation is not None else split.train
    started = time.perf_counter()
    factors = fit_als(train, params)
    seconds = time.perf_counter() - started
    found = measure(factors, train, split.test, k)
    users = int((split.test.degree.user > 0).sum())
    return Result(found[f"recall@{k}"], found[f"ndcg@{k}"], k, users, seconds, params)


def merged(first: Interactions, second: Interactions) -> Interactions:
    """Return the interactions of two disjoint parts of one split, without times."""
    matrix = csr_matrix(first.matrix + second.matrix)
    matrix.sort_indices()
    return replace(first, matrix=matrix, times=None)


def write_lists(interactions: Interactions, path: Path) -> None:
    """Write one line per user: the user's number, then the numbers of its items."""
    indptr, indices = interactions.matrix.indptr, interactions.matrix.indices
    lines = [
        " ".join(map(str, [user, *indices[indptr[user] : indptr[user + 1]]])) for user in range(interactions.shape[0])
    ]
    path.write_text("\n".join(lines) + "\n")


def write_split(name: str, folder: Path, seed: int) -> None:
    """Write the three files of a MovieLens release."""
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"cannot write into {folder}: it is a file")
    folder.mkdir(parents=True, exist_ok=True)
    rest, test = random_split(mfrec.load_movielens(name), 0.2, seed)
    train, validation = random_split(rest, 0.2, seed)
    for part, interactions in zip(PARTS, (train, validation, test), strict=True):
        write_lists(interactions, folder / f"{part}.txt")
    print(f"{', '.join(f'{part}.txt' for part in PARTS)} are in {folder}")


def chosen(options: argparse.Namespace, split: Split) -> ALSParams:
    """Return the parameters of the file, else those that the validation part chooses."""
    base = ALSParams(seed=options.seed)
    if options.params is not None:
        return ALSParams(**read_params(options.params))
    if split.validation is None:
        raise ParameterError("tuning needs --validation; or name --params")
    found = tune(
        split.train,
        validation=split.validation,
        metric=options.metric,
        minutes=options.minutes,
        trials=options.trials,
        base=base,
        resume=options.resume,
        seed=options.seed,
        progress=True,
    )
    if found.interrupted and not found.finished:
        raise KeyboardInterrupt
    made = f"{len(found.trials)} trials, best {found.metric} on validation {found.best.score:.4f}"
    # with --json the result alone goes to standard output
    print(made, file=sys.stderr if options.json else sys.stdout)
    return found.best.params


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("train", "validation", "test", "params", "resume", "out"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--metric", default="ndcg@20")
    parser.add_argument("-k", type=int, default=20)
    parser.add_argument("--refit", action="store_true")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", nargs=2, metavar=("RELEASE", "FOLDER"))
    options = parser.parse_args(arguments)
    if not options.write and not (options.train and options.test):
        parser.error("name --train and --test, or --write")
    return options


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    if options.write:
        write_split(options.write[0], Path(options.write[1]), options.seed)
        return
    if options.refit and options.validation is None:
        raise ParameterError("--refit adds the validation part: name --validation")
    # what would end the run after the search ends it here
    check_integer("k", options.k, 1)
    for path in filter(None, (options.out, options.resume)):
        check_file(path)
    validation = None if options.validation is None else read_lists(options.validation)
    split = read_split(read_lists(options.train), read_lists(options.test), validation)
    result = judge(split, chosen(options, split), k=options.k, refit=options.refit)
    if options.out is not None:
        write_params(options.out, result.params)
    if options.json:
        print(json.dumps(asdict(result)))
        return
    print(f"recall@{result.k} {result.recall:.4f}   NDCG@{result.k} {result.ndcg:.4f}   ({result.users} test users)")
    print(f"fitted in {result.fit_seconds:.1f} s with {json.dumps(asdict(result.params))}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run; a mistake is one line and exit code 2."""
    try:
        run(parse(arguments))
    except (MfrecError, OSError) as error:
        print(f"published.py: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("published.py: stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
