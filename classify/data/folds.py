"""Folds that part no group, and the part of many rows that strengths are chosen on."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from ..heads.calibration import (
    Folds,
)

FOLDS = 5


MANY = 20_000  # rows that strengths are chosen on, at most


def make_folds(y: NDArray[np.intp], groups: NDArray[np.intp], seed: int) -> Folds:
    """Return stratified folds that never part a group.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Class indices; each class has at least two images.
    groups : ndarray of int, shape (n,)
        Equal for images that must stay together: the same bytes, the same group.
    seed : int
        Shuffles.

    Returns
    -------
    list of (train rows, held-out rows)
        At most five; fewer when the smallest class has fewer images.
    """
    count = int(max(2, min(FOLDS, np.bincount(y)[np.unique(y)].min())))
    first, member = np.unique(groups, return_index=True, return_inverse=True)[1:]
    if len(first) == len(y) or len(y) > MANY:  # groups are small beside so many rows
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


def sample(y: NDArray[np.intp], groups: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
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
    """
    if len(y) <= MANY:
        return np.arange(len(y))
    first, member = np.unique(groups, return_index=True, return_inverse=True)[1:]
    share = MANY / len(y)
    splitter = StratifiedShuffleSplit(1, train_size=share, random_state=seed)
    drawn, _ = next(splitter.split(first, y[first]))
    return np.flatnonzero(np.isin(member, drawn))


HELD_OUT_FOLDS = 8  # one of them chooses the number of epochs


def hold_out(
    y: NDArray[np.intp], groups: NDArray[np.intp], seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Carve an eighth out of the training rows, stratified, no group parted."""
    count = int(min(HELD_OUT_FOLDS, max(2, np.bincount(y)[np.unique(y)].min())))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    train_rows, held_out = next(iter(splitter.split(y, y, groups)))
    return train_rows, held_out
