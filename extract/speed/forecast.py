"""What a large extraction will take: the costs of an image, reckoned up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..cluster.tasks import shard_size
from ..source import FeatureSource
from .stage_timer import Costs

WORKERS = (1, 10, 100, 1000)

# fmt: off
# Stage, when it applies, what makes the stage quicker; the first that applies to the options in use is the best.
ADVICE: tuple[tuple[str, Callable[[FeatureSource], bool], str], ...] = (
    ("read", lambda source: True,
     "reading: put the workers near the images, or --workers up: a waiting thread costs no core"),
    ("decode", lambda source: True,
     "decoding: keep JPEGs of about twice the backbone's input, or add cores"),
    ("backbone", lambda source: len(source.spec.views) > 1,
     "the backbone: --views original runs it once an image"),
    ("backbone", lambda source: source.spec.backbone != "mobilenet",
     "the backbone: --backbone mobilenet, the lightest"),
    ("backbone", lambda source: source.plan.device == "cpu",
     "the backbone: a GPU (pip install 'headstart[gpu]'), or more cores"),
    ("backbone", lambda source: source.spec.precision == "float32",
     "the backbone: --precision float16, on the GPU"),
    ("commit", lambda source: source.spec.storage == "float32",
     "writing: --storage float16 halves it, at a relative error of 5e-4"),
    ("commit", lambda source: source.spec.pooling in ("flatten", "none"),
     "writing: --pooling avg keeps one number a channel"),
    ("network", lambda source: True,
     "the network: no more workers, but smaller images or more disks and servers"),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the whole takes with a number of workers."""

    workers: int  # worker processes
    shards: int  # tasks, and how many images each: `shard_size`
    shard_size: int  # images
    # of all together; until the last shard is done
    images_per_second: float
    hours: float
    # what they ask of the images' store and of the cache
    read_mb_per_second: float
    write_mb_per_second: float
    # a stage, or `"network"` where the bandwidth given is less than they would read and write
    bottleneck: str


def forecast(
    images: int, costs: Costs, workers: int, size: int | None = None, bandwidth: float | None = None
) -> Forecast:
    """Reckon what the whole takes.

    The workers do shard after shard; the last ones end together or not, which is counted. What
    the scheduler and the start take is not: ``docs/scale.md`` has it.

    Parameters
    ----------
    images : int
        To be extracted.
    costs : Costs
        From :func:`measure_costs`.
    workers : int
        At least one.
    size : int, optional
        Images a shard; by images and workers when None.
    bandwidth : float, optional
        MB/s (of 10^6 bytes) that all workers together can read and write.

    Examples
    --------
    >>> costs = Costs({"read": 0.0, "decode": 0.004, "backbone": 0.006, "commit": 0.0}, 1,
    ...               100e3, 4096, sampled=64, failed=0)
    >>> whole = forecast(100_000_000, costs, workers=100)
    >>> round(whole.images_per_second), round(whole.hours, 1), whole.shards, whole.bottleneck
    (9965, 2.8, 24415, 'backbone')
    >>> forecast(100_000_000, costs, workers=100, bandwidth=500).bottleneck
    'network'
    """
    size = size or shard_size(images, workers)
    shards = -(-images // size)
    shard = min(size, images)
    seconds = -(-shards // workers) * shard * costs.seconds_an_image
    bottleneck = costs.slowest_stage
    moved = images * (costs.file_bytes + costs.feature_bytes) / 1e6
    if bandwidth is not None and moved / bandwidth > seconds:
        seconds, bottleneck = moved / bandwidth, "network"
    rate = images / seconds if seconds else 0.0
    return Forecast(
        workers,
        shards,
        size,
        rate,
        seconds / 3600,
        rate * costs.file_bytes / 1e6,
        rate * costs.feature_bytes / 1e6,
        bottleneck,
    )


def advise(bottleneck: str, source: FeatureSource) -> list[str]:
    """Return what makes a bottleneck wider, for these options."""
    return [line for stage, applies, line in ADVICE if stage == bottleneck and applies(source)]
