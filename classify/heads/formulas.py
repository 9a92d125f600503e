"""Functions of arrays that heads are made of; NumPy is all they need."""

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


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities (n, k), rows sum to 1."""
    probabilities: NDArray[np.float64] = scores - scores.max(axis=1, keepdims=True)
    np.exp(probabilities, out=probabilities)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities
