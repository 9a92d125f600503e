"""How deep: from names and shares to the place where the network is cut."""

import pytest

from headstart.classify.network.depths import Depth, find_depth
from headstart.errors import OptionError
from headstart.extract.backbone.backbones import PIXELS, find_backbone


@pytest.fixture(scope="module")
def mobilenet():
    return find_backbone("mobilenet").build()


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("none", Depth("none", None)),
        ("conv_dw_12", Depth("conv_dw_12", "conv_pw_11_relu")),
        ("1", Depth("conv_dw_13", "conv_pw_12_relu")),
        ("conv_pw_13", Depth("conv_pw_13", "conv_dw_13_relu")),
        ("all", Depth("all", PIXELS)),
        ("last block", Depth("conv_dw_13", "conv_pw_12_relu")),
        ("upper third", Depth("conv_dw_10", "conv_pw_9_relu")),
        ("half", Depth("conv_dw_7", "conv_pw_6_relu")),
    ],
)
def test_a_name_or_a_share_is_a_cut(mobilenet, name, depth):
    assert find_depth(mobilenet, name) == depth


def test_layers_below_the_block_cannot_be_fine_tuned_through(mobilenet):
    tapped = ("conv_pw_11_relu", "conv_pw_13_relu")
    with pytest.raises(OptionError, match="above conv_pw_12_relu, but conv_pw_11_relu lies below"):
        find_depth(mobilenet, "last block", tapped)
    assert find_depth(mobilenet, "conv_dw_11", tapped).below == "conv_pw_10_relu"
    assert find_depth(mobilenet, "none", tapped).below is None
