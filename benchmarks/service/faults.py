"""Faults: killed publishers and services, a full disk, junk on the wire, slow clients.

Exits with 1 when anything that was promised did not hold. ``--kills`` are publishers, ``--junk`` malformed requests.
"""

import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mfrec
from benchmarks.service.harness import Service, mfrec_command, sample_models, serving
from benchmarks.tools import Figures, command
from mfrec.storage.store import Store, publish

Report = Callable[[bool, str], None]

PIECES = (
    b"GET /v1/user2item/1 HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET /v1/search?q=%ff%fe&side=item HTTP/1.1\r\nhost: a\r\n\r\n",
    b"POST /v1/user2item HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 27\r\n\r\n"
    b'{"ids": [1, 2, 3], "k": 10}',
    b"POST /v1/item2item HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    b'1b\r\n{"history": [1, 2], "k": 5}\r\n0\r\n\r\n',
    b"GET /v1/map?id=1&id=2&limit=3 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer x\r\n\r\n",
)


def kill_publishers(store: Path, models: list[Path], kills: int, draw: random.Random, report: Report) -> None:
    """Kill ``mfrec publish`` at random moments while a service follows the store."""
    publish(models[0], store)
    whole = time.perf_counter()
    subprocess.run(mfrec_command("publish", models[1], store), check=True, stdout=subprocess.DEVNULL)
    whole = time.perf_counter() - whole
    bad, served, killed = 0, set(), 0
    with serving(store, "--poll", "0.02") as service:
        n = 0
        # a publisher that was through before the signal does not count
        while killed < kills:
            n += 1
            publisher = mfrec_command("publish", models[n % len(models)], store)
            process = subprocess.Popen(publisher, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(draw.uniform(0.3, 1.0) * whole)
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
            try:
                current = Store(store).current
                mfrec.verify(Store(store).folder(str(current)))
                status, body = service.ask("/v1/user2item/1?k=3")
                bad += status != 200 or len(body["results"]) != 3
                served.add(body["version"])
            except (mfrec.MfrecError, OSError, KeyError):
                bad += 1
        refused = service.ask("/v1/model")[1]["refused"]
        report(
            bad == 0 and refused is None,
            f"{killed} of {n} publishers killed: {bad} broken stores or answers, "
            f"{len(served)} versions served, refused: {refused}",
        )
    publish(models[0], store)
    left = [path.name for path in store.rglob(".*")]
    report(not left, f"scratch left behind after the next publication: {left}")


def kill_services(store: Path, kills: int, draw: random.Random, report: Report) -> None:
    """Kill the service at random moments; the next one must start from the same store."""
    slowest = 0.0
    for _ in range(kills):
        with serving(store) as service:
            slowest = max(slowest, service.seconds_to_ready)
            time.sleep(draw.uniform(0, 0.2))
            service.process.kill()
            service.process.wait()
    kept = Store(store).prune(keep=1)
    report(
        len(Store(store).versions) == 1,
        f"{kills} services killed: each next one started, at most {slowest:.2f} s; "
        f"nothing of them is in the way ({len(kept)} versions pruned)",
    )


def fill_disk(store: Path, model: Path, report: Report) -> None:
    """Publish onto a disk that has no room, at every size up to what it takes."""
    before = Store(store).current
    sizes = [path.stat().st_size for path in model.iterdir()]
    bad = 0
    for limit in [0, 1, *sorted({size - 1 for size in sizes})]:
        done = subprocess.run(
            mfrec_command("publish", model, store),
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=partial(no_room, limit),
        )
        one_line = done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
        bad += not one_line or Store(store).current != before or bool(list(store.rglob(".*saving*")))
    report(
        bad == 0, f"no room for a file, {len(sizes) + 2} limits: {bad} without a one-line error and an unchanged store"
    )


def no_room(limit: int) -> None:
    """Let writes beyond a file size fail, as they do on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def mangled(draw: random.Random) -> bytes:
    """Return a request with random bytes changed, cut, repeated or put in."""
    raw = bytearray(draw.choice(PIECES))
    for _ in range(draw.randint(1, 8)):
        place = draw.randrange(len(raw) + 1)
        change = draw.randrange(4)
        if change == 0 and place < len(raw):
            raw[place] = draw.randrange(256)
        elif change == 1:
            raw[place:place] = draw.randbytes(draw.randint(1, 40))
        elif change == 2:
            del raw[place : place + draw.randint(1, 30)]
        else:
            raw[place:place] = raw[: draw.randint(1, 60)]
    return bytes(raw)


def send_junk(service: Service, count: int, draw: random.Random, report: Report) -> None:
    """Send malformed requests and see that no traceback leaves or is logged, and that the service answers."""
    statuses: dict[bytes, int] = {}
    leaked = 0
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
            connection.settimeout(0.05)
            try:
                connection.sendall(mangled(draw))
                connection.shutdown(socket.SHUT_WR)
                got = connection.recv(65536)
            except OSError:
                got = b""
            leaked += b"Traceback" in got or b'File "' in got
            statuses[got[9:12]] = statuses.get(got[9:12], 0) + 1
    fine = service.ask("/v1/user2item/1")[0] == 200
    errors = sum(n for status, n in statuses.items() if status.startswith(b"5"))
    report(
        fine and not leaked and not errors and not service.traces,
        f"{count} malformed requests: {leaked} tracebacks sent, {service.traces} logged, {errors} server errors; "
        f"answers {dict(sorted((k.decode() or 'none', v) for k, v in statuses.items()))}",
    )


def slow_clients(service: Service, count: int, report: Report) -> None:
    """Hold many connections that never end the body they began, and ask beside them."""
    held = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(count)]
    for connection in held:
        connection.sendall(PIECES[2][:-5])
    times = []
    for _ in range(500):
        started = time.perf_counter()
        ok = service.ask("/v1/user2item/1")[0] == 200
        times.append(time.perf_counter() - started if ok else 99.0)
    closed = 0
    for connection in held:
        connection.settimeout(20)
        with connection:
            try:
                while connection.recv(65536):
                    pass
            except TimeoutError:
                continue
            except ConnectionError:
                pass
            closed += 1
    times.sort()
    report(
        times[-5] < 1 and closed == count,
        f"{count} slow clients: p99 beside them {times[-5] * 1000:.1f} ms, {closed} of them let go",
    )


@command
def main(kills: int = 300, junk: int = 10_000, seed: int = 0) -> Figures:
    """Run every fault and tell what held."""
    draw, told = random.Random(seed), Figures(held=[], missed=[])

    def report(held: bool, text: str) -> None:
        told["held" if held else "missed"].append(text)
        print(f"{'held  ' if held else 'FAILED'} {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        models = sample_models(Path(scratch), 3)
        store = Path(scratch) / "store"
        kill_publishers(store, models, kills, draw, report)
        kill_services(store, max(3, kills // 15), draw, report)
        fill_disk(store, models[0], report)
        with serving(store, "--timeout", "5") as service:
            send_junk(service, junk, draw, report)
            slow_clients(service, 200, report)
    return told
