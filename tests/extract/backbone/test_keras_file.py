"""Keras files are backbones with a graph of their own; a hostile one is one line, and runs nothing."""

import json
import zipfile

import numpy as np
import pytest

from headstart.errors import WeightsError
from headstart.extract.backbone.backbones import backbone_of, tappable_layers
from headstart.extract.backbone.blocks import find_boundary, network_blocks
from headstart.extract.backbone.keras_file import build, load, read_facts
from headstart.extract.backbone.loading import load_keras
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from networks import plain_keras

# Keras' own, as it saves on NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What Keras' users save, three images, and what its classifier sees of them."""
    path, network = plain_keras(tmp_path_factory.mktemp("keras") / "plain.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    return path, pixels, network(pixels.astype(np.float32)).numpy()


def test_what_is_inside_a_network_inside_can_be_tapped_and_cut(plain):
    network = build(plain[0], None)
    assert {"low", "high", "drop"} <= set(tappable_layers(network))
    assert [block.name for block in network_blocks(network)][:2] == ["low", "high"]
    assert tappable_layers(network).index(find_boundary(network, "high")) > 1


def test_preprocessing_inside_is_seen_and_the_classifier_left_out(plain):
    facts = read_facts(plain[0], None)
    assert (facts.raw, facts.side, facts.layer, facts.channels("high")) == (True, 32, "drop", 6)
    assert facts.multiply_adds > 0


def test_its_features_are_those_of_the_users_own_model(plain, tmp_path):
    path, pixels, pooled = plain
    for layer in ("drop", "high"):
        recipe = Recipe(str(path), layers=(layer,))
        source = feature_source(recipe, Execution(cache=tmp_path, engine="tensorflow"))
        np.testing.assert_allclose(source.engine()(pixels), pooled, rtol=1e-5, atol=1e-6)


def test_a_spec_builds_its_network_with_other_weights_for_training_from_scratch(plain):
    row = backbone_of(feature_source(Recipe(str(plain[0]))).spec)
    loaded, built = row.load(plain[0]), row.build()
    assert [w.shape for w in loaded.weights] == [w.shape for w in built.weights]
    assert not np.allclose(loaded.get_layer("low").kernel, built.get_layer("low").kernel)


def saved(tmp_path, model):
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_a_lambda_layer_is_one_line_and_nothing_runs(tmp_path):
    keras = load_keras()
    images = keras.Input((32, 32, 3))
    path = saved(tmp_path, keras.Model(images, keras.layers.Lambda(lambda x: x * 2)(images)))
    for read in (load, build):
        with pytest.raises(WeightsError, match="it holds a Lambda layer, which can run code"):
            read(path, None)


def test_two_inputs_and_other_shapes_are_one_line(tmp_path):
    keras = load_keras()
    one, two = keras.Input((32, 32, 3), name="one"), keras.Input((32, 32, 3), name="two")
    path = saved(tmp_path, keras.Model([one, two], keras.layers.Add()([one, two])))
    with pytest.raises(WeightsError, match=r"it has 2 inputs \(one, two\), expected one"):
        build(path, None)
    grey = keras.Input((32, 32, 1))
    path = saved(tmp_path, keras.Model(grey, keras.layers.Flatten()(grey)))
    with pytest.raises(WeightsError, match=r"\(32, 32, 1\) is no square image"):
        build(path, None)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"class_name": "system", "module": "os", "config": {}}, r"it holds os\.system"),
        ({"class_name": "eval", "module": "builtins", "config": {}}, r"it holds builtins\.eval"),
        (["nothing"], "cannot be a backbone"),
    ],
)
def test_a_crafted_config_is_one_line(config, why, tmp_path):
    with zipfile.ZipFile(tmp_path / "crafted.keras", "w") as file:
        file.writestr("config.json", json.dumps(config))
    with pytest.raises(WeightsError, match=why) as raised:
        build(tmp_path / "crafted.keras", None)
    assert "\n" not in str(raised.value)


def test_a_file_that_would_grow_beyond_measure_is_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", " " * (8 << 20))
    with pytest.raises(WeightsError, match="it would grow to 8,388,608 bytes"):
        load(tmp_path / "bomb.keras", None)


def test_what_is_no_keras_file_is_one_line(tmp_path):
    (tmp_path / "text.keras").write_text("not a network")
    with pytest.raises(WeightsError, match=r"text\.keras cannot be a backbone: File is not a zip"):
        load(tmp_path / "text.keras", None)
