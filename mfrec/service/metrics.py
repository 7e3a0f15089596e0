"""Counters and gauges for Prometheus; those of several workers add up."""

import os
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from mfrec.directions import DIRECTIONS
from mfrec.service.errors import KINDS
from mfrec.service.handlers import recalls
from mfrec.service.watcher import Watcher

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# names the folder of the workers' counters, which outlive them, so that no count goes back; read by prometheus_client
# when it is imported
SHARED = "PROMETHEUS_MULTIPROC_DIR"

OTHER = "other"
ROUTES = (*DIRECTIONS, "allocate", "search", "map", "explain", "model", OTHER)
STATUSES = {200, *(kind.status for kind in KINDS.values())}
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

# when a counter began, which would be a second series for each
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics(Collector):
    """Requests and latencies of all workers, and the model of this one.

    Parameters
    ----------
    watcher
        Of the service; what it serves is looked at when somebody asks.
    """

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.registry = CollectorRegistry()
        self.registry.register(self)
        own = None if SHARED in os.environ else self.registry
        self._requests = Counter("mfrec_requests", "Requests by route and status.", ["route", "status"], registry=own)
        self._seconds = Histogram(
            "mfrec_request_seconds",
            "Seconds from the headers to the end of the answer.",
            ["route"],
            registry=own,
            buckets=BOUNDS,
        )
        for route in ROUTES:
            self._seconds.labels(route)
        if own is None:
            MultiProcessCollector(self.registry)  # type: ignore[no-untyped-call]

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, status if status in STATUSES else OTHER).inc()
        self._seconds.labels(route).observe(seconds)

    def page(self) -> bytes:
        """Return everything that is measured, as Prometheus reads it."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what is served now; called for every page."""
        live, refused = self.watcher.live, self.watcher.refused
        yield GaugeMetricFamily("mfrec_ready", "Whether a model is being served.", live is not None)
        yield GaugeMetricFamily("mfrec_model_refused", "Whether a wanted version is refused.", refused is not None)
        yield GaugeMetricFamily("mfrec_model_swaps", "Versions that this worker swapped to.", self.watcher.swaps)
        if live is None:
            return
        yield GaugeMetricFamily("mfrec_model_loaded_timestamp_seconds", "When the version was opened.", live.loaded)
        info = GaugeMetricFamily("mfrec_model_info", "The version being served.", labels=["version"])
        info.add_metric([live.version], 1)
        yield info
        recall = GaugeMetricFamily(
            "mfrec_index_recall",
            "Recall of each index against exact search, when it was built.",
            labels=["target", "similarity", "k"],
        )
        for row in recalls(live):
            for k, value in (row["recall"] or {}).items():
                recall.add_metric([row["target"], row["similarity"], str(k)], value)
        yield recall
