"""Photographs small enough for a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...errors import DecodeError
from ...extract.decode.decode import MAX_PIXELS, decode_upright
from ...extract.images.addresses import Reference
from ...extract.images.read import read_image
from ...text import shown

if TYPE_CHECKING:
    from PIL import Image

SIDE = 144  # pixels, of the longer side
QUALITY = 70
MOST = 600  # some 5 kB each


def thumbnails(
    paths: Sequence[Reference], wanted: Iterable[int], most: int = MOST
) -> dict[int, str]:
    """Return small JPEGs as data URIs, upright, by position.

    Parameters
    ----------
    paths : sequence of Reference
        All images.
    wanted : iterable of int
        Positions, the most wanted first. An image that can no longer be read has none.
    most : int
        How many are made.
    """
    made = {position: thumbnail(paths[position]) for position in list(dict.fromkeys(wanted))[:most]}
    return {position: uri for position, uri in made.items() if uri is not None}


def thumbnail(path: Reference) -> str | None:
    """Return an image as a small JPEG's data URI, upright; None if it cannot be read."""
    try:
        return jpeg_uri(open_upright(path, SIDE))
    except DecodeError:  # it was readable when its features were extracted
        return None


def open_upright(path: Reference, side: int, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Return a photograph as the network gets it, but whole, its longer side ``side`` at most.

    Raises
    ------
    DecodeError
        If it cannot be read; the message names it.
    """
    from PIL import Image

    try:
        _, data = read_image(path, max_pixels)
        picture = Image.fromarray(decode_upright(data, side, max_pixels))
    except DecodeError as error:
        raise DecodeError(f"{shown(path)}: {error}") from error
    picture.thumbnail((side, side))
    return picture


def jpeg(picture: Image.Image, quality: int = QUALITY) -> bytes:
    """Return a picture as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def jpeg_uri(picture: Image.Image, quality: int = QUALITY) -> str:
    """Return a picture as a data URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(picture, quality)).decode('ascii')}"
