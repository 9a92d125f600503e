"""A head as the layers of numbers that it is: what maps and gradients need of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..heads.table import find_head
from ..network.upper import HEAD
from ..saved.linear_layer import linear_layer, on_all_layers
from ..saved.load import SavedModel
from ..saved.network_model import TunedModel

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class HeadLayers:
    """From the pooled features of each view to scores.

    The views' features are averaged by their shares, raised to a power, and go through dense
    layers with ReLU between them. The last is centred: its scores add up to 0 over the
    classes, which alters no probability, so a score says what speaks for a class rather than
    for the average of all.
    """

    pooling: str  # how maps became features
    views: tuple[float, ...]  # share of each view; they add up to 1
    power: float  # exponent of the features' absolute values
    # (kernel, bias): kernels (d, units), …, (units, k), float32, with their biases
    layers: list[tuple[Floats, Floats]]

    @property
    def linear(self) -> bool:
        """Whether scores are linear in the (raised) features."""
        return len(self.layers) == 1

    def scores(self, X: Floats) -> Floats:
        """Return scores (n, k), whose softmax are the probabilities, of features (n, d)."""
        views = X.reshape(len(X), len(self.views), -1)
        hidden = np.einsum("nvd,v->nd", views, np.asarray(self.views, dtype=np.float32))
        hidden = np.sign(hidden) * np.abs(hidden) ** np.float32(self.power)
        for kernel, bias in self.layers[:-1]:
            hidden = np.maximum(hidden @ kernel + bias, 0)
        kernel, bias = self.layers[-1]
        scores: Floats = hidden @ kernel + bias
        return scores


def head_layers(model: SavedModel) -> HeadLayers | None:
    """Return a model's head as layers, where a gradient leads through it and the network below.

    None for trees, neighbours, kernels and naive Bayes, and above a network in 8 bits.
    """
    if isinstance(model, TunedModel):
        kernel, bias = model.upper.model.get_layer(HEAD).get_weights()
        last = _centred(kernel / model.temperature, bias / model.temperature)
        return HeadLayers(model.features.pooling, (1.0,), 1.0, [last])
    kind = find_head(model.name).layers
    if kind is None or model.spec.precision == "int8":
        return None
    fitted = model.estimator.estimator_
    scaler = fitted["scale"]
    layers = _LAYERS[kind](model.estimator)
    count = len(model.spec.views)
    taps = fitted.named_steps.get("taps")
    first_alone = taps is not None and taps.merge == "first"
    views = (1.0, *(0.0,) * (count - 1)) if first_alone else (1 / count,) * count
    return HeadLayers(model.spec.pooling, views, float(scaler.power), layers)


def _linear(estimator: Any) -> list[tuple[Floats, Floats]]:
    return [_centred(*linear_layer(estimator))]


def _mlp(estimator: Any) -> list[tuple[Floats, Floats]]:
    head = estimator.estimator_["head"]
    return _network(estimator, list(zip(head.coefs_, head.intercepts_, strict=True)))


def _dense(estimator: Any) -> list[tuple[Floats, Floats]]:
    weights = estimator.estimator_["head"].weights_
    return _network(estimator, list(zip(weights[::2], weights[1::2], strict=True)))


# By the name in a head's row, column ``layers``.
_LAYERS: dict[str, Callable[[Any], list[tuple[Floats, Floats]]]] = {
    "linear": _linear,
    "mlp": _mlp,
    "dense": _dense,
}


def _network(estimator: Any, pairs: list[tuple[Any, Any]]) -> list[tuple[Floats, Floats]]:
    """Fold scaler and temperature into kernels with their biases, ReLU between them."""
    fitted = estimator.estimator_
    scaler = fitted["scale"]
    kernel, bias = pairs[0]
    kernel = kernel / scaler.scale_
    bias = bias - scaler.mean_ @ kernel
    taps = fitted.named_steps.get("taps")
    if taps is not None:
        kernel = on_all_layers(kernel, taps, scaler.power)
    pairs[0] = kernel, bias
    kernel, bias = pairs[-1]
    if kernel.shape[1] == 1:  # two classes: scikit-learn keeps the second's logit
        kernel, bias = np.hstack([np.zeros_like(kernel), kernel]), np.append(0.0, bias)
    pairs[-1] = _centred(kernel / estimator.temperature_, bias / estimator.temperature_)
    return [(k.astype(np.float32), b.astype(np.float32)) for k, b in pairs]


def _centred(kernel: NDArray[Any], bias: NDArray[Any]) -> tuple[Floats, Floats]:
    kernel, bias = kernel - kernel.mean(axis=1, keepdims=True), bias - bias.mean()
    return kernel.astype(np.float32), bias.astype(np.float32)


def by_layer(kernel: Floats, channels: Sequence[int]) -> list[Floats]:
    """Cut the rows of a kernel (d, m) by the tapped layer they belong to.

    Examples
    --------
    >>> [part.shape for part in by_layer(np.zeros((5, 2), np.float32), [2, 3])]
    [(2, 2), (3, 2)]
    """
    return np.split(kernel, np.cumsum(channels)[:-1])
