"""What a server counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from neumo.serve.limits import Admission


class Metrics:
    """Counters of one server; nothing in them is of a patient or a file.

    Args:
        admission: whose images and bytes are shown.
    """

    def __init__(self, admission: Admission) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "neumo_requests", "Requests answered.", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "neumo_request_seconds", "From a request to its answer.", ("route",), registry=self.registry
        )
        self.images = Counter(
            "neumo_images", "Files examined, by what came out.", ("outcome",), registry=self.registry
        )
        self.refused = Counter(
            "neumo_refused", "Requests that were not done, by reason.", ("reason",), registry=self.registry
        )
        self.batch = Histogram(
            "neumo_batch_images", "Images computed together.", buckets=range(1, 33), registry=self.registry
        )
        for name, what, read in (
            ("neumo_queue_images", "Images taken in, not yet answered.", lambda: admission.images),
            ("neumo_held_bytes", "Bytes of files in memory.", lambda: admission.bytes),
        ):
            Gauge(name, what, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
