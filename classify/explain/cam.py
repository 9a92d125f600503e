"""Class-activation maps: the score itself, spread over the places that it comes from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .heat import Grid
from .layers import Floats, HeadLayers, by_layer

EXACT = ("avg", "flatten")  # poolings of which the features are sums over places


def is_exact(head: HeadLayers) -> bool:
    """Tell whether scores are sums over places: a linear head on sums, not raised to a power."""
    return head.linear and head.power == 1 and head.pooling in EXACT


def class_activation(maps: Sequence[Sequence[Floats]], head: HeadLayers, at: int) -> list[Grid]:
    """Return one map for each view and layer; their means and the bias add up to the score.

    Zhou et al. 2016, arXiv:1512.04150, equation 2. There each place's evidence is a sum over
    channels of weight times activation; a flattened map has weights of its own for each place.

    Parameters
    ----------
    maps : sequence of sequences of ndarray, shape (height, width, channels)
        For each view the map of each tapped layer.
    head : HeadLayers
        Of which :func:`is_exact` holds.
    at : int
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
    widths = [one.size if flat else one.shape[-1] for one in first]
    weights = by_layer(head.layers[0][0][:, at : at + 1], widths)
    found = []
    for share, view in zip(head.views, maps, strict=True):
        for one, weight in zip(view, weights, strict=True):
            # (h, w, c) x (c,), or x (h, w, c) and as many places as the mean divides by
            places = one.shape[0] * one.shape[1]
            kernel = weight.reshape(one.shape) * places if flat else weight[:, 0]
            found.append(share * (one.astype(np.float64) * kernel).sum(axis=-1))
    return found
