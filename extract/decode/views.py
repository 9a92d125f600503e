"""Ways of looking at one photograph: as it is, mirrored, in part, or in other colours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from ...errors import OptionError

CROP_SIDE = (0.7, 1.0)  # of the photograph's own, so a crop shows 49 % to 100 % of it
COLOUR_RANGE = (0.75, 1.25)  # by which brightness, contrast and saturation are multiplied
_NUMBERED = re.compile(r"crop[1-9][0-9]?|augment[1-9][0-9]{0,3}")

Pixels = NDArray[np.uint8]  # (height, width, 3)


def parse_views(text: str) -> tuple[str, ...]:
    """Read ``--views``: names with commas between.

    Raises
    ------
    OptionError
        If a name is unknown or stands there twice.

    Examples
    --------
    >>> parse_views("original,flip,crop1")
    ('original', 'flip', 'crop1')
    """
    views = tuple(name.strip() for name in text.split(","))
    for name in views:
        if name not in ("original", "flip") and not _NUMBERED.fullmatch(name):
            raise OptionError(
                f"unknown view {name!r}; valid: original, flip, crop1 to crop99, augment1 to "
                "augment9999, with commas between"
            )
    if len(set(views)) < len(views):
        raise OptionError(f"--views {text} names a view twice")
    return views


def make_views(
    image: Image.Image,
    views: Sequence[str],
    resize: Callable[[Image.Image], Image.Image],
    digest: bytes,
) -> Pixels:
    """Return the views of one upright RGB image, each at the input size.

    Parameters
    ----------
    image : PIL.Image.Image
        Upright, RGB.
    views : sequence of str
        ``"original"``; ``"flip"``, its mirror image; ``"crop1"`` to ``"crop99"``:
        a part with the image's own proportions, whose place and size depend on
        the number and the digest alone; ``"augment1"`` to ``"augment9999"``: such a
        part, mirrored every other time, its brightness, contrast and saturation
        changed by up to a quarter.
    resize : callable
        Image to image at the input size.
    digest : bytes
        SHA-256 of the file: the seed of its crops.

    Returns
    -------
    ndarray, shape (views, height, width, 3), uint8
    """
    whole = np.asarray(resize(image)) if {"original", "flip"} & set(views) else None

    def view(name: str) -> Pixels:
        if whole is None or name not in ("original", "flip"):
            part = resize(image.crop(crop_box(name, image.size, digest)))
            return np.asarray(part if name.startswith("crop") else _recolour(part, name, digest))
        return whole if name == "original" else whole[:, ::-1]

    return np.stack([view(name) for name in views])


def _recolour(image: Image.Image, name: str, digest: bytes) -> Image.Image:
    """Mirror the image or not, and change its colours, as drawn for this view."""
    low, high = COLOUR_RANGE
    for number, enhancer in enumerate(
        (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    ):
        drawn, _, _ = _draw(f"{name} colour {number}", digest)
        image = enhancer(image).enhance(low + (high - low) * drawn)
    return ImageOps.mirror(image) if is_mirrored(name, digest) else image


def is_mirrored(name: str, digest: bytes) -> bool:
    """Tell whether a view shows its part of the image mirrored.

    Examples
    --------
    >>> is_mirrored("flip", b""), is_mirrored("crop1", b"")
    (True, False)
    """
    if not name.startswith("augment"):
        return name == "flip"
    _, mirror, _ = _draw(f"{name} colour 2", digest)
    return mirror < 0.5


def crop_box(name: str, size: tuple[int, int], digest: bytes) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a seeded crop, at least one pixel each way."""
    drawn, across, down = _draw(name, digest)
    side = CROP_SIDE[0] + (CROP_SIDE[1] - CROP_SIDE[0]) * drawn
    width, height = (max(1, round(side * length)) for length in size)
    left, top = round(across * (size[0] - width)), round(down * (size[1] - height))
    return left, top, left + width, top + height


def _draw(name: str, digest: bytes) -> tuple[float, float, float]:
    """Three numbers in [0, 1): from a hash, since random generators change with versions."""
    drawn = np.frombuffer(hashlib.sha256(digest + name.encode()).digest()[:24], dtype="<u8")
    first, second, third = (float(number) / 2**64 for number in drawn)
    return first, second, third
