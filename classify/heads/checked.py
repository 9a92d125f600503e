"""What classifiers are given to learn from, checked as scikit-learn asks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data


def checked(
    estimator: Any, X: ArrayLike, y: ArrayLike, dtype: Any = "numeric"
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.intp]]:
    """Return features (n, d), labels (n,), and the position of each among the sorted classes.

    Raises
    ------
    ValueError
        If they are no features and classes, or of a single class.
    """
    features, labels = validate_data(estimator, X, y, dtype=dtype)
    check_classification_targets(labels)
    classes, index = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        name = type(estimator).__name__
        raise ValueError(f"{name} needs two classes, got one class: {classes[0]!r}")
    return features, labels, index
