"""The process: what it imports, prints and takes from slow clients, and how it stops."""

import asyncio
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from mfrec.cli import main
from mfrec.service.settings import Settings
from mfrec.storage.store import publish
from tests.service.conftest import Serve
from tests.waiting import LIMIT, wait_for

Folders = Callable[[int], Path]
Hurry = Callable[[str], AbstractContextManager[None]]

MFREC = [sys.executable, "-c", "from mfrec.cli import main; main()"]

# the command, in a process where neither the last requests nor the workers are given up on a slow machine
PATIENT = f"""
from mfrec.cli import main
from mfrec.service import server
config_of = server.server_config
def patient(*args, **options):
    config = config_of(*args, **options)
    config.timeout_graceful_shutdown = config.timeout_worker_healthcheck = {LIMIT:.0f}
    return config
server.server_config = patient
main()
"""


def free_port() -> int:
    """Return a port that the system gives to nobody who does not ask for it by number.

    A connection that was closed from the listener's side keeps it reserved for a minute.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address) as client:
            accepted, _ = listener.accept()
            accepted.close()
            assert client.recv(1) == b""
    return int(address[1])


@dataclass
class Service:
    """A running ``mfrec serve``, and what it has printed so far."""

    process: subprocess.Popen[str]
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        pairs = ((self.process.stdout, self.out), (self.process.stderr, self.err))
        self._readers = [threading.Thread(target=_read, args=pair) for pair in pairs]
        for reader in self._readers:
            reader.start()

    def stop(self) -> int:
        """Ask the process to stop, unless it did so before, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Wait for the end of the process and of what it prints; return its exit code."""
        code = self.process.wait(LIMIT)
        for reader in self._readers:
            reader.join()
        return code


def _read(pipe: IO[str], lines: list[str]) -> None:
    with pipe:
        lines.extend(line.rstrip("\n") for line in pipe)


@contextmanager
def service(path: Path, *options: str, **environment: str) -> Iterator[tuple[Service, httpx.Client]]:
    port = free_port()
    command = [sys.executable, "-c", PATIENT, "serve", str(path), "--port", str(port), "--poll", "0.05"]
    process = subprocess.Popen(
        [*command, "--timeout", str(LIMIT), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    running = Service(process)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT) as client:
            wait_for(lambda: process.poll() is not None or answers(client))
            assert process.poll() is None, running.err
            yield running, client
    finally:
        running.stop()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_start_answer_swap_and_stop(folders: Folders, tmp_path: Path, workers: int) -> None:
    store = tmp_path / "store"
    publish(folders(0), store)
    # a worker that starts late goes straight to the second version
    said = [f"INFO serving version {version}: 40 users x 30 items" for version in ("000001", "000002")]
    with service(store, "--workers", str(workers)) as (running, client):
        assert client.get("/v1/user2item/1").status_code == 200
        publish(folders(1), store)
        wait_for(lambda: running.err.count(said[1]) == workers)
        served = {client.get("/readyz", headers={"connection": "close"}).json()["version"] for _ in range(8)}
        assert served == {"000002"}
        assert running.stop() == 0
    assert running.out == []
    assert re.fullmatch(r"mfrec serve .+: explorer at http://127\.0\.0\.1:\d+/, API at .+/docs", running.err[0])
    assert set(running.err[1:]) == set(said)
    assert running.err[1:].count(said[1]) == workers


def test_workers_add_their_counters_up(folders: Folders) -> None:
    def asked(path: str) -> str:
        # a new connection each, so that both workers are asked
        return client.get(path, headers={"connection": "close"}).text

    with service(folders(0), "--workers", "2") as (running, client):
        wait_for(lambda: len({loaded(asked("/metrics")) for _ in range(8)}) == 2)
        for _ in range(16):
            asked("/v1/user2item/1")
        # a request is counted once its answer has been sent
        wait_for(lambda: 'mfrec_requests_total{route="user2item",status="200"} 16.0\n' in asked("/metrics"))
        pages = [asked("/metrics") for _ in range(8)]
        assert len(set(map(loaded, pages))) == 2
        for page in pages:
            assert 'mfrec_requests_total{route="user2item",status="200"} 16.0\n' in page
            assert 'mfrec_request_seconds_bucket{le="+Inf",route="user2item"} 16.0\n' in page
            assert 'mfrec_request_seconds_count{route="explain"} 0.0\n' in page
        assert running.stop() == 0


def loaded(page: str) -> str:
    """Return when the worker that gave a page of metrics opened its model, which tells the workers apart."""
    return next(line for line in page.splitlines() if line.startswith("mfrec_model_loaded"))


def test_running_requests_finish_after_sigterm(folders: Folders) -> None:
    with service(folders(0)) as (running, client):
        body = json.dumps({"ids": [1], "k": 3}).encode()
        head = (
            "POST /v1/user2item HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nexpect: 100-continue\r\n\r\n"
        )
        with connected(client) as connection:
            connection.sendall(head.encode())
            # the service is waiting for the body
            assert connection.recv(100_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(body[:5])
            running.process.send_signal(signal.SIGTERM)
            # it has heard the signal
            wait_for(lambda: not listens(client))
            assert running.process.poll() is None
            connection.sendall(body[5:])
            assert connection.recv(100_000).startswith(b"HTTP/1.1 200 OK")
        assert running.end() == 0


def connected(client: httpx.Client) -> socket.socket:
    """Return a connection to the service that a client asks."""
    port = client.base_url.port
    assert port
    return socket.create_connection(("127.0.0.1", port), timeout=LIMIT)


def listens(client: httpx.Client) -> bool:
    try:
        connected(client).close()
    except ConnectionRefusedError:
        return False
    return True


def test_json_log(folders: Folders) -> None:
    with service(folders(0), "--json-log", MFREC_API_KEY="0123456789abcdef") as (running, client):
        assert client.get("/v1/user2item/1").status_code == 401
        running.stop()
    lines = [json.loads(line) for line in running.out]
    assert (lines[-1]["path"], lines[-1]["status"]) == ("/v1/user2item/1", 401)
    assert json.loads(running.err[1])["message"].startswith("serving version")
    assert "0123456789abcdef" not in "".join(running.out + running.err)


MISTAKES = [
    (["serve", "nowhere"], "no such model folder"),
    (["serve", "."], "has no manifest.json"),
    (["serve", "MODEL", "--port", "99999"], "port must be from 0 to 65535"),
    (["serve", "MODEL", "--workers", "0"], "workers must be from 1 to 256"),
    (["serve", "MODEL", "--poll", "0"], "poll must be above 0 seconds"),
    (["serve", "MODEL", "--max-k", "0"], "the limit k must be at least 1"),
    (["serve", "MODEL", "--api-key-file", "nowhere"], "the API key file nowhere cannot be read"),
    (["publish", "nowhere", "store"], "no such model folder"),
    (["publish", "MODEL", "store", "--keep", "0"], "keep must be at least 1"),
    (["rollback", "store"], "no such store"),
]


@pytest.mark.parametrize(("arguments", "sentence"), MISTAKES)
def test_a_mistake_is_one_line(folders: Folders, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    command = [*MFREC, *(str(folders(0)) if a == "MODEL" else a for a in arguments)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert sentence in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_address_in_use_is_one_line(folders: Folders) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for workers in ("1", "2"):
            command = [*MFREC, "serve", str(folders(0)), "--port", port, "--workers", workers]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
            assert done.returncode == 2
            assert done.stderr == (
                f"mfrec: cannot listen on 127.0.0.1 port {port}: Address already in use; stop what listens there, or "
                "choose another port with --port\n"
            )


def test_an_address_of_another_machine_is_one_line(folders: Folders) -> None:
    # 192.0.2.0/24 is for documentation: no machine has it
    command = [*MFREC, "serve", str(folders(0)), "--host", "192.0.2.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.endswith("; name an address of this machine with --host\n")


@pytest.mark.parametrize("from_file", [True, False])
def test_a_key_that_is_too_short_is_told_with_where_it_is_from(
    folders: Folders, tmp_path: Path, from_file: bool
) -> None:
    (tmp_path / "key").write_text("short\n")
    options = ["--api-key-file", str(tmp_path / "key")] if from_file else []
    environment = {**os.environ, "MFREC_API_KEY": "short"}
    command = [*MFREC, "serve", str(folders(0)), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    where = tmp_path / "key" if from_file else "MFREC_API_KEY"
    assert f"the API key in {where} must be at least 16 ASCII characters, got 5: make one with python -c" in done.stderr


def test_workers_without_a_temporary_folder_are_told(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere(**_: str) -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "mkdtemp", nowhere)
    # it would stay for the tests after this one
    monkeypatch.setattr("mfrec.service.server.set_up_log", lambda **_: None)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as stopped:
            main(["serve", str(folders(0)), "--port", "0", "--workers", "2"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "mfrec: several workers share a temporary folder, and none can be made: No usable temporary directory found in "
        "['/tmp']; set TMPDIR to a folder that can be written, or serve with --workers 1\n"
    )


def test_publish_and_rollback_print_the_version(folders: Folders, tmp_path: Path) -> None:
    def said(*arguments: str) -> str:
        return subprocess.run([*MFREC, *arguments], capture_output=True, text=True, check=True).stdout

    store = str(tmp_path / "store")
    assert [said("publish", str(folders(n)), store) for n in range(2)] == ["000001\n", "000002\n"]
    assert said("rollback", store) == "000001\n"
    assert said("rollback", store, "--to", "000002") == "000002\n"


def test_the_service_imports_nothing_that_trains(folders: Folders) -> None:
    code = f"""
import asyncio, sys
from pathlib import Path
from mfrec.service.server import create
from mfrec.service.settings import Settings
door = create(Settings(Path({str(folders(0))!r})))
door.context.watcher.start()
assert door.context.watcher.live
banned = {{"scipy", "pandas", "sklearn", "implicit", "faiss", "threadpoolctl", "tqdm", "tabulate"}}
assert not banned & set(sys.modules), banned & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Hurry:
    """Return what makes every service give up after a moment, while the block lasts, by the name of the setting."""

    @contextmanager
    def hurried(name: str) -> Iterator[None]:
        with monkeypatch.context() as patch:
            # a property goes before what the instance holds
            patch.setattr(Settings, name, property(lambda _: 0.1))
            yield

    return hurried


def all_of(connection: socket.socket) -> bytes:
    """Receive until the service ends the connection."""
    got = b""
    # where it ends the connection before it has read everything, the system says so by a reset
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            got += piece
    return got


def answered(client: httpx.Client, sent: bytes) -> bytes:
    """Send and then wait, as long as the service does."""
    with connected(client) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        return all_of(connection)


JSON = b"content-type: application/json\r\n"


def test_a_slow_body_is_not_waited_for(serve: Serve, hurry: Hurry) -> None:
    client = serve()
    with hurry("timeout"):
        slow = answered(client, b"POST /v1/user2item HTTP/1.1\r\nhost: a\r\n" + JSON + b"content-length: 50\r\n\r\n{")
    assert slow.startswith(b"HTTP/1.1 408 ")
    assert b"urn:mfrec:problem:too-slow" in slow
    assert client.get("/v1/user2item/1").status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time runs out when the answer is being worked out, which then takes until the test is done."""
    from mfrec.service import handlers

    clocks: list[tuple[asyncio.AbstractEventLoop, asyncio.Timeout]] = []
    real, told = asyncio.timeout, threading.Event()

    def timeout(seconds: float | None) -> asyncio.Timeout:
        clock = real(seconds)
        clocks.append((asyncio.get_running_loop(), clock))
        return clock

    def endless(*_: Any) -> None:
        loop, clock = clocks[-1]
        loop.call_soon_threadsafe(clock.reschedule, loop.time())
        assert told.wait(LIMIT)

    client = serve()
    monkeypatch.setattr(asyncio, "timeout", timeout)
    monkeypatch.setattr(handlers, "many", endless)
    try:
        answer = client.post("/v1/user2item", json={"ids": [1] * 256, "k": 10})
    finally:
        told.set()
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:mfrec:problem:overdue"


@pytest.mark.parametrize(
    "junk", [b"\x00\xff" * 50 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00"]
)
def test_what_is_not_http_does_no_harm(serve: Serve, junk: bytes) -> None:
    client = serve()
    got = answered(client, junk)
    assert got == b"" or got.startswith(b"HTTP/1.1 4")
    assert b"Traceback" not in got
    assert client.get("/healthz").status_code == 200
