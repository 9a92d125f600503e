"""Scaling that keeps the proportions between features."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ...documented import Documented
from .formulas import raised


class PowerScaler(Documented, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Raise to a power, centre each feature, divide all by one number.

    The number is the root mean square of what is left. Unlike ``StandardScaler``
    this does not blow up the features that hardly vary; unlike no scaling it
    makes a penalty mean the same for VGG16's 0 to 100 and MobileNet's 0 to 6. A
    power of 0.5 keeps a few strong activations from drowning the others (power
    normalisation: Perronnin et al. 2010, https://doi.org/10.1007/978-3-642-15561-1_11).

    Parameters
    ----------
    power : float
        Exponent of the absolute value, over 0; the sign stays.

    Attributes
    ----------
    mean_ : ndarray, shape (d,)
        Mean of each feature after the power.
    scale_ : float
        Root mean square of the centred training data; 1 when that is 0.

    Examples
    --------
    >>> PowerScaler(power=0.5).fit_transform([[1.0, 9.0], [9.0, 9.0]])
    array([[-1.41421356,  0.        ],
           [ 1.41421356,  0.        ]])
    """

    def __init__(self, power: float = 1.0) -> None:
        self.power = power

    def fit(self, X: ArrayLike, y: object = None) -> PowerScaler:
        """Learn mean and scale from features (n, d)."""
        del y  # scikit-learn's contract
        X = raised(validate_data(self, X, dtype=[np.float64, np.float32]), self.power)
        self.mean_ = X.mean(axis=0)
        self.scale_ = float(np.sqrt(np.mean((X - self.mean_) ** 2))) or 1.0
        return self

    def place(self, mean: NDArray[np.float64], scale: float) -> PowerScaler:
        """Take mean (d,) and scale that were computed elsewhere."""
        self.mean_, self.scale_, self.n_features_in_ = mean, scale, len(mean)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return scaled features (n, d)."""
        check_is_fitted(self)
        X = raised(validate_data(self, X, dtype=[np.float64, np.float32], reset=False), self.power)
        scaled: NDArray[np.floating] = (X - self.mean_) / self.scale_
        return scaled
