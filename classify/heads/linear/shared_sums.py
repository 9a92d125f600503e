"""What the linear heads of one set of features share over folds and candidates."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....cache.rows import blocks
from ...data.folds import Folds
from ..calibration import Scores
from ..memory import check_memory
from .lbfgs import Weights
from .span import Array, Lift, span


@dataclass(frozen=True)
class Sums:
    """Sums over rows, from which closed-form heads are solved."""

    counts: Array  # (k,): weights of the rows of each class
    sums: Array  # (k, r): of the rows of each class, weighted
    gram: Array  # (r, r): `Z.T @ Z`, weighted; (0, 0) where it is not wanted
    rows: float  # how many there are
    total: Array  # (r,): of all rows, not weighted, as a scaler sees them
    squares: Array  # (r,): of each column, over all rows, not weighted

    @classmethod
    def zero(cls, classes: int, columns: int, *, gram: bool) -> Sums:
        """Return the sums over no rows."""
        return cls(
            np.zeros(classes),
            np.zeros((classes, columns)),
            np.zeros((columns, columns) if gram else (0, 0)),
            0.0,
            np.zeros(columns),
            np.zeros(columns),
        )

    @classmethod
    def of(
        cls,
        Z: NDArray[np.float32],
        y: NDArray[np.intp],
        weights: Array,
        classes: int,
        *,
        gram: bool,
    ) -> Sums:
        """Return the sums over some rows."""
        rows = Z.astype(np.float64)
        heavy = rows * weights[:, None]
        member = (y == np.arange(classes)[:, None]).astype(np.float64)
        return cls(
            member @ weights,
            member @ heavy,
            rows.T @ heavy if gram else np.zeros((0, 0)),
            float(len(y)),
            rows.sum(axis=0),
            np.einsum("ij,ij->j", rows, rows),
        )

    def __add__(self, other: Sums) -> Sums:
        names = [field.name for field in fields(self)]
        return Sums(*(getattr(self, name) + getattr(other, name) for name in names))


class Problem:
    """Features, classes and folds, prepared once for all linear heads.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, d)
        Features.
    y : ndarray of int, shape (n,)
        Class indices, 0 to k - 1.
    folds : sequence of (train rows, held-out rows)
        Each row is held out once; may be empty.
    lift : callable
        See :func:`headstart.classify.heads.linear.span.span`.
    rotate : bool
        Whether more features than images may be turned into their span.
    weights : ndarray, shape (n,), optional
        Of the rows; 1 each when None.
    """

    def __init__(
        self,
        X: Any,
        y: NDArray[np.intp],
        folds: Folds,
        lift: Lift = lambda block: block,
        *,
        rotate: bool = True,
        weights: Array | None = None,
    ) -> None:
        self.spanned = span(X, lift, narrow=rotate)
        self.y = y
        self.classes = int(y.max()) + 1
        self.weights = np.ones(len(y)) if weights is None else weights
        self.held_in = np.full(len(y), -1)  # the fold that holds a row out
        for number, (_, held) in enumerate(folds):
            self.held_in[held] = number
        self.folds = [Fold(self, number) for number in range(len(folds))]
        self.whole = Fold(self, None)

    def held_out_scores(self, solved: Sequence[Weights]) -> Scores:
        """Return each row's scores (n, k) by the weights of the fold that holds it out."""
        scores = np.empty((len(self.y), self.classes))
        for rows in blocks(self.spanned.Z):
            Z, held_in = self.spanned.Z[rows], self.held_in[rows]
            for number, (fold, weights) in enumerate(zip(self.folds, solved, strict=True)):
                held = held_in == number
                part = scores[rows]  # a view
                part[held] = fold.known_classes(weights.scores(Z[held]))
        return scores

    @functools.cached_property
    def class_sums(self) -> list[Sums]:
        """Sums of each fold's held-out rows, then of the rows in no fold."""
        return self.__dict__.get("moments") or self._sum(gram=False)

    @functools.cached_property
    def moments(self) -> list[Sums]:
        """The same with the products of all columns."""
        return self._sum(gram=True)

    def _sum(self, *, gram: bool) -> list[Sums]:
        columns = self.spanned.Z.shape[1]
        if gram:
            check_memory(
                (2 * len(self.folds) + 3)
                * columns**2
                * 8,  # of each fold, without it, and one more
                f"the products of {columns:,} columns",
                "take a head without them (--model logreg, linear-svm, centroid) or --pooling avg",
            )
        parts = [Sums.zero(self.classes, columns, gram=gram) for _ in (*self.folds, None)]
        for rows in blocks(self.spanned.Z):
            Z, y, weights = self.spanned.Z[rows], self.y[rows], self.weights[rows]
            for number in (*range(len(self.folds)), -1):
                held = self.held_in[rows] == number
                if held.any():
                    parts[number] += Sums.of(
                        Z[held], y[held], weights[held], self.classes, gram=gram
                    )
        return parts


class Fold:
    """The training rows of one fold.

    Parameters
    ----------
    problem : Problem
        That it is part of.
    number : int or None
        The fold held out; None trains on all rows.
    """

    def __init__(self, problem: Problem, number: int | None) -> None:
        self._problem = problem
        self._number = number

    @property
    def dimension(self) -> int:
        """Columns before any change of basis."""
        return self._problem.spanned.dimension

    @property
    def columns(self) -> int:
        """Scores a head gives: one for two classes."""
        return 1 if self._problem.classes == 2 else self._problem.classes

    @property
    def zero(self) -> Weights:
        """Weights that give each row the same scores."""
        size = self._problem.spanned.Z.shape[1]
        return Weights(np.zeros((size, self.columns)), np.zeros(self.columns))

    @functools.cached_property
    def moments(self) -> Sums:
        """Sums and products of the training rows."""
        return self._outside(self._problem.moments)

    @functools.cached_property
    def class_sums(self) -> Sums:
        """Sums of the training rows."""
        return self._outside(self._problem.class_sums)

    def _outside(self, parts: list[Sums]) -> Sums:
        kept = [part for number, part in enumerate(parts) if number != self._number]
        return functools.reduce(Sums.__add__, kept)

    @functools.cached_property
    def spread(self) -> float:
        """Root mean square of the centred training rows: what the scaler would divide by."""
        sums = self.class_sums
        mean = sums.total / sums.rows
        variance = sums.squares.sum() / sums.rows - float(mean @ mean)
        return float(np.sqrt(max(variance, 0.0) / self.dimension)) or 1.0

    @functools.cached_property
    def mean(self) -> Array:
        """Mean of the training rows, (r,); 0 for all rows, as they are centred."""
        sums = self.class_sums
        return np.zeros_like(sums.total) if self._number is None else sums.total / sums.rows

    def known_classes(self, scores: Scores) -> Scores:
        """Make classes without training rows the least likely of all."""
        known = self.class_sums.counts > 0
        return np.where(known, scores, scores[:, known].min(axis=1, keepdims=True))

    def rows(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.intp], Array]]:
        """Yield the training rows in blocks: centred features, classes, weights."""
        if isinstance(self._problem.spanned.Z, np.ndarray):
            Z, y, weights = self._in_memory
            for block in blocks(Z):
                yield Z[block], y[block], weights[block]
            return
        for block in blocks(self._problem.spanned.Z):
            yield self._rows(block)

    @functools.cached_property
    def _in_memory(self) -> tuple[NDArray[np.float32], NDArray[np.intp], Array]:
        return self._rows(slice(None))

    def _rows(self, block: slice) -> tuple[NDArray[np.float32], NDArray[np.intp], Array]:
        problem = self._problem
        Z, y, weights = problem.spanned.Z[block], problem.y[block], problem.weights[block]
        if self._number is None:
            return Z, y, weights  # no copy
        kept = problem.held_in[block] != self._number
        return Z[kept] - self.mean.astype(np.float32), y[kept], weights[kept]
