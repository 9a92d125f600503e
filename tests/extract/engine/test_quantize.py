"""A network in 8 bits is made once for a dataset, named by its spec, and the same on each engine."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from headstart.cache import FeatureStore
from headstart.errors import EngineError, WeightsError
from headstart.extract.backbone.preprocessing import Declared
from headstart.extract.engine import quantize
from headstart.extract.engine.agreement import probe_images, relative_error
from headstart.extract.engine.kept import kept_network
from headstart.extract.engine.quantize import calibrated_on, metadata_of
from headstart.extract.engine.runtimes import OnnxEngine
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from networks import plain_keras, tiny_onnx
from pictures import COLOURS, paint

DECLARED = Declared(mean="0", std="1", scale="1/255", channels="rgb")
# Keras' own, as it saves on NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SMALL = {"input_size": 64}  # MobileNet takes a twelfth of the time


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """Forty pictures by their digests."""
    root, images = tmp_path_factory.mktemp("training"), {}
    for number in range(40):
        path = paint(root / f"{number}.png", [*COLOURS.values()][number % 3], number)
        images[hashlib.sha256(path.read_bytes()).digest()] = path
    return images


@pytest.fixture(scope="module")
def source_on(tmp_path_factory):
    """Return the source of an int8 network that such images calibrate, all beside one cache."""
    execution = Execution(cache=tmp_path_factory.mktemp("cache"))

    def make(images, precision="int8"):
        recipe = Recipe(precision=precision, **SMALL)
        return feature_source(recipe, execution, training=lambda: images)

    return make


@pytest.fixture(scope="module")
def source(source_on, training):
    return source_on(training)


@pytest.fixture
def at_once(monkeypatch):
    """Let what is quantised anew be told instead."""

    def tell(exact, spec, cache, images, max_pixels):
        raise EngineError(f"quantised on {len(images)} images")

    monkeypatch.setattr(quantize, "_quantize", tell)


def test_the_spec_names_the_network_that_names_its_images_and_its_maker(source, training):
    data = source.weights.read_bytes()
    assert source.spec.precision == "int8"
    assert source.spec.weights_sha256 == hashlib.sha256(data).hexdigest()
    about = metadata_of(source.weights)
    assert about["calibration"].split() == sorted(digest.hex() for digest in training)
    assert about["quantized_by"].startswith("onnxruntime ")
    assert len(data) < 5e6  # of 13 in float32


def test_a_cache_of_one_precision_is_never_read_as_another(source, source_on, training):
    exact = source_on(training, "float32")
    assert exact.spec == source.exact().spec
    store = source.store()
    store.append([bytes(32)], np.ones((1, 1024), np.float32), (1024,))
    assert bytes(32) in source.store()
    others = (exact.spec, *(replace(exact.spec, precision=p) for p in ("bfloat16", "float16")))
    for spec in others:
        assert spec.id != source.spec.id
        assert bytes(32) not in FeatureStore(source.cache, spec)


def test_it_is_quantised_once_and_images_that_come_alter_nothing(
    source, source_on, training, at_once, tmp_path
):
    assert source_on(training).spec == source.spec
    more = training | {bytes(32): paint(tmp_path / "new.png", (9, 9, 9), 1)}
    assert source_on(more).spec == source.spec
    assert kept_network(source.spec, source.cache) == source.weights


def test_a_network_calibrated_on_an_image_that_evaluates_is_none_of_a_datasets(
    source_on, source, training, at_once
):
    fewer = dict(list(training.items())[1:])
    with pytest.raises(EngineError, match="quantised on 39 images"):
        source_on(fewer)
    with pytest.raises(EngineError, match="quantised on 0 images"):
        source_on({})


def test_without_training_images_noise_does_and_that_is_said(source_on, source, heard, monkeypatch):
    monkeypatch.setattr(quantize, "IMAGES", 4)
    noisy = source_on({})
    assert heard.notes == [
        "quantising mobilenet on noise, for want of training images: once, some 10 to 60 seconds"
    ]
    assert calibrated_on(noisy.weights) == []
    assert noisy.spec != source.spec


def test_integers_are_the_same_in_any_batch_and_near_without_integers(source):
    import onnxruntime

    images = probe_images(source.spec.input_size, 16)
    engine = OnnxEngine(source.weights, source.spec)
    whole = engine(images)
    batches = [engine(images[first : first + 3]) for first in range(0, 16, 3)]
    np.testing.assert_array_equal(np.concatenate(batches), whole)
    options = onnxruntime.SessionOptions()  # each node by itself: sums of rounded floats
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(source.weights, options)
    (plain,) = session.run(None, {session.get_inputs()[0].name: images})
    assert relative_error(whole, plain) < 0.1


def test_features_move_by_less_than_a_head_minds(source):
    images = probe_images(source.spec.input_size, 16)
    rounded, exact = source.engine()(images), source.exact().engine()(images)
    errors = [relative_error(rounded[i : i + 1], exact[i : i + 1]) for i in range(16)]
    assert np.median(errors) < 0.3


def test_weights_leave_room_for_the_sums_of_processors_without_vnni(source):
    import onnx

    graph = onnx.load(source.weights).graph
    weights = [onnx.numpy_helper.to_array(t) for t in graph.initializer if t.data_type == 3]
    kernels = [weight for weight in weights if weight.ndim == 4]
    assert len(kernels) == 27
    assert max(np.abs(kernel.astype(int)).max() for kernel in kernels) <= 64


def test_a_damaged_network_is_refused_since_no_other_would_be_the_same(source, tmp_path):
    copy = tmp_path / source.weights.name
    copy.write_bytes(source.weights.read_bytes()[:-1])
    with pytest.raises(EngineError, match="is damaged: its checksum differs"):
        replace(source, weights=copy).engine()
    with pytest.raises(EngineError, match="computes other features"):
        replace(source, spec=replace(source.spec, weights_sha256="0" * 64)).engine()


@pytest.mark.parametrize("batch", ["n", 3])
def test_a_network_in_a_file_is_quantised_and_its_file_is_needed_no_more(batch, training, tmp_path):
    path = tiny_onnx(tmp_path / "tiny.onnx", batch=batch)
    execution = Execution(cache=tmp_path / "cache")
    recipe = Recipe(str(path), precision="int8", declared=DECLARED)
    source = feature_source(recipe, execution, training=lambda: training)
    images = probe_images((32, 32), 5)
    rounded, exact = source.engine()(images), source.exact().engine()(images)
    assert 0 < relative_error(rounded, exact) < 0.1
    assert source.plan.engine == "onnxruntime"
    assert not source.trainable
    path.unlink()
    again = feature_source(Recipe.of(source.spec, str(source.weights)), execution)
    assert again.spec == source.spec
    np.testing.assert_array_equal(again.engine()(images), rounded)


def test_a_keras_file_is_quantised_too(training, tmp_path):
    path, _ = plain_keras(tmp_path / "plain.keras")
    execution = Execution(cache=tmp_path / "cache")
    recipe = Recipe(str(path), precision="int8")
    source = feature_source(recipe, execution, training=lambda: training)
    images = probe_images((32, 32), 5)
    assert 0 < relative_error(source.engine()(images), source.exact().engine()(images)) < 0.1
    again = feature_source(Recipe.of(source.spec, str(source.weights)), execution)
    assert again.spec == source.spec
    assert not again.trainable


def test_a_golden_feature_is_checked_before_a_network_is_quantised(training, tmp_path):
    path = tiny_onnx(tmp_path / "tiny.onnx")
    np.save(tmp_path / "features.npy", np.ones(6, np.float32))
    golden = str(next(iter(training.values()))), str(tmp_path / "features.npy")
    recipe = Recipe(str(path), precision="int8", declared=replace(DECLARED, golden=golden))
    with pytest.raises(EngineError, match="makes other features of"):
        feature_source(recipe, Execution(cache=tmp_path / "cache"), training=lambda: training)


def test_a_network_in_8_bits_of_another_file_is_refused(training, tmp_path):
    execution = Execution(cache=tmp_path / "cache")
    sources = [
        feature_source(
            Recipe(str(path), precision="int8", declared=DECLARED),
            execution,
            training=lambda: training,
        )
        for path in (tiny_onnx(tmp_path / "a.onnx"), tiny_onnx(tmp_path / "b.onnx", seed=1))
    ]
    with pytest.raises(WeightsError, match=r"is onnx-.*is needed"):
        feature_source(Recipe.of(sources[0].spec, str(sources[1].weights)), execution)


def test_what_cannot_be_quantised_is_one_line(source_on, training, monkeypatch):
    def refuse(*_):
        raise ValueError("no\nsuch graph")

    monkeypatch.setattr(quantize, "prepared", refuse)
    with pytest.raises(EngineError, match=r"^mobilenet cannot be quantised \(no\)$"):
        source_on(dict(list(training.items())[2:]))
