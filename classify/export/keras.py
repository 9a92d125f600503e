"""A Keras file: images of the backbone's input size to probabilities, layers that can be trained."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ExportError, ModelError
from ...extract.backbone.backbones import PIXELS
from ...extract.backbone.loading import load_keras
from ...extract.engine.network import build_extractor
from ...storage import replacing
from ..saved.head_model import Model
from ..saved.linear_layer import linear_layer
from ..saved.load import SavedModel
from .about import ABOUT, LABELS, About, labels_text
from .artefact import Classify, Format, Runtime, Writing, size_of
from .graph import INPUT, OUTPUTS
from .tflite import read_about


def write(writing: Writing, path: Path) -> int:
    """Write one functional model of Keras' own layers, preprocessing inside.

    Returns
    -------
    int
        Its bytes.

    Raises
    ------
    ExportError
        If the head is not one linear layer, or looks at more than one view.
    """
    keras, model = load_keras(), writing.model
    if model.spec.views != ("original",):
        raise ExportError("keras holds heads on one view: train on --views original")
    images = keras.Input((*model.spec.input_size, 3), dtype="uint8", name=INPUT)
    logits = _logits(keras, model, _features(keras, writing, images))
    whole = keras.Model(images, keras.layers.Softmax(name=OUTPUTS[0])(logits), name="headstart")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras' own, on NumPy 2
        whole.save(Path(folder, "whole.keras"))  # Keras wants the ending
        shutil.copyfile(Path(folder, "whole.keras"), path)
    return size_of(path)


def _features(keras: Any, writing: Writing, images: Any) -> Any:
    spec = writing.model.spec
    if spec.layers == (PIXELS,):
        return keras.layers.Flatten()(keras.ops.cast(images, "float32"))
    network, _ = build_extractor(replace(spec, precision="float32"), writing.graph.weights)
    return network(images)


def _logits(keras: Any, model: SavedModel, features: Any) -> Any:
    if not isinstance(model, Model):
        exact = replace(model, features=replace(model.features, precision="float32"))
        return exact.upper.model(features) / model.temperature
    try:
        kernel, bias = linear_layer(model.estimator)
    except ModelError as error:
        raise ExportError(f"{error}, which is all that keras holds: take --format onnx") from error
    power = model.estimator.estimator_["scale"].power
    if power != 1:
        features = keras.ops.sign(features) * keras.ops.power(keras.ops.abs(features), power)
    head = keras.layers.Dense(len(bias), name="head")
    logits = head(features)
    head.set_weights([kernel, bias])
    return logits


def annotate(path: Path, about: About) -> None:
    """Put class names, a line each, and the whole as JSON into the zip."""
    texts = {ABOUT: json.dumps(about, indent=1), LABELS: labels_text(about["classes"])}
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(path) as old,
        zipfile.ZipFile(temporary, "w") as new,
    ):
        for entry in old.infolist():
            if entry.filename not in texts:
                new.writestr(entry, old.read(entry))
        for name, text in texts.items():
            new.writestr(name, text)


def open_in_keras(path: Path) -> Classify:
    """Load it as a program without headstart does."""
    keras = load_keras()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(path, Path(folder, "whole.keras"))
        loaded = keras.saving.load_model(Path(folder, "whole.keras"), compile=False)

    def classify(images: Any) -> tuple[Any, Any]:
        probabilities = np.asarray(loaded(images, training=False))
        return probabilities, probabilities.argmax(axis=1)

    return classify


FORMAT = Format(
    "keras",
    ".keras",
    write,
    annotate,
    read_about,
    (Runtime("Keras", "keras", open_in_keras),),
    quantizes=False,
    fixed=True,
)
