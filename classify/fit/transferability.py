"""Scores that say, without training, how well features tell classes apart."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline

from ..data.folds import Folds
from ..heads.scaler import PowerScaler

STEPS = 100  # of the fixed point; it takes about ten
TOLERANCE = 1e-3  # relative change of α / β that ends it, as in the authors' code
RESIDUAL = 1e-5  # the least that is left unexplained, as there: else perfect features have no bound
RATIO = 1e12  # α / β at its ends, in units of the largest eigenvalue


def log_me(X: NDArray[Any], y: NDArray[np.intp]) -> float:
    """Return the logarithm of maximum evidence a label, averaged over classes.

    You et al. 2021 (arXiv:2102.11005): each class's 0 or 1 is regressed on the
    features with a Gaussian prior of precision α and Gaussian noise of precision
    β; the evidence, the probability of the labels with the weights integrated
    out, is maximised over both. Higher is better; only differences between
    features of the same images mean something. The fixed point is their
    algorithm 1, along the eigenvectors of X Xᵀ.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Features.
    y : ndarray of int, shape (n,)
        Class indices.

    Examples
    --------
    >>> y = np.repeat([0, 1], 20)
    >>> noise = np.random.default_rng(0).normal(size=(40, 5))
    >>> log_me(noise + 3 * y[:, None], y) > log_me(noise, y)
    True
    """
    features = np.asarray(X, dtype=np.float64)
    targets = (y[:, None] == np.unique(y)).astype(np.float64)  # (n, k)
    eigenvalues, projected = _decompose(features, targets)
    beyond = np.maximum((targets**2).sum(axis=0) - projected.sum(axis=0), 0)
    scores = [
        maximum_evidence(eigenvalues, of_one, float(left), len(y))
        for of_one, left in zip(projected.T, beyond, strict=True)
    ]
    return float(np.mean(scores)) / len(y)


def _decompose(
    X: NDArray[np.float64], targets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eigenvalues (r,) of X Xᵀ over 0, and the targets' squared parts (r, k).

    The parts lie along its eigenvectors; by way of the smaller of X Xᵀ and Xᵀ X,
    whose eigenvalues are the same.
    """
    from scipy.linalg import eigh

    wide = X.shape[0] <= X.shape[1]
    values, vectors = eigh(X @ X.T if wide else X.T @ X)
    kept = values > values.max() * len(values) * np.finfo(np.float64).eps
    values, vectors = values[kept], vectors[:, kept]
    parts = vectors.T @ (targets if wide else X.T @ targets)
    return values, parts**2 if wide else parts**2 / values[:, None]


def maximum_evidence(
    eigenvalues: NDArray[np.float64], projected: NDArray[np.float64], beyond: float, n: int
) -> float:
    """Return the largest log evidence of one target vector over α and β.

    Parameters
    ----------
    eigenvalues : ndarray, shape (r,)
        Of X Xᵀ, those over 0.
    projected : ndarray, shape (r,)
        Squares of the target's parts along its eigenvectors.
    beyond : float
        Square of what is left of the target outside of them.
    n : int
        Images.
    """
    top = float(eigenvalues.max(initial=np.finfo(np.float64).tiny))
    ratio = top  # α / β
    for _ in range(STEPS):
        weights, residual = _posterior(eigenvalues, projected, beyond, ratio)
        effective = float((eigenvalues / (eigenvalues + ratio)).sum())  # γ: weights that count
        beta = (n - effective) / max(residual, RESIDUAL)
        # Where no weight helps α grows for ever, where all is noise-free it vanishes.
        wanted = effective / max(weights * beta, np.finfo(np.float64).tiny)
        before, ratio = ratio, min(max(wanted, top / RATIO), top * RATIO)
        if abs(ratio - before) <= TOLERANCE * before:
            break
    return evidence(eigenvalues, projected, beyond, n, ratio * beta, beta)


def _posterior(
    eigenvalues: NDArray[np.float64], projected: NDArray[np.float64], beyond: float, ratio: float
) -> tuple[float, float]:
    """Return the squared lengths of the mean weights and of what they leave unexplained."""
    weights = (eigenvalues * projected / (eigenvalues + ratio) ** 2).sum()
    residual = (projected * (ratio / (eigenvalues + ratio)) ** 2).sum() + beyond
    return float(weights), float(residual)


def evidence(
    eigenvalues: NDArray[np.float64],
    projected: NDArray[np.float64],
    beyond: float,
    n: int,
    alpha: float,
    beta: float,
) -> float:
    """Return log N(target; 0, X Xᵀ / α + I / β).

    Equation 2 of the paper, whose determinant has the factor α once for each of
    the d − r directions without data: they cancel.
    """
    weights, residual = _posterior(eigenvalues, projected, beyond, alpha / beta)
    logarithms = (
        len(eigenvalues) * np.log(alpha)
        + n * np.log(beta)
        - np.log(alpha + beta * eigenvalues).sum()
        - n * np.log(2 * np.pi)
    )
    return float(logarithms - beta * residual - alpha * weights) / 2


def centroid_hits(X: NDArray[Any], y: NDArray[np.intp], folds: Folds) -> int:
    """Return how many images lie nearest to the centroid of their own class.

    Cross-validated: centroids come from the other folds. Features are scaled as
    heads scale them, with square roots.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Features.
    y : ndarray of int, shape (n,)
        Class indices.
    folds : list
        From :func:`headstart.classify.data.folds.make_folds`.
    """
    head = make_pipeline(PowerScaler(power=0.5), NearestCentroid())
    with warnings.catch_warnings():
        # Of deviations within classes, which only shrunken centroids use.
        warnings.filterwarnings("ignore", message="self.within_class_std_dev_ has")
        predicted = cross_val_predict(head, X, y, cv=folds)
    return int((predicted == y).sum())
