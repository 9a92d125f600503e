"""``headstart plan``: what a large extraction of a dataset will take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

from ...cache import StatIndex, stat_index_path
from ...progress import stage
from ..images.addresses import Reference
from ..images.read import known_digests
from ..source import FeatureSource
from .forecast import WORKERS, Forecast, advise, forecast
from .stage_timer import Costs, measure_costs


class TimedSample(TypedDict):
    """Images that were timed; that could not be used."""

    images: int
    failed: int


class BytesAnImage(TypedDict):
    """Of an image: its file, its row in a segment."""

    file: int
    feature: int


class PlanDocument(TypedDict):
    """What ``headstart plan --json`` prints."""

    version: int
    images: int
    cached: int
    unknown: int
    listed_per_second: int
    sample: TimedSample
    seconds_an_image: dict[str, float]
    threads_a_worker: int
    images_per_second_a_worker: float
    bytes_an_image: BytesAnImage
    storage_bytes: int
    workers: list[dict[str, Any]]
    bottleneck: str
    advice: dict[str, list[str]]
    spec: dict[str, Any]
    cache: str


@dataclass(frozen=True, slots=True)
class ExtractionPlan:
    """What is left to extract, and what it takes."""

    source: FeatureSource  # what is extracted
    # all; those whose features are cached; those of which only reading would tell
    images: int
    cached: int
    unknown: int
    costs: Costs  # of an image
    forecasts: list[Forecast]  # one a number of workers

    @property
    def left(self) -> int:
        """Images to extract."""
        return self.images - self.cached

    @property
    def advice(self) -> dict[str, list[str]]:
        """What makes each bottleneck wider."""
        bottlenecks = dict.fromkeys(row.bottleneck for row in self.forecasts)
        return {name: advise(name, self.source) for name in bottlenecks}

    def document(self, listing_seconds: float) -> PlanDocument:
        """Return the JSON; ``listing_seconds`` is what reading the dataset's list took."""
        costs, spec = self.costs, self.source.spec
        return {
            "version": 1,
            "images": self.images,
            "cached": self.cached,
            "unknown": self.unknown,
            "listed_per_second": round(self.images / listing_seconds),
            "sample": {"images": costs.sampled, "failed": costs.failed},
            "seconds_an_image": {name: round(s, 6) for name, s in costs.seconds.items()},
            "threads_a_worker": costs.threads,
            "images_per_second_a_worker": round(1 / costs.seconds_an_image, 1),
            "bytes_an_image": {
                "file": round(costs.file_bytes),
                "feature": round(costs.feature_bytes),
            },
            "storage_bytes": round(self.left * costs.feature_bytes),
            "workers": [asdict(row) for row in self.forecasts],
            "bottleneck": costs.slowest_stage,
            "advice": self.advice,
            "spec": {"id": spec.id, **asdict(spec)},
            "cache": str(self.source.cache),
        }


def plan_extraction(
    images: Sequence[Reference],
    source: FeatureSource,
    *,
    sample: int = 64,
    workers: Sequence[int] = WORKERS,
    bandwidth: float | None = None,
) -> ExtractionPlan:
    """Time a sample and reckon what the rest takes; nothing of it stays in the cache.

    Parameters
    ----------
    images : sequence of Reference
        All of the dataset.
    source : FeatureSource
        What to extract, and how.
    sample : int
        Images to time.
    workers : sequence of int
        Numbers of worker processes to reckon with.
    bandwidth : float, optional
        MB/s that all workers together can read and write.

    Raises
    ------
    DataError
        If no image of the sample can be used.
    """
    stage(f"timing {min(sample, len(images))} images")
    costs = measure_costs(images, source, sample)
    with StatIndex(stat_index_path()) as stat_index:
        cached, unknown = count_cached(images, source, stat_index)
    size = source.execution.shard_size
    forecasts = [forecast(len(images) - cached, costs, count, size, bandwidth) for count in workers]
    return ExtractionPlan(source, len(images), cached, unknown, costs, forecasts)


def count_cached(
    paths: Iterable[Reference], source: FeatureSource, stat_index: StatIndex
) -> tuple[int, int]:
    """Return how many images are cached, and of how many only reading would tell.

    The stat index knows what was read on this machine. Where the cache is empty nothing is unknown.
    """
    store = source.store()
    if store.dimension is None:
        return 0, 0
    digests = known_digests([*paths], stat_index)
    known = [digest for digest in digests if digest is not None]
    return int(store.holds(known).sum()), len(digests) - len(known)
