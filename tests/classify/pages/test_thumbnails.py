"""Thumbnails: small, upright, on white, as many as a page can carry."""

import base64
import io

import pytest
from PIL import Image

from headstart.classify.pages.thumbnails import SIDE, open_upright, thumbnails
from headstart.errors import DecodeError
from pictures import paint


def test_thumbnails_are_upright_and_small(tmp_path):
    image = Image.new("RGB", (400, 200), "red")
    exif = image.getexif()
    exif[274] = 6  # a quarter turn
    image.save(tmp_path / "turned.jpg", exif=exif)
    Image.new("RGBA", (30, 20), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    (tmp_path / "gone.jpg").write_bytes(b"no image")
    paths = [tmp_path / name for name in ("turned.jpg", "clear.png", "gone.jpg")]
    uris = thumbnails(paths, [0, 1, 2, 0])
    assert set(uris) == {0, 1}
    images = [Image.open(io.BytesIO(base64.b64decode(uris[i].split(",")[1]))) for i in (0, 1)]
    assert [image.size for image in images] == [(SIDE // 2, SIDE), (30, 20)]
    assert min(images[1].getpixel((5, 5))) > 240, "transparency lies on white"


def test_the_most_wanted_come_first_and_no_more_than_a_page_can_carry(tmp_path):
    paths = [paint(tmp_path / f"{i}.png", (9, 9, 9), i) for i in range(4)]
    assert set(thumbnails(paths, [3, 1, 0], most=2)) == {3, 1}


def test_a_photograph_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(DecodeError, match=r"gone\.png: cannot read: No such file"):
        open_upright(tmp_path / "gone.png", SIDE)
