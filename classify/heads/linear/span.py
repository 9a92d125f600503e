"""Features as linear heads want them: scaled once, in as few columns as there are images.

A head whose penalty is the length of its weights predicts the same in any orthonormal
basis. Where there are more features than images, such as VGG16's 25,088 flattened ones,
the images span fewer directions than there are columns: in a basis of that span nothing
is lost, and everything after costs as much as the images are many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....cache.rows import Spool, StoredRows, blocks

RANK = 1e-12  # squared lengths under this share of the longest are rounding
COLUMNS = 4096  # turned into float64 at a time

Array = NDArray[np.float64]
Lift = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Spanned:
    """Centred and scaled features of some images."""

    # (n, r), float32: `(lifted features - mean) / scale`, in a basis of the images' span when r < d
    Z: Any
    mean: Array  # (d,): of the lifted features
    scale: float  # root mean square of the centred features; 1 when that is 0
    dimension: int  # columns before any change of basis: d
    # weights (r, m) on Z to weights (d, m) on `(lifted features - mean) / scale`
    back: Callable[[Array], Array]


def span(X: Any, lift: Lift = lambda block: block, *, narrow: bool = True) -> Spanned:
    """Centre and scale features, and turn them into their span where that is narrower.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, d)
        Features. Rows on the disk are read a block at a time, and what becomes of them is
        written to a temporary file beside them.
    lift : callable
        What is done to a block of rows first: a choice of columns, a power.
    narrow : bool
        Whether the basis may change.

    Examples
    --------
    >>> spanned = span(np.eye(3, 50, dtype=np.float32))
    >>> spanned.Z.shape, spanned.dimension
    ((3, 2), 50)
    """
    n, dimension = len(X), lift(X[:1]).shape[1]
    total, squares = np.zeros(dimension), 0.0
    for rows in blocks(X):
        block = lift(X[rows]).astype(np.float64)
        total += block.sum(axis=0)
        squares += float(np.vdot(block, block))
    mean = total / n
    spread = max(0.0, squares / (n * dimension) - float(np.mean(mean**2)))
    scale = float(np.sqrt(spread)) or 1.0

    def standard(rows: slice) -> NDArray[np.float32]:
        moved: NDArray[np.float32] = (lift(X[rows]) - mean.astype(np.float32)) / np.float32(scale)
        return moved

    if isinstance(X, StoredRows):
        Z: Any = Spool((n, dimension), X.folder)
        for rows in blocks(X):
            Z.append(standard(rows))
    else:
        Z = np.empty((n, dimension), dtype=np.float32)
        for rows in blocks(X):
            Z[rows] = standard(rows)
        if narrow and dimension > n:
            return _narrowed(Z, mean, scale)
    return Spanned(Z, mean, scale, dimension, lambda weights: weights)


def _narrowed(Z: NDArray[np.float32], mean: Array, scale: float) -> Spanned:
    """Change to an orthonormal basis of the rows' span, by their inner products (n, n)."""
    n, dimension = Z.shape
    gram = np.zeros((n, n))
    for start in range(0, dimension, COLUMNS):
        part = Z[:, start : start + COLUMNS].astype(np.float64)
        gram += part @ part.T
    squared, images = np.linalg.eigh(gram)
    kept = max(1, int((squared > max(RANK * squared[-1], 0)).sum()))
    squared, images = squared[::-1][:kept], images[:, ::-1][:, :kept]
    lengths = np.sqrt(np.maximum(squared, np.finfo(np.float32).tiny))

    def back(weights: Array) -> Array:
        return np.asarray(Z.T @ ((images / lengths) @ weights).astype(np.float32), dtype=np.float64)

    return Spanned((images * lengths).astype(np.float32), mean, scale, dimension, back)
