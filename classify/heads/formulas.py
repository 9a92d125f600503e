"""Functions of arrays that heads are made of; NumPy is what they need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def raised(X: NDArray[np.floating], power: float) -> NDArray[np.floating]:
    """Return the power of the absolute values, with the signs of the values.

    Examples
    --------
    >>> raised(np.array([-4.0, 9.0]), 0.5)
    array([-2.,  3.])
    """
    if power == 1:
        return X
    roots = np.sqrt(np.abs(X)) if power == 0.5 else np.abs(X) ** power
    signed: NDArray[np.floating] = np.copysign(roots, X)
    return signed


def gaussian_kernel(X: NDArray[np.floating], training: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return what ``SVC`` calls ``kernel="rbf", gamma="scale"``, of rows (n, d) and (m, d): (n, m).

    By products of matrices: libsvm itself, which goes from row to row, takes three times as long.
    """
    from sklearn.metrics.pairwise import rbf_kernel

    spread = training.shape[1] * float(training.var())
    kernel: NDArray[np.float64] = rbf_kernel(X, training, 1 / spread if spread else 1.0)
    return kernel


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities (n, k), rows sum to 1."""
    probabilities: NDArray[np.float64] = scores - scores.max(axis=1, keepdims=True)
    np.exp(probabilities, out=probabilities)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities
