"""A golden feature tells at each start whether a network from a file is fed as its maker fed it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.errors import EngineError, OptionError
from headstart.extract.backbone.preprocessing import Declared
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from networks import tiny_onnx

RIGHT = {"mean": "0.5,0.4,0.3", "std": "0.25", "scale": "1/255", "channels": "rgb"}


@pytest.fixture
def start(tmp_path):
    """Start the engine of a small network, declared so."""
    path = tiny_onnx(tmp_path / "tiny.onnx")

    def run(layers=(), pooling="avg", **declared):
        recipe = Recipe(str(path), declared=Declared(**declared), layers=layers, pooling=pooling)
        return feature_source(recipe, Execution(cache=tmp_path / "cache")).engine()

    return run


@pytest.fixture
def golden(start, tmp_path):
    """An image and what the network makes of it, by whoever made the network."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    np.save(tmp_path / "features.npy", start(**RIGHT)(pixels[None]))
    return str(tmp_path / "image.png"), str(tmp_path / "features.npy")


def test_a_golden_feature_that_comes_out_starts(start, golden):
    assert start(golden=golden, **RIGHT).name == "onnxruntime"


@pytest.mark.parametrize("wrong", [{"mean": "0"}, {"channels": "bgr"}, {"scale": "1"}])
def test_wrong_preprocessing_is_refused_at_each_start_whatever_is_tapped(start, golden, wrong):
    start(golden=golden, **RIGHT)
    for tapped in ({}, {"layers": ("tokens",), "pooling": "cls"}):
        with pytest.raises(EngineError, match=r"other features of image\.png than .* golden"):
            start(**tapped, **RIGHT | wrong)
    start(**RIGHT)


def test_what_cannot_be_read_is_one_line(start, golden):
    with pytest.raises(OptionError, match="--golden nothing"):
        start(golden=("nothing", golden[1]), **RIGHT)
    Path(golden[1]).write_text("no array")
    with pytest.raises(OptionError, match=r"--golden .*features\.npy"):
        start(golden=golden, **RIGHT)
