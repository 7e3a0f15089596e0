"""Swapping models under load: no request fails, no answer mixes two versions, no memory is left behind.

Asked are the four directions, also with diversity, look-alikes, segments and allocations, at random.

``--every`` is the seconds between two publications.
"""

import json
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx

import mfrec
from benchmarks.service.harness import Service, sample_models, serving
from benchmarks.tools import Figures, command
from mfrec.directions import SIDES
from mfrec.storage.store import publish, rollback

# users and items that are asked for, groups and stocks made of them, and segments of each side
ASKED, GROUPS, SEGMENTS = 200, 20, 6
# method, address and body of a request
Question = tuple[str, str, str]
Truth = list[dict[Question, object]]


def questions() -> list[Question]:
    """Return requests for the four directions, also with diversity, and for every use of them."""
    found = [
        ("GET", f"/v1/{direction}/{key}?k=5{diversity}", "")
        for direction in mfrec.DIRECTIONS
        for key in range(1, ASKED + 1)
        for diversity in ("", "&diversity=0.5")
    ]
    for group in range(GROUPS):
        ids = [1 + (group * 7 + place * 11) % ASKED for place in range(8)]
        for side in SIDES:
            found.append(("POST", "/v1/lookalikes", json.dumps({"side": side, "seeds": ids, "k": 5})))
            found.append(("GET", f"/v1/segments?side={side}&segment={group % SEGMENTS}&limit=5", ""))
        stock = [{"id": key, "units": 3} for key in ids[:3]]
        found.append(("POST", "/v1/allocate", json.dumps({"stock": stock, "users": list(range(1, 31))})))
    return found


def ask(connection: httpx.Client, question: Question) -> httpx.Response:
    """Ask, and raise where there is no answer."""
    method, address, body = question
    headers = {"content-type": "application/json"} if body else {}
    return connection.request(method, address, content=body or None, headers=headers).raise_for_status()


def content(answer: httpx.Response) -> object:
    """Return all of an answer but the version that it is from."""
    return {name: value for name, value in answer.json().items() if name != "version"}


def client(service: Service, truth: Truth, seen: Counter[str], stop: threading.Event) -> None:
    """Ask at random until told to stop; count what came back."""
    asked = list(truth[0])
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=30) as connection:
        while not stop.is_set():
            question = random.choice(asked)
            try:
                answer = ask(connection, question)
                version = answer.json()["version"]
            except (httpx.HTTPError, ValueError):
                seen["failed"] += 1
                continue
            # versions are numbered as they are published, and models take turns
            right = truth[(int(version) - 1) % len(truth)][question]
            whole = version == answer.headers["mfrec-version"] and content(answer) == right
            seen["right" if whole else "mixed"] += 1


def truth_of(path: Path) -> dict[Question, object]:
    """Return what a service answers that serves nothing else."""
    with serving(path) as service, httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=30) as alone:
        return {question: content(ask(alone, question)) for question in questions()}


@command
def main(swaps: int = 200, every: float = 1.0, connections: int = 8) -> Figures:
    """Publish two models in turn under load, and go back after every third."""
    seen, stop = Counter[str](), threading.Event()
    with tempfile.TemporaryDirectory() as scratch:
        paths, store = sample_models(Path(scratch), 2), Path(scratch) / "store"
        for path in paths:
            model = mfrec.load(path)
            for side in SIDES:
                model = model.with_segments(model.segments(side, SEGMENTS))
            model.save(path)
        truth = [truth_of(path) for path in paths]
        publish(paths[0], store)
        with serving(store, "--poll", "0.05") as service:
            asking = [threading.Thread(target=client, args=(service, truth, seen, stop)) for _ in range(connections)]
            for thread in asking:
                thread.start()
            time.sleep(2)
            # memory settles with the first swaps, when two versions are first held at once
            rss = {0: service.rss}
            for n in range(1, swaps + 1):
                publish(paths[n % len(paths)], store)
                time.sleep(every)
                if n % 3 == 0:
                    rollback(store)
                    time.sleep(every)
                if n in (5, swaps):
                    rss[n] = service.rss
            stop.set()
            for thread in asking:
                thread.join()
            return {
                "swaps": swaps,
                "serving": service.ask("/v1/model")[1]["version"],
                "answers": dict(seen),
                "rss_mib_after_swaps": rss,
                "versions_in_store": len(list((store / "versions").iterdir())),
                "tracebacks": service.traces,
                "missed": [what for what in ("failed", "mixed") if seen[what]],
            }
