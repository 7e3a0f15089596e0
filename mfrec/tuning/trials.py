"""The log of a search: what it searches on its first line, then one line per trial, each a JSON object.

What a crash left unfinished at the end is dropped, and only that; any other damage is the user's to look at.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mfrec.data.interactions import Interactions
from mfrec.errors import ArtifactError, DataError, MfrecError, check_number, why_not_written
from mfrec.storage.atomic import check_file
from mfrec.training.params import ALSParams
from mfrec.tuning.params_file import interactions_hash

log = logging.getLogger("mfrec")

# how a log starts, so that the fragment of one can be told from the file of somebody else
_OPENING = b'{"search": '


@dataclass(frozen=True)
class Trial:
    """One fit on the training part and its score on the validation part.

    ``early`` is the score after the first iterations, where it was looked at; ``stopped`` trials were given up
    there, and their score is that one, or diverged, and score 0.
    """

    params: ALSParams
    score: float
    seconds: float
    stopped: bool = False
    early: float | None = None


def described(train: Interactions, held_out: Interactions) -> dict[str, Any]:
    """Return what tells the data of one search from that of another, as JSON values."""
    return {
        "users": train.shape[0],
        "items": train.shape[1],
        "training interactions": len(train),
        "validation interactions": len(held_out),
        "hash of the training part": interactions_hash(train, pairs_only=False),
        "hash of the validation part": interactions_hash(held_out, pairs_only=False),
    }


class TrialLog:
    """A file of trials of one search.

    Parameters
    ----------
    path
        The file; it need not exist yet. With None nothing is read or written.
    search
        What makes the search what it is, as JSON values: a log of another one is refused.

    Raises
    ------
    ParameterError
        When the file cannot be written.
    """

    def __init__(self, path: Path | None, search: dict[str, Any]) -> None:
        if path is not None:
            check_file(path)
        self.path = path
        # as it is read back: tuples become lists
        self.search: dict[str, Any] = json.loads(json.dumps(search))

    def read(self) -> list[Trial]:
        """Return the trials so far, and take an unfinished last line out of the file, with a warning.

        Raises
        ------
        DataError
            When the file is of another search, or a line is damaged.
        """
        if self.path is None or not self.path.exists():
            return []
        *whole, rest = self.path.read_bytes().split(b"\n")
        done: list[Trial] = []
        if whole:
            self._check(self._search_of(whole[0]))
            done = list(self._trials(whole[1:]))
        last = _trial(rest) if whole else None
        if last is not None:
            # all of it is there but its end
            with self.path.open("ab") as file:
                file.write(b"\n")
            return [*done, last]
        if rest:
            self._drop(self.path, rest, first=not whole)
        return done

    def append(self, trial: Trial) -> None:
        """Write one trial, on a line of its own; ArtifactError where that cannot be written."""
        if self.path is None:
            return
        try:
            with self.path.open("ab") as file:
                if not file.tell():
                    file.write(_line({"search": self.search}))
                file.write(_line(asdict(trial)))
        except OSError as error:
            raise ArtifactError(f"cannot write {self.path}: {why_not_written(error)}") from error

    @staticmethod
    def _drop(path: Path, rest: bytes, first: bool) -> None:
        start = rest[: len(_OPENING)]
        if first and start != _OPENING[: len(start)]:
            raise DataError(f"{path} is no log of trials: {_shown(rest)}; name another file")
        log.warning("%s: its last line is unfinished and was dropped: %s", path, _shown(rest))
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - len(rest))

    def _search_of(self, line: bytes) -> dict[str, Any]:
        values = _object(line)
        if values is None or not isinstance(values.get("search"), dict):
            raise DataError(
                f"{self.path} line 1 does not say which search the trials are of: {_shown(line)}; name another file"
            )
        found: dict[str, Any] = values["search"]
        return found

    def _check(self, found: dict[str, Any]) -> None:
        for name, here in _flat(self.search).items():
            there = _flat(found).get(name)
            if there != here:
                raise DataError(
                    f"{self.path} is the log of another search: its {name} is {_told(there)}, here it is "
                    f"{_told(here)}; name another file"
                )

    def _trials(self, lines: list[bytes]) -> Iterator[Trial]:
        for number, line in enumerate(lines, 2):
            trial = _trial(line)
            if trial is None:
                raise DataError(
                    f"{self.path} line {number} is damaged: {_shown(line)}; take that line out, or name another file"
                )
            yield trial


def _trial(line: bytes) -> Trial | None:
    """Return the trial on a line, None where it holds anything else."""
    values = _object(line)
    if values is None or set(values) != set(Trial.__dataclass_fields__) or not isinstance(values["params"], dict):
        return None
    if not isinstance(values["stopped"], bool):
        return None
    try:
        # every metric is from 0 to 1
        check_number("score", values["score"], 0, 1)
        check_number("early", values["early"] or 0, 0, 1)
        check_number("seconds", values["seconds"], 0, 1e12)
        return Trial(**{**values, "params": ALSParams(**values["params"])})
    except (MfrecError, TypeError, OverflowError):
        return None


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _flat(search: dict[str, Any]) -> dict[str, Any]:
    """Return one value per name: those of an object within, such as the base, under its name and theirs."""
    flat: dict[str, Any] = {}
    for name, value in search.items():
        flat |= {f"{name} {n}": v for n, v in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "backslashreplace"))


def _told(value: Any) -> str:
    return "not told" if value is None else str(value)
