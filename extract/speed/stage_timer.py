"""The stages of an extraction, timed on a sample: each by itself, or the whole pipeline."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...cache import FeatureStore, StatIndex
from ...errors import DataError, DecodeError
from ..decode.decode import decode_for
from ..images.addresses import Reference
from ..images.read import read_image
from ..one_run import STAGES
from ..pipeline import SEGMENT_ROWS, extract
from ..source import FeatureSource

SAMPLE = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Costs:
    """What an image costs one worker, measured."""

    seconds: dict[str, float]  # stage (`read`, `decode`, `backbone`, `commit`) to seconds an image
    threads: int  # of a worker: one, or all cores where TensorFlow spreads a call over them
    # of an image's file; of its row in a segment
    file_bytes: float
    feature_bytes: float
    # images that were timed; that could not be used
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
    chosen = spaced(paths, sample)
    limit = source.execution.max_pixels
    files, read = timed(lambda path: read_image(path, limit), chosen, plan.workers)
    pictures, decode = timed(
        lambda file: decode_for(spec, file[1], file[0].digest, limit), files, plan.workers
    )
    if not pictures:
        raise DataError(f"none of the {len(chosen)} images of the sample can be used")
    engine = source.engine()
    batches = [
        np.concatenate(pictures[first : first + plan.batch_size])
        for first in range(0, len(pictures), plan.batch_size)
    ]
    alone = plan.engine == "tensorflow"  # it spreads a call over the cores by itself
    calls = 1 if alone else plan.workers
    features, backbone = timed(engine, batches, calls, warm=True)
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


def measure_rate(paths: Sequence[Reference], source: FeatureSource) -> float | None:
    """Extract some images anew and return images a second, files to features.

    The same pipeline as for everything else, into a cache that is thrown away:
    reading, decoding, network and writing count, the start of the engine does not.

    Parameters
    ----------
    paths : sequence of Reference
        Images; 64 of them, evenly spaced, are taken.
    source : FeatureSource
        What to extract, and how.

    Returns
    -------
    float or None
        None when no image could be read.
    """
    engine = source.engine()
    with tempfile.TemporaryDirectory() as folder, StatIndex(Path(folder, "stat")) as stat_index:
        extraction = extract(
            spaced(paths, SAMPLE),
            FeatureStore(Path(folder), source.spec),
            lambda: engine,
            stat_index,
            batch_size=source.plan.batch_size,
            workers=source.plan.workers,
        )
    return extraction.extracted / extraction.seconds if extraction.extracted else None


def timed(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int, *, warm: bool = False
) -> tuple[list[Result], float]:
    """Do all items on some threads; return what came of them, and seconds each on its thread.

    With ``warm`` each thread does the first item once before: an engine's first call is slower.
    """

    def clocked(item: Item) -> tuple[Result | None, float]:
        begin = time.perf_counter()
        try:
            result = work(item)
        except DecodeError:
            result = None
        return result, time.perf_counter() - begin

    with ThreadPoolExecutor(threads) as pool:
        if warm:
            list(pool.map(work, [items[0]] * threads))
        done = list(pool.map(clocked, items))
    results = [result for result, _ in done if result is not None]
    return results, math.fsum(seconds for _, seconds in done) / max(1, len(results))


def spaced(items: Sequence[Item], count: int) -> list[Item]:
    """Return so many of the items, evenly spaced.

    Examples
    --------
    >>> spaced(range(10), 4)
    [0, 3, 6, 9]
    """
    places = np.linspace(0, len(items) - 1, min(count, len(items)), dtype=int)
    return [items[place] for place in places]


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
