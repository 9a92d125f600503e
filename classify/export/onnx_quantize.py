"""Convolutions of an ONNX model in 8 bits: their weights alone, or what flows through them, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...extract.decode.views import Pixels
from ...extract.engine.quantize import in_8_bits, prepared


def weights_in_8_bits(model: Any) -> Any:
    """Store the weights of convolutions in int8, a scale for each output channel.

    They are computed with in float32. ONNX Runtime's ``quantize_dynamic`` rounds each
    image's activations as well, with one scale for all channels: on MobileNet's depthwise
    convolutions that costs most of the answers (see docs/export.md).
    """
    from onnx import helper, numpy_helper

    model = prepared(model)
    graph = model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    unpack = []
    for name in sorted({node.input[1] for node in graph.node if node.op_type == "Conv"}):
        if name not in held:
            continue
        kernel = numpy_helper.to_array(held[name])  # (out, in / groups, height, width)
        scale = np.abs(kernel).max(axis=(1, 2, 3)) / 127
        scale[scale == 0] = 1
        rounded = np.round(kernel / scale[:, None, None, None]).astype(np.int8)
        graph.initializer.remove(held[name])
        parts = {"rounded": rounded, "scale": scale, "zero": np.zeros(len(scale), np.int8)}
        graph.initializer.extend(
            numpy_helper.from_array(array, f"{name}_{part}") for part, array in parts.items()
        )
        inputs = [f"{name}_{part}" for part in parts]
        unpack.append(helper.make_node("DequantizeLinear", inputs, [name], axis=0))
    nodes = [*unpack, *graph.node]  # in an order that can be computed
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def activations_in_8_bits(model: Any, pixels: Sequence[Pixels]) -> Any:
    """Compute convolutions in int8, ranges of activations measured on images.

    Resizing, preprocessing and head stay in float32, and so do depthwise convolutions: they
    hold few of the numbers, and rounding hurts them most.
    """
    model = prepared(model)
    depthwise = [node.name for node in model.graph.node if _is_depthwise(node)]
    batches = (image[None] for image in pixels)
    return in_8_bits(model, batches, op_types_to_quantize=["Conv"], nodes_to_exclude=depthwise)


def _is_depthwise(node: Any) -> bool:
    return node.op_type == "Conv" and any(a.name == "group" and a.i > 1 for a in node.attribute)
