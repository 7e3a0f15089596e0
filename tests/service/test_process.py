"""The process: what it imports, prints and takes from slow clients, and how it stops."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mfrec.store import publish
from tests.service.conftest import Serve

Folders = Callable[[int], Path]

MFREC = [sys.executable, "-c", "from mfrec.cli import main; main()"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def service(path: Path, *options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    port = free_port()
    command = [*MFREC, "serve", str(path), "--port", str(port), "--poll", "0.05", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            until = time.monotonic() + 30
            while True:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < until
                try:
                    if client.get("/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield process, client
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def stopped(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=30)


def new_connection(client: httpx.Client) -> httpx.Response:
    """Ask whichever worker takes the connection."""
    return client.get("/readyz", headers={"connection": "close"})


@pytest.mark.parametrize("workers", [1, 2])
def test_start_answer_swap_and_stop(folders: Folders, tmp_path: Path, workers: int) -> None:
    store = tmp_path / "store"
    publish(folders(0), store)
    with service(store, "--workers", str(workers)) as (process, client):
        assert client.get("/v1/user2item/1").status_code == 200
        publish(folders(1), store)
        until = time.monotonic() + 20
        while {client.get("/readyz", headers={"connection": "close"}).json()["version"] for _ in range(8)} != {
            "000002"
        }:
            assert time.monotonic() < until
        out, err = stopped(process)
    assert process.returncode == 0
    assert out == ""
    lines = err.splitlines()
    assert re.fullmatch(r"mfrec serve .+: explorer at http://127\.0\.0\.1:\d+/, API at .+/docs", lines[0])
    # a worker that starts late goes straight to the second version
    said = [f"INFO serving version {version}: 40 users x 30 items" for version in ("000001", "000002")]
    assert set(lines[1:]) == set(said)
    assert lines[1:].count(said[1]) == workers


def test_running_requests_finish_after_sigterm(folders: Folders) -> None:
    with service(folders(0)) as (process, client):
        port = client.base_url.port
        assert port
        body = json.dumps({"ids": [1], "k": 3}).encode()
        kind = "content-type: application/json"
        head = f"POST /v1/user2item HTTP/1.1\r\nhost: a\r\n{kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head + body[:5])
            time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert process.poll() is None
            connection.sendall(body[5:])
            assert connection.recv(100_000).startswith(b"HTTP/1.1 200 OK")
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_json_log(folders: Folders) -> None:
    with service(folders(0), "--json-log", MFREC_API_KEY="0123456789abcdef") as (process, client):
        assert client.get("/v1/user2item/1").status_code == 401
        out, err = stopped(process)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (lines[-1]["path"], lines[-1]["status"]) == ("/v1/user2item/1", 401)
    assert json.loads(err.splitlines()[1])["message"].startswith("serving version")
    assert "0123456789abcdef" not in out + err


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
        command = [*MFREC, "serve", str(folders(0)), "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode != 0
    assert "address already in use" in done.stderr
    assert "Traceback" not in done.stderr


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
from mfrec.service.run import create
from mfrec.service.settings import Settings
door = create(Settings(Path({str(folders(0))!r})))
door.context.watcher.start()
assert door.context.watcher.live
banned = {{"scipy", "pandas", "sklearn", "implicit", "faiss", "threadpoolctl", "tqdm", "tabulate"}}
assert not banned & set(sys.modules), banned & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def dribble(client: httpx.Client, *parts: bytes) -> bytes:
    port: Any = client.base_url.port
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        for part in parts:
            connection.sendall(part)
            time.sleep(0.02)
        got = b""
        while piece := connection.recv(65536):
            got += piece
        return got


def test_slow_clients_are_let_go(serve: Serve) -> None:
    client = serve(timeout=0.2, header_timeout=0.2)
    assert dribble(client) == b""
    assert dribble(client, b"GET /v1/user2item/1 HT") == b""
    slow = dribble(client, b"POST /v1/user2item HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\n\r\n{")
    assert slow.startswith(b"HTTP/1.1 408 ")
    assert b"urn:mfrec:problem:too-slow" in slow
    # a connection that has asked once is held to the same when it asks again
    again = dribble(client, b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n", b"GET /heal")
    assert again.count(b"HTTP/1.1") == 1
    assert client.get("/v1/user2item/1").status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    from mfrec.service import answers

    monkeypatch.setattr(answers, "many", lambda *_: time.sleep(0.5))
    answer = serve(timeout=0.1).post("/v1/user2item", json={"ids": [1] * 256, "k": 10})
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:mfrec:problem:overdue"


@pytest.mark.parametrize(
    "junk", [b"\x00\xff" * 50 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00"]
)
def test_what_is_not_http_does_no_harm(serve: Serve, junk: bytes) -> None:
    client = serve(header_timeout=0.2)
    got = dribble(client, junk)
    assert got == b"" or got.startswith(b"HTTP/1.1 4")
    assert b"Traceback" not in got
    assert client.get("/healthz").status_code == 200
