"""Convolutions of an ONNX model in 8 bits: their weights alone, or what flows through them, too."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...extract.decode.views import Pixels
from .graph import INPUT


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


def in_8_bits(model: Any, pixels: Sequence[Pixels]) -> Any:
    """Compute convolutions in int8, ranges of activations measured on images.

    Resizing, preprocessing and head stay in float32, and so do depthwise convolutions: they
    hold few of the numbers, and rounding hurts them most.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader

    class Reader(CalibrationDataReader):
        images: Iterator[Pixels] = iter(pixels)

        def get_next(self) -> dict[str, Any] | None:
            image = next(self.images, None)
            return None if image is None else {INPUT: image[None]}

    model = prepared(model)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        exact, rounded = str(Path(folder, "exact.onnx")), str(Path(folder, "int8.onnx"))
        onnx.save(model, exact)
        quantize_static(
            exact,
            rounded,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[node.name for node in model.graph.node if _is_depthwise(node)],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(rounded)


def prepared(model: Any) -> Any:
    """Return the model with batch norm folded into the convolutions, by ONNX Runtime itself."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _quiet():
        before, after = str(Path(folder, "before.onnx")), str(Path(folder, "after.onnx"))
        onnx.save(model, before)
        quant_pre_process(before, after, skip_symbolic_shape=True)
        return onnx.load(after)


def _is_depthwise(node: Any) -> bool:
    return node.op_type == "Conv" and any(a.name == "group" and a.i > 1 for a in node.attribute)


class _quiet:  # noqa: N801 - a context manager, read like a function
    """Keep advice to whoever calls the quantiser off the terminal."""

    def __enter__(self) -> None:
        self._before = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._before)
