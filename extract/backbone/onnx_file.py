"""ONNX files as backbones: read and checked without running anything.

Whatever a file holds, it is one image input, standard operators and weights that lie in its own
folder, or it is refused.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import OptionError, WeightsError, first_line
from .facts import Facts
from .preprocessing import RAW, from_metadata
from .weights import file_sha256

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")  # what ONNX Runtime itself brings
MOST_BYTES = 2**31 - 1  # of one protobuf message: the network is kept in one file
INPUTS = {1: "float32", 2: "uint8", 10: "float16"}  # of onnx.TensorProto's types
NO_GRAPH = "an ONNX file has no Keras graph, heads on its features are what is possible"


@dataclass(frozen=True)
class OnnxNetwork:
    """A checked ONNX file."""

    model: Any  # onnx.ModelProto, weights in other files left there
    input: str  # name of the image input
    kind: str  # "float32", "float16" or "uint8"
    channels_first: bool  # takes (n, 3, height, width)
    side: int | None  # in pixels; None when free
    batch: int | None  # images a call; None when free

    def output(self, layer: str, file: Path) -> str:
        """Return the value that a name means: an output, an inner value, or a node's first.

        Raises
        ------
        OptionError
            If there is none.
        """
        graph = self.model.graph
        if layer == "top":
            return str(graph.output[0].name)
        values = {name for node in graph.node for name in node.output}
        if layer in values:
            return layer
        for node in graph.node:
            if node.name == layer:
                return str(node.output[0])
        raise OptionError(f"no output or node {layer!r} in {file}: 'extract list {file}' has them")


@functools.lru_cache(maxsize=4)
def _read(path: Path, _changed: int) -> OnnxNetwork:
    try:
        return _checked(path)
    except Exception as error:  # protobuf raises whatever crafted bytes lead it to
        raise WeightsError(f"{path} cannot be a backbone: {first_line(error)}") from error


def _checked(path: Path) -> OnnxNetwork:
    import onnx

    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"it has {path.stat().st_size / 1e9:.1f} GB, ONNX files have up to 2")
    model = onnx.load(str(path), load_external_data=False)
    if not model.graph.node:
        raise ValueError("it holds no network")
    _check_operators(model)
    _check_weights(model, path.parent)
    return _with_input(model)


def read_onnx(path: Path) -> OnnxNetwork:
    """Read and check a file; nothing of it runs.

    Raises
    ------
    WeightsError
        If it is no ONNX file, has not one image input, operators of its own, or weights that
        are too large or lie outside its folder.
    """
    return _read(path, path.stat().st_mtime_ns)


def digest(path: Path) -> str:
    """Return the SHA-256 of the file, its weights in other files included."""
    outside = sorted({file for _, file in _outside(read_onnx(path).model, path.parent)})
    own = file_sha256(path)
    if not outside:
        return own
    sums = "".join([own, *map(file_sha256, outside)])
    return hashlib.sha256(sums.encode("ascii")).hexdigest()


def is_alone(path: Path) -> bool:
    """Tell whether all weights lie in the file itself."""
    return not any(True for _ in _outside(read_onnx(path).model, path.parent))


def with_weights(path: Path) -> Any:
    """Return a copy of the whole model (``onnx.ModelProto``), its weights in it."""
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(read_onnx(path).model)
    onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
    return model


def made_of(path: Path) -> str | None:
    """Return the backbone that headstart made an ONNX file of; None where it did not."""
    if path.suffix != ".onnx":
        return None
    own = {entry.key: entry.value for entry in read_onnx(path).model.metadata_props}
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return str(json.loads(own["spec"])["backbone"])
    return None


def build(path: Path, side: int) -> Any:
    """Refuse: there is no Keras network to be had."""
    del side
    raise OptionError(
        f"{path} cannot be fine-tuned, explained or exported: {NO_GRAPH} ('fit head')"
    )


def read_facts(path: Path, side: int | None) -> Facts:
    """Return what can be told of a network for images of a side."""
    network = read_onnx(path)
    shapes = _shapes(network, network.side or side)
    reached = {network.input}
    layers, multiply_adds, largest = [], 0.0, 0.0
    for node in network.model.graph.node:
        if not reached.intersection(node.input):
            continue
        reached.update(node.output)
        numbers = [_size(shapes.get(name)) for name in (*node.input[:1], node.output[0])]
        largest = max(largest, sum(numbers))
        multiply_adds += numbers[-1] * _depth(node, shapes)
        shape = shapes.get(node.output[0])
        if shape is not None and 2 <= len(shape) <= 4:
            layers.append({"name": node.output[0], "kind": node.op_type, "shape": shape[1:]})
    metadata = {entry.key: entry.value for entry in network.model.metadata_props}
    weights = sum(math.prod(tensor.dims) for tensor in network.model.graph.initializer)
    return Facts(
        side=network.side,
        raw=network.kind == "uint8",
        layer=network.output("top", path),
        parameters=weights / 1e6,
        activation_mb=max(1, round(largest * 4 / 2**20)),
        multiply_adds=multiply_adds / 1e9,
        layers=layers,
        settings=from_metadata(metadata) or (RAW if network.kind == "uint8" else {}),
    )


def _shapes(network: OnnxNetwork, side: int | None) -> dict[str, list[int | None]]:
    """Infer the shape of each value, for one image; None where it cannot be told."""
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    dims = next(i for i in model.graph.input if i.name == network.input).type.tensor_type.shape.dim
    if network.batch is None:
        dims[0].dim_value = 1
    for dim in dims[1:]:
        if not dim.dim_value and side:
            dim.dim_value = side
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes: dict[str, list[int | None]] = {
        value.name: [dim.dim_value or None for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
        if value.type.tensor_type.HasField("shape")
    }
    return shapes | {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}


def _size(shape: list[int | None] | None) -> float:
    return float(math.prod(side or 1 for side in shape)) if shape else 0.0


def _depth(node: Any, shapes: dict[str, list[int | None]]) -> float:
    """Return how many products make one number of what a node puts out."""
    if node.op_type in ("Conv", "FusedConv"):
        return _size((shapes.get(node.input[1]) or [None])[1:])
    if node.op_type in ("MatMul", "Gemm"):
        inner = (shapes.get(node.input[0]) or [None])[-1]
        return float(inner or 1)
    return 0.0


def _graphs(graph: Any) -> Iterator[Any]:
    """Yield a graph and those within its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner)


def _check_operators(model: Any) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    for graph in (g for top in (model.graph, *model.functions) for g in _graphs(top)):
        for node in graph.node:
            if node.domain not in DOMAINS and (node.domain, node.op_type) not in own:
                raise ValueError(
                    f"operator {node.domain}.{node.op_type} is not ONNX's own, and code for it is "
                    "not loaded; export the network with standard operators"
                )


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor with weights, wherever it stands."""
    for graph in (g for top in (model.graph, *model.functions) for g in _graphs(top)):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for attribute in (a for node in graph.node for a in node.attribute):
            yield from ([attribute.t] if attribute.HasField("t") else [])
            yield from attribute.tensors


def _outside(model: Any, folder: Path) -> Iterator[tuple[Any, Path]]:
    """Yield each tensor whose numbers lie in another file, and that file.

    Raises
    ------
    ValueError
        If it lies outside the folder.
    """
    for tensor in _tensors(model):
        if tensor.data_location != tensor.EXTERNAL:
            continue
        location = next((e.value for e in tensor.external_data if e.key == "location"), "")
        file = (folder / location).resolve()
        if (
            not location
            or Path(location).is_absolute()
            or not file.is_relative_to(folder.resolve())
        ):
            raise ValueError(
                f"its weights {tensor.name!r} lie in {location!r}, outside its own folder: put "
                "the file and its data into one folder"
            )
        if not file.is_file():
            raise ValueError(f"its weights {tensor.name!r} lie in {location!r}, which is not there")
        yield tensor, file


def _check_weights(model: Any, folder: Path) -> None:
    import onnx

    total = 0
    for tensor in _tensors(model):
        item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        size = math.prod(tensor.dims) * item
        total += size
        if min(tensor.dims, default=1) < 0 or size > MOST_BYTES:
            raise ValueError(
                f"its weights {tensor.name!r} claim {size / 1e9:.1f} GB, 2 is the most"
            )
    if total > MOST_BYTES:
        raise ValueError(f"its weights claim {total / 1e9:.1f} GB, 2 is the most")
    for tensor, file in _outside(model, folder):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        end = int(entries.get("offset", 0)) + math.prod(tensor.dims) * item
        if end > file.stat().st_size:
            raise ValueError(f"its weights {tensor.name!r} reach beyond the end of {file.name}")


def _with_input(model: Any) -> OnnxNetwork:
    """Find the one image input and say what it takes."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs) or "none"
        raise ValueError(f"it has {len(inputs)} inputs ({names}), expected one: the image")
    tensor = inputs[0].type.tensor_type
    shape: list[int | None] = [dim.dim_value or None for dim in tensor.shape.dim]
    what = f"its input {inputs[0].name!r} {[side or '?' for side in shape]}"
    if len(shape) != 4 or (shape[1] == 3) == (shape[3] == 3):
        raise ValueError(
            f"{what} is no image: expected (n, 3, height, width) or (n, height, width, 3)"
        )
    if tensor.elem_type not in INPUTS:
        raise ValueError(f"{what} takes no pixels: expected {', '.join(INPUTS.values())}")
    first = shape[1] == 3
    height, width = shape[2:] if first else shape[1:3]
    if height != width:
        raise ValueError(f"{what} is not square: headstart's images are")
    return OnnxNetwork(model, inputs[0].name, INPUTS[tensor.elem_type], first, height, shape[0])
