"""One process for each GPU: each takes every n-th image and appends segments of its own."""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

VISIBLE = "CUDA_VISIBLE_DEVICES"
POLL_SECONDS = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use: ``CUDA_VISIBLE_DEVICES``, else all."""
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))


def run_on_each(
    devices: Sequence[str],
    work: Callable[[list[Item]], Result],
    paths: Sequence[Item],
    poll: Callable[[], None],
) -> list[Result]:
    """Call ``work`` once for each device, in a process that sees that device alone.

    Parameters
    ----------
    devices : sequence of str
        At least one.
    work : callable
        Given every n-th path; must be importable, since processes are spawned:
        TensorFlow does not survive a fork.
    paths : sequence
        Images.
    poll : callable
        Called every second or so while they work.

    Returns
    -------
    list
        What each call returned, in the order of the devices.

    Raises
    ------
    Exception
        The first that a process raised, after all have ended.
    """
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        running = []
        for number, device in enumerate(devices):
            pool = ProcessPoolExecutor(
                1, mp_context=context, initializer=_see_only, initargs=(device,)
            )
            stack.enter_context(pool)
            running.append(
                pool.submit(functools.partial(work, list(paths[number :: len(devices)])))
            )
        left = set(running)
        while left:
            left = wait(left, timeout=POLL_SECONDS).not_done
            poll()
        return [future.result() for future in running]


def _see_only(device: str) -> None:
    os.environ[VISIBLE] = device
