"""Nested subsets of the training images, for the learning curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..data.split import Rows


def subset_targets(counts: NDArray[np.intp], least: int = 2) -> list[NDArray[np.intp]]:
    """Return images of each class for each size: all, a half, a quarter and so on.

    Parameters
    ----------
    counts : ndarray of int, shape (k,)
        Training images of each class.
    least : int
        Images a class, on average, of the smallest size.

    Returns
    -------
    list of ndarray of int, shape (k,)
        Ascending. Every class keeps its share, but ``least`` images where it has them.

    Examples
    --------
    >>> [targets.tolist() for targets in subset_targets(np.array([8, 16]))]
    [[2, 4], [4, 8], [8, 16]]
    """
    halvings = max(0, int(math.log2(counts.mean() / least)))
    targets = []
    for halving in range(halvings, -1, -1):
        shares = np.rint(counts / 2**halving).astype(np.intp)
        targets.append(np.minimum(counts, np.maximum(least, shares)))
    return [target for target in targets[:-1] if target.sum() < counts.sum()] + targets[-1:]


def nested_subsets(
    y: Rows, groups: Rows, targets: Sequence[NDArray[np.intp]], seed: int
) -> list[Rows]:
    """Draw subsets, each within the next, that never part a group.

    Whole groups are taken in a random order, each if one of its classes still
    lacks images, or lacks the second group that cross-validation needs.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Class indices.
    groups : ndarray of int, shape (n,)
        Equal for images that must stay together.
    targets : sequence of ndarray of int, shape (k,)
        From :func:`subset_targets`. A group that is taken whole may exceed them.
    seed : int
        Of the order.

    Returns
    -------
    list of ndarray of int
        Rows of each subset, ascending.

    Examples
    --------
    >>> y, groups = np.array([0, 0, 0, 1, 1, 1]), np.arange(6)
    >>> [len(rows) for rows in nested_subsets(y, groups, [np.array([2, 2]), np.array([3, 3])], 0)]
    [4, 6]
    """
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    np.random.default_rng(seed).shuffle(members)
    images, parts = np.zeros_like(targets[0]), np.zeros_like(targets[0])  # of each class, so far
    taken = np.zeros(len(y), dtype=bool)
    subsets = []
    for target in targets:
        for rows in members:
            lacking = (images < target) | (parts < 2)
            if not lacking.any():
                break
            if lacking[y[rows]].any() and not taken[rows[0]]:
                taken[rows] = True
                images += np.bincount(y[rows], minlength=len(images))
                parts[np.unique(y[rows])] += 1
        subsets.append(np.flatnonzero(taken))
    return subsets
