"""Folds that part no group, and the part of many rows that strengths are chosen on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from .split import Rows

Folds = Sequence[tuple[Rows, Rows]]  # (train rows, held-out rows)

FOLDS = 5
MANY = 20_000  # rows that strengths are chosen on, at most
HELD_OUT_SHARE = 1 / 8  # of each class
MOST_HELD_OUT = 1 / 4  # of a class, where its groups are large
LEAST_TO_GIVE = 5  # images of a class that can spare one


def make_folds(y: Rows, groups: Rows, seed: int, many: int = MANY) -> Folds:
    """Return stratified folds that never part a group.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Class indices; each class has at least two images.
    groups : ndarray of int, shape (n,)
        Equal for images that must stay together: the same bytes, the same group.
    seed : int
        Shuffles.
    many : int
        Rows above which groups count as images, which takes a fraction of the time.

    Returns
    -------
    list of (train rows, held-out rows)
        At most five; fewer when the smallest class has fewer images.
    """
    count = int(max(2, min(FOLDS, np.bincount(y)[np.unique(y)].min())))
    first, member = np.unique(groups, return_index=True, return_inverse=True)[1:]
    if len(first) == len(y) or len(y) > many:  # groups are small beside so many rows
        splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
        parts = [held for _, held in splitter.split(first, y[first])]
        fold_of = np.empty(len(first), dtype=np.intp)
        for number, held in enumerate(parts):
            fold_of[held] = number
        held_in = fold_of[member]
        return [
            (np.flatnonzero(held_in != number), np.flatnonzero(held_in == number))
            for number in range(count)
        ]
    with warnings.catch_warnings():  # it counts groups as images where a class has few
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        grouped = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        folds = list(grouped.split(y, y, groups))
    return [(train, held_out) for train, held_out in folds if len(held_out)]


def choosing_rows(y: Rows, groups: Rows, seed: int, many: int = MANY) -> Rows:
    """Return the rows to choose strengths on: all, or a stratified sample of very many.

    The penalty of a linear head is a prior on its weights, which more rows do not change:
    what is best for 20,000 rows serves more.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Class indices.
    groups : ndarray of int, shape (n,)
        Equal for images that must stay together.
    seed : int
        Draws.
    many : int
        Rows at most.
    """
    if len(y) <= many:
        return np.arange(len(y))
    first, member = np.unique(groups, return_index=True, return_inverse=True)[1:]
    share = many / len(y)
    splitter = StratifiedShuffleSplit(1, train_size=share, random_state=seed)
    drawn, _ = next(splitter.split(first, y[first]))
    return np.flatnonzero(np.isin(member, drawn))


def hold_out(y: Rows, groups: Rows, seed: int) -> tuple[Rows, Rows]:
    """Carve an eighth out of the training rows, class by class; no group is parted.

    A class of 5 to 7 images gives one; a smaller one gives none and trains with all. A class
    whose groups are larger than a quarter of it gives none either.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Class indices.
    groups : ndarray of int, shape (n,)
        Equal for images that must stay together.
    seed : int
        Draws.

    Returns
    -------
    train, held_out : ndarray of int
        Rows, ascending; the second is empty where every class is too small.

    Examples
    --------
    >>> y = np.array([0] * 8 + [1] * 3)
    >>> y[hold_out(y, np.arange(11), seed=0)[1]].tolist()
    [0]
    """
    counts = np.bincount(y)
    enough = counts >= LEAST_TO_GIVE
    wanted = np.where(enough, np.maximum(1, np.rint(HELD_OUT_SHARE * counts)), 0)
    most = np.where(enough, np.maximum(wanted, MOST_HELD_OUT * counts), 0)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    np.random.default_rng(seed).shuffle(members)
    given = np.zeros_like(counts)
    held = np.zeros(len(y), dtype=bool)
    for rows in members:
        more = np.bincount(y[rows], minlength=len(counts))
        if (given < wanted)[more > 0].any() and (given + more <= most)[more > 0].all():
            held[rows] = True
            given += more
    return np.flatnonzero(~held), np.flatnonzero(held)
