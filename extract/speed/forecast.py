"""What a large extraction will take: a sample is timed, the whole is reckoned."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...cache import StatIndex
from ...errors import DataError, DecodeError
from ..cluster.tasks import shard_size
from ..decode.decode import decode_views
from ..images.addresses import Reference
from ..images.digests import known_digest
from ..images.read import read_image
from ..pipeline import SEGMENT_ROWS
from ..source import FeatureSource

STAGES = ("read", "decode", "backbone", "commit")
WORKERS = (1, 10, 100, 1000)

Item = TypeVar("Item")
Result = TypeVar("Result")

# What makes a stage quicker; the first that applies to the options in use is the best.
ADVICE: dict[str, tuple[tuple[Callable[[FeatureSource], bool], str], ...]] = {
    "read": (
        (
            lambda source: True,
            "reading: put the workers near the images, or --workers up: a waiting thread costs no core",
        ),
    ),
    "decode": (
        (
            lambda source: True,
            "decoding: keep JPEGs of about twice the backbone's input, or add cores",
        ),
    ),
    "backbone": (
        (
            lambda source: len(source.spec.views) > 1,
            "the backbone: --views original runs it once an image",
        ),
        (
            lambda source: source.spec.backbone != "mobilenet",
            "the backbone: --backbone mobilenet, the lightest",
        ),
        (
            lambda source: source.plan.device == "cpu",
            "the backbone: a GPU (pip install 'headstart[gpu]'), or more cores",
        ),
        (
            lambda source: source.spec.precision == "float32",
            "the backbone: --precision float16, on the GPU",
        ),
    ),
    "commit": (
        (
            lambda source: source.spec.storage == "float32",
            "writing: --storage float16 halves it, at a relative error of 5e-4",
        ),
        (
            lambda source: source.spec.pooling in ("flatten", "none"),
            "writing: --pooling avg keeps one number a channel",
        ),
    ),
    "network": (
        (
            lambda source: True,
            "the network: no more workers, but smaller images or more disks and servers",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Costs:
    """What an image costs one worker, measured.

    Parameters
    ----------
    seconds : dict of str to float
        Stage (``read``, ``decode``, ``backbone``, ``commit``) to seconds an image.
    threads : int
        Of a worker: one, or all cores where TensorFlow spreads a call over them.
    file_bytes, feature_bytes : float
        Of an image's file; of its row in a segment.
    sampled, failed : int
        Images that were timed; that could not be used.
    """

    seconds: dict[str, float]
    threads: int
    file_bytes: float
    feature_bytes: float
    sampled: int
    failed: int

    @property
    def seconds_an_image(self) -> float:
        """Return the seconds that an image keeps one worker.

        A worker of one thread does one stage after the other. One of several decodes the next
        batch while the backbone runs: the longer counts.
        """
        threads, seconds = self.threads, self.seconds
        before = (seconds["read"] + seconds["decode"]) / threads
        if threads == 1:
            return before + seconds["backbone"] + seconds["commit"]
        return max(before, seconds["backbone"]) + seconds["commit"]

    @property
    def slowest_stage(self) -> str:
        """Return the stage that takes longest."""
        return max(STAGES, key=lambda stage: self.seconds[stage] / self._shared(stage))

    def _shared(self, stage: str) -> int:
        return self.threads if stage in ("read", "decode") else 1


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the whole takes with a number of workers.

    Parameters
    ----------
    workers : int
        Worker processes.
    shards : int
        Tasks, and how many images each: ``shard_size``.
    shard_size : int
        Images.
    images_per_second, hours : float
        Of all together; until the last shard is done.
    read_mb_per_second, write_mb_per_second : float
        What they ask of the images' store and of the cache.
    bottleneck : str
        A stage, or ``"network"`` where the bandwidth given is less than they would read and write.
    """

    workers: int
    shards: int
    shard_size: int
    images_per_second: float
    hours: float
    read_mb_per_second: float
    write_mb_per_second: float
    bottleneck: str


def measure_costs(paths: Sequence[Reference], source: FeatureSource, sample: int) -> Costs:
    """Time each stage on a sample, on as many threads at once as extraction would use.

    Nothing of it stays in the cache, but for the exported network.

    Parameters
    ----------
    paths : sequence of Reference
        Image files; ``sample`` of them, evenly spaced, are taken.
    source : FeatureSource
        What to extract, and how.
    sample : int
        At least one.

    Raises
    ------
    DataError
        If no image of the sample can be used.
    """
    spec, plan = source.spec, source.plan
    chosen = [
        paths[at] for at in np.linspace(0, len(paths) - 1, min(sample, len(paths)), dtype=int)
    ]
    limit = source.options.max_pixels
    files, read = _timed(lambda path: read_image(path, limit), chosen, plan.workers)
    pictures, decode = _timed(
        lambda file: decode_views(
            file[1], spec.input_size, spec.resize, spec.views, file[0].digest, limit
        ),
        files,
        plan.workers,
    )
    if not pictures:
        raise DataError(f"none of the {len(chosen)} images of the sample can be used")
    engine = source.options.make_engine(source)
    batches = [
        np.concatenate(pictures[at : at + plan.batch_size])
        for at in range(0, len(pictures), plan.batch_size)
    ]
    alone = plan.engine == "tensorflow"  # it spreads a call over the cores by itself
    calls = 1 if alone else plan.workers
    _timed(engine, batches[:1] * calls, calls)  # the first call of each thread is slower
    features, backbone = _timed(engine, batches, calls)
    rows = np.concatenate(features).reshape(len(pictures), -1)
    commit, feature_bytes = _commit(rows, engine.widths, source)
    return Costs(
        {
            "read": read * len(chosen) / len(pictures),
            "decode": decode,
            "backbone": backbone * len(batches) / len(pictures),
            "commit": commit,
        },
        plan.workers if alone else 1,
        sum(len(data) for _, data in files) / len(files),
        feature_bytes,
        len(chosen),
        len(chosen) - len(pictures),
    )


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
    return [line for applies, line in ADVICE[bottleneck] if applies(source)]


def count_cached(
    paths: Iterable[Reference], source: FeatureSource, stat_index: StatIndex
) -> tuple[int, int]:
    """Return how many images are cached, and of how many only reading would tell.

    The stat index knows what was read on this machine. Where the cache is empty nothing is unknown.
    """
    store = source.store()
    if not len(store):
        return 0, 0
    digests = [known_digest(path, stat_index) for path in paths]
    return sum(digest in store for digest in digests), digests.count(None)


def _timed(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> tuple[list[Result], float]:
    """Do all items on some threads; return what came of them, and seconds each on its thread."""

    def timed(item: Item) -> tuple[Result | None, float]:
        begin = time.perf_counter()
        try:
            result = work(item)
        except DecodeError:
            result = None
        return result, time.perf_counter() - begin

    with ThreadPoolExecutor(threads) as pool:
        done = list(pool.map(timed, items))
    results = [result for result, _ in done if result is not None]
    return results, math.fsum(seconds for _, seconds in done) / max(1, len(results))


def _commit(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    widths: tuple[int, ...],
    source: FeatureSource,
) -> tuple[float, float]:
    """Write one whole segment where the cache is; return seconds and bytes a row."""
    digests = [number.to_bytes(32, "big") for number in range(SEGMENT_ROWS)]
    repeated = rows[
        np.fromiter(itertools.islice(itertools.cycle(range(len(rows))), SEGMENT_ROWS), int)
    ]
    source.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=source.cache) as folder:
        store = replace(source, cache=Path(folder)).store()
        begin = time.perf_counter()
        path = store.append(digests, repeated, widths)
        seconds = time.perf_counter() - begin
        return seconds / SEGMENT_ROWS, path.stat().st_size / SEGMENT_ROWS
