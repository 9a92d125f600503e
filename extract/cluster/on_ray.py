"""Ray's workers: a process each, its own tasks and retries."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from ...errors import EngineError, OptionError, first_line
from .coordinate import Layout
from .tally import ATTEMPTS

# No usage statistics are sent, no tips are printed, no line is held back until the end.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",  # 15 by default: the work would yield to everything else
}
CONNECT_SECONDS = 10.0  # Ray itself would wait for minutes
OBJECT_STORE_BYTES = 128 << 20  # shards' paths and digests; Ray would take a third of the memory


@contextlib.contextmanager
def workers(layout: Layout, address: str | None) -> Iterator[RayWorkers]:
    """Connect to a cluster, or start one with a process for each place of the layout.

    Raises
    ------
    OptionError
        If Ray is not installed, or no cluster answers at the address.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise OptionError("--backend ray needs Ray: pip install 'headstart[ray]'") from error

    if address is not None:
        _knock(address)
    local: dict[str, Any] = {
        "num_cpus": layout.processes * layout.threads,
        "num_gpus": len(layout.devices),
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    with contextlib.redirect_stdout(_WithoutRay(sys.stdout)):
        try:
            with _own_signals():
                ray.init(
                    address=address or "local",
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    **(local if address is None else {}),
                )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _unreachable(address or "this machine", error) from error
        try:
            yield RayWorkers(ray, layout.threads)
        finally:
            ray.shutdown()


class RayWorkers:
    """The workers of one Ray cluster: one for each GPU where there are any.

    Parameters
    ----------
    ray : module
        Initialised.
    threads : int
        CPUs of a task.
    """

    def __init__(self, ray: Any, threads: int) -> None:
        self._ray = ray
        self._threads = threads
        self._running: list[Any] = []
        self._task = ray.remote(_call).options(
            num_cpus=threads,
            num_gpus=1 if ray.cluster_resources().get("GPU") else 0,
            max_retries=ATTEMPTS - 1,
            retry_exceptions=True,
        )

    def places(self) -> list[None]:
        """Return a place for each GPU, else for each group of CPUs; Ray has no names for them."""
        there = self._ray.cluster_resources()
        count = there.get("GPU") or there.get("CPU", 0) // self._threads
        return [None] * max(1, int(count))

    def submit(self, place: None, work: Callable[[], Any]) -> Any:
        """Begin a task; return its reference."""
        del place
        reference = self._task.remote(work)
        self._running.append(reference)
        return reference

    def wait_for_one(self, seconds: float) -> tuple[Any, Any] | None:
        """Return a reference whose task has ended, and its result or exception; None when none has."""
        ended, self._running = self._ray.wait(self._running, num_returns=1, timeout=seconds)
        if not ended:
            return None
        (reference,) = ended
        try:
            return reference, self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            return reference, error.cause or error
        except self._ray.exceptions.WorkerCrashedError:
            return reference, EngineError("the worker process died each time")
        except self._ray.exceptions.RayError as error:
            return reference, error


def _knock(address: str) -> None:
    """Raise when nothing listens at an address that names a host and a port."""
    named = re.fullmatch(r"(?:ray://)?\[?([^/\]]+)\]?:(\d+)", address)
    if named is None:
        return  # such as "auto": Ray looks by itself
    try:
        socket.create_connection((named[1], int(named[2])), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise _unreachable(address, error) from error


def _unreachable(where: str, error: Exception) -> OptionError:
    return OptionError(
        f"no Ray cluster at {where} ({first_line(error)}); expected auto, host:6379 or ray://host:10001"
    )


def _call(work: Callable[[], Any]) -> Any:
    """Run a task: Ray wants a function, a shard's work is a partial."""
    return work()


class _WithoutRay:
    """Standard output, but for what Ray's listener prints there of dead workers and retries."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if threading.current_thread().name == "ray_listen_error_messages":
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep our handler of SIGTERM: Ray puts its own in its place."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
