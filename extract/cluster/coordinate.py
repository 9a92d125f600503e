"""The coordinator: cuts shards, watches the workers that do them, adds up what they say."""

from __future__ import annotations

import functools
import importlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ...cache import FeatureStore, StatIndex
from ...errors import EngineError, HeadstartError
from ...progress import Tell, note
from ...stopping import Shelter, Stopped, sheltered
from ..engine.choose import Plan
from ..engine.gpus import run_on_each, visible_gpus
from ..ledger import Extraction
from ..pipeline import going_on
from ..source import FeatureSource
from .tally import ATTEMPTS, Block, Images, Run, Shard, cut_blocks, in_one_line
from .tasks import shard_size
from .worker import ShardResult, extract_shard, start_worker

POLL_SECONDS = 0.5  # between looks at whether a signal wants us to stop


class WorkerDiedError(EngineError):
    """A worker process died at a task, which is to be tried elsewhere."""


class Workers(Protocol):
    """Worker processes that an engine (Dask, Ray) schedules. It retries what fails there."""

    def places(self) -> list[Any]:
        """Return a place for each task that can run at once; a place is the engine's own word."""
        ...

    def submit(self, place: Any, work: Callable[[], Any]) -> Any:
        """Begin a task, at a place or anywhere when None; return its handle.

        The work brings its images along: engines look for futures in lists of arguments.
        """
        ...

    def wait_for_one(self, seconds: float) -> tuple[Any, Any] | None:
        """Return the handle of a task that has ended, and its result or exception.

        None when none has within these seconds.
        """
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """The worker processes of a cluster that is started on this machine."""

    processes: int  # how many
    threads: int  # of each
    devices: tuple[str, ...] = ()  # the GPU of each; empty where there is none


# Name → module and function, which takes (Layout, address or None, threads a task) and is a
# context manager of Workers.
BACKENDS = {"dask": "on_dask", "ray": "on_ray"}


def lay_out(plan: Plan) -> Layout:
    """Return the processes and threads of a local cluster.

    ONNX Runtime's calls are one thread each, so that a process for each runs best: no
    interpreter lock is shared. TensorFlow spreads a call over all cores by itself.

    Examples
    --------
    >>> lay_out(Plan("onnxruntime", "cpu", "float32", batch_size=4, workers=2))
    Layout(processes=2, threads=1, devices=())
    >>> lay_out(Plan("tensorflow", "cpu", "float32", batch_size=32, workers=2))
    Layout(processes=1, threads=2, devices=())
    """
    if plan.device == "gpu" and (devices := tuple(visible_gpus())):
        return Layout(len(devices), max(1, plan.workers // len(devices)), devices)
    if plan.engine == "tensorflow":
        return Layout(1, plan.workers)
    return Layout(plan.workers, 1)


def open_workers(
    backend: str, layout: Layout, address: str | None
) -> AbstractContextManager[Workers]:
    """Start a cluster on this machine, or connect to a running one; leaving ends what was started.

    Parameters
    ----------
    backend : str
        ``"dask"`` or ``"ray"``.
    layout : Layout
        Of a cluster to be started; its threads are those of a task in any.
    address : str or None
        A running cluster's scheduler.

    Raises
    ------
    OptionError
        If the engine is not installed, or nothing answers at the address.
    """
    module = importlib.import_module(f".{BACKENDS[backend]}", __package__)
    workers: AbstractContextManager[Workers] = module.workers(layout, address)
    return workers


def extract_on_cluster(
    images: Images,
    source: FeatureSource,
    store: FeatureStore,
    stat_index: StatIndex,
    progress: Tell,
    step: int,
) -> Iterator[Extraction]:
    """Have the images that the cache lacks done by a cluster's workers.

    The workers commit their own segments into the same cache. A shard whose worker dies is
    done by another, from the last segment on; one that fails three times is a failure of its
    images, and the others complete. Of the images no more are known than a block for each few
    shards under way: the next is looked up when a worker is free.

    Parameters
    ----------
    images : sequence of Reference or PixelImage
        As every worker reaches them.
    source : FeatureSource
        What to extract, on which backend.
    store : FeatureStore
        The cache, as this process sees it.
    stat_index : StatIndex
        Tells which images need no worker.
    progress : callable
        Told ``(done, total)`` images after each shard.
    step : int
        Images of a block.

    Yields
    ------
    Extraction
        Of each block, in the order in which they end; their seconds add up to those of the run.

    Raises
    ------
    CacheError
        If this process does not find in the cache what the workers committed.
    HeadstartError
        If no worker can load the backbone.
    """
    run = Run(len(images), progress)
    starts = range(0, max(1, len(images)), step)
    blocks = (Block(images[start : start + step], store, stat_index, run) for start in starts)
    for first in blocks:
        if first.unread:
            break
        yield first.extraction()
    else:
        return
    execution = source.execution
    layout = lay_out(source.plan)
    if execution.address is not None:
        layout = replace(layout, threads=execution.workers or 1)
    sent = replace(
        source,
        # A worker asks no other cluster.
        execution=replace(execution, backend="local", address=None, workers=layout.threads),
    )
    with open_workers(execution.backend, layout, execution.address) as workers:
        where = execution.address or "this machine"
        slots = _start(workers, sent)
        note(f"{slots} workers of {execution.backend} on {where}")
        first.startup_seconds = time.perf_counter() - run.begin

        def size(block: Block) -> int:
            """Let shards be as large as if all blocks lacked what this one does."""
            lacking = len(images) * len(block.unread) // len(block.images)
            return execution.shard_size or shard_size(lacking, slots)

        work = functools.partial(extract_shard, sent)
        with sheltered() as shelter:
            yield from _spread(workers, work, itertools.chain([first], blocks), size, shelter)
        if shelter.wanted is not None:
            raise Stopped(shelter.wanted, going_on(run.done, len(images)))


def extract_on_gpus(
    devices: list[str],
    images: Images,
    source: FeatureSource,
    store: FeatureStore,
    stat_index: StatIndex,
    progress: Tell,
) -> Extraction:
    """Have the images that the cache lacks done by a process for each GPU of this machine."""
    run = Run(len(images), progress)
    tally = Block(images, store, stat_index, run)
    if tally.unread:
        before = store.snapshot().rows - run.done

        def poll() -> None:
            store.refresh()
            progress(min(store.snapshot().rows - before, len(images)), len(images))

        work = functools.partial(extract_shard, source)
        results = run_on_each(devices, work, [images[index] for index in tally.unread], poll)
        for number, result in enumerate(results):
            tally.add(tally.unread[number :: len(devices)], result, f"GPU {devices[number]}")
    return tally.extraction()


def _start(workers: Workers, source: FeatureSource) -> int:
    """Load the backbone everywhere; return how many tasks run at once."""
    places = workers.places()
    for place in places:
        workers.submit(place, functools.partial(start_worker, source))
    left = len(places)
    while left:
        ended = workers.wait_for_one(POLL_SECONDS)
        if ended is None:
            continue
        left -= 1
        _, outcome = ended
        if isinstance(outcome, HeadstartError):
            raise outcome
        if isinstance(outcome, Exception):
            raise HeadstartError(f"a worker cannot load the backbone: {in_one_line(outcome)}")
    return len(places)


def _spread(
    workers: Workers,
    work: Callable[[Images], ShardResult],
    blocks: Iterable[Block],
    size: Callable[[Block], int],
    shelter: Shelter,
) -> Iterator[Extraction]:
    """Yield what became of each block, as they end, until a stop is wanted.

    No more shards are under way than can run: the scheduler holds few references at a time, and a
    worker's death is blamed on the one shard that it was at.
    """
    running: dict[Any, Shard] = {}
    again: deque[Shard] = deque()  # died at, and to be tried once more
    ahead = cut_blocks(blocks, size)
    left = True
    while (left or again or running) and shelter.wanted is None:
        free = len(workers.places()) - len(running)  # none while all are being replaced
        while free > 0 and (left or again):
            shard = next(ahead, None) or (again.popleft() if again else None)
            if shard is None:
                left = False
            elif not shard.positions:  # of a block that is all in the cache
                yield shard.block.extraction()
            else:
                images = [shard.block.images[position] for position in shard.positions]
                running[workers.submit(None, functools.partial(work, images))] = shard
                free -= 1
        ended = workers.wait_for_one(POLL_SECONDS) if running or free <= 0 else None
        if ended is None:
            continue
        handle, outcome = ended
        shard = running.pop(handle)
        shard.deaths += isinstance(outcome, WorkerDiedError)
        if isinstance(outcome, WorkerDiedError) and shard.deaths < ATTEMPTS:
            again.append(shard)
            continue
        shard.block.add(shard.positions, outcome, f"shard {shard.number}")
        if not shard.block.unfinished:
            yield shard.block.extraction()
