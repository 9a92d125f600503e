"""Probabilities that mean what they say: one temperature, fitted on out-of-fold scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_is_fitted

from ...cache.rows import StoredRows, blocks
from ...documented import Documented
from ..data.folds import Folds
from .checked import checked
from .formulas import softmax

Scores = NDArray[np.float64]  # (n, k): the softmax of a row is that row's probabilities
RowWeights = NDArray[np.float64] | None  # (n,): what each row counts

ROWS = 8192  # scored at a time
NOTHING: Mapping[str, NDArray[Any]] = {}
LOG_BOUNDS = (-6.0, 6.0)  # of the natural logarithm of the temperature


class TemperatureScaled(Documented, ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Divide a classifier's scores by the temperature that fits held-out labels best.

    Guo et al. 2017, https://arxiv.org/abs/1706.04599, section 4.2. A temperature over 1
    makes the classifier less sure. No label changes: the order of the scores stays.

    Parameters
    ----------
    estimator : classifier
        With ``decision_function`` or ``predict_proba``.
    cv : int, splitter or iterable of (train, held-out), default 5
        Folds that give each row a score from a fit that had not seen it.

    Attributes
    ----------
    estimator_ : classifier
        Fitted on all rows.
    temperature_ : float
        What scores are divided by, over 0.
    classes_ : ndarray, shape (k,)
        Class labels, sorted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> scaled = TemperatureScaled(GaussianNB()).fit(*load_iris(return_X_y=True))
    >>> bool(scaled.temperature_ > 1)  # naive Bayes is too sure of itself
    True
    """

    def __init__(self, estimator: Any, cv: Any = 5) -> None:
        self.estimator = estimator
        self.cv = cv

    @classmethod
    def around(
        cls, fitted: Any, scores: Scores, y: NDArray[np.intp], weights: RowWeights = None
    ) -> Self:
        """Calibrate a classifier that is fitted, by out-of-fold scores that are known.

        Parameters
        ----------
        fitted : classifier
            On all rows.
        scores : ndarray, shape (n, k)
            From :func:`out_of_fold_scores`.
        y : ndarray of int, shape (n,)
            Positions of the true classes among the columns.
        weights : ndarray, shape (n,), optional
            What each row counts; 1 each when None.
        """
        scaled = cls(fitted)
        scaled.estimator_ = fitted
        scaled.classes_ = fitted.classes_
        scaled.n_features_in_ = fitted.n_features_in_
        scaled.temperature_ = fit_temperature(scores, y, weights)
        return scaled

    def fit(self, X: ArrayLike, y: ArrayLike) -> TemperatureScaled:
        """Fit on features (n, d) with labels (n,)."""
        features, labels, index = checked(self, X, y)
        self.classes_ = np.unique(labels)
        folds = list(check_cv(self.cv, labels, classifier=True).split(features, labels))
        scores = out_of_fold_scores(self.estimator, features, index, folds)
        self.temperature_ = fit_temperature(scores, index)
        self.estimator_ = clone(self.estimator).fit(features, labels)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return scores over the temperature: (n, k), or (n,) for two classes."""
        scores = self._scaled(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return calibrated probabilities (n, k), rows sum to 1."""
        return softmax(self._scaled(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of each row, (n,)."""
        best = self._scaled(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def _scaled(self, X: ArrayLike) -> Scores:
        check_is_fitted(self)
        return class_scores(self.estimator_, X) / self.temperature_

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there is a temperature."""
        return hasattr(self, "temperature_")


def class_scores(estimator: Any, X: Any) -> Scores:
    """Return a fitted classifier's scores, (n, k), whose softmax are its probabilities.

    The decision function where there is one, else the logarithm of the probabilities.
    For two classes the first column is 0. Features on the disk are read in blocks.
    """
    if isinstance(X, StoredRows):
        return np.concatenate([class_scores(estimator, X[rows]) for rows in blocks(X)])
    if hasattr(estimator, "decision_function"):
        scores = np.asarray(estimator.decision_function(X), dtype=np.float64)
        return np.stack([np.zeros_like(scores), scores], axis=1) if scores.ndim == 1 else scores
    certain = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    return np.log(np.maximum(certain, np.finfo(np.float32).tiny))


def out_of_fold_scores(
    estimator: Any,
    X: Any,
    y: NDArray[np.intp],
    folds: Folds,
    params: Mapping[str, NDArray[Any]] = NOTHING,
) -> Scores:
    """Return scores (n, k) for each row from a fit on the folds that do not hold it.

    Parameters
    ----------
    estimator : classifier
        Unfitted; cloned for each fold.
    X : ndarray, shape (n, d)
        Features.
    y : ndarray of int, shape (n,)
        Class indices, 0 to k - 1.
    folds : sequence of (train rows, held-out rows)
        Each row is held out once.
    params : mapping of str to ndarray, shape (n,)
        What else ``fit`` is told of the rows, by name.
    """

    def held_out_scores(train: NDArray[np.intp], held: NDArray[np.intp]) -> tuple[Any, Scores]:
        own = {name: values[train] for name, values in params.items()}
        fitted = clone(estimator).fit(X[train], y[train], **own)
        return fitted.classes_, class_scores(fitted, X[held])

    jobs = (joblib.delayed(held_out_scores)(train, held) for train, held in folds)
    # A class that a fold's training rows lack is the least likely of all there.
    scores = np.full((len(y), int(y.max()) + 1), -np.inf)
    for (_, held), (classes, part) in zip(folds, joblib.Parallel(-1)(jobs), strict=True):
        scores[np.ix_(held, classes)] = part
        rows = scores[held]
        worst = part.min(axis=1, keepdims=True)
        scores[held] = np.where(np.isneginf(rows), worst, rows)
    return scores


def fit_temperature(scores: Scores, y: NDArray[np.intp], weights: RowWeights = None) -> float:
    """Return the temperature with the least log loss of ``softmax(scores / temperature)``.

    Without one error among the scores the likelihood grows with the confidence for ever:
    then the temperature is at least 1, so that the classifier gets no surer than it was.

    Parameters
    ----------
    scores : ndarray, shape (n, k)
        Out of fold.
    y : ndarray of int, shape (n,)
        Positions of the true classes.
    weights : ndarray, shape (n,), optional
        What each row counts; 1 each when None.

    Examples
    --------
    >>> fit_temperature(np.array([[9.0, 0.0]] * 3 + [[0.0, 9.0]]), np.array([0, 0, 0, 0])) > 1
    True
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return log_loss(scores, y, float(np.exp(log_temperature)), weights)

    best = float(np.exp(minimize_scalar(loss, bounds=LOG_BOUNDS, method="bounded").x))
    faultless = bool((scores.argmax(axis=1) == y).all())
    return max(best, 1.0) if faultless else best


def log_loss(
    scores: Scores, y: NDArray[np.intp], temperature: float = 1.0, weights: RowWeights = None
) -> float:
    """Return the (weighted) mean negative log probability of the true classes, in nats.

    Examples
    --------
    >>> round(log_loss(np.zeros((3, 2)), np.array([0, 1, 1])), 4)
    0.6931
    """
    from scipy.special import logsumexp

    total = 0.0
    for start in range(0, len(y), ROWS):  # of very many rows, a copy of some at a time
        scaled, truth = scores[start : start + ROWS] / temperature, y[start : start + ROWS]
        own = np.take_along_axis(scaled, truth[:, None], axis=1)[:, 0]
        losses = logsumexp(scaled, axis=1) - own
        total += float(losses.sum() if weights is None else losses @ weights[start : start + ROWS])
    return total / (len(y) if weights is None else float(weights.sum()))
