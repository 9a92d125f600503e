"""Figures for Prometheus, of one service."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
IMAGES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters, histograms and gauges in a registry of their own."""

    def __init__(self, about: dict[str, str]) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        Info("headstart_model", "What is served.", registry=registry).info(about)
        self.requests = Counter(
            "headstart_requests", "Requests answered.", ["path", "status"], registry=registry
        )
        self.seconds = Histogram(
            "headstart_request_seconds",
            "From a request's first header to its answer, the upload included.",
            ["path"],
            buckets=SECONDS,
            registry=registry,
        )
        self.images = Counter(
            "headstart_images", "Files by what became of them.", ["outcome"], registry=registry
        )
        self.batches = Histogram(
            "headstart_batch_images",
            "Images a call of the network.",
            buckets=IMAGES,
            registry=registry,
        )

    def watch(self, name: str, about: str, look: Callable[[], float]) -> None:
        """Add a gauge that is looked at when somebody asks."""
        Gauge(name, about, registry=self._registry).set_function(look)

    def render(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)
