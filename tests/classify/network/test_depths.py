"""Stages of unfreezing: from names to boundaries, each deeper than the one before."""

import pytest

from headstart.classify.network.depths import Depth, find_depths
from headstart.errors import OptionError
from headstart.extract.backbone.backbones import PIXELS
from headstart.extract.source import FeatureOptions, feature_source


def depths(*names, **options):
    return find_depths(feature_source(FeatureOptions(**options)), names)


def test_the_last_block_moves_unless_told_otherwise():
    assert depths() == [Depth("conv_dw_13", "conv_pw_12_relu")]


def test_stages_go_deeper_one_by_one():
    assert depths("none", "conv_dw_13", "conv_dw_12", "all") == [
        Depth("none", None),
        Depth("conv_dw_13", "conv_pw_12_relu"),
        Depth("conv_dw_12", "conv_pw_11_relu"),
        Depth("all", PIXELS),
    ]
    for names in [("conv_dw_12", "conv_dw_13"), ("conv_dw_13", "1"), ("all", "none")]:
        with pytest.raises(OptionError, match="each stage must go deeper than the one before"):
            depths(*names)


def test_layers_below_the_block_cannot_be_fine_tuned_through():
    layers = ("conv_pw_11_relu", "conv_pw_13_relu")
    with pytest.raises(OptionError, match="above conv_pw_12_relu, but conv_pw_11_relu lies below"):
        depths(layers=layers)
    assert depths("conv_dw_11", layers=layers)[0].below == "conv_pw_10_relu"
    assert depths("none", layers=layers)[0].below is None
