"""A map of evidence drawn on its photograph."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...extract.decode.views import Pixels
from .explanation import Explanation
from .heat import Grid, evidence, lay_out

SIDE = 720  # pixels of the longer side
COLOURS = (
    "inferno"  # even steps of evidence look like even steps, in grey and to the colour-blind too
)
COVER = 0.75  # of the photograph, at the peak
VEIL = 0.8  # of white over what the network did not see
LEGEND = (28, 12)  # height of the strip and of the bar in it, pixels

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma


def overlay(explanation: Explanation, picture: Image.Image) -> Image.Image:
    """Lay the evidence for the class over the photograph in grey, in its own proportions.

    What no view showed to the network lies under a white veil.
    """
    grid = lay_out(explanation.maps, picture.width, picture.height)
    heat = evidence(grid)
    heat /= max(heat.max(), 1e-300)
    pixels = _coloured(np.asarray(picture), heat)
    unseen = np.isnan(grid)
    pixels[unseen] = (1 - VEIL) * pixels[unseen] + VEIL * 255
    return Image.fromarray(pixels.round().astype(np.uint8))


def legend(width: int, ground: int = 128) -> Image.Image:
    """Return a bar from no evidence to the most, as it looks on mid-grey."""
    ramp = np.tile(np.linspace(0, 1, width), (LEGEND[1], 1))
    bar = _coloured(np.full((*ramp.shape, 3), ground, dtype=np.uint8), ramp)
    return Image.fromarray(bar.round().astype(np.uint8))


def with_legend(picture: Image.Image) -> Image.Image:
    """Return the picture with the legend under it: none on the left, the most on the right."""
    from PIL import ImageDraw, ImageFont

    height, bar = LEGEND
    whole = Image.new("RGB", (picture.width, picture.height + height), "white")
    whole.paste(picture)
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(13)
    middle = picture.height + height // 2
    words = ("no evidence", "most")
    left, right = (round(pen.textlength(word, font=font)) + 16 for word in words)
    if picture.width > left + right + 40:
        pen.text((8, middle), words[0], "black", font, anchor="lm")
        pen.text((picture.width - 8, middle), words[1], "black", font, anchor="rm")
    else:
        left = right = 8
    strip = legend(max(1, picture.width - left - right))
    whole.paste(strip, (left, middle - bar // 2))
    return whole


def png_bytes(picture: Image.Image) -> bytes:
    """Return a picture as a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _coloured(pixels: Pixels, heat: Grid) -> NDArray[np.float64]:
    """Return the pixels in grey under the colours of heat in 0 to 1, float64, 0 to 255."""
    import matplotlib as mpl

    grey = (pixels @ np.array(_GREY))[..., None]
    colours = mpl.colormaps[COLOURS](heat)[..., :3] * 255
    cover = COVER * heat[..., None] ** 0.5
    whole: NDArray[np.float64] = (1 - cover) * grey + cover * colours
    return whole
