"""L-BFGS over blocks of rows: losses of linear heads, minimised without holding the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Blocks = Callable[
    [], Iterator[tuple[NDArray[np.float32], NDArray[np.intp], Array]]
]  # Z, y, weights

# Scores (n, m) and classes (n,) to losses (n,) and their slopes (n, m).
Loss = Callable[[Array, NDArray[np.intp]], tuple[Array, Array]]

FLOAT32_TOLERANCE = 1e-5  # what float32 can tell of an objective
TINY = 1e-30  # an objective below is 0
STIFF = 0.01  # curvature that is taken for a bias's
REMEMBERED = 10  # steps that the curvature is guessed from


@dataclass(frozen=True)
class Weights:
    """A linear function of the rows."""

    kernel: Array  # (r, m): one column a class; one in all for two classes
    bias: Array  # (m,): added to each score
    converged: bool = True  # whether the gradient fell below the tolerance
    steps: int = 1  # taken to get there

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


def mean_weights(solved: Sequence[Weights]) -> Weights:
    """Return the mean of weights of the same shape.

    Examples
    --------
    >>> two = [Weights(np.full((1, 1), value), np.zeros(1)) for value in (1.0, 3.0)]
    >>> mean_weights(two).kernel
    array([[2.]])
    """
    kernels, biases = zip(*((weights.kernel, weights.bias) for weights in solved), strict=True)
    return Weights(np.mean(kernels, axis=0), np.mean(biases, axis=0))


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
    rows: Blocks, loss: Loss, C: float, start: Weights, tol: float, max_iter: int
) -> Weights:
    """Minimise ``mean loss + |kernel|² / (2 C sum of weights)``; the bias is free.

    The problem and the algorithm (L-BFGS, Liu & Nocedal 1989,
    https://doi.org/10.1007/BF01589116) are those of scikit-learn's ``LogisticRegression``.
    The tolerance is not: a gradient that is small enough at a strong penalty is far from the
    least at a weak one. The penalty makes the objective f strongly convex, with curvature
    ``1 / (C sum of weights)``, so that no kernel can lower it by more than
    ``|gradient|² C (sum of weights) / 2`` (Boyd & Vandenberghe 2004, 9.1.2); a bias, which
    bears no penalty, is taken to be as stiff as the loss of one image in a hundred.

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
        Stop when the objective can fall by no more than this share of it.
    max_iter : int
        Steps at most.
    """
    descent = _Descent(rows, loss, C, start)
    # Close to the end a step can be smaller than what float32 tells apart: then in float64.
    for dtype, aim in ((np.float32, max(tol, FLOAT32_TOLERANCE)), (np.float64, tol)):
        descent.run(dtype, aim, max_iter)
        if descent.gap <= tol or descent.steps >= max_iter:
            break
    kernel, bias = descent.parts(descent.flat)
    return Weights(kernel, bias, descent.gap <= tol, max(1, descent.steps))


class _Descent:
    """Where a minimisation stands."""

    def __init__(self, rows: Blocks, loss: Loss, C: float, start: Weights) -> None:
        self._rows, self._loss = rows, loss
        self._shape: tuple[int, int] = start.kernel.shape
        self._total = sum(float(weights.sum()) for _, _, weights in rows())
        self._penalty = 1.0 / (C * self._total)
        self.flat = np.concatenate([start.kernel.ravel(), start.bias])
        self.steps = 0
        self.gap = math.inf  # share of the objective that can still be won

    def parts(self, flat: Array) -> tuple[Array, Array]:
        """Return kernel and bias."""
        size = self._shape[0] * self._shape[1]
        return flat[:size].reshape(self._shape), flat[size:]

    def run(self, dtype: type, aim: float, max_iter: int) -> None:
        """Go down until the gap is no more than ``aim``."""
        from scipy.optimize import minimize

        def objective(flat: Array) -> tuple[float, Array]:
            value, slope, bias_slope = self._evaluate(flat, dtype)
            stiff = np.vdot(slope, slope) / self._penalty + np.vdot(bias_slope, bias_slope) / STIFF
            self.gap = float(stiff) / (2 * max(value, TINY))
            return value, np.concatenate([slope.ravel(), bias_slope])

        def stop(_: Array) -> None:
            if self.gap <= aim:
                raise StopIteration

        left = max_iter - self.steps
        options = {"maxiter": left, "maxfun": 2 * left, "maxcor": REMEMBERED, "ftol": 0, "gtol": 0}
        call: Any = minimize  # its stubs ask for shapes
        end = call(
            objective, self.flat, method="L-BFGS-B", jac=True, callback=stop, options=options
        )
        self.flat, self.steps = end.x, self.steps + end.nit

    def _evaluate(self, flat: Array, dtype: type) -> tuple[float, Array, Array]:
        """Return the objective and its slopes, products computed in ``dtype``."""
        kernel, bias = self.parts(flat)
        narrow: NDArray[Any] = kernel.astype(dtype)
        value = 0.5 * self._penalty * float(np.vdot(kernel, kernel))
        slope, bias_slope = self._penalty * kernel, np.zeros_like(bias)
        for Z, y, weights in self._rows():
            block: NDArray[Any] = Z.astype(dtype, copy=False)
            losses, slopes = self._loss((block @ narrow).astype(np.float64) + bias, y)
            value += float(losses @ weights) / self._total
            slopes *= (weights / self._total)[:, None]
            slope += block.T @ slopes.astype(dtype)
            bias_slope += slopes.sum(axis=0)
        return value, slope, bias_slope
