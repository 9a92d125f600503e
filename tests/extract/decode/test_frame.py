"""Frames: what the network saw lies again where it was on the photograph."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headstart.classify.explain.heat import Map, lay_out
from headstart.errors import OptionError
from headstart.extract.decode.decode import decode_upright, decode_views
from headstart.extract.decode.frame import find_frame

DIGEST = bytes(range(32))
VIEWS = ("original", "flip", "crop1", "crop2", "augment1", "augment2", "augment3")


def picture(width, height):
    """Return a smooth picture without symmetries, so that a wrong place shows."""
    y, x = np.mgrid[0:height, 0:width] / np.array([[[height]], [[width]]])
    red = 120 + 60 * np.sin(5 * x + 1) + 60 * np.sin(4 * y + 9 * x * y)
    return np.repeat(red[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (640, 224), (100, 100)])
@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
@pytest.mark.parametrize("view", VIEWS)
def test_pixels_come_back_to_their_places(size, resize, view):
    pixels = picture(*size)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    seen = decode_views(file.getvalue(), (224, 224), resize, (view,), DIGEST)[0, ..., 0]
    frame = find_frame(view, size, (224, 224), resize, DIGEST)
    back = lay_out([Map(seen.astype(float), frame)], *size) * frame.area
    there = ~np.isnan(back)
    if resize == "squash" and view in ("original", "flip"):
        assert there.all()
    match = np.corrcoef(back[there], pixels[..., 0][there])[0, 1]
    assert match > 0.999  # colours of an augmented view change, places do not
    if not view.startswith("augment"):
        assert np.abs(back[there] - pixels[..., 0][there]).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_upright_before_anything_is_laid_on_it(orientation):
    file, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    Image.fromarray(picture(300, 200)).save(file, "PNG", exif=exif)
    upright = decode_upright(file.getvalue(), 224)
    assert upright.shape[:2] == ((200, 300) if orientation < 5 else (300, 200))
    size = upright.shape[1], upright.shape[0]
    seen = decode_views(file.getvalue(), (224, 224), "crop")[0, ..., 0]
    frame = find_frame("original", size, (224, 224), "crop", DIGEST)
    back = lay_out([Map(seen.astype(float), frame)], *size) * frame.area
    there = ~np.isnan(back)
    assert np.corrcoef(back[there], upright[..., 0][there])[0, 1] > 0.999


@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.sampled_from(["crop", "squash", "pad"]),
    st.sampled_from(VIEWS),
)
def test_a_frame_is_the_whole_input_whatever_the_proportions(width, height, resize, view):
    frame = find_frame(view, (width, height), (224, 224), resize, DIGEST)
    assert frame.right > frame.left
    assert frame.bottom > frame.top
    if resize != "pad":
        assert min(frame.left, frame.top) > -1e-9
        assert max(frame.right, frame.bottom) < 1 + 1e-9


def test_an_unknown_rule_is_refused_by_name():
    with pytest.raises(OptionError, match="unknown resize rule 'stretch'"):
        find_frame("original", (1, 1), (1, 1), "stretch", DIGEST)
