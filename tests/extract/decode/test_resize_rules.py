"""A resize rule is one row: decoding, frames, exported networks and cards follow it."""

import io
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from headstart.classify.export.resize import resized as resized_by_tensorflow
from headstart.classify.saved.card_limits import _of_the_backbone
from headstart.errors import OptionError
from headstart.extract.decode.decode import resize_views
from headstart.extract.decode.frame import find_frame
from headstart.extract.decode.resize_rules import (
    FILTER,
    GREY,
    RESIZE_RULES,
    ResizeRule,
    place,
    resized,
)
from headstart.extract.recipe import Recipe
from pictures import decode

SIDE = 64
PILLOWS = {
    "squash": lambda image, size: image.resize(size, FILTER),
    "crop": lambda image, size: ImageOps.fit(image, size, FILTER),
    "pad": lambda image, size: ImageOps.pad(image, size, FILTER, color=(GREY, GREY, GREY)),
}


def noise(width, height):
    random = np.random.default_rng(width * 1000 + height)
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", PILLOWS)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([(64, 64), (30, 90)]))
def test_a_rule_is_pillows_own_to_the_pixel(name, width, height, size):
    image = Image.fromarray(noise(width, height))
    if 0 in place(image.size, size, RESIZE_RULES[name]).inner:
        return  # Pillow has no image without columns
    theirs = PILLOWS[name](image, size)
    assert np.array_equal(resized(image, size, RESIZE_RULES[name]), theirs)


def test_a_line_thinner_than_half_a_pixel_is_bars_alone():
    line = Image.fromarray(noise(1, 400))
    assert np.all(np.asarray(resized(line, (SIDE, SIDE), RESIZE_RULES["pad"])) == GREY)


@pytest.fixture
def middle(monkeypatch):
    """One more row: the middle seven eighths of the shorter side."""
    row = ResizeRule("shorter", "seven eighths of it, at {size} pixels", Fraction(7, 8))
    monkeypatch.setitem(RESIZE_RULES, "middle", row)
    return row


@pytest.mark.parametrize("size", [(160, 96), (96, 160), (50, 40), (64, 64)])
def test_a_new_rule_is_one_row_for_decoding_frame_export_and_card(middle, size):
    pixels = noise(*size)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert Recipe(resize="middle").resize == "middle"

    decoded = decode(file.getvalue(), (SIDE, SIDE), "middle")
    kept = 7 / 8 * min(size)
    left, top = (size[0] - kept) / 2, (size[1] - kept) / 2
    box = (left, top, left + kept, top + kept)
    assert np.array_equal(decoded, Image.fromarray(pixels).resize((SIDE, SIDE), FILTER, box=box))

    frame = find_frame("original", size, (SIDE, SIDE), "middle", b"")
    shares = (left / size[0], top / size[1], box[2] / size[0], box[3] / size[1])
    assert (frame.left, frame.top, frame.right, frame.bottom) == pytest.approx(shares)

    exported = resized_by_tensorflow(pixels[None], SIDE, "middle").numpy()[0]
    viewed = resize_views(pixels, (SIDE, SIDE), "middle", ("original",), b"")[0]
    assert np.array_equal(exported, viewed)

    spec = {"resize": "middle", "input_size": (SIDE, SIDE)}
    card = {"backbone": {"name": "mobilenet", "weights": "own.h5"}, "spec": spec}
    assert [*_of_the_backbone(card)][-1] == "It sees seven eighths of it, at 64 x 64 pixels."


def test_an_unknown_rule_lists_the_known_ones():
    with pytest.raises(OptionError, match="valid: squash, crop, pad"):
        Recipe(resize="stretch")
