"""One head's fits on some training rows: what its choice and its final fit have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import joblib
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from .calibration import Scores, out_of_fold_scores
from .formulas import gaussian_kernel
from .linear.fits import LinearFits
from .table import HEADS, Head
from .training_rows import Training


class PipelineFits:
    """Fits scikit-learn's pipelines, each on its own; what they say out of fold is kept.

    What was chosen by its out-of-fold scores is calibrated by the same.

    Parameters
    ----------
    head : Head
        Row of the table.
    training : Training
        Features, classes and folds. Features on the disk are read into memory once.

    Raises
    ------
    TooLargeError
        If the features take too much memory.
    """

    def __init__(self, head: Head, training: Training) -> None:
        self.training = training
        grouped = head.holds_out and training.groups is not None
        self.params: dict[str, Any] = {"head__groups": training.groups} if grouped else {}
        able = ", ".join(row.name for row in HEADS.values() if row.streams)
        self._scores: dict[str, Scores] = {}
        self.X = training.in_memory(f"take one that reads them in blocks (--model {able})")

    def out_of_fold(self, pipeline: Pipeline) -> tuple[Scores, int]:
        """Return scores (n, k) of rows held out; how many did not converge is a warning of theirs."""
        key = repr(sorted(pipeline.get_params().items()))
        if key not in self._scores:
            y, folds = self.training.y, self.training.folds
            self._scores[key] = out_of_fold_scores(_quick(pipeline), self.X, y, folds, self.params)
        return self._scores[key], 0

    def fit(self, pipeline: Pipeline) -> Any:
        """Return the pipeline fitted to all rows."""
        return clone(pipeline).fit(self.X, self.training.y, **self.params)


def _quick(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline that answers the same, sooner, but cannot be saved: for folds alone."""
    if getattr(pipeline["head"], "kernel", None) == "rbf":
        return clone(pipeline).set_params(head__kernel=gaussian_kernel)
    return pipeline


Fits = LinearFits | PipelineFits


def open_fits(head: Head, training: Training) -> Fits:
    """Return what fits a head: for each head anew, so that none is served by another's work."""
    return LinearFits(training) if head.streams else PipelineFits(head, training)


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Run joblib's jobs as threads, each with single-threaded linear algebra.

    The solvers release the interpreter lock; processes would spend longer on
    importing scikit-learn than on the fits.
    """
    with threadpool_limits(1), joblib.parallel_config(backend="threading"):
        yield
