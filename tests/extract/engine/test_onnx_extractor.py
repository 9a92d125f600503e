"""An ONNX file with preprocessing, taps and pooling around it computes what it should."""

import numpy as np
import onnx
import pytest

from headstart.errors import EngineError, OptionError
from headstart.extract.backbone.loading import load_tensorflow
from headstart.extract.backbone.preprocessing import Declared
from headstart.extract.engine.agreement import probe_images, relative_error
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from networks import tiny_onnx

DECLARED = Declared(mean="0.5", std="0.25,0.5,1", scale="1/255", channels="bgr")


def assert_near(features, others):
    np.testing.assert_allclose(features, others, rtol=1e-4, atol=1e-5)


@pytest.fixture
def features(tmp_path):
    """Return the features of some images by a file."""

    def compute(path, declared=DECLARED, count=3, **recipe):
        execution = Execution(cache=tmp_path / "cache")
        source = feature_source(Recipe(str(path), declared=declared, **recipe), execution)
        return source.engine()(probe_images(source.spec.input_size, count))

    return compute


def test_channels_first_and_last_are_one_network(features, tmp_path):
    first = tiny_onnx(tmp_path / "first.onnx")
    last = tiny_onnx(tmp_path / "last.onnx", first=False)
    for pooling in ("avg", "max", "avg+max", "flatten", "none"):
        assert_near(features(first, pooling=pooling), features(last, pooling=pooling))


def test_a_layer_is_what_the_graph_computes_of_prepared_pixels(features, tmp_path):
    path = tiny_onnx(tmp_path / "tiny.onnx")
    kernel = onnx.numpy_helper.to_array(onnx.load(path).graph.initializer[0])
    pixels = probe_images((32, 32), 3)[..., ::-1] / 255
    prepared = ((pixels - 0.5) / [0.25, 0.5, 1]).reshape(3, 8, 4, 8, 4, 3)
    maps = np.maximum(np.einsum("nyaxbc,dcab->nyxd", prepared, kernel), 0)
    assert_near(features(path), maps.mean(axis=(1, 2)))
    assert_near(features(path, pooling="flatten"), maps.reshape(3, -1))
    tokens = maps.reshape(3, 64, 6)
    assert_near(features(path, layers=("tokens",), pooling="cls"), tokens[:, 0])
    assert_near(features(path, layers=("tokens",), pooling="mean"), tokens.mean(axis=1))
    both = features(path, layers=("vector", "activation"))
    assert_near(both, np.tile(maps.mean(axis=(1, 2)), 2))


def test_a_fixed_batch_takes_any_number_of_images(features, tmp_path):
    free = features(tiny_onnx(tmp_path / "free.onnx"), count=5)
    assert_near(features(tiny_onnx(tmp_path / "two.onnx", batch=2), count=5), free)
    assert_near(features(tiny_onnx(tmp_path / "one.onnx", batch=1), count=5), free)


def test_bytes_go_in_as_they_are(features, tmp_path):
    path = tiny_onnx(tmp_path / "bytes.onnx", kind="uint8", first=False)
    raw = Declared(mean="0", std="1", scale="1", channels="rgb")
    plain = tiny_onnx(tmp_path / "floats.onnx")
    assert_near(features(path, declared=None), features(plain, declared=raw))


def test_pooling_that_does_not_go_with_a_layer_is_one_line(features, tmp_path):
    path = tiny_onnx(tmp_path / "tiny.onnx")
    with pytest.raises(OptionError, match=r"avg does not go .* gives 64 x 6: take cls or mean or"):
        features(path, layers=("tokens",))
    with pytest.raises(OptionError, match="cls does not go with"):
        features(path, pooling="cls")


def test_what_onnx_runtime_cannot_run_is_one_line(features, tmp_path):
    model = onnx.load(tiny_onnx(tmp_path / "tiny.onnx"))
    model.graph.node[0].op_type = "Cats"
    onnx.save(model, tmp_path / "cats.onnx")
    with pytest.raises(EngineError, match=r"ONNX Runtime cannot run .*cats\.onnx") as raised:
        features(tmp_path / "cats.onnx")
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory):
    """The built-in MobileNet with ImageNet's weights as ONNX, channels last and first."""
    from headstart.extract.backbone.backbones import find_backbone
    from headstart.extract.engine.onnx import to_onnx

    folder, row, tf = tmp_path_factory.mktemp("onnx"), find_backbone("mobilenet"), load_tensorflow()
    network = row.load(row.find_weights("imagenet"))
    turned = lambda x: network(tf.transpose(x, (0, 2, 3, 1)), training=False)  # noqa: E731
    ways = {
        "last": (lambda x: network(x, training=False), (None, 224, 224, 3)),
        "first": (lambda x: tf.transpose(turned(x), (0, 3, 1, 2)), (None, 3, 224, 224)),
    }
    for name, (run, shape) in ways.items():
        signature = [tf.TensorSpec(shape, tf.float32)]
        model = to_onnx(tf.function(run, input_signature=signature), name)
        onnx.save(model, folder / f"{name}.onnx")
    return folder


@pytest.mark.parametrize("layout", ["first", "last"])
def test_mobilenet_from_a_file_gives_the_features_of_the_built_in_one(layout, mobilenet, tmp_path):
    execution = Execution(cache=tmp_path / "cache")
    images = probe_images((224, 224), 4)
    own = feature_source(Recipe(), execution).engine()(images)
    declared = Declared(mean="1", std="1", scale="1/127.5", channels="rgb")
    recipe = Recipe(str(mobilenet / f"{layout}.onnx"), declared=declared)
    assert relative_error(feature_source(recipe, execution).engine()(images), own) < 1e-5
