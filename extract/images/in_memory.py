"""Images that are already in memory: what stands for a file's digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from ..decode.views import Pixels

# No image file begins with this, so no file's digest can be a pixel image's.
DOMAIN = b"headstart pixels 1\0"


@dataclass(frozen=True, slots=True, eq=False)
class PixelImage:
    """One image given as pixels.

    Attributes
    ----------
    digest : bytes
        Its key in the cache, see :func:`digest_pixels`.
    """

    pixels: Pixels  # RGB, 0 to 255, upright, of any size
    name: str  # what to call it where a file would be called by its path
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest_pixels(self.pixels))

    def __str__(self) -> str:
        return self.name


def digest_pixels(pixels: Pixels) -> bytes:
    """Return the SHA-256 of a prefix, the shape and the pixels: 32 bytes.

    The shape is three unsigned 64-bit integers, little-endian; the pixels run
    over height, width, channel, the channel fastest.

    Parameters
    ----------
    pixels : ndarray, shape (height, width, 3), uint8
        RGB.

    Examples
    --------
    >>> wide, tall = np.zeros((2, 1, 4, 3), np.uint8)[0], np.zeros((4, 1, 3), np.uint8)
    >>> digest_pixels(wide) == digest_pixels(wide.copy()), digest_pixels(wide) == digest_pixels(tall)
    (True, False)
    """
    shape = np.array(pixels.shape, dtype="<u8").tobytes()
    return hashlib.sha256(DOMAIN + shape + np.ascontiguousarray(pixels).tobytes()).digest()
