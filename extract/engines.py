"""Batch of images to features."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..cache.spec import FeatureSpec
from ..errors import unknown
from .backbones import find_backbone
from .tensorflow import load_keras, load_tensorflow


class Engine(Protocol):
    """What runs the frozen backbone.

    Attributes
    ----------
    name : str
        For print and JSON.
    """

    name: str

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map images (n, height, width, 3), uint8 RGB, to features (n, d), float32."""
        ...


POOLINGS = ("avg", "max", "avg+max", "flatten", "none")


def build_extractor(spec: FeatureSpec, weights: Path) -> Any:
    """Return the Keras model from uint8 images to features, preprocessing inside.

    Parameters
    ----------
    spec : FeatureSpec
        Names the backbone, layers and pooling.
    weights : Path
        The backbone's weights file.

    Returns
    -------
    keras.Model
        (n, height, width, 3) uint8 to (n, d) float32; layers in the spec's
        order, each pooled.

    Raises
    ------
    OptionError
        If a layer or the pooling is unknown; the message lists the valid ones.
    WeightsError
        If the weights do not fit.
    """
    keras = load_keras()
    backbone = find_backbone(spec.backbone)
    network = backbone.load(weights)
    names = [layer.name for layer in network.layers]
    for layer in spec.layers:
        if layer not in names:
            raise unknown(f"layer of {backbone.name}", layer, names)
    taps = keras.Model(network.inputs, [network.get_layer(name).output for name in spec.layers])
    images = keras.Input((*spec.input_size, 3), dtype="uint8")
    # training=False keeps batch norm on its ImageNet statistics.
    maps = taps(backbone.preprocess(keras.ops.cast(images, "float32")), training=False)
    maps = maps if isinstance(maps, list) else [maps]
    pooled = [part for one in maps for part in pool(keras, one, spec.pooling)]
    features = keras.ops.concatenate(pooled, axis=-1) if len(pooled) > 1 else pooled[0]
    return keras.Model(images, features)


def pool(keras: Any, maps: Any, pooling: str) -> list[Any]:
    """Reduce maps (n, height, width, channels) to vectors (n, d)."""
    ops = keras.ops
    if pooling not in POOLINGS:
        raise unknown("pooling", pooling, list(POOLINGS))
    if pooling in ("flatten", "none"):
        return [ops.reshape(maps, (-1, int(np.prod(maps.shape[1:]))))]
    reduce = {"avg": ops.mean, "max": ops.max}
    return [reduce[kind](maps, axis=(1, 2)) for kind in pooling.split("+")]


class TensorFlowEngine:
    """The reference: TensorFlow in float32, on a GPU where it sees one.

    Parameters
    ----------
    spec : FeatureSpec
        What to compute.
    weights : Path
        The backbone's weights file.
    """

    name = "tensorflow"

    def __init__(self, spec: FeatureSpec, weights: Path) -> None:
        tensorflow = load_tensorflow()
        model = build_extractor(spec, weights)
        images = tensorflow.TensorSpec((None, *spec.input_size, 3), tensorflow.uint8)
        self._run = tensorflow.function(
            lambda batch: model(batch, training=False), input_signature=[images]
        )
        self.device = "gpu" if tensorflow.config.list_physical_devices("GPU") else "cpu"

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map images (n, height, width, 3), uint8 RGB, to features (n, d), float32."""
        features: NDArray[np.float32] = self._run(images).numpy()
        return features
