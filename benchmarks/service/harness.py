"""What the service benchmarks share: a service in a process of its own, and how to ask and watch it."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mfrec


@dataclass
class Service:
    """A running service."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    seconds_to_ready: float = 0.0

    @property
    def rss(self) -> float:
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return round(float(matched(r"VmRSS:\s+(\d+)", status)[1]) / 1024, 1)

    @property
    def traces(self) -> int:
        """How many tracebacks the log holds."""
        return self.log.read_text().count("Traceback")

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return self.ask("/readyz")[0] == 200
        except OSError:
            return False

    def ask(self, path: str) -> tuple[int, Any]:
        """Ask over a connection of its own."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())


def matched(pattern: str, text: str) -> re.Match[str]:
    """Return what a pattern finds in some output, which must hold it."""
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"{pattern!r} is not in:\n{text}")
    return found


def mfrec_command(*arguments: object, python: str = sys.executable) -> list[str]:
    """Return how to call the command line of an environment."""
    return [python, "-c", "from mfrec.cli import main; main()", *map(str, arguments)]


@contextmanager
def serving(path: Path, *options: str, python: str = sys.executable) -> Iterator[Service]:
    """Serve a path until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    command = mfrec_command("serve", path, "--port", port, *options, python=python)
    started = time.perf_counter()
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stderr=log, stdout=log, env=environment)
        service = Service(process, port, Path(log.name))
        try:
            while not service.ready:
                if process.poll() is not None or time.perf_counter() - started > 60:
                    raise SystemExit(f"the service did not start:\n{service.log.read_text()}")
                time.sleep(0.005)
            service.seconds_to_ready = round(time.perf_counter() - started, 3)
            yield service
        finally:
            process.terminate()
            process.wait(30)


def sample_models(folder: Path, count: int) -> list[Path]:
    """Save different models, of ML-100K where it is at hand, otherwise of the built-in sample."""
    try:
        ratings = mfrec.load_movielens("ml-100k")
    except mfrec.MfrecError:
        ratings = mfrec.sample().interactions
    paths = [folder / f"model-{n}" for n in range(count)]
    for n, path in enumerate(paths):
        mfrec.fit(ratings, mfrec.ALSParams(seed=n, iterations=4)).save(path)
    return paths
