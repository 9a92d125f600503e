"""10 or 12 bits in files of 16: found, said by the file, and scaled by."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from headstart.extract.decode.bit_depth import used_bits
from headstart.extract.decode.decode import decode_views, decode_whole
from headstart.extract.decode.formats import open_image
from headstart.extract.inputs import as_images

RAMP = np.tile(np.linspace(0, 1, 64), (48, 1))


def grey(bits, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray((RAMP * (2**bits - 1)).astype(np.uint16)).save(file, kind, **options)
    return file.getvalue()


def pgm(largest, values):
    return b"P5\n64 48\n%d\n" % largest + values.astype(">u2").tobytes()


def coloured(bits, kind="PNG"):
    """Write 16 bits of three colours, which Pillow itself cannot, by way of another writer."""
    values = np.dstack([RAMP, RAMP[:, ::-1], RAMP / 2]) * (2**bits - 1)
    values = values.astype(np.uint16)
    if kind == "TIFF":
        return _colour_tiff(values)
    import struct
    import zlib

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 64, 48, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _colour_tiff(values):
    import struct

    entries = [
        (256, 3, 1, 64), (257, 3, 1, 48), (258, 3, 3, 146), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 152), (277, 3, 1, 3), (278, 3, 1, 48), (279, 4, 1, values.nbytes),
        (284, 3, 1, 1), (296, 3, 1, 1),
    ]  # fmt: skip
    data = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    data += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    assert len(data) == 146
    return data + struct.pack("<3H", 16, 16, 16) + values.astype("<u2").tobytes()


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_the_largest_value_tells_the_bits_and_they_fill_the_range(bits, kind):
    for data in (grey(bits, kind), coloured(bits, kind)):
        assert used_bits(data, 10**6) == bits
        pixels = decode_whole(data, bit_depth=bits)
        assert pixels[..., 0].min() == 0
        assert pixels[..., 0].max() == 255
        full = decode_whole(coloured(16, kind) if data[:4] != grey(bits, kind)[:4] else data)
        assert full.shape == (48, 64, 3)


def test_colours_of_twelve_bits_look_as_those_of_sixteen_do():
    whole = decode_whole(coloured(16)).astype(int)
    twelve = decode_whole(coloured(12), bit_depth=12).astype(int)
    assert np.abs(whole - twelve).max() <= 1
    assert decode_whole(coloured(12)).max() == 15  # what all 16 bits would make of them


@pytest.mark.parametrize("data", [grey(12), coloured(12), coloured(12, "TIFF")])
def test_a_pil_image_looks_as_its_file_does(data):
    image = as_images([Image.open(io.BytesIO(data))], bit_depth=12)[0]
    assert np.array_equal(image.pixels, decode_whole(data, bit_depth=12))


def test_without_a_depth_nothing_changes_for_any_image():
    for data in (grey(12), grey(16), coloured(12), coloured(16, "TIFF")):
        assert np.array_equal(decode_whole(data), decode_whole(data, bit_depth=16))


def test_images_of_eight_bits_have_no_depth_and_take_no_harm():
    file = io.BytesIO()
    Image.fromarray((RAMP * 255).astype(np.uint8)).convert("RGB").save(file, "PNG")
    assert used_bits(file.getvalue(), 10**6) is None
    views = [decode_views(file.getvalue(), bit_depth=bits) for bits in (10, 16)]
    assert np.array_equal(*views)


def test_what_the_file_says_goes_unless_a_value_is_larger():
    dark = (RAMP * 700).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(dark).save(file, "TIFF", tiffinfo={281: 4095})
    assert used_bits(file.getvalue(), 10**6) == 12
    file, info = io.BytesIO(), PngImagePlugin.PngInfo()
    info.add(b"sBIT", bytes([12]))
    Image.fromarray(dark).save(file, "PNG", pnginfo=info)
    assert b"sBIT" in file.getvalue()
    assert used_bits(file.getvalue(), 10**6) == 12
    file = io.BytesIO()
    Image.fromarray((RAMP * 60000).astype(np.uint16)).save(file, "PNG", pnginfo=info)
    assert used_bits(file.getvalue(), 10**6) == 16


def test_a_pgm_of_sixteen_bits_is_grey_and_names_its_own_range():
    values = RAMP * 4095
    stretched = decode_whole(pgm(4095, values), bit_depth=10)
    assert stretched[0, -1, 0] == 255
    assert stretched[0, 32, 0] == pytest.approx(130, abs=2)
    assert used_bits(pgm(4095, values), 10**6) is None
    assert used_bits(pgm(65535, values), 10**6) == 12
    assert decode_whole(pgm(65535, values), bit_depth=12)[0, -1, 0] == 255


def test_the_size_is_judged_before_any_value_is_read():
    from headstart.errors import DecodeError

    assert open_image(grey(12), 10**6).size == (64, 48)
    with pytest.raises(DecodeError, match="too large"):
        used_bits(grey(12), 100)
