"""Dask's workers: a process each, its own tasks and retries."""

from __future__ import annotations

import contextlib
import logging
import pickle
import queue
from collections.abc import Callable, Iterator
from typing import Any

from ...errors import EngineError, OptionError, first_line
from ..engine.gpus import VISIBLE
from .coordinate import Layout, WorkerDiedError
from .tally import ATTEMPTS

CONNECT_SECONDS = 10.0
SETTINGS = {
    # We count deaths ourselves. Dask would pass the task on at once, to wait on a worker behind
    # another task, which is then blamed for the next death as well.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.worker.profile.enabled": False,  # nobody looks at it
    # Giving memory back to the system after each image costs page faults at the next.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}
# A cluster of ours talks to nobody else, and takes any port that is free.
LOOPBACK = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
# A terminal sends it to all of its processes: ours hears it and ends the others.
HEED_NO_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
FIRST_WORKER_SECONDS = 60.0  # a cluster may be starting its machines


@contextlib.contextmanager
def workers(layout: Layout, address: str | None) -> Iterator[DaskWorkers]:
    """Connect to a scheduler, or start one with a process for each place of the layout.

    A worker that dies is replaced by its nanny. A scheduler of ours tells at once, one at an
    address gives the task to other workers first, as often as it was told
    (``distributed.scheduler.allowed-failures``).

    Raises
    ------
    OptionError
        If Dask is not installed, or no scheduler answers at the address.
    """
    distributed = _load()
    from dask import config

    quiet = logging.getLogger("distributed")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # what fails is told by us, in a line
    try:
        with config.set(SETTINGS):
            cluster: Any = contextlib.nullcontext(address)
            if address is None:
                cluster = distributed.SpecCluster(
                    workers=_processes(distributed, layout),
                    scheduler={"cls": distributed.Scheduler, "options": LOOPBACK | {"port": 0}},
                    silence_logs=logging.CRITICAL,
                )
            with cluster as scheduler, _connect(distributed, scheduler) as client:
                yield DaskWorkers(distributed, client, ours=address is None)
    finally:
        quiet.setLevel(level)


class DaskWorkers:
    """The workers of one Dask scheduler.

    Parameters
    ----------
    distributed : module
        Dask's.
    client : Client
        Of the scheduler.
    ours : bool
        Whether the scheduler is ours: then a task goes to a worker that has no other.
    """

    def __init__(self, distributed: Any, client: Any, *, ours: bool) -> None:
        self._died = distributed.KilledWorker
        self._client = client
        self._ours = ours
        self._at: dict[Any, str | None] = {}  # where each task was sent
        self._seal = distributed.protocol.pickle.dumps
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def places(self) -> list[str]:
        """Return each worker's address, as often as it has threads."""
        threads: dict[str, int] = self._client.nthreads()
        return [address for address, count in threads.items() for _ in range(count)]

    def submit(self, place: str | None, work: Callable[[], Any]) -> Any:
        """Begin a task, at a worker or anywhere; return its future."""
        wanted = place or (self._idle() if self._ours else None)
        future = self._client.submit(
            _call,
            self._seal(work),
            workers=None if wanted is None else [wanted],
            allow_other_workers=place is None and wanted is not None,  # it may have died just now
            retries=ATTEMPTS - 1,
            pure=False,  # what a cleared cache has lost is to be done again
        )
        self._at[future] = wanted
        future.add_done_callback(self._ended.put)
        return future

    def _idle(self) -> str | None:
        """Return a worker that has none of our tasks."""
        busy = set(self._at.values())
        return next((place for place in self.places() if place not in busy), None)

    def wait_for_one(self, seconds: float) -> tuple[Any, Any] | None:
        """Return a future that has ended, and its result or exception; None when none has."""
        try:
            future = self._ended.get(timeout=seconds)
        except queue.Empty:
            return None
        del self._at[future]
        try:
            return future, future.result()
        except self._died:
            kind = WorkerDiedError if self._ours else EngineError
            return future, kind("the worker process died each time")
        except Exception as error:  # whatever the task raised is its outcome
            return future, error


def _call(sealed: bytes) -> Any:
    """Open a task and do it, in the worker.

    Sealed, since the scheduler unpacks what it is given and packs it again: with 4,096 paths
    that took six times as long.
    """
    return pickle.loads(sealed)()  # noqa: S301 - Dask's own way to send any task


def _load() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise OptionError("--backend dask needs Dask: pip install 'headstart[dask]'") from error
    return distributed


def _connect(distributed: Any, scheduler: Any) -> Any:
    try:
        client = distributed.Client(scheduler, set_as_default=False, timeout=CONNECT_SECONDS)
        client.wait_for_workers(1, timeout=FIRST_WORKER_SECONDS)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"no Dask cluster with workers at {scheduler} ({first_line(error)}); expected a scheduler's address "
            "such as tcp://host:8786"
        ) from error
    return client


def _processes(distributed: Any, layout: Layout) -> dict[int, dict[str, Any]]:
    """Describe a nanny and its worker for each place; a worker sees its own GPU alone."""
    options = LOOPBACK | {
        "nthreads": 1,
        "memory_limit": None,
        "silence_logs": logging.CRITICAL,
        "preload": [HEED_NO_CTRL_C],
    }
    return {
        number: {
            "cls": distributed.Nanny,
            "options": options
            | ({"env": {VISIBLE: layout.devices[number]}} if layout.devices else {}),
        }
        for number in range(layout.processes)
    }
