"""The whole classifier as one TensorFlow function: photographs of any size to labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...cache.spec import FeatureSpec
from ...errors import ExportError
from ...extract.backbone.backbones import PIXELS
from ...extract.backbone.loading import load_tensorflow
from ...extract.decode.resize_rules import FILTER, find_rule
from ...extract.engine.network import build_extractor
from ...extract.engine.quantize import metadata_of
from ..saved.load import SavedModel
from ..saved.network_model import TunedModel
from .heads import is_native, scaled_features, scores
from .resize import resized

INPUT, OUTPUTS, FEATURES = "images", ("probabilities", "label_index"), "features"
ROWS = "rows"  # what a network in 8 bits gives the head
_VIEWS = {"original": lambda x: x, "flip": lambda x: x[:, :, ::-1]}


@dataclass(frozen=True)
class Below:
    """What lies below a head where the network is in 8 bits: ONNX, and no part of the graph."""

    run: Any  # `images` (n, height, width, 3), uint8, to (views x n, side, side, 3), uint8
    network: Path  # those to features (views x n, d), float32


@dataclass(frozen=True)
class Graph:
    """A classifier as a function of photographs."""

    # `images` (n, height, width, 3), uint8, or what the network below makes of them, to a dict:
    # `probabilities` (n, k), float32, and `label_index` (n,), int64; or, where the head
    # is of trees, `features` (n, d'), float32, which the trees take
    run: Any
    variables: list[Any]  # what it reads
    whole: bool  # whether the head is part of it
    weights: Path  # the backbone's file
    below: Below | None = None

    @property
    def concrete(self) -> Any:
        """The one trace."""
        return self.run.get_concrete_function()


def build_graph(model: SavedModel, weights: Path, *, fixed: bool = False) -> Graph:
    """Return resizing, preprocessing, backbone, scaler and head in one function, in float32.

    Parameters
    ----------
    model : Model or TunedModel
        Loaded.
    weights : Path
        The backbone's weights file.
    fixed : bool
        Take one image, at the backbone's input size, and return ``probabilities`` alone.

    Raises
    ------
    ExportError
        If the model looks at crops, which no network of this interface can cut, or its images
        are not resized by bilinear interpolation.
    WeightsError
        If the weights do not fit the backbone.
    """
    spec = model.spec
    if not _VIEWS.keys() >= set(spec.views):
        raise ExportError(
            f"a head on the views {', '.join(spec.views)} cannot be exported: crops are drawn "
            "from the file's digest, which pixels do not have; train on --views original or "
            "original,flip"
        )
    row = find_rule(spec.resize)
    if not fixed and row.filter != FILTER:
        raise ExportError(
            f"images of this network are resized by {row.filter.name.lower()} interpolation: only "
            "bilinear can be part of an exported one"
        )
    tf = load_tensorflow()
    head, more, whole = _head(model)

    def views(images: Any) -> list[Any]:
        side, rule = spec.input_size[0], spec.resize
        pixels = tf.cast(images, tf.float32) if fixed else resized(images, side, rule)
        pixels = tf.reshape(pixels, (-1, *spec.input_size, 3))
        return [_VIEWS[name](pixels) for name in spec.views]

    def label(features: Any) -> dict[str, Any]:
        if not whole:
            return {FEATURES: head(features)}
        probabilities = tf.nn.softmax(head(features))
        outputs = {OUTPUTS[0]: tf.identity(probabilities, OUTPUTS[0])}
        if not fixed:
            outputs[OUTPUTS[1]] = tf.argmax(
                probabilities, axis=1, output_type=tf.int64, name=OUTPUTS[1]
            )
        return outputs

    shape = (1, *spec.input_size, 3) if fixed else (None, None, None, 3)
    signature = [tf.TensorSpec(shape, tf.uint8, name=INPUT)]
    if spec.precision == "int8":
        pixels = lambda images: tf.cast(tf.concat(views(images), axis=0), tf.uint8)  # noqa: E731
        below = Below(tf.function(pixels, input_signature=signature), weights)
        width = sum(map(int, metadata_of(weights)["widths"].split()))

        def above(rows: Any) -> dict[str, Any]:
            by_view = tf.unstack(tf.reshape(rows, (len(spec.views), -1, width)))
            return label(tf.concat(by_view, axis=-1))

        rows = [tf.TensorSpec((None, width), tf.float32, name=ROWS)]
        return Graph(tf.function(above, input_signature=rows), more, whole, weights, below)
    extract, variables = _extractor(spec, weights)
    classify = lambda images: label(tf.concat([*map(extract, views(images))], axis=-1))  # noqa: E731
    return Graph(tf.function(classify, input_signature=signature), variables + more, whole, weights)


def _extractor(spec: FeatureSpec, weights: Path) -> tuple[Any, list[Any]]:
    tf = load_tensorflow()
    if spec.layers == (PIXELS,):
        return lambda pixels: tf.reshape(pixels, (-1, int(np.prod(pixels.shape[1:])))), []
    network, _ = build_extractor(replace(spec, precision="float32"), weights)
    return lambda pixels: network(pixels, training=False), _variables(network)


def _head(model: SavedModel) -> tuple[Any, list[Any], bool]:
    """Return what follows the features, its variables, and whether scores come out."""
    if isinstance(model, TunedModel):
        exact = replace(model, features=replace(model.features, precision="float32"))
        network = exact.upper.model
        temperature = np.float32(model.temperature)
        head = lambda features: network(features, training=False) / temperature  # noqa: E731
        return head, _variables(network), True
    estimator = model.estimator
    if not is_native(estimator):
        return lambda features: scaled_features(estimator, features), [], False
    return lambda features: scores(estimator, scaled_features(estimator, features)), [], True


def _variables(network: Any) -> list[Any]:
    return [weight.value for weight in network.weights]
