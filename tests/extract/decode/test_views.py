"""Several looks at one photograph, the same in every run."""

import numpy as np
import pytest
from PIL import Image

from headstart.errors import OptionError
from headstart.extract.decode.decode import decode_views
from headstart.extract.decode.resize_rules import RESIZE_RULES
from headstart.extract.decode.views import CROP_SIDE, make_views, parse_views
from pictures import decode


@pytest.fixture
def photograph(tmp_path):
    """A picture whose red channel is its column and whose green is its row."""
    y, x = np.mgrid[0:200, 0:256].astype(np.uint8)
    path = tmp_path / "ramp.png"
    Image.fromarray(np.stack([x, y, 0 * x], axis=2)).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("resize", RESIZE_RULES)
def test_the_original_view_is_the_plain_image_and_the_flip_its_mirror(photograph, resize):
    original, flip = decode_views(photograph, (64, 48), resize, ("original", "flip"))
    np.testing.assert_array_equal(original, decode(photograph, (64, 48), resize))
    np.testing.assert_array_equal(flip, original[:, ::-1])


def test_crops_depend_on_their_number_and_the_digest_alone(photograph):
    def crops(digest, *names):
        return decode_views(photograph, (32, 32), "squash", names, digest)

    one, two = crops(b"a", "crop1", "crop2")
    np.testing.assert_array_equal(one, crops(b"a", "crop1")[0])
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, crops(b"b", "crop1")[0])


def test_a_crop_shows_a_part_with_the_images_own_proportions():
    seen = []
    for seed in range(50):
        image = Image.new("RGB", (400, 200))
        make_views(image, ("crop1",), lambda part: seen.append(part.size) or part, bytes([seed]))
    widths = np.array(seen)[:, 0]
    np.testing.assert_allclose(widths, 2 * np.array(seen)[:, 1], atol=1)
    assert widths.min() >= 400 * CROP_SIDE[0]
    assert widths.max() <= 400
    assert widths.std() > 20


def test_a_crop_of_one_pixel_is_that_pixel():
    image = Image.new("RGB", (1, 1), "red")
    assert make_views(image, ("crop3",), lambda part: part, b"")[0].tolist() == [[[255, 0, 0]]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("orignal", "unknown view 'orignal'; valid: original, flip, crop1 to crop99"),
        ("original,crop0", "unknown view 'crop0'"),
        ("flip,flip", "names a view twice"),
        ("", "unknown view ''"),
    ],
)
def test_views_that_do_not_exist_are_refused(text, message):
    with pytest.raises(OptionError, match=message):
        parse_views(text)
