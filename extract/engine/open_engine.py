"""Batch of images to features, by TensorFlow or ONNX Runtime."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...cache.spec import FeatureSpec
from ...errors import EngineError, OptionError, unknown
from ..backbone.backbones import PIXELS, TOP, find_backbone, tappable_layers
from ..backbone.loading import load_keras, load_tensorflow
from .choose import Plan

POOLINGS = ("avg", "max", "avg+max", "flatten", "none")

# Keras' policy: variables stay float32, layers compute in the other type.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}

# Largest relative error of an image's features against TensorFlow in float32.
TOLERANCES = {"float32": 1e-4, "bfloat16": 1e-2, "float16": 1e-2}

Images = NDArray[np.uint8]  # (n, height, width, 3)
Features = NDArray[np.float32]  # (n, d)


class Engine(Protocol):
    """What runs the frozen backbone. Any number of threads may call it at once.

    Attributes
    ----------
    name : str
        ``"tensorflow"`` or ``"onnxruntime"``.
    device : str
        ``"cpu"`` or ``"gpu"``.
    widths : tuple of int
        Columns of each layer within one view, in the spec's order.
    notes : list of str
        What is worth telling about how it was made.
    """

    name: str
    device: str
    widths: tuple[int, ...]
    notes: list[str]

    def __call__(self, images: Images) -> Features:
        """Map images (n, height, width, 3), uint8 RGB, to features (n, d), float32."""
        ...


class TensorFlowEngine:
    """The reference: TensorFlow, on a GPU where it sees one.

    One call runs at a time: TensorFlow itself spreads it over all cores, and a
    GPU holds one batch. Callers decode their next batch meanwhile.

    Parameters
    ----------
    spec : FeatureSpec
        What to compute, and in which precision.
    weights : Path
        The backbone's weights file.
    """

    name = "tensorflow"

    def __init__(self, spec: FeatureSpec, weights: Path) -> None:
        tensorflow = load_tensorflow()
        model, self.widths = build_extractor(spec, weights)
        self._run = traced(model, spec)
        self._turn = threading.Lock()
        self.device = "gpu" if tensorflow.config.list_physical_devices("GPU") else "cpu"
        self.notes: list[str] = []

    def __call__(self, images: Images) -> Features:
        """Map images (n, height, width, 3), uint8 RGB, to features (n, d), float32."""
        with self._turn:
            features: Features = self._run(images).numpy()
        return features


class PixelEngine:
    """The layer below all layers: the pixels themselves, no network."""

    name = "decoder"
    device = "cpu"

    def __init__(self, spec: FeatureSpec) -> None:
        height, width = spec.input_size
        self.widths: tuple[int, ...] = (height * width * 3,)
        self.notes: list[str] = []

    def __call__(self, images: Images) -> Features:
        """Flatten images (n, height, width, 3) to (n, d), float32, 0 to 255."""
        return images.reshape(len(images), -1).astype(np.float32)


def open_engine(
    plan: Plan,
    spec: FeatureSpec,
    weights: Path,
    cache: Path,
    *,
    fixed: bool = False,
    announce: Callable[[str], None] = lambda line: None,
) -> Engine:
    """Return the planned engine.

    Parameters
    ----------
    plan : Plan
        From :func:`headstart.extract.engine.choose.choose`.
    spec : FeatureSpec
        What to compute.
    weights : Path
        The backbone's weights file.
    cache : Path
        Beside which exported networks are kept.
    fixed : bool
        Whether the user named the engine: then TensorFlow does not stand in.
    announce : callable
        Told, in a line, what will take a while.

    Raises
    ------
    EngineError
        If the engine cannot run this backbone or disagrees with TensorFlow.
    """
    if spec.layers == (PIXELS,):
        return PixelEngine(spec)
    if plan.engine == "tensorflow":
        return _tensorflow(spec, weights)
    from .onnx import kept_network, open_network

    try:
        if kept_network(spec, cache) is None:
            announce(f"exporting {spec.backbone} for ONNX Runtime: once, some 10 to 30 seconds")
        return open_network(spec, weights, cache)
    except EngineError as error:
        if fixed:
            raise
        engine = _tensorflow(spec, weights)
        engine.notes.append(f"{error}; TensorFlow serves instead")
        return engine


def _tensorflow(spec: FeatureSpec, weights: Path) -> TensorFlowEngine:
    engine = TensorFlowEngine(spec, weights)
    if spec.precision != "float32":
        images = probe_images(spec.input_size)
        reference = TensorFlowEngine(replace(spec, precision="float32"), weights)
        check_agreement("tensorflow", engine(images), reference(images), spec.precision)
    return engine


def build_extractor(spec: FeatureSpec, weights: Path) -> tuple[Any, tuple[int, ...]]:
    """Return the Keras model from uint8 images to features, preprocessing inside.

    Parameters
    ----------
    spec : FeatureSpec
        Names the backbone, layers, pooling and precision.
    weights : Path
        The backbone's weights file.

    Returns
    -------
    model : keras.Model
        (n, height, width, 3) uint8 to (n, d) float32; layers in the spec's
        order, each pooled.
    widths : tuple of int
        Columns of each layer; they add up to d.

    Raises
    ------
    OptionError
        If a layer or the pooling is unknown; the message lists the valid ones.
    WeightsError
        If the weights do not fit.
    """
    keras = load_keras()
    with computing_in(spec.precision):
        images, maps = _images_to_maps(spec, weights)
        pooled = [pool(keras, one, spec.pooling) for one in maps]
        features = pooled[0] if len(pooled) == 1 else keras.ops.concatenate(pooled, axis=-1)
        return keras.Model(images, features), tuple(int(one.shape[-1]) for one in pooled)


def build_mapper(spec: FeatureSpec, weights: Path) -> Any:
    """Return the Keras model from uint8 images to what :func:`build_extractor` would pool.

    Parameters
    ----------
    spec : FeatureSpec
        Names the backbone, layers and precision.
    weights : Path
        The backbone's weights file.

    Returns
    -------
    keras.Model
        (n, height, width, 3) uint8 to a list with one float32 tensor a layer:
        (n, height, width, channels) where the layer has a map.

    Raises
    ------
    OptionError
        If a layer is unknown; the message lists the valid ones.
    WeightsError
        If the weights do not fit.
    """
    keras = load_keras()
    with computing_in(spec.precision):
        images, maps = _images_to_maps(spec, weights)
        return keras.Model(images, [keras.ops.cast(one, "float32") for one in maps])


def _images_to_maps(spec: FeatureSpec, weights: Path) -> tuple[Any, list[Any]]:
    keras = load_keras()
    backbone = find_backbone(spec.backbone)
    network = backbone.load(weights)
    taps = keras.Model(network.inputs, [tap(network, name) for name in spec.layers])
    images = keras.Input((*spec.input_size, 3), dtype="uint8")
    scaled = backbone.preprocess(keras.ops.cast(images, "float32"))
    # training=False keeps batch norm on its ImageNet statistics.
    maps = taps(scaled, training=False)
    return images, maps if isinstance(maps, list) else [maps]


def tap(network: Any, layer: str) -> Any:
    """Return the output of a layer; ``top`` is the network's own.

    Raises
    ------
    OptionError
        If there is no such layer, or its name is not its own.
    """
    if layer == TOP:
        return network.outputs[0]
    valid = tappable_layers(network)
    if layer not in valid:
        raise unknown(f"layer of {network.name}", layer, [*valid, TOP])
    return network.get_layer(layer).output


def pool(keras: Any, maps: Any, pooling: str) -> Any:
    """Reduce maps (n, height, width, channels) to float32 vectors (n, d)."""
    ops = keras.ops
    maps = ops.cast(maps, "float32")
    if pooling not in POOLINGS:
        raise unknown("pooling", pooling, list(POOLINGS))
    if pooling in ("flatten", "none"):
        return ops.reshape(maps, (-1, int(np.prod(maps.shape[1:]))))
    if len(maps.shape) != 4:
        raise OptionError(f"--pooling {pooling} needs maps, a layer here gives {maps.shape[1:]}")
    reduce = {"avg": ops.mean, "max": ops.max}
    parts = [reduce[kind](maps, axis=(1, 2)) for kind in pooling.split("+")]
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


def traced(model: Any, spec: FeatureSpec) -> Any:
    """Return a ``tf.function`` of an extractor, for any number of images."""
    tensorflow = load_tensorflow()
    images = tensorflow.TensorSpec((None, *spec.input_size, 3), tensorflow.uint8, name="images")
    return tensorflow.function(lambda batch: model(batch, training=False), input_signature=[images])


def probe_images(size: tuple[int, int], count: int = 2) -> Images:
    """Return the images on which engines are compared: coloured noise at every scale.

    Parameters
    ----------
    size : tuple of int
        Height and width.
    count : int
        How many.

    Returns
    -------
    ndarray, shape (count, height, width, 3), uint8
    """
    height, width = size
    random = np.random.RandomState(0)  # whose numbers are frozen for ever (NEP 19)
    total = np.zeros((count, height, width, 3))
    for block in (1, 4, 16, 64):
        shape = (count, -(-height // block), -(-width // block), 3)
        coarse = random.randint(0, 256, shape)
        total += coarse.repeat(block, axis=1).repeat(block, axis=2)[:, :height, :width]
    return (total / 4).astype(np.uint8)


def check_agreement(engine: str, features: Features, reference: Features, precision: str) -> float:
    """Return the largest relative error of an image's features; refuse one that is too large.

    Parameters
    ----------
    engine : str
        For the message.
    features, reference : ndarray, shape (n, d)
        The engine's, and TensorFlow's in float32.
    precision : str
        Decides what is allowed: 1e-4 in float32, 1e-2 in reduced precision.

    Raises
    ------
    EngineError
        If the error is larger; the message has the figure.
    """
    error = relative_error(features, reference)
    allowed = TOLERANCES[precision]
    if not error <= allowed:  # NaN is no agreement
        raise EngineError(
            f"{engine} in {precision} differs from TensorFlow in float32 by {error:.2g} of the "
            f"features' length on {len(reference)} probe images (at most {allowed:g} is allowed): "
            "refused; use --precision float32 or another --engine"
        )
    return error


def relative_error(features: Features, reference: Features) -> float:
    """Return the largest ‖features − reference‖ / ‖reference‖ over the rows.

    Examples
    --------
    >>> relative_error(np.array([[3.0, 4.0]]), np.array([[3.0, 4.5]])).__round__(4)
    0.0925
    """
    if features.shape != reference.shape:
        return float("inf")
    difference = np.linalg.norm(features.astype(np.float64) - reference, axis=1)
    length = np.maximum(np.linalg.norm(reference.astype(np.float64), axis=1), 1e-12)
    return float((difference / length).max())


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Build what is built inside with this precision; its variables stay float32."""
    keras = load_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
