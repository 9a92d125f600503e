"""Which of the cached layers a head sees, and what it makes of several views."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data


class TapSelector(TransformerMixin, BaseEstimator):
    """Take some layers' columns, each layer in its own units, and the mean over the views.

    Several layers are divided by the root mean square of their centred columns: a low layer
    with large numbers would drown the others.

    Parameters
    ----------
    widths : tuple of int, optional
        Columns of each layer within one view; None means one layer, one view.
    views : int
        How many views lie side by side.
    layers : tuple of int, optional
        Positions of the layers to take; all when None.
    merge : str
        ``"mean"`` of the views, or ``"first"``: the others are left out.

    Attributes
    ----------
    scales_ : ndarray, shape (layers taken,)
        What each layer's columns are divided by; 1 for a single layer.

    Examples
    --------
    >>> X = [[1.0, 2.0, 3.0, 5.0, 6.0, 7.0]]  # two views of layers with 1 and 2 columns
    >>> TapSelector(widths=(1, 2), views=2, layers=(1,)).fit_transform(X)
    array([[4., 5.]])
    """

    def __init__(
        self,
        widths: tuple[int, ...] | None = None,
        views: int = 1,
        layers: tuple[int, ...] | None = None,
        merge: str = "mean",
    ) -> None:
        self.widths = widths
        self.views = views
        self.layers = layers
        self.merge = merge

    def fit(self, X: ArrayLike, y: object = None) -> TapSelector:
        """Check that the columns add up, and measure the layers."""
        del y  # scikit-learn's contract
        rows: NDArray[np.floating] = validate_data(self, X, dtype=[np.float64, np.float32])
        columns = sum(self.widths or (rows.shape[1],)) * self.views
        if columns != rows.shape[1]:
            raise ValueError(
                f"{self.views} views of {self.widths} columns make {columns}, X has {rows.shape[1]}"
            )
        parts = self._parts(rows)
        spreads = [float(np.sqrt(np.mean((part - part.mean(axis=0)) ** 2))) for part in parts]
        self.scales_ = np.array([spread or 1.0 for spread in spreads] if len(parts) > 1 else [1.0])
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the chosen columns (n, d') of features (n, d)."""
        check_is_fitted(self)
        rows: NDArray[np.floating] = validate_data(
            self, X, dtype=[np.float64, np.float32], reset=False
        )
        parts = self._parts(rows)
        if len(parts) == 1:
            return parts[0]
        scales = self.scales_.astype(rows.dtype)
        whole: NDArray[np.floating] = np.concatenate(
            [part / scale for part, scale in zip(parts, scales, strict=True)], axis=1
        )
        return whole

    def _parts(self, rows: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """Return the columns of each layer taken, views merged."""
        widths = self.widths or (rows.shape[1],)
        views = rows.reshape(len(rows), self.views, sum(widths))
        merged = views[:, 0] if self.merge == "first" or self.views == 1 else views.mean(axis=1)
        ends = np.cumsum((0, *widths))
        taken = range(len(widths)) if self.layers is None else self.layers
        return [merged[:, ends[layer] : ends[layer + 1]] for layer in taken]

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether fit has measured the layers."""
        return hasattr(self, "scales_")


def last_layer(X: NDArray[np.float32], taps: TapSelector | None) -> NDArray[np.float32]:
    """Return the last layer's columns of the first view; all of ``X`` where taps is None.

    Examples
    --------
    >>> X = np.array([[1.0, 2.0, 3.0, 5.0, 6.0, 7.0]], dtype=np.float32)
    >>> last_layer(X, TapSelector(widths=(1, 2), views=2))
    array([[2., 3.]], dtype=float32)
    """
    if taps is None:
        return X
    widths = taps.widths or (X.shape[1] // taps.views,)
    end = sum(widths)
    return X[:, end - widths[-1] : end]
