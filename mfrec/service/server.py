"""`run`: the process that listens."""

import errno
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from mfrec.errors import ParameterError
from mfrec.service.app import create
from mfrec.service.metrics import SHARED
from mfrec.service.settings import Settings
from mfrec.service.sources import source_of

# beyond these, a new connection gets 503 and a time to come back, instead of making all others slow
_MOST_CONNECTIONS = 1000
# seconds that running requests have after SIGTERM
_GRACE = 10
# what to do where an address cannot be had
_NOT_BOUND = {
    errno.EADDRINUSE: "stop what listens there, or choose another port with --port",
    errno.EACCES: "ports below 1024 are for the administrator: choose another with --port",
}
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

log = logging.getLogger("mfrec.service")


@dataclass(frozen=True)
class Address:
    """Where to listen: loopback only, unless told otherwise."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 <= self.port < 2**16:
            raise ParameterError(f"port must be from 0 to 65535, got {self.port}")
        if not 1 <= self.workers <= 256:
            raise ParameterError(f"workers must be from 1 to 256, got {self.workers}")


def run(settings: Settings, address: Address, announce: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT, then let running requests finish.

    Parameters
    ----------
    settings, address
        What to serve, and where.
    announce
        Called with the port once nothing is left that the operator could have got wrong.

    Raises
    ------
    ArtifactError
        When the path is neither a store nor a model.
    ParameterError
        When the address cannot be had, or several workers have no temporary folder to share.
    """
    source_of(settings.path)
    set_up_log(json_lines=settings.json_log)
    # uvicorn raises the signal again once it is done: having stopped as told is a success
    signal.signal(signal.SIGTERM, _leave)
    with _bound(address) as taken:
        if address.workers == 1:
            announce(taken.getsockname()[1])
            uvicorn.Server(server_config(create(settings), address)).run([taken])
            return
        with _shared_counters() as folder:
            os.environ.update(settings.to_environment() | {SHARED: folder})
            # each worker is one thread of work: those inside numpy would fight for the same cores
            for name in _THREADS:
                os.environ.setdefault(name, "1")
            announce(taken.getsockname()[1])
            _run_workers(server_config("mfrec.service.server:worker", address, factory=True), taken)


def worker() -> Any:
    """Return the application of a worker process; called there by uvicorn."""
    settings = Settings.from_environment()
    set_up_log(json_lines=settings.json_log)
    return create(settings)


def server_config(app: Any, address: Address, *, factory: bool = False) -> uvicorn.Config:
    """Return how the server is set up around an application."""
    return uvicorn.Config(
        app,
        host=address.host,
        port=address.port,
        workers=address.workers,
        factory=factory,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_GRACE,
    )


def _run_workers(config: uvicorn.Config, taken: socket.socket) -> None:
    from uvicorn.supervisors import Multiprocess

    Multiprocess(config, sockets=[taken]).run()


def _bound(address: Address) -> socket.socket:
    """Return a socket at an address; uvicorn listens on it once the model is open."""
    host, port = address.host, address.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # localhost is also 127.0.0.1 to those who write that
        family, kind, protocol, _, place = min(found, key=lambda one: one[0] != socket.AF_INET)
        with ExitStack() as stack:
            taken = stack.enter_context(socket.socket(family, kind, protocol))
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(place)
            # workers are new processes
            taken.set_inheritable(True)
            stack.pop_all()
            return taken
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = _NOT_BOUND.get(getattr(error, "errno", 0), "name an address of this machine with --host")
        raise ParameterError(f"cannot listen on {host} port {port}: {reason}; {remedy}") from None


@contextmanager
def _shared_counters() -> Iterator[str]:
    try:
        folder = tempfile.mkdtemp(prefix="mfrec-metrics-")
    except OSError as error:
        raise ParameterError(
            f"several workers share a temporary folder, and none can be made: {error.strerror or error}; set TMPDIR to "
            "a folder that can be written, or serve with --workers 1"
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _leave(*_: Any) -> None:
    raise SystemExit(0)


def set_up_log(*, json_lines: bool) -> None:
    """Send what the service has to say to stderr: lines for people, or JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if json_lines else logging.Formatter("%(levelname)s %(message)s"))
    for name, level in (("mfrec", logging.INFO), ("uvicorn", logging.WARNING), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        if "." not in name:
            logger.handlers = [handler]
            logger.propagate = False


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return one JSON object on one line."""
        import json

        line = {"time": round(record.created, 3), "level": record.levelname, "message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)
