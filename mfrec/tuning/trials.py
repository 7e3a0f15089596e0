"""The trials of a search: a study of Optuna, in memory or in a journal file that the search goes on from."""

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfrec.errors import DataError, MfrecError, ParameterError
from mfrec.storage.atomic import check_file
from mfrec.training.params import ALSParams

log = logging.getLogger("mfrec")

# of the study in a journal
NAME = "mfrec"
# how a journal starts, and how the logs of earlier versions did
_OPENING, _BEFORE = b'{"op_code":', b'{"search": '
# after so many seconds the lock of a process that was killed is nobody's
_GRACE = 3


@dataclass(frozen=True)
class Trial:
    """One fit on the training part and its score on the validation part.

    ``stopped`` trials were given up, and their score is the last one seen, or diverged.
    """

    params: ALSParams
    score: float
    seconds: float
    stopped: bool = False


def require_optuna() -> Any:
    """Return the module; MfrecError where it is not installed."""
    try:
        import optuna
    except ImportError:
        raise MfrecError("tuning needs optuna: pip install 'mfrec[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def alone(path: Path | None) -> Iterator[None]:
    """Keep other searches away from a log until the block ends; ParameterError where one is at it."""
    if path is None:
        yield
        return
    check_file(path)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ParameterError(f"{path} is in use by another search: wait, or name another file") from None
        try:
            yield
        finally:
            # of a search that was refused nothing stays
            if not file.tell() and not path.stat().st_size:
                path.unlink()


def open_study(path: Path | None, search: dict[str, Any]) -> Any:
    """Return the study of a search, with the trials of it that a file holds.

    Parameters
    ----------
    path
        A journal of Optuna's, which need not exist yet. With None the study is in memory.
    search
        What makes the search what it is, as JSON values.

    Raises
    ------
    ParameterError
        When the file cannot be written.
    DataError
        When the file is damaged or of another search. It is left as it is.
    """
    optuna = require_optuna()
    study = optuna.create_study(
        storage=None if path is None else _storage(optuna, path, search),
        study_name=NAME,
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(),
    )
    if not study.user_attrs:
        study.set_user_attr("search", search)
    # what a killed process was at
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def done(study: Any) -> list[Any]:
    """Return the trials of a study that came to their end, were given up or diverged, as Optuna has them."""
    state = require_optuna().trial.TrialState
    found: list[Any] = study.get_trials(deepcopy=False, states=(state.COMPLETE, state.PRUNED))
    return found


def _storage(optuna: Any, path: Path, search: dict[str, Any]) -> Any:
    """Return the storage of a file, without what a killed process left of its last line."""
    check_file(path)
    content = path.read_bytes() if path.exists() else b""
    if content.startswith(_BEFORE):
        raise DataError(f"{path} is a log of an earlier version, which this one does not read; name another file")
    if content[: len(_OPENING)] != _OPENING[: len(content)]:
        raise DataError(f"{path} is no log of trials: {_shown(content)}; name another file")
    journal = optuna.storages.journal
    try:
        # Optuna forgives a last line that says nothing, and cannot read what comes to stand after it
        *lines, unfinished = content.split(b"\n")
        for number, line in enumerate(lines, 1):
            _require_json(path, number, line)
        lock = journal.JournalFileOpenLock(str(path), grace_period=_GRACE)
        storage = optuna.storages.JournalStorage(journal.JournalFileBackend(str(path), lock))
        studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    except (AssertionError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: its lines do not follow from one another; name another file") from error
    for study in studies:
        _check(path, study, search)
    if unfinished:
        log.warning("%s: its last line is unfinished and was dropped: %s", path, _shown(unfinished))
        with path.open("r+b") as file:
            file.truncate(len(content) - len(unfinished))
    return storage


def _require_json(path: Path, number: int, line: bytes) -> None:
    try:
        json.loads(line)
    except (RecursionError, ValueError):
        raise DataError(
            f"{path} line {number} is damaged: {_shown(line)}; take that line out, or name another file"
        ) from None


def _check(path: Path, study: Any, search: dict[str, Any]) -> None:
    told = study.user_attrs.get("search", {} if study.trials or study.study_name != NAME else search)
    for name, here in search.items():
        if told.get(name) != here:
            raise DataError(
                f"{path} is the log of another search: its {name} is {told.get(name, 'not told')}, here it is "
                f"{here}; name another file"
            )
    trials = done(study)
    if len({frozenset(trial.params) for trial in trials}) > 1 or not all(trial.duration for trial in trials):
        raise DataError(f"{path} is damaged: something is missing in its trials; name another file")


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "backslashreplace"))
