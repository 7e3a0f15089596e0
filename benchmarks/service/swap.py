"""Swapping models under load: no request fails, no answer mixes two versions, no memory is left behind.

``--every`` is the seconds between two publications.
"""

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
from mfrec.storage.store import publish

# asked for and compared with what each model itself says
ASKED = 200
Truth = list[dict[tuple[str, int], list[int]]]


def client(service: Service, truth: Truth, seen: Counter[str], stop: threading.Event) -> None:
    """Ask at random until told to stop; count what came back."""
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=30) as connection:
        while not stop.is_set():
            direction, key = random.choice(list(mfrec.DIRECTIONS)), random.randint(1, ASKED)
            try:
                answer = connection.get(f"/v1/{direction}/{key}?k=5").raise_for_status()
                body = answer.json()
            except (httpx.HTTPError, ValueError):
                seen["failed"] += 1
                continue
            # a version that nobody had announced yet is told by its number: models take turns
            right = truth[(int(body["version"]) - 1) % len(truth)][direction, key]
            whole = body["version"] == answer.headers["mfrec-version"] and [r["id"] for r in body["results"]] == right
            seen["right" if whole else "mixed"] += 1


def truth_of(path: Path) -> dict[tuple[str, int], list[int]]:
    """Return what a model says itself."""
    model, keys = mfrec.load(path), range(1, ASKED + 1)
    return {(name, key): model.recommend(name, [key], 5)[0].ids for name in mfrec.DIRECTIONS for key in keys}


@command
def main(swaps: int = 200, every: float = 1.0, connections: int = 8) -> Figures:
    """Publish two models in turn under load."""
    seen, stop = Counter[str](), threading.Event()
    with tempfile.TemporaryDirectory() as scratch:
        paths, store = sample_models(Path(scratch), 2), Path(scratch) / "store"
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
