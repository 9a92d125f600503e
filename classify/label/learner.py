"""A head on the labels so far: fast, calibrated, judged by what it had not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...cache.rows import take
from ..data.columns import TapSelector
from ..data.folds import make_folds
from ..data.split import Rows
from ..heads.calibration import TemperatureScaled
from ..heads.fits import one_thread_each, open_fits
from ..heads.table import HEADS
from ..heads.training_rows import Training

# Of logistic regression. On features of unit power a fixed strength serves from ten labels on; held
# out of the training photographs of two datasets, weaker and ten times stronger were no better.
STRENGTH = {"scale__power": 0.5, "head__C": 3.0}
LEAST = 2  # labels of each of two classes


@dataclass(frozen=True)
class Learnt:
    """What a head makes of the labels so far.

    Parameters
    ----------
    rows : ndarray of int, shape (m,)
        Labelled photographs.
    classes : ndarray of int, shape (k,)
        Class indices that have labels; columns of the probabilities.
    estimator : TemperatureScaled
        Fitted on all of them; calibrated out of fold.
    right : ndarray of bool, shape (m,)
        Whether each is labelled right by a fit that had not seen it.
    """

    rows: Rows
    classes: NDArray[np.intp]
    estimator: TemperatureScaled
    right: NDArray[np.bool_]

    def probabilities(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return calibrated probabilities (n, k) of features (n, d)."""
        answer: NDArray[np.float64] = self.estimator.predict_proba(X)
        return answer


def can_learn(y: NDArray[np.intp]) -> bool:
    """Tell whether two classes have two labels each; -1 is no label."""
    return int((np.bincount(y[y >= 0]) >= LEAST).sum()) >= 2


def learn(
    X: NDArray[np.float32],
    y: NDArray[np.intp],
    groups: Rows,
    seed: int,
    taps: TapSelector | None = None,
) -> Learnt:
    """Fit a head to the labels so far.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, d)
        Features of all photographs.
    y : ndarray of int, shape (n,)
        Class indices; -1 where there is no label. See :func:`can_learn`.
    groups : ndarray of int, shape (n,)
        Equal for photographs that are nearly the same: folds do not part them.
    seed : int
        Of the folds.
    taps : TapSelector, optional
        What the columns are where there are several layers or views.
    """
    rows = np.flatnonzero(y >= 0)
    classes, own = np.unique(y[rows], return_inverse=True)
    training = Training(take(X, rows), own, _folds(own, groups[rows], seed))
    head = HEADS["logreg"]
    fits = open_fits(head, training)
    pipeline = head.pipeline(seed, taps).set_params(**STRENGTH)
    with one_thread_each():
        scores, _ = fits.out_of_fold(pipeline)
        fitted = fits.fit(pipeline)
    return Learnt(
        rows, classes, TemperatureScaled.around(fitted, scores, own), scores.argmax(axis=1) == own
    )


def _folds(own: Rows, groups: Rows, seed: int) -> list[tuple[Rows, Rows]]:
    """Return folds in which each photograph is held out once.

    Classes of one label have a fold of theirs: it cannot label them right, and counts so.
    """
    single = np.bincount(own)[own] < LEAST
    several, alone = np.flatnonzero(~single), np.flatnonzero(single)
    folds = make_folds(np.unique(own[several], return_inverse=True)[1], groups[several], seed)
    held = [several[part] for _, part in folds] + ([alone] if len(alone) else [])
    everything = np.arange(len(own))
    return [(np.setdiff1d(everything, part), part) for part in held]
