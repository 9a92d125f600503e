"""How pixels are prepared is declared, bound, and never guessed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import OptionError, WeightsError
from headstart.extract.backbone.preprocessing import (
    METADATA,
    Declared,
    Preprocessing,
    beside,
    bound,
    from_metadata,
    resize_rule,
)
from headstart.extract.decode.resize_rules import find_rule

NUMBERS = st.floats(-1e3, 1e3, allow_nan=False)
THREE = st.tuples(NUMBERS, NUMBERS, NUMBERS)
MADE = st.builds(Preprocessing, THREE, THREE, NUMBERS, st.sampled_from(["rgb", "bgr"]))
SETTINGS = {"mean": [0.0] * 3, "std": [1.0] * 3, "scale": 1 / 255, "channels": "rgb"}


@given(MADE)
def test_what_a_spec_holds_is_what_was_declared_to_the_bit(made):
    assert Preprocessing.from_json(made.to_json()) == made
    assert bound(Declared.of(made.to_json()).settings(), "x.onnx") == made


def test_mean_and_deviation_are_of_the_networks_own_order():
    made = Preprocessing((1.0, 2.0, 3.0), (1.0, 1.0, 2.0), 1.0, "bgr")
    pixels = np.float32([[[[10, 20, 30]]]])
    assert made(pixels).tolist() == [[[[29, 18, 3.5]]]]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(WeightsError, match="--std, --channels missing; give them as options"):
        bound({"mean": [0.0] * 3, "scale": 1.0}, tmp_path / "x.onnx")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"mean": "1,2"}, "expected one for each of 3"),
        ({"scale": "1/0"}, "expected a number or a fraction"),
        ({"crop": "1.5"}, "expected a share above 0, at most 1"),
        ({"channels": "hsv"}, "unknown order of channels 'hsv'"),
        ({"interpolation": "cubic"}, "unknown interpolation 'cubic'"),
    ],
)
def test_an_option_that_cannot_be_is_one_line(options, why):
    with pytest.raises(OptionError, match=why):
        Declared(**options).settings()


def write(folder, name, config):
    (folder / name).write_text(json.dumps(config))
    return beside(folder / "x.onnx")


def test_hugging_faces_config_is_read(tmp_path):
    config = {
        "do_center_crop": True,
        "crop_size": {"height": 224, "width": 224},
        "size": {"shortest_edge": 256},
        "resample": 3,
        "rescale_factor": 1 / 255,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }
    settings = write(tmp_path, "preprocessor_config.json", config)
    assert (settings["side"], resize_rule(settings)) == (224, "crop-0.875-bicubic")
    assert bound(settings, "x.onnx").mean == (0.485, 0.456, 0.406)


def test_hugging_faces_plain_size_is_squashed(tmp_path):
    config = {"size": 384, "resample": 2, "image_mean": [0.5], "image_std": [0.5]}
    settings = write(tmp_path, "preprocessor_config.json", config)
    assert (settings["side"], resize_rule(settings)) == (384, "squash")


def test_timms_config_is_read(tmp_path):
    config = {
        "architecture": "vit_base",
        "pretrained_cfg": {
            "input_size": [3, 448, 448],
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
        },
    }
    settings = write(tmp_path, "config.json", config)
    assert (settings["side"], resize_rule(settings)) == (448, "crop-bicubic")
    white = bound(settings, "x.onnx")(np.float32([[[[255] * 3]]]))
    np.testing.assert_allclose(white, 1.0, rtol=1e-6)


def test_another_librarys_config_says_nothing(tmp_path):
    assert write(tmp_path, "config.json", {"model_type": "vit"}) == {}


def test_a_damaged_config_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeightsError, match="does not say how to prepare pixels"):
        beside(tmp_path / "x.onnx")
    with pytest.raises(WeightsError, match="expected a square"):
        write(
            tmp_path,
            "preprocessor_config.json",
            {"size": {"height": 2, "width": 3}, "image_mean": [0], "image_std": [1]},
        )


def test_metadata_of_the_file_are_read():
    assert from_metadata({METADATA: json.dumps(SETTINGS)}) == SETTINGS
    onnx = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_0_1"}
    assert from_metadata(onnx) == SETTINGS | {"channels": "bgr"}
    assert from_metadata({"Image.NominalPixelRange": "Normalized_0_1"}) == {}


def test_a_rule_keeps_its_share_and_interpolation():
    rule = find_rule(resize_rule({"crop": 0.9, "interpolation": "bicubic"}))
    assert (float(rule.keeps), rule.filter.name) == (0.9, "BICUBIC")
    assert resize_rule({}) == "crop"
