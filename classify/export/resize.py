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

from typing import Any, NamedTuple

from ...extract.backbone.loading import load_tensorflow
from ...extract.decode.resize_rules import GREY, ResizeRule, find_rule

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
        A name of :data:`~headstart.extract.decode.resize_rules.RESIZE_RULES`; bilinear.

    Returns
    -------
    tensor, shape (n, side, side, 3), float32
        Whole numbers, 0 to 255.
    """
    tf = load_tensorflow()
    shape = tf.shape(images)
    height, width = shape[1], shape[2]
    row = find_rule(rule)
    across, down = _place(tf, width, height, side, row), _place(tf, height, width, side, row)
    fewer = height - down.count
    turned = (fewer > 0) & (fewer > 2 * (width - across.count))
    square = _second_pass(
        tf,
        _pass(tf, _planes(tf, _turned(tf, turned, images)), _either(tf, turned, down, across)),
        _either(tf, turned, across, down),
    )
    square = _turned(tf, turned, tf.transpose(square, (0, 2, 3, 1)))
    if row.fills == "longer":
        inside = _inside(tf, down)[:, None] & _inside(tf, across)[None, :]
        square = tf.where(inside[None, :, :, None], square, float(GREY))
    return square


class _Place(NamedTuple):
    """Along one axis: what becomes of the input pixels.

    ``length`` of the image, in pixels; where the part taken begins (``start``) and how long it is
    (``span``), in halves of a unit, of which a pixel has so many (``units``); how many output
    pixels it makes (``count``), and where the ``first`` of them lies.
    """

    length: Any
    start: Any
    span: Any
    count: Any
    first: Any
    side: int
    units: int


def _place(tf: Any, length: Any, other: Any, side: int, rule: ResizeRule) -> _Place:
    """Lay a rule out along one axis, as :func:`~headstart.extract.decode.resize_rules.place`.

    All in whole numbers. Python's halves there are those of float64, these are exact: 15 of a
    million sizes come out one pixel wider or narrower with bars, such as 29 x 448.
    """
    parts, whole = rule.keeps.numerator, rule.keeps.denominator
    filling = {
        "each": length,
        "shorter": tf.minimum(length, other),
        "longer": tf.maximum(length, other),
    }
    window = filling[rule.fills] * parts  # in units: so many of a pixel
    taken = tf.minimum(window, length * whole)
    doubled = 2 * side * length * whole + window
    count = doubled // (2 * window)
    halfway = tf.cast(tf.equal(count * 2 * window, doubled), tf.int32)
    count = tf.clip_by_value(count - halfway * (count % 2), 1, side)  # a half: to the even number
    margin = side - count
    first = margin // 2 + tf.cast(tf.equal(margin % 4, 3), tf.int32)
    return _Place(length, length * whole - taken, 2 * taken, count, first, side, whole)


def _turned(tf: Any, wanted: Any, images: Any) -> Any:
    """Return images (n, height, width, 3) with rows and columns exchanged where that is wanted.

    Pixels are taken from where they lie: OpenVINO answers wrongly what branches (``tf.cond``).
    """
    shape = tf.shape(images)
    height, width = shape[1], shape[2]
    rows, columns = tf.where(wanted, width, height), tf.where(wanted, height, width)
    down, across = tf.where(wanted, 1, width), tf.where(wanted, width, 1)  # steps, in pixels
    places = tf.range(rows)[:, None] * down + tf.range(columns)[None, :] * across
    pixels = tf.reshape(images, tf.stack((-1, height * width, 3)))
    taken = tf.gather(pixels, tf.reshape(places, (-1,)), axis=1)
    return tf.reshape(taken, tf.stack((-1, rows, columns, 3)))


def _planes(tf: Any, images: Any) -> Any:
    """Return (n, 3, height, width): both passes are then products of whole matrices."""
    return tf.transpose(tf.cast(images, tf.float32), (0, 3, 1, 2))


def _either(tf: Any, wanted: Any, one: _Place, other: _Place) -> _Place:
    fields = zip(one._fields, one, other, strict=True)
    return _Place(
        **{
            name: a if name in ("side", "units") else tf.where(wanted, a, b)
            for name, a, b in fields
        }
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
    inputs = (2 * tf.range(place.length) + 1) * place.units  # middles
    outputs = 2 * (tf.range(place.side) - place.first) + 1
    reach = 2 * tf.maximum(place.span, 2 * place.units * place.count)
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
    pixels = tf.range(place.side)
    return (pixels >= place.first) & (pixels < place.first + place.count)
