"""Grad-CAM: activations weighted by how a score answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...extract.backbone.loading import load_keras, load_tensorflow
from ...extract.engine.network import pool
from .heat import Grid
from .layers import Floats, HeadLayers


def grad_cam(maps: Sequence[Sequence[Floats]], head: HeadLayers, at: int) -> list[Grid]:
    """Return one map for each view and layer.

    Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2, without the rectifier, which
    comes once all maps are added up, and with the sum of the gradients over the places where
    the paper has their mean: so a linear head on average pooling gets the class-activation map
    itself, and one on features raised to the power p that of p times its score.

    Parameters
    ----------
    maps : sequence of sequences of ndarray, shape (height, width, channels)
        For each view the map of each tapped layer.
    head : HeadLayers
        The function that is differentiated.
    at : int
        The class, a column of the scores.

    Returns
    -------
    list of ndarray, shape (height, width), float64
        View by view, within each layer by layer.
    """
    tensorflow = load_tensorflow()
    inputs = [[tensorflow.constant(one[None]) for one in view] for view in maps]
    with tensorflow.GradientTape() as tape:
        tape.watch(inputs)
        score = _scores(inputs, head)[0, at]
    gradients = tape.gradient(score, inputs)
    found = []
    for view, slopes in zip(maps, gradients, strict=True):
        for one, slope in zip(view, slopes, strict=True):
            weights = slope.numpy()[0].sum(axis=(0, 1), dtype=np.float64)
            found.append(one.astype(np.float64) @ weights)
    return found


def _scores(views: Sequence[Sequence[Any]], head: HeadLayers) -> Any:
    """Return scores (1, k) of maps, in TensorFlow's operations."""
    keras = load_keras()
    ops = keras.ops
    pooled = [
        share * ops.concatenate([pool(keras, one, head.pooling) for one in view], axis=-1)
        for share, view in zip(head.views, views, strict=True)
    ]
    hidden = _raised(ops, sum(pooled[1:], start=pooled[0]), head.power)
    for kernel, bias in head.layers[:-1]:
        hidden = ops.relu(hidden @ kernel + bias)
    kernel, bias = head.layers[-1]
    return hidden @ kernel + bias


def _raised(ops: Any, features: Any, power: float) -> Any:
    """Raise the absolute values; a feature of 0, where a root is infinitely steep, has slope 0."""
    if power == 1:
        return features
    silent = features == 0
    safe = ops.where(silent, ops.ones_like(features), features)
    return ops.where(silent, ops.zeros_like(features), ops.sign(safe) * ops.abs(safe) ** power)
