"""Resizing as part of the network: Pillow's, to the pixel, for images of any size.

Pillow shrinks by a triangle filter as wide as the reduction asks for, across and then down,
and rounds to whole numbers after each
(``ImagingResample`` in https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c).
Here each pass is a product with a matrix of weights that is made from the image's own height and
width. Pillow's weights are multiples of 2**-22; float32 holds 24 bits. So each weight is split
into two of eleven bits: both sums of weight times pixel are whole numbers that float32 holds, and
rounding comes out as Pillow's integers do.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ...extract.backbone.loading import load_tensorflow

GREY = 127.0  # of the bars that "pad" adds
HALF = 2048.0  # 2**11; Pillow's weights are counted in 2**-22


def resized(images: Any, side: int, rule: str) -> Any:
    """Return images at the backbone's input size, as :func:`~headstart.extract.decode.decode.resize_views`.

    Parameters
    ----------
    images : tensor, shape (n, height, width, 3), uint8
        Of any height and width.
    side : int
        Of the square that comes out, in pixels.
    rule : str
        ``"crop"``, ``"squash"`` or ``"pad"``.

    Returns
    -------
    tensor, shape (n, side, side, 3), float32
        Whole numbers, 0 to 255.
    """
    tf = load_tensorflow()
    shape = tf.shape(images)
    height, width = shape[1], shape[2]
    across, down = _PLACES[rule](tf, width, height, side), _PLACES[rule](tf, height, width, side)
    # (n, 3, height, width): both passes are then products of whole matrices.
    planes = tf.transpose(tf.cast(images, tf.float32), (0, 3, 1, 2))
    if tall_images_turn():
        fewer = height - down.count
        turned = (fewer > 0) & (fewer > 2 * (width - across.count))
        planes = _turned(tf, turned, planes)
        first, second = _either(tf, turned, down, across), _either(tf, turned, across, down)
        square = _turned(tf, turned, _second_pass(tf, _pass(tf, planes, first), second))
    else:
        square = _second_pass(tf, _pass(tf, planes, across), down)
    square = tf.transpose(square, (0, 2, 3, 1))
    if rule == "pad":
        inside = _inside(tf, down)[:, None] & _inside(tf, across)[None, :]
        square = tf.where(inside[None, :, :, None], square, GREY)
    return square


@functools.cache
def tall_images_turn() -> bool:
    """Tell whether the Pillow here shrinks tall images downwards first, as Pillow 13 does.

    Both orders are right; they differ by 1 in some pixels.
    """
    random = np.random.RandomState(0)
    tall = Image.fromarray(random.randint(0, 256, (64, 12), dtype=np.uint8))
    both = tall.resize((8, 8), Image.Resampling.BILINEAR)
    down = tall.resize((12, 8), Image.Resampling.BILINEAR)
    return both == down.resize((8, 8), Image.Resampling.BILINEAR)


class _Place(NamedTuple):
    """Along one axis: what becomes of the input pixels.

    ``length`` of the image, in pixels; where the part taken begins (``start``) and how long it is
    (``span``), in half pixels; how many output pixels it makes (``count``), and where the
    ``first`` of them lies.
    """

    length: Any
    start: Any
    span: Any
    count: Any
    first: Any
    side: int


def _crop(tf: Any, length: Any, other: Any, side: int) -> _Place:
    """As ``ImageOps.fit``: the middle, as long as the other side where that is shorter."""
    kept = tf.minimum(length, other)
    return _Place(length, length - kept, 2 * kept, tf.constant(side), tf.constant(0), side)


def _squash(tf: Any, length: Any, other: Any, side: int) -> _Place:
    del other
    return _Place(length, tf.constant(0), 2 * length, tf.constant(side), tf.constant(0), side)


def _pad(tf: Any, length: Any, other: Any, side: int) -> _Place:
    """As ``ImageOps.pad``: all of it, in proportion, in the middle; Python's ``round``.

    Python's halves are those of float64, these are exact: 15 of a million sizes come out one
    pixel wider or narrower, such as 29 x 448.
    """
    doubled = 2 * side * length + other
    wanted = doubled // (2 * other)
    halfway = tf.cast(tf.equal(wanted * 2 * other, doubled), tf.int32)
    wanted -= halfway * (wanted % 2)  # a half goes to the even number
    count = tf.clip_by_value(wanted, 1, side)
    margin = side - count
    first = margin // 2 + tf.cast(tf.equal(margin % 4, 3), tf.int32)
    return _Place(length, tf.constant(0), 2 * length, count, first, side)


_PLACES = {"crop": _crop, "squash": _squash, "pad": _pad}


def _turned(tf: Any, wanted: Any, planes: Any) -> Any:
    return tf.cond(wanted, lambda: tf.transpose(planes, (0, 1, 3, 2)), lambda: planes)


def _either(tf: Any, wanted: Any, one: _Place, other: _Place) -> _Place:
    fields = zip(one._fields, one, other, strict=True)
    return _Place(
        **{name: a if name == "side" else tf.where(wanted, a, b) for name, a, b in fields}
    )


def _pass(tf: Any, planes: Any, place: _Place) -> Any:
    """Return planes (n, 3, height, width) with a width of ``side``."""
    fine, coarse = _weights(tf, place)
    rows = tf.reshape(planes, tf.stack((-1, place.length)))
    sums = _rounded(tf, tf.matmul(rows, fine), tf.matmul(rows, coarse))
    return tf.reshape(sums, tf.stack((-1, 3, tf.shape(planes)[2], place.side)))


def _second_pass(tf: Any, planes: Any, place: _Place) -> Any:
    """Return planes (n, 3, height, side) with a height of ``side``."""
    across = _pass(tf, tf.transpose(planes, (0, 1, 3, 2)), place)
    square = tf.reshape(across, (-1, 3, place.side, place.side))
    return tf.transpose(square, (0, 1, 3, 2))


def _weights(tf: Any, place: _Place) -> tuple[Any, Any]:
    """Return weights (length, side) in units of 2**-22 and of 2**-11, whole numbers in float32.

    A weight is the sum of the two. The distance of an input pixel from the middle of an output
    pixel is a multiple of 1 / (4 * count): its share is a quotient of integers.
    """
    inputs = 2 * tf.range(place.length) + 1  # middles, in half pixels
    outputs = 2 * (tf.range(place.side) - place.first) + 1
    reach = 2 * tf.maximum(place.span, 2 * place.count)
    away = (inputs - place.start)[:, None] * (2 * place.count) - outputs[None, :] * place.span
    triangle = tf.maximum(reach - tf.abs(away), 0)  # (length, side)
    total = tf.maximum(tf.reduce_sum(triangle, axis=0, keepdims=True), 1)
    divisor = tf.cast(total, tf.float32)
    coarse = tf.floor(tf.cast(triangle, tf.float32) / divisor * HALF)
    left = tf.cast(triangle * int(HALF) - tf.cast(coarse, tf.int32) * total, tf.float32)
    fine = tf.floor(left / divisor * HALF + 0.5)
    return fine, coarse


def _rounded(tf: Any, fine: Any, coarse: Any) -> Any:
    """Return the sums in whole pixels: (coarse * 2**11 + fine + 2**21) // 2**22, 0 to 255."""
    whole = tf.floor((coarse + tf.floor(fine / HALF) + HALF / 2) / HALF)
    return tf.clip_by_value(whole, 0.0, 255.0)


def _inside(tf: Any, place: _Place) -> Any:
    at = tf.range(place.side)
    return (at >= place.first) & (at < place.first + place.count)
