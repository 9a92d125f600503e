"""Images of 16 bits a channel: the values themselves, and how many of the bits are used.

Microscopes, X-ray detectors and raw sensors write 10 or 12 bits into files of 16, which look nearly
black when all 16 are taken for the range.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from .formats import FORMATS, open_image

FULL = 16
USUAL = (10, 12, 14, FULL)  # bits that devices write

_MAX_SAMPLE_VALUE, _BITS_PER_SAMPLE = 281, 258
_SWAPPED = {"L": "B", "B": "L", "N": "B"}  # the other order of bytes, where "N" is little-endian


def is_deep(image: Image.Image) -> bool:
    """Tell whether an opened image has 16 bits a channel; to be asked before it is loaded."""
    return is_deep_grey(image) or _deep_tiles(image)


def is_deep_grey(image: Image.Image) -> bool:
    """Tell whether Pillow keeps all 16 bits of an image, which it does of grey ones."""
    return image.mode.startswith("I;16") or (image.format == "PPM" and image.mode == "I")


def is_stretched(image: Image.Image) -> bool:
    """Tell whether Pillow fills the 16 bits: a PGM names its largest value. To be asked before loading."""
    if image.format != "PPM" or image.mode != "I" or not image.tile:  # type: ignore[attr-defined]
        return False
    codec, *_, args = image.tile[0]  # type: ignore[attr-defined]
    return bool(codec != "raw" and args[-1] != (1 << FULL) - 1)


def _deep_tiles(image: Image.Image) -> bool:
    return any(";16" in raw for raw in map(_raw_mode, getattr(image, "tile", [])))


def _raw_mode(tile: Any) -> str:
    args = tile[3]
    return str(args if isinstance(args, str) else args[0] if args else "")


def to_eight(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Return values of so many bits as 8; brighter ones are white.

    Examples
    --------
    >>> to_eight(np.array([0, 4095, 65535]), 12).tolist()
    [0, 255, 255]
    """
    eight: NDArray[np.uint8] = np.minimum(values >> (bits - 8), 255).astype(np.uint8)
    return eight


def deep_colours(data: bytes, high: NDArray[np.uint8]) -> NDArray[np.uint16] | None:
    """Return the 16 bits of a colour image, of which Pillow keeps the upper 8.

    Read once more in the other order of bytes, it shows the lower ones.

    Parameters
    ----------
    data : bytes
        The file.
    high : ndarray, shape (height, width, channels), uint8
        As Pillow shows it.

    Returns
    -------
    ndarray, shape (height, width, channels), uint16; or None
        None where Pillow knows no other order.
    """
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    tiles = []
    for tile in image.tile:
        raw = _raw_mode(tile)
        swapped = raw[:-1] + _SWAPPED.get(raw[-1:], "?")
        args: Any = swapped if isinstance(tile[3], str) else (swapped, *(tile[3] or ())[1:])
        tiles.append(tile._replace(args=args))
    image.tile = tiles
    try:
        low = np.asarray(image)
    except (ValueError, OSError):  # no such raw mode
        return None
    if low.shape != high.shape:
        return None
    values: NDArray[np.uint16] = (high.astype(np.uint16) << 8) | low
    return values


def used_bits(data: bytes, max_pixels: int) -> int | None:
    """Return how many bits a file of 16 a channel uses; None for any other image.

    What the file says goes (TIFF's tags, PNG's sBIT), unless a value is larger; else its largest
    value tells.

    Raises
    ------
    DecodeError
        If it cannot be read.
    """
    image = open_image(data, max_pixels)
    if not is_deep(image) or is_stretched(image):
        return None
    declared = _declared(image, data)
    grey = is_deep_grey(image)
    values = np.asarray(image)
    if not grey:
        whole = deep_colours(data, values)
        if whole is None:
            return FULL
        values = whole[..., :3]
    largest = int(values.max())
    if declared is not None and largest < 1 << declared:
        return declared
    return next(bits for bits in USUAL if largest < 1 << bits)


def _declared(image: Image.Image, data: bytes) -> int | None:
    """Return the bits that the file itself names, if fewer than 16."""
    bits = FULL
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = max(_numbers(image.tag_v2.get(_BITS_PER_SAMPLE)), default=FULL)
        largest = max(_numbers(image.tag_v2.get(_MAX_SAMPLE_VALUE)), default=0)
        if largest:
            bits = min(bits, largest.bit_length())
    elif image.format == "PNG":
        begin = data.find(b"sBIT", 0, 4096)  # before the pixels, a few bytes after the header
        if begin > 0:
            (length,) = struct.unpack(">I", data[begin - 4 : begin])
            bits = max(data[begin + 4 : begin + 4 + min(length, 3)], default=FULL)
    return bits if 8 < bits < FULL else None


def _numbers(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    return tuple(map(int, value)) if isinstance(value, tuple) else (int(value),)
