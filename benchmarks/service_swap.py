"""Swapping models under load: no request fails, no answer mixes two versions, no memory is left behind.

Usage: python -m benchmarks.service_swap [--swaps 200] [--every 1.0] [--connections 8]
"""

import argparse
import http.client
import json
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import mfrec
from benchmarks.service_harness import Service, sample_models, serving
from mfrec.storage.store import publish

# asked for and compared with what each model itself says
ASKED = 200
Truth = dict[str, dict[tuple[str, int], list[int]]]


def client(service: Service, truth: Truth, seen: Counter[str], stop: threading.Event) -> None:
    """Ask at random until told to stop; count what came back."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    while not stop.is_set():
        direction, key = random.choice(list(mfrec.DIRECTIONS)), random.randint(1, ASKED)
        try:
            connection.request("GET", f"/v1/{direction}/{key}?k=5")
            answer = connection.getresponse()
            body = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            seen["failed"] += 1
            connection.close()
            continue
        if answer.status != 200 or body["version"] != answer.headers["mfrec-version"]:
            seen["failed"] += 1
            continue
        # a version that nobody had announced yet is told by its number: models take turns
        model = str((int(body["version"]) - 1) % len(truth))
        right = [r["id"] for r in body["results"]] == truth[model][direction, key]
        seen["right" if right else "mixed"] += 1
    connection.close()


def main() -> None:
    """Swap, count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two publications")
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        paths = sample_models(Path(scratch), 2)
        truth: Truth = {}
        for n, path in enumerate(paths):
            model = mfrec.load(path)
            truth[str(n)] = {
                (name, key): model.recommend(name, [key], 5)[0].ids
                for name in mfrec.DIRECTIONS
                for key in range(1, ASKED + 1)
            }
        run(Path(scratch) / "store", paths, truth, options)


def run(store: Path, paths: list[Path], truth: Truth, options: argparse.Namespace) -> None:
    """Publish the models in turn under load."""
    publish(paths[0], store)
    seen: Counter[str] = Counter()
    stop = threading.Event()
    with serving(store, "--poll", "0.05") as service:
        clients = [
            threading.Thread(target=client, args=(service, truth, seen, stop)) for _ in range(options.connections)
        ]
        for thread in clients:
            thread.start()
        time.sleep(2)
        # memory settles with the first swaps, when two versions are first held at once
        rss = [service.rss]
        for n in range(1, options.swaps + 1):
            publish(paths[n % len(paths)], store)
            time.sleep(options.every)
            if n in (5, options.swaps):
                rss.append(service.rss)
        stop.set()
        for thread in clients:
            thread.join()
        swapped = service.ask("/v1/model")[1]["version"]
        print(f"{options.swaps} publications, now serving {swapped}; requests: {dict(seen)}")
        print("memory in MiB at the start, after 5 swaps, at the end: " + ", ".join(f"{m:.1f}" for m in rss))
        print(
            f"versions left in the store: {len(list((store / 'versions').iterdir()))}; tracebacks: {service.traces()}"
        )


if __name__ == "__main__":
    main()
