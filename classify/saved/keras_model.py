"""A saved classifier as one Keras model, from images to probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ModelError
from .head_model import Model
from .linear_layer import linear_layer
from .network_model import TunedModel


def assemble(model: Model | TunedModel, weights: Path) -> Any:
    """Return one Keras model from images to probabilities.

    Parameters
    ----------
    model : Model or TunedModel
        With a linear head, or fine-tuned.
    weights : Path
        The backbone's weights file.

    Returns
    -------
    keras.Model
        (n, height, width, 3) uint8 to (n, k) float32.
    """
    from ...extract.backbone.loading import load_keras
    from ...extract.engine.network import build_extractor

    keras = load_keras()
    extractor, _ = build_extractor(model.spec, weights)
    images = keras.Input(extractor.input_shape[1:], dtype="uint8")
    if isinstance(model, TunedModel):
        logits = model.upper.model(extractor(images))
        return keras.Model(images, keras.ops.softmax(logits / model.temperature))
    kernel, bias = linear_layer(model.estimator)
    power = model.estimator.estimator_["scale"].power
    mirrored = {"original": lambda x: x, "flip": lambda x: x[:, :, ::-1]}
    if not mirrored.keys() >= set(model.spec.views):
        raise ModelError(
            f"a head on the views {', '.join(model.spec.views)} is no single network: crops are "
            "cut before the image is resized; train on --views original or original,flip"
        )
    views = [extractor(mirrored[name](images)) for name in model.spec.views]
    features = views[0] if len(views) == 1 else keras.ops.mean(keras.ops.stack(views), axis=0)
    raised = keras.ops.sign(features) * keras.ops.power(keras.ops.abs(features), power)
    top = keras.layers.Dense(len(model.classes), activation="softmax")
    whole = keras.Model(images, top(raised))
    top.set_weights([kernel, bias])
    return whole
