"""What the service benchmarks share: a service in a process of its own, and how to ask and watch it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mfrec

Json = dict[str, Any]


@dataclass
class Service:
    """A running service."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    seconds_to_ready: float

    @property
    def rss(self) -> float:
        """Resident memory in MiB."""
        return float(matched(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1]) / 1024

    def ask(self, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Ask over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"content-type": "application/json"}
            connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def traces(self) -> int:
        """How many tracebacks the log holds."""
        return self.log.read_text().count("Traceback")


def matched(pattern: str, text: str) -> re.Match[str]:
    """Return what a pattern finds in some output, which must hold it."""
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"{pattern!r} is not in:\n{text}")
    return found


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def mfrec_command(python: str = sys.executable) -> list[str]:
    """Return how to call the command line of an environment."""
    return [python, "-c", "from mfrec.cli import main; main()"]


@contextmanager
def serving(path: Path, *options: str, python: str = sys.executable) -> Iterator[Service]:
    """Serve a path until the block ends."""
    port = free_port()
    log = Path(tempfile.mkstemp(suffix=".log")[1])
    command = [*mfrec_command(python), "serve", str(path), "--port", str(port), *options]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    started = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, stdout=file, env=environment)
    service = Service(process, port, log, 0.0)
    try:
        while not ready(service):
            if process.poll() is not None or time.perf_counter() - started > 60:
                raise SystemExit(f"the service did not start:\n{log.read_text()}")
            time.sleep(0.005)
        service.seconds_to_ready = time.perf_counter() - started
        yield service
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.unlink()


def ready(service: Service) -> bool:
    """Whether it answers."""
    try:
        return service.ask("/readyz")[0] == 200
    except OSError:
        return False


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
