"""One linear head's fits on some training rows, from sums that its candidates share."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ..calibration import Scores
from ..formulas import raised
from ..training_rows import Training, row_weights
from .estimators import LinearHead
from .lbfgs import Weights, mean_weights
from .shared_sums import Problem

KEPT_BYTES = 1 << 30  # of problems at a time; each holds the features once more …
LEAST_KEPT = 2  # … but so many at least
KEPT_STRENGTHS = 8  # solutions of a problem that others start from
MEASURED = 20_000  # rows at most that the units of layers are measured on
FOLD_TOLERANCE = 1e-3  # of the objective: far below what tells two strengths apart


class LinearFits:
    """Scores and fits pipelines that end in a linear head, one head a time.

    Candidates that see the same columns to the same power share a problem; a strength starts
    from the solutions of the nearest one known. All of this lives as long as this object,
    which each head has for itself: what a head costs depends on no other.

    Parameters
    ----------
    training : Training
        Features, classes and folds.
    fold_tolerance : float
        Share of the objective that a fold's fit may be above the least; the final fit keeps
        to the head's own.
    """

    def __init__(self, training: Training, fold_tolerance: float = FOLD_TOLERANCE) -> None:
        self.training = training
        self._fold_tolerance = fold_tolerance
        self._problems: dict[Any, Problem] = {}
        self._solutions: dict[Any, dict[float, list[Weights]]] = {}

    def out_of_fold(self, pipeline: Pipeline) -> tuple[Scores, int]:
        """Return scores (n, k) of rows held out, and how many fits did not converge."""
        solved = self._solve_folds(pipeline)
        scores = self._problem(pipeline).held_out_scores(solved)
        return scores, sum(not weights.converged for weights in solved)

    def fit(self, pipeline: Pipeline) -> Pipeline:
        """Return the pipeline fitted to all rows, as its own ``fit`` would.

        It starts from the mean of the folds' weights, which is close to what it looks for.
        """
        head: LinearHead = pipeline["head"]
        problem, start = self._problem(pipeline), None
        if head.starts:
            start = mean_weights(self._solve_folds(pipeline))
        solved = head.solve(problem.whole, 1 / problem.whole.spread, start)
        fitted, spanned = clone(pipeline), problem.spanned
        if "taps" in fitted.named_steps:
            fitted["taps"].fit(self._spread_rows())
        fitted["scale"].place(spanned.mean, spanned.scale)
        fitted["head"].place(np.arange(problem.classes), spanned.back(solved.kernel), solved.bias)
        return fitted

    def _solve_folds(self, pipeline: Pipeline) -> Sequence[Weights]:
        """Return the weights for each fold, from the solutions of the nearest strength."""
        head: LinearHead = clone(pipeline["head"])
        problem = self._problem(pipeline)
        known = self._solutions[self._key(pipeline)]
        strength = float(head.get_params()[head.strength])
        if strength in known:
            return known[strength]
        starts: Sequence[Weights | None] = [None] * len(problem.folds)
        if head.starts:
            head.set_params(tol=max(head.get_params()["tol"], self._fold_tolerance))
            if known:
                starts = known[min(known, key=lambda value: _apart(value, strength))]
        # Not joblib: it looks every 10 ms whether its threads are done, as long as a fit takes.
        with ThreadPoolExecutor(joblib.cpu_count()) as pool:
            solved = list(
                pool.map(
                    lambda fold, start: head.solve(fold, 1 / fold.spread, start),
                    problem.folds,
                    starts,
                )
            )
        if len(known) == KEPT_STRENGTHS:
            del known[max(known, key=lambda value: _apart(value, strength))]
        known[strength] = solved
        return solved

    def _spread_rows(self) -> NDArray[np.float32]:
        """Return rows from all over the table: all, or evenly spaced ones of very many."""
        X = self.training.X
        count = min(len(X), MEASURED)
        rows: NDArray[np.float32] = X[np.linspace(0, len(X) - 1, count).astype(np.intp)]
        return rows

    def _key(self, pipeline: Pipeline) -> Any:
        taps = pipeline.named_steps.get("taps")
        return None if taps is None else (taps.layers, taps.merge), pipeline["scale"].power

    def _problem(self, pipeline: Pipeline) -> Problem:
        key = self._key(pipeline)
        if key not in self._problems:
            X, y = self.training.X, self.training.y
            size = max(1, len(X) * X.shape[1] * 4)
            while len(self._problems) >= max(LEAST_KEPT, KEPT_BYTES // size):
                oldest = next(iter(self._problems))
                del self._problems[oldest], self._solutions[oldest]
            taps, power = pipeline.named_steps.get("taps"), pipeline["scale"].power
            if taps is not None:
                taps = clone(taps).fit(self._spread_rows())

            def lift(block: NDArray[np.float32]) -> NDArray[Any]:
                return raised(block if taps is None else taps.transform(block), power)

            head: LinearHead = pipeline["head"]
            self._problems[key] = Problem(
                X,
                y,
                self.training.folds,
                lift,
                rotate=head.rotates,
                weights=row_weights(head, y),
            )
            self._solutions[key] = {}
        return self._problems[key]


def _apart(strength: float, wanted: float) -> float:
    return abs(float(np.log(strength / wanted)))
