"""The training data of heads: features, classes, folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight

from ...cache.rows import take
from ..data.folds import Folds, make_folds
from ..data.split import Rows
from ..data.table import Table
from .memory import check_memory

COPIES = 4  # of the features, while folds are fitted


@dataclass(frozen=True)
class Training:
    """Rows that everything is chosen on, and their folds."""

    X: Any  # (n, d): features
    y: Rows  # (n,): class indices, 0 to k - 1; each has rows
    folds: Folds  # of the cross-validation; each row is held out once
    # (n,): equal for images that must stay together, for heads that
    # hold out a part of their own; None where each is on its own
    groups: Rows | None = None

    def in_memory(self, remedy: str) -> NDArray[np.float32]:
        """Return the features as an array, for heads that need them whole.

        Raises
        ------
        TooLargeError
            If they would take more than half of the memory that is free.
        """
        if isinstance(self.X, np.ndarray):
            return self.X
        check_memory(
            COPIES * len(self.X) * self.X.shape[1] * 4,
            f"{len(self.X):,} images x {self.X.shape[1]:,} features in this head",
            remedy,
        )
        rows: NDArray[np.float32] = self.X[:]
        return rows


def training_data(table: Table, rows: Rows, seed: int) -> Training:
    """Return some rows of a dataset with folds that part no group."""
    y, groups = table.y[rows], table.groups[rows]
    return Training(take(table.X, rows), y, make_folds(y, groups, seed), groups)


def row_weights(head: Any, labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return what each row (n,) counts in a head's loss: 1, or what its class weighs.

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> row_weights(SVC(class_weight="balanced"), np.array([0, 0, 0, 1])).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """
    weight = getattr(head, "class_weight", None)
    return np.asarray(compute_sample_weight(weight, labels), dtype=np.float64)
