"""Batch norm that learns: a momentum that follows a few hundred steps, one fused operation."""

from __future__ import annotations

import functools
from typing import Any

from ...extract.backbone.loading import load_keras, load_tensorflow

MOMENTUM = 0.9  # Keras' 0.99 would still hold ImageNet's statistics after a short training


def normalises(network: Any) -> bool:
    """Tell whether a network has batch norm."""
    kind = load_keras().layers.BatchNormalization
    return any(isinstance(layer, kind) for layer in network.layers)


def with_learning_batch_norm(network: Any) -> Any:
    """Return a copy of a network, weights and names the same, whose batch norm can learn."""
    keras = load_keras()
    kind = _fused()

    def copied(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.BatchNormalization):
            return layer.__class__.from_config(layer.get_config())
        return kind.from_config({**layer.get_config(), "momentum": MOMENTUM})

    copy = keras.models.clone_model(network, clone_function=copied)
    copy.set_weights(network.get_weights())
    return copy


@functools.cache
def _fused() -> Any:
    keras, tensorflow = load_keras(), load_tensorflow()

    class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[name-defined]
        """Keras' layer, its training on maps by TensorFlow's fused operation.

        Keras 3 composes it of moments and products, which on a processor took a
        third of the time of a whole training step.
        """

        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            if not (training and self.trainable and len(inputs.shape) == 4):
                return super().call(inputs, training=training, mask=mask)
            cast = functools.partial(keras.ops.cast, dtype="float32")
            outputs, mean, variance, *_ = tensorflow.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=cast(self.gamma) if self.scale else keras.ops.ones_like(self.moving_mean),
                offset=cast(self.beta) if self.center else keras.ops.zeros_like(self.moving_mean),
                mean=[],
                variance=[],
                epsilon=self.epsilon,
                is_training=True,
            )
            for kept, seen in ((self.moving_mean, mean), (self.moving_variance, variance)):
                kept.assign(cast(kept) * self.momentum + seen * (1 - self.momentum))
            return outputs

    return BatchNormalization
