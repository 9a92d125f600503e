"""The Keras network that a spec asks for, tapped and pooled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...cache.spec import FeatureSpec
from ...errors import EngineError, unknown
from ..backbone.backbones import TOP, backbone_of, tappable_layers
from ..backbone.loading import load_keras, load_tensorflow
from .engine import check_pooling

# Keras' policy: variables stay float32, layers compute in the other type.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


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
        pooled = [pool(keras, layer_maps, spec.pooling) for layer_maps in maps]
        features = pooled[0] if len(pooled) == 1 else keras.ops.concatenate(pooled, axis=-1)
        return keras.Model(images, features), tuple(
            int(layer_maps.shape[-1]) for layer_maps in pooled
        )


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
        return keras.Model(images, [keras.ops.cast(output, "float32") for output in maps])


def _images_to_maps(spec: FeatureSpec, weights: Path) -> tuple[Any, list[Any]]:
    if spec.precision == "int8":
        raise EngineError(
            f"{spec.backbone} in 8 bits only runs: there is no Keras graph to train or to take apart"
        )
    keras = load_keras()
    backbone = backbone_of(spec, weights)
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
    """Reduce maps (n, height, width, channels) or tokens (n, tokens, d) to float32 vectors (n, d).

    Vectors stay what they are.
    """
    ops = keras.ops
    maps = ops.cast(maps, "float32")
    check_pooling(pooling, maps.shape)
    if pooling in ("flatten", "none"):
        return ops.reshape(maps, (-1, int(np.prod(maps.shape[1:]))))
    if len(maps.shape) == 2:
        return maps
    if pooling == "cls":
        return maps[:, 0]
    reduce = {"avg": ops.mean, "mean": ops.mean, "max": ops.max}
    places = tuple(range(1, len(maps.shape) - 1))
    parts = [reduce[kind](maps, axis=places) for kind in pooling.split("+")]
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


def traced(model: Any, spec: FeatureSpec) -> Any:
    """Return a ``tf.function`` of an extractor, for any number of images."""
    tensorflow = load_tensorflow()
    images = tensorflow.TensorSpec((None, *spec.input_size, 3), tensorflow.uint8, name="images")
    return tensorflow.function(lambda batch: model(batch, training=False), input_signature=[images])


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
