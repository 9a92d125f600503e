"""The coordinator: cuts shards, watches the workers that do them, adds up what they say."""

from __future__ import annotations

import functools
import importlib
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ...cache import FeatureStore, StatIndex
from ...errors import CacheError, EngineError, HeadstartError, first_line
from ...progress import Tell, note
from ...stopping import Shelter, Stopped, sheltered
from ..engine.choose import Plan
from ..engine.gpus import run_on_each, visible_gpus
from ..images.addresses import Reference
from ..images.in_memory import PixelImage
from ..ledger import Extraction, summarise
from ..pipeline import going_on, look_up
from ..source import FeatureSource
from .tasks import cut, shard_size
from .worker import ShardResult, extract_shard, start_worker

ATTEMPTS = 3  # at each shard
POLL_SECONDS = 0.5  # between looks at whether a signal wants us to stop

Images = Sequence[Reference | PixelImage]


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
) -> Extraction:
    """Have the images that the cache lacks done by a cluster's workers.

    The workers commit their own segments into the same cache. A shard whose worker dies is
    done by another, from the last segment on; one that fails three times is a failure of its
    images, and the others complete.

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

    Raises
    ------
    CacheError
        If this process does not find in the cache what the workers committed.
    HeadstartError
        If no worker can load the backbone.
    """
    tally = _Tally(images, store, stat_index)
    progress(tally.done, len(images))
    if not tally.unread:
        return tally.extraction()
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
        tally.startup_seconds = time.perf_counter() - tally.begin
        size = execution.shard_size or shard_size(len(tally.unread), slots)
        shards = cut(tally.unread, size)
        work = functools.partial(extract_shard, sent)
        with sheltered() as shelter:
            for number, outcome in _spread(workers, work, images, shards, shelter):
                tally.add(shards[number], outcome, f"shard {number + 1} of {len(shards)}")
                progress(tally.done, len(images))
        if shelter.wanted is not None:
            raise Stopped(shelter.wanted, going_on(tally.done, len(images)))
        return tally.extraction()


def extract_on_gpus(
    devices: list[str],
    images: Images,
    source: FeatureSource,
    store: FeatureStore,
    stat_index: StatIndex,
    progress: Tell,
) -> Extraction:
    """Have the images that the cache lacks done by a process for each GPU of this machine."""
    tally = _Tally(images, store, stat_index)
    if tally.unread:
        before = store.snapshot().rows - tally.done

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
            raise HeadstartError(f"a worker cannot load the backbone: {_told(outcome)}")
    return len(places)


def _spread(
    workers: Workers,
    work: Callable[[Images], ShardResult],
    images: Images,
    shards: list[list[int]],
    shelter: Shelter,
) -> Iterator[tuple[int, ShardResult | Exception]]:
    """Yield each shard's number and outcome as they end, until a stop is wanted.

    No more are under way than can run: the scheduler holds few references at a time, and a
    worker's death is blamed on the one shard that it was at.
    """
    deaths: Counter[int] = Counter()
    running: dict[Any, int] = {}
    left = deque(range(len(shards)))
    while (left or running) and shelter.wanted is None:
        free = len(workers.places()) - len(running)  # none while all are being replaced
        for _ in range(min(free, len(left))):
            number = left.popleft()
            shard = functools.partial(work, [images[index] for index in shards[number]])
            running[workers.submit(None, shard)] = number
        ended = workers.wait_for_one(POLL_SECONDS)
        if ended is None:
            continue
        handle, outcome = ended
        number = running.pop(handle)
        if isinstance(outcome, WorkerDiedError):
            deaths[number] += 1
            if deaths[number] < ATTEMPTS:
                left.append(number)
                continue
        yield number, outcome


class _Tally:
    """What the cache holds of the images, and what becomes of the others, shard by shard."""

    def __init__(self, images: Images, store: FeatureStore, stat_index: StatIndex) -> None:
        self.begin = time.perf_counter()
        self.startup_seconds = 0.0
        self._images = images
        self._store = store
        self._before = store.snapshot()
        self._digests, self.unread = look_up(images, store, stat_index)
        self._failures: dict[int, str] = {}
        self._notes: dict[str, None] = {}  # in order, each once
        self._ran_on: tuple[str | None, str | None] = (None, None)
        self.done = len(images) - len(self.unread)

    def add(self, positions: list[int], outcome: ShardResult | Exception, name: str) -> None:
        """Take in what became of the images at these positions."""
        self.done += len(positions)
        if isinstance(outcome, Exception):
            reason = f"{name} failed {ATTEMPTS} times: {_told(outcome)}"
            self._failures.update(dict.fromkeys(positions, reason))
            self._notes[f"{reason} ({len(positions)} images)"] = None
            return
        for position, digest in zip(positions, outcome.digests, strict=True):
            self._digests[position] = digest
        self._failures.update({positions[index]: why for index, why in outcome.failures.items()})
        self._notes.update(dict.fromkeys(outcome.notes))
        self._ran_on = (outcome.engine, outcome.device)

    def extraction(self) -> Extraction:
        """Return the whole; what the cache did not hold before was extracted, by whomever.

        Raises
        ------
        CacheError
            If the cache does not show here what the workers committed.
        """
        done = [digest for digest in self._digests if digest is not None]
        for anew in (False, True):
            self._store.refresh(anew=anew)
            missing = int((~self._store.holds(done)).sum())
            if not missing:
                break
        else:
            raise CacheError(
                f"the workers committed {missing:,} images that {self._store.folder} does not "
                "show here: --cache must name one folder that all machines share"
            )
        engine, device = self._ran_on
        return summarise(
            self._images,
            self._digests,
            set(itertools.compress(done, self._before.look_up(done)[0] < 0)),
            self._failures,
            seconds=time.perf_counter() - self.begin,
            startup_seconds=self.startup_seconds,
            engine=engine,
            device=device,
            notes=list(self._notes),
        )


def _told(error: Exception) -> str:
    """Return an error as one line."""
    line = first_line(error)
    return line if isinstance(error, HeadstartError) else f"{type(error).__name__}: {line}"
