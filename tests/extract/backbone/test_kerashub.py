"""KerasHub's presets are backbones, their image converter is their preprocessing."""

import json

import numpy as np
import pytest

from headstart.errors import OptionError, WeightsError
from headstart.extract.backbone import kerashub
from headstart.extract.backbone.backbones import backbone_of
from headstart.extract.backbone.blocks import network_blocks
from headstart.extract.backbone.loading import load_keras
from headstart.extract.engine.engine import Engine
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from networks import HUB, POOLINGS, hub_preset

load_keras()
pytest.importorskip("keras_hub", reason="no KerasHub: pip install 'headstart[kerashub]'")

# Keras' own, as it saves on NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIDE = 32
PIXELS = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=HUB)
def preset(request, tmp_path_factory):
    """A preset with random weights, its network, and the pooling that goes with it."""
    folder = tmp_path_factory.mktemp(request.param)
    return folder, hub_preset(folder, request.param, SIDE), POOLINGS[request.param]


def source_of(preset, tmp_path, engine="tensorflow", **recipe):
    folder, _, pooling = preset
    recipe = Recipe(f"kerashub:{folder}", **{"pooling": pooling, **recipe})
    return feature_source(recipe, Execution(cache=tmp_path, engine=engine))


def test_features_are_the_presets_own_with_its_converter_before(preset, tmp_path):
    _, network, pooling = preset
    source = source_of(preset, tmp_path)
    prepared = PIXELS / np.float32(127.5) - 1
    network = getattr(network, "vision_encoder", network)
    prepared = {"images": prepared} if isinstance(network.input, dict) else prepared
    outputs = network(prepared).numpy()
    own = {"cls": lambda x: x[:, 0], "avg": lambda x: x.mean(axis=(1, 2)), "flatten": np.asarray}
    own = own[pooling](outputs)
    np.testing.assert_allclose(source.engine()(PIXELS), own, rtol=1e-4, atol=1e-5)
    assert source.spec.resize == "crop-bicubic"


def test_its_blocks_are_what_unfreezes_and_can_be_tapped(preset, tmp_path):
    blocks = network_blocks(backbone_of(source_of(preset, tmp_path).spec).build())
    assert len(blocks) >= 3
    if preset[2] == "cls":
        assert len(blocks) == 4, "the patches and three blocks; the last normalisation is none"
    taps = tuple(block.below for block in blocks[-2:])
    # KerasHub says one of SigLIP's tokens too many, which flattening goes by.
    pooling = "mean" if preset[2] == "flatten" else preset[2]
    engine: Engine = source_of(preset, tmp_path, layers=taps, pooling=pooling).engine()
    assert engine(PIXELS).shape == (2, sum(engine.widths))
    assert len(engine.widths) == 2


def test_it_is_exported_to_onnx_and_agrees(preset, tmp_path):
    engine = source_of(preset, tmp_path, engine="onnxruntime").engine()
    assert engine.name == "onnxruntime"
    reference = source_of(preset, tmp_path).engine()(PIXELS)
    np.testing.assert_allclose(engine(PIXELS), reference, rtol=1e-3, atol=1e-4)


def test_other_weights_are_another_backbone(preset):
    folder = preset[0]
    before = kerashub.digest(folder)
    path = folder / kerashub.CONVERTER
    text = path.read_text()
    path.write_text(text.replace("bicubic", "bilinear"))
    assert kerashub.digest(folder) != before
    path.write_text(text)


def test_a_preset_with_code_is_one_line(preset, tmp_path):
    config = {"class_name": "system", "module": "os", "config": {}}
    (tmp_path / kerashub.CONFIG).write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"it holds os\.system, which is not Keras' own"):
        kerashub.build(tmp_path, SIDE)


def test_without_kerashub_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "keras_hub", None)
    with pytest.raises(OptionError, match=r"pip install 'headstart\[kerashub\]'"):
        kerashub.find("kerashub:dinov2_small")
