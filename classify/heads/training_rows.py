"""The training data of heads: features, classes, folds, and what linear heads share of them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ...cache.rows import take
from ..data.folds import Folds, make_folds
from ..data.split import Rows
from ..data.table import Table
from .calibration import Scores
from .formulas import raised
from .linear.estimators import LinearHead
from .linear.shared_sums import Problem
from .memory import check_memory

COPIES = 4  # of the features, while folds are fitted
KEPT_BYTES = 1 << 30  # of problems at a time; each holds the features once more …
LEAST_KEPT = 2  # … but so many at least
MEASURED = 20_000  # rows at most that the units of layers are measured on


class Training:
    """Rows that everything is chosen on, and their folds.

    Pipelines that end in a linear head are scored and fitted from sums that they share:
    two that see the same columns to the same power share a problem.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, d)
        Features.
    y : ndarray of int, shape (n,)
        Class indices, 0 to k - 1; each has rows.
    folds : sequence of (train rows, held-out rows)
        Of the cross-validation; each row is held out once.
    """

    def __init__(self, X: Any, y: NDArray[np.intp], folds: Folds) -> None:
        self.X = X
        self.y = y
        self.folds = folds
        self._made: dict[Any, Problem] = {}

    @functools.cached_property
    def in_memory(self) -> NDArray[np.float32]:
        """The features as an array, for heads that need them whole.

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
            "take one that reads them in blocks (--model centroid, ridge, lda, logreg, linear-svm)",
        )
        rows: NDArray[np.float32] = self.X[:]
        return rows

    def out_of_fold(self, pipeline: Pipeline) -> tuple[Scores, int]:
        """Return scores (n, k) of rows held out, and how many fits did not converge."""
        return self._problem(pipeline).out_of_fold(pipeline["head"])

    def fit(self, pipeline: Pipeline) -> Pipeline:
        """Return the pipeline fitted to all rows, as its own ``fit`` would."""
        problem = self._problem(pipeline)
        spanned = problem.spanned
        solved = pipeline["head"].solve(problem.whole, 1 / problem.whole.spread)
        fitted = clone(pipeline)
        if "taps" in fitted.named_steps:
            fitted["taps"].fit(self._spread_rows())
        fitted["scale"].place(spanned.mean, spanned.scale)
        fitted["head"].place(np.arange(problem.classes), spanned.back(solved.kernel), solved.bias)
        return fitted

    def _spread_rows(self) -> NDArray[np.float32]:
        """Return rows from all over the table: all, or evenly spaced ones of very many."""
        count = min(len(self.X), MEASURED)
        rows: NDArray[np.float32] = self.X[np.linspace(0, len(self.X) - 1, count).astype(np.intp)]
        return rows

    def _problem(self, pipeline: Pipeline) -> Problem:
        head: LinearHead = pipeline["head"]
        taps, power = pipeline.named_steps.get("taps"), pipeline["scale"].power
        weight = getattr(head, "class_weight", None)
        columns = None if taps is None else (taps.layers, taps.merge)
        key = (columns, power, weight, head.rotates or self.X.shape[1] <= len(self.X))
        if key not in self._made:
            if taps is not None:
                taps = clone(taps).fit(self._spread_rows())

            def lift(block: NDArray[np.float32]) -> NDArray[Any]:
                return raised(block if taps is None else taps.transform(block), power)

            size = max(1, len(self.X) * self.X.shape[1] * 4)
            while len(self._made) >= max(LEAST_KEPT, KEPT_BYTES // size):
                del self._made[next(iter(self._made))]
            self._made[key] = Problem(
                self.X,
                self.y,
                self.folds,
                lift,
                rotate=head.rotates,
                weights=head.row_weights(self.y),
            )
        return self._made[key]


def training_data(table: Table, rows: Rows, seed: int) -> Training:
    """Return some rows of a dataset with folds that part no group.

    Parameters
    ----------
    table : Table
        The dataset as numbers.
    rows : ndarray of int
        Of the table.
    seed : int
        Shuffles the folds.
    """
    folds = make_folds(table.y[rows], table.groups[rows], seed)
    return Training(take(table.X, rows), table.y[rows], folds)
