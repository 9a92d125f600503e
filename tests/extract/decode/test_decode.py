"""Every kind of file people have, upright and in RGB; every other kind refused in words."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headstart.errors import DecodeError, OptionError
from pictures import decode

GRADIENT = np.stack(
    [
        np.tile(np.linspace(0, 255, 96), (64, 1)),
        np.tile(np.linspace(0, 255, 64)[:, None], (1, 96)),
        np.full((64, 96), 90),
    ],
    axis=2,
).astype(np.uint8)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


JPEG = encoded(Image.fromarray(GRADIENT), "JPEG", quality=98)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation):
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation to Transpose that makes it
    stored = Image.fromarray(GRADIENT)
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(stored, "JPEG", quality=98, exif=exif)
    upright = decode(data, (32, 32), "squash").astype(int)
    expected = decode(JPEG, (32, 32), "squash").astype(int)
    assert np.abs(upright - expected).mean() < 3


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (Image.fromarray(GRADIENT).convert("CMYK"), "JPEG"),
        (Image.fromarray(GRADIENT), "PNG"),
        (Image.fromarray(GRADIENT), "BMP"),
        (Image.fromarray(GRADIENT), "TIFF"),
        (Image.fromarray(GRADIENT), "WEBP"),
        (Image.fromarray(GRADIENT).convert("P", palette=Image.Palette.ADAPTIVE), "GIF"),
        (Image.fromarray(GRADIENT).convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
    ],
)
def test_formats_and_modes_give_the_same_picture(image, kind):
    got = decode(encoded(image, kind), (32, 32), "squash").astype(int)
    expected = decode(JPEG, (32, 32), "squash").astype(int)
    assert np.abs(got - expected).mean() < 12


def test_sixteen_bits_become_eight():
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    got = decode(encoded(Image.fromarray(ramp), "PNG"), (64, 64))
    np.testing.assert_allclose(got[0, :, 0].astype(int), ramp[0] >> 8, atol=1)


def test_transparency_lies_on_white():
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    assert decode(encoded(clear, "PNG"), (8, 8)).min() == 255


def test_of_an_animation_the_first_frame_counts():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data, (8, 8))[0, 0].tolist() == [255, 0, 0]


def test_scaled_decoding_is_close_to_full_decoding():
    large = Image.fromarray(GRADIENT).resize((960, 640))
    scaled = decode(encoded(large, "JPEG", quality=95), (64, 64), "squash").astype(int)
    full = decode(encoded(large, "PNG"), (64, 64), "squash").astype(int)
    assert np.abs(scaled - full).mean() < 2


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 7)])
@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
def test_odd_shapes_fill_the_input(size, resize):
    pixels = decode(encoded(Image.new("RGB", size, "red"), "PNG"), (32, 48), resize)
    assert (pixels.shape, pixels.dtype) == ((32, 48, 3), np.uint8)


@pytest.mark.parametrize("length", np.linspace(2, len(JPEG) - 40, 20).astype(int).tolist())
def test_a_truncated_jpeg_is_refused_at_every_length(length):
    with pytest.raises(DecodeError):
        decode(JPEG[:length])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"empty file \(0 bytes\)"),
        (b"<html>hello</html>", "not an image but a web page: download the image itself"),
        (b"hello there", r"not an image \(begins with 'hello th'\)"),
        (encoded(Image.new("L", (300, 300)), "PNG"), r"300 x 300 is 90,000 pixels, the limit"),
        (encoded(Image.new("F", (9, 9)), "TIFF"), r"have no known range"),
    ],
)
def test_what_is_refused_is_told(data, reason):
    with pytest.raises(DecodeError, match=reason):
        decode(data, max_pixels=50_000)


def test_an_unknown_rule_lists_the_valid_ones():
    with pytest.raises(OptionError, match=r"unknown resize rule 'squish'; did you mean 'squash'"):
        decode(JPEG, resize="squish")


@given(st.binary(max_size=300), st.integers(0, len(JPEG)), st.integers(0, 255))
def test_damaged_bytes_raise_nothing_but_decode_error(noise, position, value):
    damaged = bytearray(JPEG)
    damaged[position : position + 1] = bytes([value])
    for data in (noise, JPEG[:position] + noise, bytes(damaged)):
        try:
            pixels = decode(data, (16, 16))
        except DecodeError:
            continue
        assert pixels.shape == (16, 16, 3)
