"""L-BFGS over blocks of rows: losses of linear heads, minimised without holding the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = Callable[[], Iterator[tuple[NDArray[np.float32], NDArray[np.intp], Array]]]  # Z, y, weights

# Scores (n, m) and classes (n,) to losses (n,) and their slopes (n, m).
Loss = Callable[[Array, NDArray[np.intp]], tuple[Array, Array]]


@dataclass(frozen=True)
class Weights:
    """A linear function of the rows.

    Parameters
    ----------
    kernel : ndarray, shape (r, m)
        One column a class; one in all for two classes.
    bias : ndarray, shape (m,)
        Added to each score.
    converged : bool
        Whether the gradient fell below the tolerance.
    steps : int
        Taken to get there.
    """

    kernel: Array
    bias: Array
    converged: bool = True
    steps: int = 1

    def scores(self, Z: NDArray[np.float32]) -> Array:
        """Return scores (n, k) of rows (n, r); the first of two classes has 0."""
        scores = (Z @ self.kernel.astype(np.float32)).astype(np.float64) + self.bias
        if scores.shape[1] > 1:
            return scores
        return np.concatenate([np.zeros_like(scores), scores], axis=1)

    def moved(self, by: Array) -> Weights:
        """Return the weights that score rows as these score rows less ``by`` (r,)."""
        return replace(self, bias=self.bias - by @ self.kernel)

    def single(self) -> Weights:
        """Return one column for two classes: the second's less the first's."""
        kernel = self.kernel[:, 1:] - self.kernel[:, :1]
        return Weights(kernel, self.bias[1:] - self.bias[:1])


def logistic_loss(scores: Array, y: NDArray[np.intp]) -> tuple[Array, Array]:
    """Return the cross-entropy of softmax scores; of a single column, of the logistic function.

    Examples
    --------
    >>> loss, slope = logistic_loss(np.zeros((1, 2)), np.array([0]))
    >>> loss.round(3), slope
    (array([0.693]), array([[-0.5,  0.5]]))
    """
    single = scores.shape[1] == 1
    if single:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    rows = np.arange(len(y))
    top = scores.max(axis=1, keepdims=True)
    powers = np.exp(scores - top)
    sums = powers.sum(axis=1, keepdims=True)
    loss = (top + np.log(sums))[:, 0] - scores[rows, y]
    slope = powers / sums
    slope[rows, y] -= 1
    return loss, slope[:, 1:] if single else slope


def squared_hinge_loss(scores: Array, y: NDArray[np.intp]) -> tuple[Array, Array]:
    """Return the squared hinge loss of each class against the rest, added up.

    Examples
    --------
    >>> squared_hinge_loss(np.array([[1.0, 0.0]]), np.array([0]))[0]
    array([1.])
    """
    signs = class_signs(y, scores.shape[1])
    short = np.maximum(0.0, 1.0 - signs * scores)
    return (short**2).sum(axis=1), -2.0 * signs * short


def class_signs(y: NDArray[np.intp], columns: int) -> Array:
    """Return +1 where the column is the row's class, else -1; one column stands for class 1."""
    signs = np.full((len(y), columns), -1.0)
    if columns == 1:
        signs[y == 1] = 1.0
    else:
        signs[np.arange(len(y)), y] = 1.0
    return signs


def minimise(
    rows: Rows, loss: Loss, C: float, start: Weights, tol: float, max_iter: int
) -> Weights:
    """Minimise ``mean loss + |kernel|² / (2 C sum of weights)``; the bias is free.

    The problem, the algorithm (L-BFGS, Liu & Nocedal 1989,
    https://doi.org/10.1007/BF01589116) and the tolerance (largest element of the
    gradient) are those of scikit-learn's ``LogisticRegression``.

    Parameters
    ----------
    rows : callable
        Returns an iterator over blocks: Z (b, r), classes (b,), weights (b,).
    loss : callable
        Scores and classes to losses and slopes.
    C : float
        Weight of the loss against the penalty.
    start : Weights
        Where to begin.
    tol : float
        Stop when no element of the gradient is larger.
    max_iter : int
        Steps at most.
    """
    from scipy.optimize import minimize

    size, columns = start.kernel.shape
    total = sum(float(weights.sum()) for _, _, weights in rows())
    penalty = 1.0 / (C * total)

    def objective(flat: Array, dtype: type) -> tuple[float, Array]:
        kernel, bias = flat[: size * columns].reshape(size, columns), flat[size * columns :]
        narrow: NDArray[Any] = kernel.astype(dtype)
        value = 0.5 * penalty * float(np.vdot(kernel, kernel))
        slope, bias_slope = penalty * kernel, np.zeros(columns)
        for Z, y, weights in rows():
            block: NDArray[Any] = Z.astype(dtype, copy=False)
            losses, slopes = loss((block @ narrow).astype(np.float64) + bias, y)
            value += float(losses @ weights) / total
            slopes *= (weights / total)[:, None]
            slope += block.T @ slopes.astype(dtype)
            bias_slope += slopes.sum(axis=0)
        return value, np.concatenate([slope.ravel(), bias_slope])

    at, steps, converged = np.concatenate([start.kernel.ravel(), start.bias]), 0, False
    # Close to the end a step can be smaller than what float32 tells apart: then in float64.
    for dtype in (np.float32, np.float64):
        options: Any = {
            "maxiter": max_iter,
            "maxfun": 2 * max_iter,
            "ftol": 0.0,
            "gtol": tol,
            "maxcor": 5,
        }
        found = minimize(objective, at, (dtype,), "L-BFGS-B", jac=True, options=options)
        at, steps = found.x, steps + found.nit
        converged = float(np.abs(found.jac).max()) <= tol
        if converged or steps >= max_iter:
            break
    kernel = at[: size * columns].reshape(size, columns)
    return Weights(kernel, at[size * columns :], converged, max(1, steps))
