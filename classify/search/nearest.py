"""The nearest of any number of rows, exactly, block by block."""

from __future__ import annotations

from collections.abc import Collection as Several
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 65_536  # rows multiplied at a time: some 256 MB of MobileNet's


def nearest(
    directions: Any,
    count: int,
    query: NDArray[np.float32],
    top: int,
    without: Several[int] = (),
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the rows of the highest cosine with a query, the nearest first.

    Parameters
    ----------
    directions : ndarray or Directions, shape (n, d), float32
        Unit vectors, or what makes them of a slice of rows.
    count : int
        n.
    query : ndarray, shape (d,), float32
        A unit vector.
    top : int
        How many rows, at most.
    without : collection of int
        Rows left out.

    Returns
    -------
    rows : ndarray of int, shape (m,)
        m is ``top``, or what there is; of equal scores the earlier row goes first.
    scores : ndarray, shape (m,), float32
        Cosines, -1 to 1.

    Examples
    --------
    >>> rows, scores = nearest(np.eye(3, dtype=np.float32), 3, np.array([0.6, 0.8, 0]), 2)
    >>> rows.tolist(), scores.round(1).tolist()
    ([1, 0], [0.8, 0.6])
    """
    left_out = np.array(sorted(without), dtype=np.intp)
    rows, scores = np.empty(0, np.intp), np.empty(0, np.float32)
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        own = np.asarray(directions[start:stop] @ query)
        own[left_out[(left_out >= start) & (left_out < stop)] - start] = -np.inf
        kept = _highest(own, top)
        rows = np.concatenate([rows, kept + start])
        scores = np.concatenate([scores, own[kept]])
    order = np.lexsort((rows, -scores))[:top]
    order = order[np.isfinite(scores[order])]
    return rows[order], np.clip(scores[order], -1, 1)


def _highest(scores: NDArray[np.float32], top: int) -> NDArray[np.intp]:
    """Return the places of the highest scores, and of all that equal the lowest of these."""
    if top >= len(scores):
        return np.arange(len(scores))
    threshold = np.partition(scores, len(scores) - top)[len(scores) - top]
    return np.flatnonzero(scores >= threshold)


def mean_direction(directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the unit vector between some (n, d): what their mean looks like."""
    mean = directions.mean(axis=0)
    unit: NDArray[np.float32] = mean / (np.linalg.norm(mean) or 1)
    return unit
