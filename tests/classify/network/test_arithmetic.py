"""What an image costs above and below a cut."""

import pytest

from headstart.classify.network.arithmetic import (
    SECONDS_PER_BILLION,
    SECONDS_PER_MILLION,
    seconds_above,
    seconds_below,
)
from headstart.extract.backbone.backbones import PIXELS, find_backbone
from headstart.extract.backbone.loading import load_keras


def test_multiply_adds_and_numbers_count():
    keras = load_keras()
    inputs = keras.Input((10, 10, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(4, 3, name="conv")(inputs))
    numbers = 10 * 10 * 3 + 8 * 8 * 4
    expected = SECONDS_PER_BILLION * 8 * 8 * 3 * 3 * 3 * 4 / 1e9
    expected += SECONDS_PER_MILLION * numbers / 1e6
    assert seconds_above(network, PIXELS) == pytest.approx(expected)


def test_deeper_costs_more_to_train_and_less_to_cache():
    network = find_backbone("mobilenet").build()
    cuts = [PIXELS, "conv_pw_6_relu", "conv_pw_12_relu", None]
    above = [seconds_above(network, cut) for cut in cuts]
    below = [seconds_below(network, cut) for cut in cuts]
    assert sorted(above, reverse=True) == above
    assert sorted(below) == below
    assert above[-1] == below[0] == 0
