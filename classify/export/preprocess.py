"""A photograph's pixels as headstart sees them, for a classifier that it exported.

Needs Pillow and numpy alone; written beside the classifier by ``headstart export``.
"""

from os import PathLike
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps


def read_pixels(photograph: str | PathLike[str] | BinaryIO, bit_depth: int = 16) -> np.ndarray:
    """Return the pixels of an image file, (1, height, width, 3), uint8, RGB.

    The first frame, upright; transparency lies on white, 16 bits become 8.

    Parameters
    ----------
    photograph : path or file object
        Whatever Pillow opens.
    bit_depth : int
        Of grey images of 16 bits, how many hold the values: ``spec["bit_depth"]`` of what the
        classifier says of itself.
    """
    with Image.open(photograph) as image:
        image.load()  # Pillow turns a TIFF upright as it loads it
        deep = image.mode.startswith("I;16") or (image.format == "PPM" and image.mode == "I")
        upright = ImageOps.exif_transpose(image)
    if deep:
        upright = Image.fromarray(
            np.minimum(np.asarray(upright) >> (bit_depth - 8), 255).astype(np.uint8)
        )
    elif upright.mode in ("I", "F"):
        raise ValueError(f"{upright.mode!r} pixels (32 bits a channel) have no known range")
    elif "A" in upright.mode or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.asarray(upright.convert("RGB"))[None]
