"""Faults at named steps: a process changes a model folder or a store, and dies or waits at one of them.

Everything that changes the disk is a step with a name, such as ``write user.factors.npy``, ``flush manifest.json`` or
``exchange model``. A test first records the steps of an undisturbed change (`Writer.steps`), then lets a process kill
itself at each of them in turn (`Writer.kill`), or wait there (`Writer.pauses`). Nothing depends on when things happen.

The changes are made by ``python -m tests.faults``, which forks a child for each: that is quicker than a new
interpreter, and safe, since this process never has a second thread while it forks.
"""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import mfrec
from mfrec.model.recommender import Recommender
from mfrec.storage import atomic, store
from tests.waiting import LIMIT

BEFORE, HALFWAY, AFTER = "before", "halfway", "after"

# the kind of a step that nobody gave a name: a test sees that it happened, and cannot stop there
UNNAMED = "unnamed"

# what is asked of the process: the name of a change, the folder in which it happens, and what else it takes
Change = tuple[Any, ...]


class Step(NamedTuple):
    """One thing that changes the disk; a writer's random names are left out of its own."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def deaths(steps: Sequence[Step]) -> Iterator[tuple[int, str]]:
    """Yield where a process can die: the number of a step, and the moment.

    After a step is before the next one. What takes several calls to the system can also be left half done.
    """
    for at, step in enumerate(steps):
        if step.kind != UNNAMED:
            yield at, BEFORE
        if step.kind in ("write", "clear"):
            yield at, HALFWAY
    yield len(steps) - 1, AFTER


def save(model: Path, target: Path, way: str = "exchange") -> Change:
    """Save the model of one folder to another, "without exchange" as on a system that cannot swap two folders."""
    return ("save", target.parent, model, target, way)


def publish(model: Path, path: Path) -> Change:
    """Publish a model to a store that keeps one version."""
    return ("publish", path, model)


def rollback(path: Path, to: str) -> Change:
    """Roll a store back to a version."""
    return ("rollback", path, to)


def prune(path: Path) -> Change:
    """Remove all versions of a store but the newest and the current one."""
    return ("prune", path)


class Writer:
    """The process that makes changes, seen from a test."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **ONE_THREAD}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._told: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def steps(self, change: Change) -> list[Step]:
        """Make a change to its end and return its steps."""
        self.start(change)
        return self.end()

    def start(self, change: Change) -> None:
        """Begin a change, and do not wait for its end."""
        self._ask({"change": change})

    def ended(self) -> bool:
        """Whether what was started has come to its end; `end` then returns at once."""
        return not self._told.empty()

    def end(self) -> list[Step]:
        """Wait for the end of a change and return its steps."""
        told = self._hear()
        assert told["ended"] == 0, "the writer failed: its traceback is on stderr"
        return [Step(*step) for step in told["steps"]]

    def kill(self, change: Change, at: int, moment: str) -> None:
        """Let a process kill itself at a step of a change, by its number."""
        self._ask({"change": change, "at": at, "moment": moment})
        assert self._hear() == {"ended": -signal.SIGKILL, "steps": []}

    def pauses(self, change: Change) -> Iterator[tuple[Step, str]]:
        """Yield before and after every step of a change, while its process waits there."""
        self._ask({"change": change, "pause": True})
        while "ended" not in (told := self._hear()):
            yield Step(*told["step"]), told["moment"]
            self._ask({})
        assert told["ended"] == 0, "the writer failed: its traceback is on stderr"

    def close(self) -> None:
        """End the process."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        pipe_in.close()
        self._process.wait(LIMIT)
        self._listener.join()
        pipe_out.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._told.put(line)
        self._told.put('{"ended": "the process that forks"}')

    def _ask(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request, default=str) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._told.get(timeout=LIMIT))
        return told


# what follows runs in the process that is asked

# libraries must not start threads of their own before the fork
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

_RANDOM = re.compile(r"saving-\d+-[0-9a-f]{8}$|(?<=^\.current-)\d+$")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")


@dataclass
class _Steps:
    """Turns what changes the disk into steps, and stops at one of them, or at all."""

    home: Path
    kill: tuple[int, str] | None
    pause: Callable[[Step, str], None]

    def __post_init__(self) -> None:
        self.seen: list[Step] = []
        self._inside = False

    def watch(self, model: Recommender | None) -> None:
        """Name every function through which the disk is changed."""
        for module in (atomic, store):
            self._name(module, "flush", "flush")
        self._name(atomic, "_exchange", "exchange", path=1)
        self._name(np, "save", "write")
        for kind in {type(index.finder) for index in model.indexes.values() if index.finder} if model else ():
            self._name(kind, "write", "write", path=1)
        self._name(Path, "write_bytes", "write")
        self._name(Path, "write_text", "write")
        self._name(shutil, "copyfile", "write", path=1)
        self._name(os, "mkdir", "make")
        self._name(os, "rename", "rename", path=1)
        self._name(os, "replace", "rename", path=1)
        self._name(os, "unlink", "delete")
        self._name(shutil, "rmtree", "clear")
        sys.addaudithook(self._see_to_it)

    def _name(self, owner: Any, function: str, kind: str, path: int = 0) -> None:
        real = getattr(owner, function)

        def step(*args: Any, **options: Any) -> Any:
            if self._inside:
                return real(*args, **options)
            number, at = len(self.seen), Path(args[path])
            self.seen.append(Step(kind, _RANDOM.sub("*", at.name)))
            self._stop(number, BEFORE)
            self._inside = True
            if self.kill == (number, HALFWAY):
                _half_done(kind, at, lambda: real(*args, **options))
                _die()
            try:
                return real(*args, **options)
            finally:
                self._inside = False
                self._stop(number, AFTER)

        setattr(owner, function, step)

    def _stop(self, number: int, moment: str) -> None:
        if self.kill == (number, moment):
            _die()
        self.pause(self.seen[number], moment)

    def _see_to_it(self, event: str, args: tuple[Any, ...]) -> None:
        """Add what changes the disk by another way than those named, so that a test sees it."""
        writes = event == "open" and isinstance(args[2], int) and args[2] & _WRITES
        if (writes or event in _CHANGES) and not self._inside and isinstance(args[0], str | os.PathLike):
            path = Path(args[0])
            if self.home in path.parents:
                self.seen.append(Step(UNNAMED, path.name))


def _half_done(kind: str, path: Path, whole: Callable[[], object]) -> None:
    """Leave half of a file, or half of a folder's files."""
    if kind == "write":
        whole()
        os.truncate(path, path.stat().st_size // 2)
    elif path.is_dir():
        for file in sorted(path.iterdir())[::2]:
            file.unlink()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _prepared(change: list[Any]) -> tuple[Callable[[], object], Recommender | None]:
    """Return what makes a change, and the model that it saves; that is opened here, not in the child."""
    name, home, *rest = change
    if name == "save":
        model = _opened(rest[0])
        return lambda: _save(model, *rest[1:]), model
    calls: dict[str, Callable[[], object]] = {
        "publish": lambda: store.publish(rest[0], home, keep=1),
        "rollback": lambda: store.rollback(home, rest[0]),
        "prune": lambda: store.Store(Path(home)).prune(keep=1),
    }
    return calls[name], None


@cache
def _opened(path: str) -> Recommender:
    return mfrec.load(path)


def _save(model: Recommender, target: str, way: str) -> None:
    if way == "without exchange":
        atomic._exchange = lambda one, other: False
    model.save(target)


def _tell(message: Mapping[str, Any]) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201


def _pause(step: Step, moment: str) -> None:
    _tell({"step": step, "moment": moment})
    if not sys.stdin.readline():
        os._exit(1)


def _change(request: dict[str, Any]) -> tuple[int, list[Any]]:
    """Make a change in a child; return how the child ended, and the steps where it came to the end of the change."""
    make, model = _prepared(request["change"])
    kill = (request["at"], request["moment"]) if "at" in request else None
    steps = _Steps(Path(request["change"][1]), kill, _pause if request.get("pause") else lambda step, moment: None)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            # a kill loses nothing that was written, flushed or not: only a power cut does
            os.fsync = lambda handle: None  # type: ignore[assignment]
            steps.watch(model)
            make()
            os.write(write, json.dumps(steps.seen).encode())
            code = 0
        except BaseException:  # noqa: BLE001  # a child never goes on as its parent would
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), json.loads(told or "[]")


def _main() -> None:
    for line in iter(sys.stdin.readline, ""):
        code, steps = _change(json.loads(line))
        _tell({"ended": code, "steps": steps})


if __name__ == "__main__":
    _main()
