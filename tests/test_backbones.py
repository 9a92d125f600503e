"""Backbones with their own preprocessing and weights that fit."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from headstart.errors import OptionError, WeightsError
from headstart.extract.backbones import BACKBONES, find_backbone, layer_before
from headstart.extract.engines import TensorFlowEngine
from headstart.extract.features import FeatureOptions, feature_source
from headstart.extract.pretrained import find_weights

VGG16 = Path(__file__).parents[2] / "shared" / "weights" / "vgg16_notop.weights.h5"
needs_vgg16 = pytest.mark.skipif(not VGG16.exists(), reason="VGG16 weights: ../shared is absent")


def waves():
    """Return one smooth, asymmetric, colourful image: (1, 224, 224, 3), uint8."""
    y, x = np.mgrid[0:224, 0:224] / 224
    channels = [np.sin(9 * x + 3 * y), np.cos(7 * y * y + x), np.sin(14 * x * y)]
    return (127.5 + 127.5 * np.stack(channels, axis=2)).astype(np.uint8)[None]


def engine(**options):
    source = feature_source(FeatureOptions(**options))
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


def test_the_freeze_boundary_lies_below_the_layer_and_its_padding():
    network = find_backbone("mobilenet").build()
    assert layer_before(network, "conv_dw_13") == "conv_pw_12_relu"
    assert layer_before(network, "conv_dw_12") == "conv_pw_11_relu"
    with pytest.raises(OptionError, match="unknown layer 'conv_dw_99'"):
        layer_before(network, "conv_dw_99")


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


def test_without_a_network_one_line_says_what_to_fetch_and_where_to_put_it(monkeypatch):
    def offline(*_args, **_kwargs):
        raise Exception("URL fetch failure: no network")  # noqa: TRY002 - as Keras does

    monkeypatch.setattr("keras.utils.get_file", offline)
    row = find_backbone("vgg16")
    with pytest.raises(WeightsError) as caught:
        find_weights("vgg16", row.imagenet)
    line = str(caught.value)
    assert "\n" not in line
    assert f"fetch {row.imagenet.url} elsewhere and put it at {row.imagenet.local()}" in line


def test_a_file_already_in_keras_cache_is_taken(tmp_path):
    row = find_backbone("vgg16")
    row.imagenet.local().parent.mkdir(parents=True)
    row.imagenet.local().write_bytes(b"weights")
    assert find_weights("vgg16", row.imagenet) == row.imagenet.local()


def test_a_named_file_must_exist():
    with pytest.raises(WeightsError, match="no weights file /nowhere"):
        find_weights("vgg16", find_backbone("vgg16").imagenet, "/nowhere")
