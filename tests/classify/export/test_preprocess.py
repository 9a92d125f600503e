"""What is written beside an artefact reads photographs as headstart does, and needs nothing else."""

import ast
import io
import sys
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from headstart.classify.export.preprocess import read_pixels
from headstart.extract.decode.decode import decode_whole

RANDOM = np.random.default_rng(0)
COLOUR = Image.fromarray(RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8))
CLEAR = Image.fromarray(RANDOM.integers(0, 256, (20, 30, 4), dtype=np.uint8))
DEEP = Image.fromarray(RANDOM.integers(0, 65536, (20, 30), dtype=np.uint16))


def palette_with_a_clear_colour():
    image = COLOUR.quantize(16)
    image.info["transparency"] = 3
    return image


KINDS = {
    "grey": (COLOUR.convert("L"), "PNG", {}),
    "two colours": (COLOUR.convert("1"), "PNG", {}),
    "transparent": (CLEAR, "PNG", {}),
    "transparent grey": (CLEAR.convert("LA"), "PNG", {}),
    "transparent WebP": (CLEAR, "WEBP", {"lossless": True}),
    "palette": (COLOUR.quantize(16), "GIF", {}),
    "clear colour of a palette": (palette_with_a_clear_colour(), "PNG", {}),
    "CMYK": (COLOUR.convert("CMYK"), "JPEG", {}),
    "16 bits": (DEEP, "PNG", {}),
    "16 bits, TIFF": (DEEP, "TIFF", {}),
    "16 bits, PGM": (DEEP, "PPM", {}),
    "animated": (COLOUR, "GIF", {"save_all": True, "append_images": [CLEAR.convert("RGB")]}),
    "BMP": (COLOUR, "BMP", {}),
}


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def check(data):
    ours = decode_whole(data)
    theirs = read_pixels(io.BytesIO(data))
    assert theirs.dtype == np.uint8
    np.testing.assert_array_equal(theirs, ours[None])


@pytest.mark.parametrize("kind", KINDS)
def test_the_pixels_are_those_of_headstarts_decoder(kind):
    image, form, options = KINDS[kind]
    check(saved(image, form, **options))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_photographs_are_turned_upright_once(form, orientation):
    exif = COLOUR.getexif()
    exif[274] = orientation
    check(saved(COLOUR, form, exif=exif))


@pytest.mark.parametrize("bit_depth", [10, 12, 14])
def test_fewer_bits_in_grey_files_of_16_fill_the_range(bit_depth):
    values = RANDOM.integers(0, 1 << bit_depth, (20, 30), dtype=np.uint16)
    data = saved(Image.fromarray(values), "PNG")
    ours = decode_whole(data, bit_depth=bit_depth)
    np.testing.assert_array_equal(read_pixels(io.BytesIO(data), bit_depth), ours[None])


def test_what_has_no_known_range_is_refused(tmp_path):
    DEEP.convert("F").save(tmp_path / "range.tif")
    with pytest.raises(ValueError, match=r"'F' pixels .* have no known range"):
        read_pixels(tmp_path / "range.tif")


def test_it_needs_pillow_and_numpy_alone():
    text = resources.files("headstart.classify.export").joinpath("preprocess.py").read_text()
    imports = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.partition(".")[0] for name in imports} - sys.stdlib_module_names == {
        "numpy",
        "PIL",
    }
