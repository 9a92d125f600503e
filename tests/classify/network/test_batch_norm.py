"""Batch norm that learns computes what Keras' own does, and follows quickly."""

import numpy as np
import pytest

from headstart.classify.network.batch_norm import MOMENTUM, normalises, with_learning_batch_norm
from headstart.extract.backbone.loading import load_keras


@pytest.fixture
def network():
    keras = load_keras()
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    return keras.Model(inputs, keras.layers.BatchNormalization(name="conv_bn")(maps))


def test_a_copy_has_the_same_names_weights_and_outputs(network):
    copy = with_learning_batch_norm(network)
    images = np.random.default_rng(0).normal(size=(5, 8, 8, 3)).astype(np.float32)
    assert [layer.name for layer in copy.layers[1:]] == ["conv", "conv_bn"]
    np.testing.assert_allclose(copy(images), network(images), rtol=1e-5)
    assert type(copy.layers[-1]).__name__ == type(network.layers[-1]).__name__


def test_training_normalises_by_the_batch_and_remembers_it(network):
    copy = with_learning_batch_norm(network)
    images = np.random.default_rng(0).normal(size=(5, 8, 8, 3)).astype(np.float32)
    before = [np.asarray(weight) for weight in copy.layers[-1].non_trainable_variables]
    maps = np.asarray(copy.layers[1](images))
    np.testing.assert_allclose(
        copy(images, training=True), network(images, training=True), rtol=1e-3, atol=1e-4
    )
    for old, new, seen in zip(
        before,
        copy.layers[-1].non_trainable_variables,
        (maps.mean(axis=(0, 1, 2)), maps.var(axis=(0, 1, 2), ddof=1)),
        strict=True,
    ):
        np.testing.assert_allclose(new, MOMENTUM * old + (1 - MOMENTUM) * seen, rtol=1e-3)


def test_networks_without_it_are_known(network):
    keras = load_keras()
    assert normalises(network)
    assert not normalises(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
