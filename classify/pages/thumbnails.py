"""Photographs small enough for the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence

from ...extract.images.addresses import Reference

SIDE = 144  # pixels, of the longer side
QUALITY = 70
MOST = 600  # some 5 kB each


def thumbnails(paths: Sequence[Reference], wanted: Iterable[int]) -> dict[int, str]:
    """Return small JPEGs as data URIs, upright, by position.

    Parameters
    ----------
    paths : sequence of Reference
        All images.
    wanted : iterable of int
        Positions, the most wanted first; at most 600 are made. An image that
        can no longer be read has none.
    """
    found = {}
    for position in list(dict.fromkeys(wanted))[:MOST]:
        uri = _thumbnail(paths[position])
        if uri is not None:
            found[position] = uri
    return found


def _thumbnail(path: Reference) -> str | None:
    from PIL import Image, ImageOps

    from ...extract.decode.decode import MAX_PIXELS, to_rgb
    from ...extract.images.read import read_image

    buffer = io.BytesIO()
    try:
        _, data = read_image(path, MAX_PIXELS)
        with Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", (2 * SIDE, 2 * SIDE))  # JPEGs are scaled while they are decoded
            upright = to_rgb(ImageOps.exif_transpose(image))
            upright.thumbnail((SIDE, SIDE))
            upright.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    except Exception:  # decoders raise anything; the page says that there is no picture
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
