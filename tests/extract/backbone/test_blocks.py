"""Where a backbone can be cut, and what its blocks are called."""

import functools

import pytest

from headstart.errors import OptionError
from headstart.extract.backbone.backbones import PIXELS, find_backbone
from headstart.extract.backbone.blocks import find_boundary, network_blocks
from headstart.extract.backbone.loading import load_keras
from headstart.extract.engine.network import tap

network = functools.cache(lambda name: find_backbone(name).build())


@pytest.mark.parametrize(
    ("backbone", "name", "below"),
    [
        ("mobilenet", "conv_dw_13", "conv_pw_12_relu"),
        ("mobilenet", "conv_dw_12", "conv_pw_11_relu"),  # below its padding, where maps are smaller
        ("mobilenet", "conv_pw_12", "conv_dw_12_relu"),
        ("mobilenet", "2", "conv_pw_11_relu"),
        ("mobilenet", "conv1", PIXELS),
        ("vgg16", "block5", "block4_pool"),
        ("vgg16", "block4", "block3_pool"),
        ("vgg16", "block5_conv3", "block5_conv2"),
        ("vgg16", "1", "block4_pool"),
        ("mobilenetv2", "block_16", "block_15_add"),
        ("resnet50", "conv5_block3", "conv5_block2_out"),
        ("efficientnetb0", "block7a", "block6d_add"),
        ("convnexttiny", "convnext_tiny_stage_3", "convnext_tiny_downsampling_block_2"),
        ("inceptionv3", "mixed10", "mixed9"),
    ],
)
def test_a_name_or_a_depth_is_cut_below_its_first_layer(backbone, name, below):
    assert find_boundary(network(backbone), name) == below


@pytest.mark.parametrize(
    "backbone", ["mobilenet", "vgg16", "resnet50", "efficientnetb0", "xception"]
)
def test_blocks_hold_each_layer_that_can_move_once_and_begin_at_a_cut(backbone):
    built = network(backbone)
    blocks = network_blocks(built)
    layers = [layer for block in blocks for layer in block.layers]
    moving = [
        layer.name
        for layer in built.layers
        if layer.weights and type(layer).__name__ not in ("BatchNormalization", "Normalization")
    ]
    assert sorted(layers) == sorted(moving)
    assert len({block.name for block in blocks}) == len(blocks)
    assert blocks[0].below == PIXELS
    for block in blocks[1:]:
        tap(built, block.below)  # can be cached under a name of its own


def test_an_unknown_block_lists_the_valid_ones():
    with pytest.raises(OptionError, match=r"unknown block 'block9'; .* all, none, block5, block4"):
        find_boundary(network("vgg16"), "block9")
    with pytest.raises(OptionError, match="vgg16 has 1 to 5 blocks, not 6"):
        find_boundary(network("vgg16"), "6")


def test_a_normalisation_at_the_end_belongs_to_the_block_below_it():
    layers = load_keras().layers
    tokens = load_keras().Input((4, 3))
    mixed = layers.Dense(3, name="mix_2")(layers.Dense(3, name="mix_1")(tokens))
    network = load_keras().Model(tokens, layers.LayerNormalization(name="ln")(mixed))
    assert [block.layers for block in network_blocks(network)] == [("mix_1",), ("mix_2", "ln")]
    assert find_boundary(network, "1") == "mix_1"
