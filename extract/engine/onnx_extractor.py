"""An ONNX file as an extractor: preprocessing before it, taps and pooling after it, in one graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...cache.spec import FeatureSpec
from ...errors import EngineError, OptionError, first_line
from ..backbone.file_network import FileNetwork, file_network_of
from ..backbone.onnx_file import OnnxNetwork, read_onnx, with_weights
from .agreement import probe_images
from .engine import Features, check_pooling

PROBES = 2
OURS = "headstart/"  # begins the names of what is added
# Every opset has them, from the first that image networks use on, with the same attributes.
GLOBAL = {
    "avg": ("GlobalAveragePool",),
    "mean": ("GlobalAveragePool",),
    "max": ("GlobalMaxPool",),
    "avg+max": ("GlobalAveragePool", "GlobalMaxPool"),
}


@dataclass
class _Chain:
    """Nodes that are added to a graph."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, named: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        output = named or f"{OURS}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Any) -> str:
        from onnx import numpy_helper

        name = f"{OURS}constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name


@dataclass(frozen=True)
class OnnxExtractor:
    """From images (n, height, width, 3), uint8, to features (n, d), float32, in one ONNX graph."""

    model: Any  # onnx.ModelProto
    reference: Features  # (2, d): of the probe images by the file itself, all around it in NumPy
    widths: tuple[int, ...]  # columns of each layer
    batch: int | None  # images a call; None for any number


def build_onnx_extractor(spec: FeatureSpec, weights: Path) -> OnnxExtractor:
    """Put preprocessing, taps and pooling around the network of a file.

    Raises
    ------
    EngineError
        If ONNX Runtime cannot run the file.
    OptionError
        If a layer or the pooling cannot be.
    """
    row, network = file_network_of(spec, weights), read_onnx(weights)
    taps = [network.output(layer, weights) for layer in spec.layers]
    outputs = _run_alone(row, network, taps)
    turned = []
    for layer, output in zip(spec.layers, outputs, strict=True):
        if len(output) != PROBES or output.dtype.kind != "f":
            raise OptionError(
                f"{layer!r} of {weights} gives no numbers for each image: tap another"
            )
        check_pooling(spec.pooling, output.shape)
        turned.append(_channels_first(output.shape, network))
    pooled = [
        _pool(np.moveaxis(output, 1, -1) if first else output, spec.pooling)
        for output, first in zip(outputs, turned, strict=True)
    ]
    model = with_weights(weights)
    chain = _Chain()
    _prepare(chain, row, network)
    before = len(chain.nodes)
    parts = [
        _pooling_nodes(chain, tap, output.ndim, spec.pooling, first)
        for tap, output, first in zip(taps, outputs, turned, strict=True)
    ]
    chain.add("Concat", *parts, named=f"{OURS}features", axis=1)
    _join(model, chain, before, network, spec)
    return OnnxExtractor(
        model,
        np.concatenate(pooled, axis=1).astype(np.float32),
        tuple(part.shape[1] for part in pooled),
        network.batch,
    )


def run_in_batches(run: Callable[[Any], list[Any]], images: Any, batch: int | None) -> list[Any]:
    """Run a network on any number of images, though it may take only so many a call."""
    if batch is None or len(images) == batch:
        return run(images)
    short = -len(images) % batch
    padded = np.concatenate([images, np.repeat(images[-1:], short, axis=0)])
    calls = [run(padded[low : low + batch]) for low in range(0, len(padded), batch)]
    return [np.concatenate(parts)[: len(images)] for parts in zip(*calls, strict=True)]


def _run_alone(row: FileNetwork, network: OnnxNetwork, taps: list[str]) -> list[Any]:
    """Return what the file itself makes of the probe images at each tap."""
    import onnx
    import onnxruntime

    model = with_weights(row.file)
    del model.graph.output[:]
    for tap in dict.fromkeys(taps):
        model.graph.output.append(onnx.ValueInfoProto(name=tap))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    images = row.preprocess(probe_images(row.input_size, PROBES).astype(np.float32))
    if network.channels_first:
        images = np.moveaxis(images, -1, 1)
    images = np.ascontiguousarray(images, dtype=network.kind)
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        run = lambda batch: session.run(None, {network.input: batch})  # noqa: E731
        outputs = run_in_batches(run, images, network.batch)
    except Exception as error:  # a family of its own without a common parent
        raise EngineError(f"ONNX Runtime cannot run {row.file}: {first_line(error)}") from error
    by_name = dict(zip(dict.fromkeys(taps), outputs, strict=True))
    return [by_name[tap] for tap in taps]


def _channels_first(shape: tuple[int, ...], network: OnnxNetwork) -> bool:
    """Tell whether a map's channels come first: by which sides are equal, else as the input's."""
    if len(shape) != 4 or (shape[1] == shape[2]) == (shape[2] == shape[3]):
        return len(shape) == 4 and network.channels_first
    return shape[2] == shape[3]


def _pool(maps: Any, pooling: str) -> Any:
    """Do in NumPy what :func:`headstart.extract.engine.network.pool` does in Keras."""
    maps = np.asarray(maps, dtype=np.float32)
    if pooling in ("flatten", "none") or maps.ndim == 2:
        return maps.reshape(len(maps), -1)
    if pooling == "cls":
        return maps[:, 0]
    reduce: dict[str, Any] = {"avg": np.mean, "mean": np.mean, "max": np.max}
    places = tuple(range(1, maps.ndim - 1))
    return np.concatenate([reduce[kind](maps, axis=places) for kind in pooling.split("+")], axis=1)


def _prepare(chain: _Chain, row: FileNetwork, network: OnnxNetwork) -> None:
    """Add what happens between pixels and the network."""
    from onnx import TensorProto, helper

    made, kind = row.bound, helper.np_dtype_to_tensor_dtype(np.dtype(network.kind))
    images = f"{OURS}images"
    if made.channels == "bgr":
        images = chain.add(
            "Gather", images, chain.constant(np.asarray([2, 1, 0], np.int64)), axis=3
        )
    if not made.raw:
        images = chain.add("Cast", images, to=TensorProto.FLOAT)
        images = chain.add("Mul", images, chain.constant(np.float32(made.scale)))
        images = chain.add("Sub", images, chain.constant(np.asarray(made.mean, np.float32)))
        images = chain.add("Div", images, chain.constant(np.asarray(made.std, np.float32)))
    if network.channels_first:
        images = chain.add("Transpose", images, perm=[0, 3, 1, 2])
    chain.add("Cast", images, named=network.input, to=kind)


def _pooling_nodes(chain: _Chain, tap: str, rank: int, pooling: str, first: bool) -> str:
    """Add what makes one row an image of a tap; return its name."""
    from onnx import TensorProto

    value = chain.add("Cast", tap, to=TensorProto.FLOAT)
    if rank == 2:
        return value
    if pooling == "cls":
        return chain.add("Gather", value, chain.constant(np.int64(0)), axis=1)
    if pooling in ("flatten", "none"):
        if first:
            value = chain.add("Transpose", value, perm=[0, 2, 3, 1])
        return chain.add("Flatten", value, axis=1)
    if not first:  # pooling wants channels first
        value = chain.add("Transpose", value, perm=[0, rank - 1, *range(1, rank - 1)])
    parts = [chain.add("Flatten", chain.add(kind, value), axis=1) for kind in GLOBAL[pooling]]
    return parts[0] if len(parts) == 1 else chain.add("Concat", *parts, axis=1)


def _join(model: Any, chain: _Chain, before: int, network: OnnxNetwork, spec: FeatureSpec) -> None:
    """Give a model new nodes before and behind its own, new input, new output."""
    from onnx import TensorProto, helper

    graph, batch = model.graph, network.batch or "n"
    own = list(graph.node)
    del graph.node[:], graph.output[:], model.metadata_props[:]
    graph.node.extend([*chain.nodes[:before], *own, *chain.nodes[before:]])
    graph.initializer.extend(chain.constants)
    entry = next(each for each in graph.input if each.name == network.input)
    images = f"{OURS}images", TensorProto.UINT8, [batch, *spec.input_size, 3]
    entry.CopyFrom(helper.make_tensor_value_info(*images))
    features = f"{OURS}features", TensorProto.FLOAT, [batch, None]
    graph.output.append(helper.make_tensor_value_info(*features))
