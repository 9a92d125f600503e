"""Whole Keras models as backbones: read in safe mode, one image in, nested networks laid open.

A network inside a network (as transfer learning builds them) is one layer to Keras, which could
be tapped and cut nowhere. So its layers are put where it stood; likewise the blocks of encoders
that are one layer (:data:`UNROLLED`).
"""

from __future__ import annotations

import inspect
import json
import math
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...errors import WeightsError, first_line
from .backbone import IN_FILE
from .facts import Facts
from .loading import load_keras

# Layers that run code, or read files, that a model file names.
REFUSED = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer", "__lambda__")
BUILTINS = ("slice", "dict", "list", "tuple", "NoneType", "ellipsis")
MOST_INFLATED = 32  # times the file's size; weights hardly shrink
# Operations on pixels that come before the first weights: preprocessing inside the network.
INSIDE = ("Rescaling", "Normalization", "TrueDivide", "Divide", "Multiply", "Subtract", "Add")

# Encoders that are one layer to Keras: the layers that they call, one after the other.
UNROLLED: dict[str, Callable[[Any], list[Any]]] = {
    "ViTEncoder": lambda layer: [layer.dropout, *layer.encoder_layers, layer.layer_norm],
    "DINOV2Encoder": lambda layer: list(layer.layers),
}


def build(path: Path, side: int | None) -> Any:
    """Return the network of a file, randomly initialised, for images of a side.

    Raises
    ------
    WeightsError
        If the file is not a Keras model of one image, or holds code.
    """
    keras, config = load_keras(), _config(path)
    return reading(path, lambda: flattened(keras.saving.deserialize_keras_object(config), side))


def load(path: Path, side: int | None) -> Any:
    """Return the network of a file with its weights, for images of a side; see :func:`build`."""
    keras = load_keras()
    _config(path)

    def read() -> Any:
        return flattened(keras.saving.load_model(path, compile=False, safe_mode=True), side)

    return reading(path, read)


def read_facts(path: Path, side: int | None) -> Facts:
    """Return what can be told of the network of a file; see :func:`build`."""
    return describe(build(path, side))


def flattened(network: Any, side: int | None) -> Any:
    """Return a copy of a network for float images (side, side, 3), its inner networks laid open.

    It ends where features are tapped by default: a classifier on top (a softmax of one dense
    layer) is left out.

    Raises
    ------
    ValueError
        If it does not take one image.
    """
    keras = load_keras()
    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise ValueError(f"{type(network).__name__} has no graph: only functional models have one")
    if len(network.inputs) != 1:
        names = ", ".join(tensor.name for tensor in network.inputs)
        raise ValueError(f"it has {len(network.inputs)} inputs ({names}), expected one: the image")
    shape = tuple(network.inputs[0].shape[1:])
    if len(shape) != 3 or shape[2] != 3 or shape[0] != shape[1]:
        raise ValueError(f"its input {shape} is no square image (side, side, 3)")
    images = keras.Input((shape[0] or side, shape[1] or side, 3), dtype="float32", name="images")
    entry = network.input
    given = images if not isinstance(entry, dict | list) else type(entry)()
    if isinstance(entry, dict):
        given = dict.fromkeys(entry, images)
    elif isinstance(entry, list):
        given = [images]
    outputs = _Copier(keras).through(network, given)
    whole = keras.Model(images, keras.tree.flatten(outputs)[0])
    features = whole.get_layer(_features(whole)).output
    return keras.Model(images, keras.tree.flatten(features)[0], name=IN_FILE)


class _Copier:
    """Calls copies of layers, so that each has one place in one graph."""

    def __init__(self, keras: Any) -> None:
        self._keras = keras
        self._copies: dict[int, Any] = {}
        self._names: set[str] = {"images"}

    def through(self, network: Any, inputs: Any) -> Any:
        """Return what a network makes of its inputs, layer by layer."""
        if isinstance(network, self._keras.Sequential):
            for layer in network.layers:
                inputs = self._call(layer, inputs)
            return inputs
        # Keras' own way to walk a graph, which its clone_model takes, too.
        return network._run_through_graph(  # noqa: SLF001
            inputs, operation_fn=lambda layer: layer, call_fn=self._call
        )

    def _call(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, self._keras.Sequential) or hasattr(layer, "_run_through_graph"):
            return self.through(layer, args[0])
        if type(layer).__name__ in UNROLLED:
            return self._unrolled(layer, args[0])
        if id(layer) in self._copies:
            return self._copies[id(layer)](*args, **kwargs)
        copy = self._copies[id(layer)] = self._copied(layer)
        outputs = copy(*args, **kwargs)
        if getattr(layer, "weights", None):
            copy.set_weights(layer.get_weights())
        return outputs

    def _unrolled(self, layer: Any, tokens: Any) -> Any:
        between = {}
        for number, block in enumerate(UNROLLED[type(layer).__name__](layer), 1):
            tokens = self._call(block, tokens)
            between[f"stage{number}"] = tokens
        return (tokens, between) if isinstance(layer.output, tuple | list) else tokens

    def _copied(self, layer: Any) -> Any:
        """Return an unbuilt copy, named as it was where that name is free."""
        name, number = layer.name, 1
        while name in self._names:
            number += 1
            name = f"{layer.name}_{number}"
        self._names.add(name)
        config = {**layer.get_config(), "name": name}
        if type(layer).__module__.startswith("keras_hub"):  # says more than its layers take
            taken = {*inspect.signature(type(layer)).parameters, "name", "dtype", "trainable"}
            config = {key: value for key, value in config.items() if key in taken}
        return type(layer).from_config(config)


def describe(network: Any) -> Facts:
    """Return what can be told of a flattened network."""
    side = network.input_shape[1]
    operations = list(network.operations)
    largest = max((a + b for a, b in pairwise(map(numbers, operations))), default=0.0)
    layers = [
        {"name": layer.name, "kind": type(layer).__name__, "shape": _shape(layer)}
        for layer in network.layers[1:]
    ]
    return Facts(
        side=side,
        raw=_prepares_pixels(operations),
        layer=network.layers[-1].name,
        parameters=network.count_params() / 1e6,
        activation_mb=max(1, round(4 * largest / 2**20)),
        multiply_adds=sum(map(multiply_adds, operations)) / 1e9,
        layers=layers,
    )


def multiply_adds(operation: Any) -> float:
    """Return the products that a layer takes for one image: its kernels at each place."""
    kernels = (w.shape for w in getattr(operation, "weights", ()) if len(w.shape) > 1)
    places = math.prod(side or 1 for side in _shape(operation)[:-1])
    return float(places * sum(map(math.prod, kernels)))


def numbers(operation: Any) -> float:
    """Return how many numbers a layer puts out for one image."""
    return float(math.prod(side or 1 for side in _shape(operation)))


def _shape(operation: Any) -> list[int | None]:
    """Return the shape of a layer's first output, without the batch."""
    return list(load_keras().tree.flatten(operation.output)[0].shape[1:])


def _prepares_pixels(operations: list[Any]) -> bool:
    for operation in operations:
        if type(operation).__name__ in INSIDE:
            return True
        if getattr(operation, "weights", None):
            return False
    return False


def _features(network: Any) -> str:
    """Return the layer whose output is the network's, or feeds its classifier."""
    operations, flatten = list(network.operations), load_keras().tree.flatten
    made_by = {id(out): op for op in operations for out in flatten(op.output)}

    def before(operation: Any) -> Any:
        """Return what feeds an operation: of several, the one that comes last."""
        fed = [made_by[id(tensor)] for tensor in flatten(operation.input)]
        return max(fed, key=operations.index)

    operation = made_by[id(network.outputs[0])]
    dense = [op for op in operations if getattr(op, "weights", None)][-1]
    ending = operations[operations.index(dense) :]
    if type(dense).__name__ == "Dense" and any(map(_is_softmax, ending)):
        operation = before(dense)
    named = {layer.name for layer in network.layers}
    while operation.name not in named:
        operation = before(operation)
    return str(operation.name)


def _is_softmax(operation: Any) -> bool:
    activation = getattr(getattr(operation, "activation", None), "__name__", "")
    return "softmax" in (activation, type(operation).__name__.lower()) or activation == "sigmoid"


def reading(path: Path | str, read: Callable[[], Any]) -> Any:
    """Return what is read of a file; whatever goes wrong is one line.

    Raises
    ------
    WeightsError
        Naming the file.
    """
    try:
        return read()
    except Exception as error:  # Keras raises whatever a config leads it to
        raise WeightsError(f"{path} cannot be a backbone: {first_line(error)}") from error


def _config(path: Path) -> dict[str, Any]:
    """Return a file's config, checked before Keras sees it: Keras' own classes alone, no code."""

    def read() -> dict[str, Any]:
        with zipfile.ZipFile(path) as file:
            inflated = sum(info.file_size for info in file.infolist())
            if inflated > MOST_INFLATED * path.stat().st_size:
                raise ValueError(f"it would grow to {inflated:,} bytes")
            config: dict[str, Any] = json.loads(file.read("config.json"))
        check_classes(config)
        return config

    checked: dict[str, Any] = reading(path, read)
    return checked


def check_classes(config: Any, modules: tuple[str, ...] = ("keras",)) -> None:
    """Refuse a config with what is not a class of these packages, or could run code.

    Raises
    ------
    ValueError
        Naming it.
    """
    for part in _parts(config):
        name, module = part["class_name"], part.get("module") or "keras"
        if name in REFUSED:
            raise ValueError(f"it holds a {name} layer, which can run code: headstart loads none")
        own = name in BUILTINS if module == "builtins" else module.partition(".")[0] in modules
        if not own:
            raise ValueError(
                f"it holds {module}.{name}, which is not Keras' own: headstart loads none"
            )


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object that a config describes."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config
        for value in config.values():
            yield from _parts(value)
    elif isinstance(config, list):
        for value in config:
            yield from _parts(value)
