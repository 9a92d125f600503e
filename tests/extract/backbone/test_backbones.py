"""Backbones with their own preprocessing and weights that fit."""

import fcntl
import inspect
import re
import shutil
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

from headstart.errors import OptionError, WeightsError
from headstart.extract.backbone.backbones import (
    BACKBONES,
    TOP,
    describe_backbones,
    describe_layers,
    find_backbone,
    tappable_layers,
)
from headstart.extract.backbone.loading import load_keras
from headstart.extract.backbone.weights import find_weights
from headstart.extract.engine.network import build_extractor, tap
from headstart.extract.engine.tensorflow import TensorFlowEngine
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source

VGG16 = Path(__file__).parents[4] / "shared" / "weights" / "vgg16_notop.weights.h5"
needs_vgg16 = pytest.mark.skipif(not VGG16.exists(), reason="VGG16 weights: ../shared is absent")


def waves():
    """Return one smooth, asymmetric, colourful image: (1, 224, 224, 3), uint8."""
    y, x = np.mgrid[0:224, 0:224] / 224
    channels = [np.sin(9 * x + 3 * y), np.cos(7 * y * y + x), np.sin(14 * x * y)]
    return (127.5 + 127.5 * np.stack(channels, axis=2)).astype(np.uint8)[None]


def engine(**options):
    source = feature_source(Recipe(**options))
    return TensorFlowEngine(source.spec, source.weights)


@pytest.fixture(scope="module")
def mobilenet():
    return engine()


# Of the waves: where the strongest five features are, their values, mean and deviation of all.
MOBILENET = (
    [140, 618, 540, 217, 493],
    [5.87682, 5.78506, 5.72292, 5.48865, 5.39803],
    [0.338503, 0.809802],
)
VGG = (
    [502, 298, 55, 134, 321],
    [41.72906, 27.84129, 14.19822, 13.92486, 13.76379],
    [0.960058, 2.999398],
)


def test_mobilenet_gives_its_golden_features(mobilenet):
    features = mobilenet(waves())[0]
    assert features.shape == (1024,)
    strongest = np.argsort(-features)[:5]
    assert strongest.tolist() == MOBILENET[0]
    np.testing.assert_allclose(features[strongest], MOBILENET[1], rtol=1e-3)
    np.testing.assert_allclose([features.mean(), features.std()], MOBILENET[2], rtol=1e-3)


@needs_vgg16
def test_vgg16_gives_its_golden_features():
    features = engine(backbone="vgg16", weights=str(VGG16))(waves())[0]
    assert features.shape == (512,)
    strongest = np.argsort(-features)[:5]
    assert strongest.tolist() == VGG[0]
    np.testing.assert_allclose(features[strongest], VGG[1], rtol=1e-3)
    np.testing.assert_allclose([features.mean(), features.std()], VGG[2], rtol=1e-3)


def test_preprocessing_is_each_papers_own():
    pixels = waves().astype(np.float32)
    scaled = np.asarray(BACKBONES["mobilenet"].preprocess(pixels.copy()))
    np.testing.assert_allclose(scaled, pixels / 127.5 - 1, atol=1e-6)
    centred = np.asarray(BACKBONES["vgg16"].preprocess(pixels.copy()))
    means = np.array([103.939, 116.779, 123.68], dtype=np.float32)
    np.testing.assert_allclose(centred, pixels[..., ::-1] - means, atol=1e-4)


def test_an_images_features_do_not_depend_on_its_batch(mobilenet):
    others = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    together = mobilenet(np.concatenate([waves(), others]))[0]
    np.testing.assert_allclose(together, mobilenet(waves())[0], rtol=1e-4, atol=1e-5)


def test_layers_and_poolings_stand_in_the_order_asked_for():
    both = engine(layers=("conv_pw_11_relu", "conv_pw_13_relu"), pooling="avg+max")(waves())[0]
    plain = engine()(waves())[0]
    assert both.shape == (2 * 512 + 2 * 1024,)
    np.testing.assert_allclose(both[1024:2048], plain, rtol=1e-5)


def test_an_unknown_backbone_lists_the_valid_ones():
    with pytest.raises(OptionError, match=r"unknown backbone 'vgg61'; did you mean 'vgg19'\?"):
        find_backbone("vgg61")


def test_weights_of_another_shape_are_refused_by_name_and_shape(tmp_path):
    path = tmp_path / "other.weights.h5"
    path.write_bytes(find_backbone("mobilenet").imagenet.local().read_bytes())
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 16), np.float32)
    message = r"do not fit mobilenet: layer 'conv1' expects \(3, 3, 3, 32\), .* \(3, 3, 3, 16\)"
    with pytest.raises(WeightsError, match=message):
        find_backbone("mobilenet").load(path)


def test_weights_on_a_disk_that_refuses_locks_are_read_all_the_same(tmp_path):
    weights = find_backbone("mobilenet").imagenet.local()
    path = Path(shutil.copy(weights, tmp_path))
    with open(path, "rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="unable to lock file"):
            h5py.File(path, "r")
        loaded = find_backbone("mobilenet").load(path)
    with h5py.File(weights, "r") as file:
        np.testing.assert_array_equal(
            loaded.get_layer("conv1").get_weights()[0], file["layers/conv2d/vars/0"][...]
        )


def test_keras_2_files_load_and_misfits_among_them_are_named(tmp_path):
    network = find_backbone("mobilenet").build()
    path = tmp_path / "legacy.h5"
    with h5py.File(path, "w") as file:
        layers = [layer for layer in network.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{i}" for i in range(len(layer.weights))]
            group.attrs["weight_names"] = names
            for name, weight in zip(names, layer.get_weights(), strict=True):
                group[name] = weight
    loaded = find_backbone("mobilenet").load(path)
    np.testing.assert_array_equal(loaded.get_weights()[5], network.get_weights()[5])
    with pytest.raises(WeightsError, match="do not fit vgg16: layer 'block1_conv1' expects"):
        find_backbone("vgg16").load(path)


def test_a_file_that_holds_no_weights_is_refused(tmp_path):
    path = tmp_path / "text.h5"
    path.write_text("hello")
    with pytest.raises(WeightsError, match="is not a Keras weights file in HDF5"):
        find_backbone("mobilenet").load(path)


def test_a_named_file_must_exist():
    with pytest.raises(WeightsError, match="no weights file /nowhere"):
        find_weights("vgg16", find_backbone("vgg16").imagenet, "/nowhere")


def test_top_is_the_networks_output_whatever_its_layer_is_called():
    spec = feature_source().spec
    weights = find_backbone("mobilenet").imagenet.local()
    model, widths = build_extractor(replace(spec, layers=(TOP,)), weights)
    assert (model.output_shape, widths) == ((None, 1024), (1024,))


def test_layers_that_keras_numbers_as_it_goes_cannot_be_tapped():
    network = find_backbone("mobilenetv3small").build()
    assert any(layer.name.startswith("activation") for layer in network.layers)
    names = tappable_layers(network)
    assert "expanded_conv_2_project" in names
    assert not [name for name in names if name.startswith("activation")]
    with pytest.raises(OptionError, match=r"unknown layer of .* 'activation'; .*valid: .*top"):
        tap(network, "activation")


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, when it saves
@pytest.mark.parametrize(
    "name", ["mobilenetv3small", pytest.param("efficientnetb0", marks=pytest.mark.slow)]
)
def test_any_keras_model_runs_from_a_weights_file(name, tmp_path):
    row = find_backbone(name)
    network = row.build()
    network.save_weights(tmp_path / "any.weights.h5")
    weights = str(tmp_path / "any.weights.h5")
    source = feature_source(Recipe(name, weights), Execution(cache=tmp_path))
    features = source.engine()(waves().repeat(2, axis=0))
    assert features.shape == (2, row.dimension)
    image = row.preprocess(waves().astype(np.float32))
    expected = np.asarray(network(image, training=False)).mean(axis=(1, 2))
    np.testing.assert_allclose(features[:1], expected, rtol=1e-3, atol=1e-5)


def test_the_list_of_backbones_says_where_weights_are():
    rows = {row["name"]: row for row in describe_backbones()}
    assert rows["mobilenet"]["weights"] == "bundled"
    assert rows["vgg16"]["weights"] == "to download"
    assert rows["resnet50"]["dimension"] == 2048
    layers = {row["name"]: row["shape"] for row in describe_layers("vgg16")}
    assert layers["block4_pool"] == [14, 14, 512]


@pytest.mark.slow
def test_the_table_has_every_model_of_keras_with_its_own_download(monkeypatch):
    keras = load_keras()
    builders = {
        name: function
        for name, function in vars(keras.applications).items()
        if inspect.isfunction(function)
    }
    assert {row.builder for row in BACKBONES.values()} == set(builders)
    for row in BACKBONES.values():
        if row.imagenet.bundled is not None:
            continue
        asked = []

        def record(file, url, asked=asked, **options):
            asked.append((file, url, options.get("file_hash")))
            raise InterruptedError

        file_utils = sys.modules["keras.src.utils.file_utils"]
        monkeypatch.setattr(file_utils, "get_file", record)
        with pytest.raises(InterruptedError):
            builders[row.builder](include_top=False, input_shape=(*row.input_size, 3))
        assert asked == [(row.imagenet.file, row.imagenet.url, row.imagenet.checksum)], row.name
        monkeypatch.undo()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_table_has_every_models_own_figures():
    for row in BACKBONES.values():
        network = row.build()
        output = network.outputs[0]
        assert output.shape[-1] == row.dimension, row.name
        assert round(network.count_params() / 1e6, 1) == row.parameters, row.name
        if row.layer != TOP:
            assert tap(network, row.layer) is output, row.name
        sizes = [np.prod(layer.output.shape[1:]) for layer in network.layers]
        largest = max(a + b for a, b in pairwise(sizes))
        assert row.activation_mb == max(1, round(largest * 4 / 2**20)), row.name
        assert row.multiply_adds == float(f"{multiply_adds(network) / 1e9:.3g}"), row.name


def multiply_adds(network):
    """Count those of the layers that have kernels, networks within included."""
    total = 0
    for layer in network.layers:
        if hasattr(layer, "layers"):
            total += multiply_adds(layer)
        places = np.prod(layer.output.shape[1:-1]) if hasattr(layer.output, "shape") else 0
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            total += int(places * np.prod(getattr(layer, name, np.empty(0)).shape))
    return total


def test_a_network_takes_other_sizes_where_its_weights_know_none():
    row = find_backbone("mobilenet")
    assert row.sized(224) is row
    small = row.sized(96)
    assert small.build().input_shape == (None, 96, 96, 3)
    assert small.multiply_adds == pytest.approx(row.multiply_adds * (96 / 224) ** 2)
    with pytest.raises(OptionError, match="--input-size 100: mobilenet takes 64, 96, 128"):
        row.sized(100)
    with pytest.raises(OptionError, match="--input-size 96: resnet50 takes 224"):
        find_backbone("resnet50").sized(96)


def test_the_size_is_part_of_the_spec_and_its_default_moves_no_id(tmp_path):
    plain, own, small = (
        feature_source(Recipe(input_size=size), Execution(cache=tmp_path)).spec
        for size in (None, 224, 96)
    )
    assert plain.id == own.id
    assert small.input_size == (96, 96)
    assert small.id != plain.id


FAMILIES = {row.module: row.name for row in reversed(BACKBONES.values())}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if module == "efficientnet" else pytest.mark.slow)
        for module, name in FAMILIES.items()
    ],
)
def test_each_familys_graph_is_the_one_that_keras_builds_for_its_weights(name, monkeypatch):
    keras = load_keras()
    row = find_backbone(name)
    downloads = sys.modules["keras.src.utils.file_utils"]
    monkeypatch.setattr(downloads, "get_file", lambda *args, **kwargs: "weights.h5")
    monkeypatch.setattr(keras.Model, "load_weights", lambda *args, **kwargs: None)
    build = getattr(keras.applications, row.builder)
    theirs = build(include_top=False, weights="imagenet", input_shape=(*row.input_size, 3))
    ours = row.build()
    numbered = re.compile(r"_\d+$")

    def graph(network):
        return [
            (type(layer).__name__, numbered.sub("", layer.name), layer.output.shape)
            for layer in network.layers[1:]
        ]

    assert graph(ours) == graph(theirs)
    images = np.random.default_rng(0).uniform(0, 255, (1, *row.input_size, 3)).astype(np.float32)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(images), theirs(images), rtol=1e-3, atol=1e-4)
