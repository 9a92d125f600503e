"""Maps of evidence from the last convolutional maps: class activation, and Grad-CAM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import OptionError
from ...extract.backbone.loading import load_keras, load_tensorflow
from ...extract.decode.views import Pixels
from ...extract.engine.network import build_mapper, pool, traced
from ...extract.source import FeatureSource
from ..saved.load import SavedModel
from ..saved.network_model import TunedModel
from .heat import Grid
from .layers import Floats, HeadLayers, by_layer

EXACT = ("avg", "flatten")  # poolings of which the features are sums over places
Mapper = Callable[[Pixels], list[list[Floats]]]


def open_mapper(model: SavedModel, source: FeatureSource) -> Mapper:
    """Return the function from views (v, height, width, 3) to maps.

    For each view it gives one map (height, width, channels), float32, a tapped layer. The
    backbone runs in TensorFlow; what lies below the freeze boundary of a fine-tuned network
    runs on the engine that training extracted with.
    """
    if isinstance(model, TunedModel) and model.upper.mapper is not None:
        upper, engine = model.upper.mapper, source.engine()
        return lambda pixels: _by_view(upper(engine(pixels), training=False))
    spec = model.features if isinstance(model, TunedModel) else model.spec
    run = traced(build_mapper(spec, source.weights), spec)
    return lambda pixels: _by_view(run(pixels))


def _by_view(layers: object) -> list[list[Floats]]:
    maps = [
        np.asarray(layer, dtype=np.float32)
        for layer in (layers if isinstance(layers, list) else [layers])
    ]
    if any(layer.ndim != 4 for layer in maps):
        raise OptionError(
            "the head's features are no maps: a layer gives the shapes "
            f"{', '.join(str(layer.shape[1:]) for layer in maps)}; take --method occlusion"
        )
    return [[layer[view] for layer in maps] for view in range(len(maps[0]))]


def is_exact(head: HeadLayers) -> bool:
    """Tell whether scores are sums over places: a linear head on sums, not raised to a power."""
    return head.linear and head.power == 1 and head.pooling in EXACT


def class_activation(maps: Sequence[Sequence[Floats]], head: HeadLayers, target: int) -> list[Grid]:
    """Return one map for each view and layer; their means and the bias add up to the score.

    Zhou et al. 2016, arXiv:1512.04150, equation 2. There each place's evidence is a sum over
    channels of weight times activation; a flattened map has weights of its own for each place.

    Parameters
    ----------
    maps : sequence of sequences of ndarray, shape (height, width, channels)
        For each view the map of each tapped layer.
    head : HeadLayers
        Of which :func:`is_exact` holds.
    target : int
        The class, a column of the scores.

    Returns
    -------
    list of ndarray, shape (height, width), float64
        View by view, within each layer by layer.

    Examples
    --------
    >>> ones = np.ones((1, 1), np.float32), np.zeros(1, np.float32)
    >>> head = HeadLayers("avg", (1.0,), 1.0, [ones])
    >>> class_activation([[np.array([[[1.0], [3.0]]], np.float32)]], head, 0)
    [array([[1., 3.]])]
    """
    flat = head.pooling == "flatten"
    first = maps[0]
    widths = [layer.size if flat else layer.shape[-1] for layer in first]
    weights = by_layer(head.layers[0][0][:, target : target + 1], widths)
    grids = []
    for share, view in zip(head.views, maps, strict=True):
        for layer, weight in zip(view, weights, strict=True):
            # (h, w, c) x (c,), or x (h, w, c) and as many places as the mean divides by
            places = layer.shape[0] * layer.shape[1]
            kernel = weight.reshape(layer.shape) * places if flat else weight[:, 0]
            grids.append(share * (layer.astype(np.float64) * kernel).sum(axis=-1))
    return grids


def grad_cam(maps: Sequence[Sequence[Floats]], head: HeadLayers, target: int) -> list[Grid]:
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
    target : int
        The class, a column of the scores.

    Returns
    -------
    list of ndarray, shape (height, width), float64
        View by view, within each layer by layer.
    """
    tensorflow = load_tensorflow()
    inputs = [[tensorflow.constant(layer[None]) for layer in view] for view in maps]
    with tensorflow.GradientTape() as tape:
        tape.watch(inputs)
        score = _scores(inputs, head)[0, target]
    gradients = tape.gradient(score, inputs)
    grids = []
    for view, slopes in zip(maps, gradients, strict=True):
        for layer, slope in zip(view, slopes, strict=True):
            weights = slope.numpy()[0].sum(axis=(0, 1), dtype=np.float64)
            grids.append(layer.astype(np.float64) @ weights)
    return grids


def _scores(views: Sequence[Sequence[Any]], head: HeadLayers) -> Any:
    """Return scores (1, k) of maps, in TensorFlow's operations."""
    keras = load_keras()
    ops = keras.ops
    pooled = [
        share * ops.concatenate([pool(keras, layer, head.pooling) for layer in view], axis=-1)
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
