"""Hold mfrec against the table of a graph-recommendation paper, on the paper's own split.

    published --train train.txt --validation valid.txt --test test.txt [--minutes 5] [--refit]
    published --write ml-100k FOLDER

A split is plain text as such papers publish it: each line a user number, then that user's item numbers. Parameters
are tuned on the validation file (or read from ``--params``), the model is fitted on the training file (``--refit``
adds the validation file), and the test file is asked once: recall and NDCG over all items, those of the data the
model was fitted on taken out, averaged over the users who have test items. ``--write`` makes the three files of a
MovieLens release: 64 % train, 16 % validation, 20 % test, at random.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

import mfrec
from benchmarks.tools import Figures, command
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


def judge(split: Split, params: ALSParams, k: int = 20) -> Figures:
    """Fit on the training part, and ask for the test part: means over users with test items."""
    started = time.perf_counter()
    factors = fit_als(split.train, params)
    seconds = time.perf_counter() - started
    found = measure(factors, split.train, split.test, k)
    users = int((split.test.degree.user > 0).sum())
    return {
        "recall": found[f"recall@{k}"],
        "ndcg": found[f"ndcg@{k}"],
        "k": k,
        "users": users,
        "fit_seconds": round(seconds, 2),
        "params": asdict(params),
    }


def write_lists(interactions: Interactions, path: Path) -> None:
    """Write one line per user: the user's number, then the numbers of its items."""
    matrix = interactions.matrix
    rows = enumerate(np.split(matrix.indices, matrix.indptr[1:-1]))
    path.write_text("".join(" ".join(map(str, (user, *items))) + "\n" for user, items in rows))


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


def published(
    train: str = "",
    validation: str = "",
    test: str = "",
    params: str = "",
    resume: str = "",
    out: str = "",
    minutes: float = 5.0,
    trials: int = 0,
    metric: str = "ndcg@20",
    k: int = 20,
    refit: bool = False,
    seed: int = 42,
    write: tuple[str, ...] = (),
) -> Figures | None:
    """Do what the command line asks for."""
    if write:
        write_split(write[0], Path(*write[1:]), seed)
        return None
    if not (train and test):
        raise ParameterError("name --train and --test, or --write")
    if not validation and (refit or not params):
        raise ParameterError("--refit adds the validation part, and tuning needs it: name --validation")
    # what would end the run after the search ends it here
    check_integer("k", k, 1)
    for path in filter(None, (out, resume)):
        check_file(Path(path))
    frames = {part: read_lists(Path(part)) for part in (train, test, validation) if part}
    split = read_split(frames[train], frames[test], frames.get(validation))
    if params:
        chosen = ALSParams(**read_params(Path(params)))
    else:
        found = tune(
            split.train,
            validation=split.validation,
            metric=metric,
            minutes=minutes,
            trials=trials or None,
            base=ALSParams(seed=seed),
            resume=Path(resume) if resume else None,
            seed=seed,
            progress=True,
        )
        if found.interrupted and not found.finished:
            raise KeyboardInterrupt
        told = f"{len(found.trials)} trials, best {found.metric} on validation {found.best.score:.4f}"
        print(told, file=sys.stderr)
        chosen = found.best.params
    if refit:
        split = read_split(pd.concat([frames[train], frames[validation]]), frames[test])
    result = judge(split, chosen, k)
    if out:
        write_params(Path(out), chosen)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Run; a mistake is one line and exit code 2."""
    try:
        command(published)(arguments)
    except (MfrecError, OSError) as error:
        print(f"published: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("published: stopped", file=sys.stderr)
        sys.exit(130)
