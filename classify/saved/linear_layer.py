"""A linear head, its scaler and its temperature as one dense softmax layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError


def linear_layer(estimator: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fold scaler, linear head and temperature into one dense softmax layer.

    Parameters
    ----------
    estimator : TemperatureScaled
        As :func:`headstart.classify.heads.search.fit_calibrated` returns for a
        linear head.

    Returns
    -------
    kernel : ndarray, shape (d, k), float32
        For the columns of one view; 0 for those of layers that were not chosen.
    bias : ndarray, shape (k,), float32
        ``softmax(features ** power @ kernel + bias)`` equals
        ``predict_proba(features)``, with the power of the scaler before it and
        the mean over the views where there are several.

    Raises
    ------
    ModelError
        If the head is not linear.
    """
    fitted = estimator.estimator_
    scaler, head = fitted["scale"], fitted["head"]
    if not hasattr(head, "coef_") or not hasattr(scaler, "mean_"):
        raise ModelError(f"a {type(head).__name__} is not one linear layer")
    coefficients, intercept = np.atleast_2d(head.coef_), np.atleast_1d(head.intercept_)
    if len(coefficients) == 1:  # two classes: scikit-learn keeps one row, the second's
        coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
        intercept = np.concatenate([np.zeros_like(intercept), intercept])
    kernel = (coefficients / scaler.scale_).T / estimator.temperature_  # (d, k)
    bias = intercept / estimator.temperature_ - scaler.mean_ @ kernel
    taps = fitted.named_steps.get("taps")
    if taps is not None:
        kernel = on_all_layers(kernel, taps, scaler.power)
    return kernel.astype(np.float32), bias.astype(np.float32)


def on_all_layers(kernel: NDArray[np.float64], taps: Any, power: float) -> NDArray[np.float64]:
    """Turn weights of the layers taken, in their units, into weights of all layers as they are.

    Parameters
    ----------
    kernel : ndarray, shape (d', m)
        Of what :class:`~headstart.classify.data.columns.TapSelector` gives, raised to ``power``.
    taps : TapSelector
        Which layers, and in which units.
    power : float
        Of the scaler that follows.

    Returns
    -------
    ndarray, shape (d, m)
        For the columns of one view; 0 for those of layers that were not chosen.
    """
    widths = taps.widths or (len(kernel),)
    ends = np.cumsum((0, *widths))
    whole, begin = np.zeros((ends[-1], kernel.shape[1])), 0
    taken = range(len(widths)) if taps.layers is None else taps.layers
    for layer, scale in zip(taken, taps.scales_, strict=True):
        part = kernel[begin : begin + widths[layer]]
        whole[ends[layer] : ends[layer + 1]] = part / scale**power
        begin += widths[layer]
    return whole
