"""Which of the cached layers a head sees, and what it makes of several views."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data


class TapSelector(TransformerMixin, BaseEstimator):
    """Take some layers' columns and the mean over the views.

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
        """Check that the columns add up."""
        del y  # scikit-learn's contract
        rows: NDArray[np.floating] = validate_data(self, X, dtype=[np.float64, np.float32])
        columns = sum(self.widths or (rows.shape[1],)) * self.views
        if columns != rows.shape[1]:
            raise ValueError(
                f"{self.views} views of {self.widths} columns make {columns}, X has {rows.shape[1]}"
            )
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the chosen columns (n, d') of features (n, d)."""
        check_is_fitted(self)
        rows: NDArray[np.floating] = validate_data(
            self, X, dtype=[np.float64, np.float32], reset=False
        )
        widths = self.widths or (rows.shape[1],)
        views = rows.reshape(len(rows), self.views, sum(widths))
        merged = views[:, 0] if self.merge == "first" or self.views == 1 else views.mean(axis=1)
        if self.layers is None or len(self.layers) == len(widths):
            chosen: NDArray[np.floating] = merged
        else:
            ends = np.cumsum((0, *widths))
            chosen = np.concatenate(
                [merged[:, ends[at] : ends[at + 1]] for at in self.layers], axis=1
            )
        return chosen

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether fit has seen the number of columns."""
        return hasattr(self, "n_features_in_")
