"""A dataset cut into shards: one task each, never one an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

LARGEST = 4096  # images: a minute of a worker's work, a few hundred kilobytes of paths
SMALLEST = 32  # below, a segment's fsync and a task's way are no longer small beside it
SHARDS_A_WORKER = 4  # that a slow one at the end keeps the others waiting briefly

Item = TypeVar("Item")


def shard_size(images: int, workers: int) -> int:
    """Return how many images make a shard.

    Parameters
    ----------
    images : int
        To be done.
    workers : int
        Shards that are done at once.

    Examples
    --------
    >>> shard_size(1_368, workers=2), shard_size(100_000_000, workers=1_000)
    (171, 4096)
    """
    return min(LARGEST, max(SMALLEST, -(-images // (SHARDS_A_WORKER * workers))))


def cut(items: Sequence[Item], size: int) -> list[list[Item]]:
    """Cut a sequence into lists of ``size``; the last may be shorter.

    Examples
    --------
    >>> cut("abcde", 2)
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    return [list(items[start : start + size]) for start in range(0, len(items), size)]
