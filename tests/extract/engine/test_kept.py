"""A kept network gives TensorFlow's features, is found by its spec, and is never trusted blindly."""

import base64
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from headstart.errors import EngineError
from headstart.extract.engine import kept
from headstart.extract.engine import tensorflow as engines
from headstart.extract.engine.agreement import check_agreement, probe_images, relative_error
from headstart.extract.engine.choose import Plan
from headstart.extract.engine.kept import export, kept_network, open_kept
from headstart.extract.engine.runtimes import OnnxEngine
from headstart.extract.engine.tensorflow import TensorFlowEngine
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source

PLAN = Plan("onnxruntime", "cpu", "float32", 4, 2)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """MobileNet with two layers tapped and two poolings: every branch of the graph."""
    layers = ("conv_pw_11_relu", "conv_pw_13_relu")
    cache = tmp_path_factory.mktemp("cache")
    return feature_source(Recipe(layers=layers, pooling="avg+max"), Execution(cache=cache))


@pytest.fixture(scope="module")
def network(source):
    return export(source.spec, source.weights, source.cache)


def test_both_engines_give_the_same_features_in_the_same_columns(source, network):
    images = np.random.default_rng(1).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)
    reference = TensorFlowEngine(source.spec, source.weights)
    engine = OnnxEngine(network, source.spec)
    assert engine.widths == reference.widths == (1024, 2048)
    assert relative_error(engine(images), reference(images)) < 1e-5


def test_the_kept_network_is_found_by_its_spec_whatever_happens_around_the_network(source, network):
    assert kept_network(source.spec, source.cache) == network
    around = replace(source.spec, resize="pad", views=("original", "flip"), storage="float16")
    assert kept_network(around, source.cache) == network
    assert kept_network(replace(source.spec, pooling="avg"), source.cache) is None


def test_a_kept_network_is_opened_without_tensorflow(source, network):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from headstart.extract.recipe import Execution, Recipe\n"
        "from headstart.extract.source import feature_source\n"
        f"recipe = Recipe(layers={source.spec.layers}, pooling='avg+max')\n"
        f"execution = Execution(cache=Path({str(source.cache)!r}), engine='onnxruntime')\n"
        "engine = feature_source(recipe, execution).engine()\n"
        "print(engine.name, [m for m in ('tensorflow', 'keras', 'tf2onnx') if m in sys.modules])\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "onnxruntime []"


def test_a_damaged_network_is_exported_anew_and_told(source, network, monkeypatch):
    cache = source.cache / "other"
    path = cache / kept.FOLDER / network.name
    path.parent.mkdir(parents=True)
    data = bytearray(network.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr(kept, "export", lambda *_: network)
    engine = open_kept(OnnxEngine, source.spec, source.weights, cache)
    assert "is damaged: its checksum differs; it was exported anew" in engine.notes[0]
    assert not path.exists()


def kept_with(network, folder, **metadata):
    """Copy a kept network with other metadata, under a name whose checksum is right."""
    import onnx as library

    model = library.load(network)
    for entry in model.metadata_props:
        entry.value = metadata.get(entry.key, entry.value)
    data = model.SerializeToString()
    path = folder / f"{network.name.partition('.')[0]}.{kept._sha256(data)[:16]}.onnx"
    path.write_bytes(data)
    return path


def test_an_engine_that_disagrees_is_refused_with_its_figure(source, network, tmp_path):
    features = OnnxEngine(network, source.spec)(probe_images(source.spec.input_size))
    other = base64.b64encode((features * 1.01).astype("<f4").tobytes()).decode()
    path = kept_with(network, tmp_path, probe=other)
    with pytest.raises(
        EngineError, match=r"onnxruntime in float32 differs from the reference by 0\.0099 of"
    ):
        OnnxEngine(path, source.spec)


def test_a_network_of_another_spec_is_refused(source, network, tmp_path):
    path = kept_with(network, tmp_path, spec="{}")
    with pytest.raises(EngineError, match="computes other features than"):
        OnnxEngine(path, source.spec)


def test_reduced_precision_is_checked_against_float32(source, monkeypatch):
    class Rounding:
        """Off by so much in reduced precision."""

        moves = 0.1

        def __init__(self, spec, weights):
            self.error = 0.0 if spec.precision == "float32" else self.moves

        def __call__(self, images):
            return np.full((len(images), 3), 1 + self.error, np.float32)

    monkeypatch.setattr(engines, "TensorFlowEngine", Rounding)
    spec = replace(source.spec, precision="bfloat16")
    engines.open_tensorflow(spec, source.weights)
    monkeypatch.setattr(Rounding, "moves", 0.6)
    with pytest.raises(EngineError, match=r"tensorflow in bfloat16 .* by 0\.6 .*0\.5 is allowed"):
        engines.open_tensorflow(spec, source.weights)


def test_nan_is_no_agreement():
    with pytest.raises(EngineError, match="by nan"):
        check_agreement("x", np.full((2, 3), np.nan), np.ones((2, 3)), "float32")


def test_a_cache_that_cannot_be_written_is_one_clear_line(source, tmp_path, monkeypatch):
    (tmp_path / kept.FOLDER).write_text("a file in the way")
    monkeypatch.setitem(kept._MAKERS, "keras", lambda *_: b"graph")
    with pytest.raises(EngineError, match="cannot keep the network"):
        export(source.spec, source.weights, tmp_path)
