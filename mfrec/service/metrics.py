"""Counters in the text format of Prometheus, shared between workers where there are several."""

import mmap
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import DIRECTIONS
from mfrec.service.errors import KINDS
from mfrec.service.handlers import recalls
from mfrec.service.watcher import Watcher

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

OTHER = "other"
ROUTES = (*DIRECTIONS, "search", "map", "explain", "model", OTHER)
STATUSES = (200, *sorted({kind.status for kind in KINDS.values()}), 0)
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

_ROWS = {route: n for n, route in enumerate(ROUTES)}
_STATUS = {status: n for n, status in enumerate(STATUSES)}
# per route: requests by status, then requests by latency with one bucket beyond the last, then seconds
_BUCKETS = len(STATUSES)
_SECONDS = _BUCKETS + len(BOUNDS) + 1
_SHAPE = (len(ROUTES), _SECONDS + 1)
_BYTES = _SHAPE[0] * _SHAPE[1] * 8


class Counters:
    """Requests and latencies of one process, and the sum over all workers.

    Parameters
    ----------
    folder
        Where workers keep their counters, one file each, which outlives a worker so that no count goes
        back; None where there is one process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        if folder is None:
            self.own = np.zeros(_SHAPE)
            return
        with (folder / f"{os.getpid()}").open("w+b") as file:
            file.truncate(_BYTES)
            self.own = np.frombuffer(mmap.mmap(file.fileno(), _BYTES), np.float64).reshape(_SHAPE)

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        row = self.own[_ROWS[route]]
        row[_STATUS.get(status, _STATUS[0])] += 1
        row[_BUCKETS + bisect_left(BOUNDS, seconds)] += 1
        row[_SECONDS] += seconds

    def total(self) -> NDArray[np.float64]:
        """Return the sum over all workers."""
        if self.folder is None:
            return self.own
        tables = [np.fromfile(path, np.float64) for path in self.folder.iterdir()]
        total: NDArray[np.float64] = np.sum([t.reshape(_SHAPE) for t in tables if t.size == self.own.size], axis=0)
        return total


def page(counters: Counters, watcher: Watcher) -> bytes:
    """Return everything that is measured, as Prometheus reads it."""
    return ("\n".join([*_requests(counters.total()), *_model(watcher)]) + "\n").encode()


def _requests(total: NDArray[np.float64]) -> Iterator[str]:
    yield from _head("mfrec_requests_total", "counter", "Requests by route and status.")
    for route, row in zip(ROUTES, total, strict=True):
        for status, count in zip(STATUSES, row[:_BUCKETS].tolist(), strict=True):
            if count:
                yield f'mfrec_requests_total{{route="{route}",status="{status or OTHER}"}} {count:.0f}'
    yield from _head("mfrec_request_seconds", "histogram", "Seconds from the headers to the end of the answer.")
    for route, row in zip(ROUTES, total, strict=True):
        buckets = np.cumsum(row[_BUCKETS:_SECONDS]).tolist()
        for bound, count in zip((*BOUNDS, "+Inf"), buckets, strict=True):
            yield f'mfrec_request_seconds_bucket{{route="{route}",le="{bound}"}} {count:.0f}'
        yield f'mfrec_request_seconds_sum{{route="{route}"}} {row[_SECONDS]:.6f}'
        yield f'mfrec_request_seconds_count{{route="{route}"}} {buckets[-1]:.0f}'


def _model(watcher: Watcher) -> Iterator[str]:
    yield from _gauge("mfrec_ready", "Whether a model is being served.", int(watcher.live is not None))
    yield from _gauge("mfrec_model_refused", "Whether a wanted version is refused.", int(watcher.refused is not None))
    yield from _gauge("mfrec_model_swaps", "Versions that this worker swapped to.", watcher.swaps)
    live = watcher.live
    if live is None:
        return
    yield from _gauge("mfrec_model_loaded_timestamp_seconds", "When the version was opened.", round(live.loaded, 3))
    yield from _head("mfrec_model_info", "gauge", "The version being served.")
    yield f'mfrec_model_info{{version="{live.version}"}} 1'
    yield from _head("mfrec_index_recall", "gauge", "Recall of each index against exact search, when it was built.")
    for row in recalls(live):
        for k, recall in (row["recall"] or {}).items():
            labels = f'target="{row["target"]}",similarity="{row["similarity"]}",k="{k}"'
            yield f"mfrec_index_recall{{{labels}}} {recall}"


def _gauge(name: str, text: str, value: float) -> Iterable[str]:
    return (*_head(name, "gauge", text), f"{name} {value}")


def _head(name: str, kind: str, text: str) -> Iterable[str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
