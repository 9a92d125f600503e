"""Every format, tag and way of giving an image: it is put upright exactly once."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from headstart.extract.decode.decode import decode_upright, decode_whole, upright_rgb
from headstart.extract.images.dataset import read_dataset
from headstart.extract.images.read import read_image
from headstart.extract.inputs import as_images
from shards import tar_of

# A corner of its own colour each, so that every turn and mirror shows.
UPRIGHT = np.zeros((48, 64, 3), np.uint8)
UPRIGHT[:24, :32], UPRIGHT[:24, 32:], UPRIGHT[24:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)

# How a file of each tag has to lie, so that it is upright once it is turned.
STORED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: x.transpose(1, 0, 2)[::-1],
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: x.transpose(1, 0, 2)[:, ::-1],
}
WAYS = {
    "jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True}),
    "avif": ("AVIF", {"quality": 95}),
    "tiff raw": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff jpeg": ("TIFF", {"compression": "jpeg", "quality": 95}),
}


def stored(way, orientation):
    kind, options = WAYS[way]
    file, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation](UPRIGHT)))
    image.save(file, kind, exif=exif, **options)
    return file.getvalue()


def big_endian(orientation):
    """Return a raw TIFF in Motorola's order, which Pillow does not write."""
    pixels = np.ascontiguousarray(STORED[orientation](UPRIGHT))
    height, width = pixels.shape[:2]
    entries = [
        *(
            (256, 3, 1, width << 16),
            (257, 3, 1, height << 16),
            (258, 3, 3, 158),
            (259, 3, 1, 1 << 16),
        ),
        *((262, 3, 1, 2 << 16), (273, 4, 1, 164), (274, 3, 1, orientation << 16)),
        *((277, 3, 1, 3 << 16), (278, 3, 1, height << 16), (279, 4, 1, pixels.size)),
        *((284, 3, 1, 1 << 16), (296, 3, 1, 1 << 16)),
    ]
    head = struct.pack(">2sHIH", b"MM", 42, 8, len(entries))
    table = b"".join(struct.pack(">HHII", *entry) for entry in entries) + struct.pack(">I", 0)
    data = head + table
    assert len(data) == 158
    return data + struct.pack(">3H", 8, 8, 8) + pixels.tobytes()


def file_of(way, orientation):
    return big_endian(orientation) if way == "tiff big-endian" else stored(way, orientation)


@pytest.mark.parametrize("way", [*WAYS, "tiff big-endian"])
def test_all_eight_tags_are_upright_by_bytes_path_image_and_shard(way, tmp_path):
    for orientation in STORED:
        data = file_of(way, orientation)
        path = tmp_path / "a" / f"{orientation}.x"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        ways_in = {
            "bytes": decode_upright(data, 48),
            "whole": decode_whole(data),
            "path": decode_upright(read_image(path, 10**6)[1], 48),
            "image": upright_rgb(Image.open(io.BytesIO(data), formats=None)),
            "input": as_images([Image.open(io.BytesIO(data))])[0].pixels,
        }
        shard = tar_of(tmp_path / f"{orientation}.tar", [("a/1.jpg", data)])
        (member,) = [image.path for image in read_dataset(shard).images]
        ways_in["shard"] = decode_upright(read_image(member, 10**6)[1], 48)
        for name, pixels in ways_in.items():
            assert pixels.shape == UPRIGHT.shape, (orientation, name)
            apart = np.abs(pixels.astype(int) - UPRIGHT).mean()
            assert apart < 6, (orientation, name, apart)


def test_a_heic_file_turns_itself_and_its_exif_tag_says_only_how_the_camera_was_held():
    """ISO 23008-12: readers ignore the tag; libheif has applied the file's own turns."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    file, exif = io.BytesIO(), Image.Exif()
    exif[274] = 6
    Image.fromarray(UPRIGHT).save(file, "HEIF", exif=exif, quality=95)
    assert np.abs(decode_upright(file.getvalue(), 48).astype(int) - UPRIGHT).mean() < 6
