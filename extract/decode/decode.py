"""Bytes of an image file to pixels: one recipe for training and prediction."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import simplejpeg
from PIL import Image

from ...cache.spec import FeatureSpec
from ...errors import DecodeError, first_line
from .bit_depth import FULL, deep_colours, is_deep, is_deep_grey, is_stretched, to_eight
from .formats import open_image
from .resize_rules import find_rule, resized
from .views import Pixels, make_views

# Part of every feature spec. Raise it when a change here moves a pixel.
RECIPE = 1
MAX_PIXELS = 89_478_485  # Pillow's own limit against decompression bombs: 256 MB of RGB

# EXIF orientation (CIPA DC-008, tag 274) to the turn that puts the image upright.
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: x.transpose(1, 0, 2)[:, ::-1],
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: x.transpose(1, 0, 2)[::-1],
}
_ORIENTATION = 274


def decode_views(
    data: bytes,
    size: tuple[int, int] = (224, 224),
    resize: str = "crop",
    views: Sequence[str] = ("original",),
    digest: bytes = b"",
    max_pixels: int = MAX_PIXELS,
    bit_depth: int = FULL,
) -> Pixels:
    """Decode one image file to RGB and return its views at the backbone's input size.

    JPEGs go through libjpeg-turbo, at half, a quarter or an eighth of their size
    where that still exceeds ``size``; everything else goes through Pillow. EXIF
    orientation is honoured, transparency lies on white, of an animation the
    first frame counts, 16 bits become 8.

    Parameters
    ----------
    data : bytes
        The whole file.
    size : tuple of int
        Height and width wanted, in pixels.
    resize : str
        ``"crop"`` cuts the middle out, ``"squash"`` ignores the proportions,
        ``"pad"`` adds grey (127) bars.
    views : sequence of str
        See :func:`headstart.extract.decode.views.make_views`.
    digest : bytes
        SHA-256 of the file, which seeds its crops.
    max_pixels : int
        Refuse larger images before decoding them.
    bit_depth : int
        Bits that hold the values of images of 16 bits a channel; of other images no matter.

    Returns
    -------
    ndarray, shape (views, height, width, 3), uint8, 0 to 255

    Raises
    ------
    DecodeError
        If the bytes are not a whole image; the message is the reason.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (640, 480), "red").save(file, "PNG")
    >>> decode_views(file.getvalue())[0, 0, 0].tolist()
    [255, 0, 0]
    """
    rule = find_rule(resize)  # before anything is decoded for it
    shortest = math.ceil(max(size) / rule.keeps)
    pixels = decode_upright(data, shortest, max_pixels, bit_depth)
    return resize_views(pixels, size, resize, views, digest)


def decode_for(spec: FeatureSpec, data: bytes, digest: bytes, max_pixels: int) -> Pixels:
    """Decode one image file, of this digest, as a spec asks for: see :func:`decode_views`."""
    return decode_views(
        data, spec.input_size, spec.resize, spec.views, digest, max_pixels, spec.bit_depth
    )


def decode_upright(
    data: bytes, shortest: int, max_pixels: int = MAX_PIXELS, bit_depth: int = FULL
) -> Pixels:
    """Decode one image file to RGB, upright and whole: the first step of :func:`decode_views`.

    Parameters
    ----------
    data : bytes
        The whole file.
    shortest : int
        Pixels that each side must keep: a JPEG comes at half, a quarter or an eighth of its
        size where that is still as large.
    max_pixels, bit_depth
        As there.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8, 0 to 255

    Raises
    ------
    DecodeError
        If the bytes are not a whole image; the message is the reason.
    """
    image = open_image(data, max_pixels)
    if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
        # strict refuses stray bytes that harm nothing, too: Pillow, which raises when data is
        # missing, has the last word.
        with contextlib.suppress(ValueError):
            # Scaling inside the inverse DCT is itself an average over each block.
            pixels = simplejpeg.decode_jpeg(
                data, min_height=shortest, min_width=shortest, min_factor=2, strict=True
            )
            with _damage_named(image):
                return _turned(pixels, image)
    return upright_rgb(image, data, bit_depth)


def resize_views(
    pixels: Pixels, size: tuple[int, int], resize: str, views: Sequence[str], digest: bytes
) -> Pixels:
    """Return the views of decoded pixels at the backbone's input size.

    The last step of :func:`decode_views`, and the only one of an image that was
    given as pixels: the same features as those of a file without loss, such as
    a PNG. Of a large JPEG they differ a little, since that is scaled as it is decoded.

    Parameters
    ----------
    pixels : ndarray, shape (height, width, 3), uint8
        RGB, upright, of any size.
    size, resize, views, digest
        As there.

    Returns
    -------
    ndarray, shape (views, height, width, 3), uint8, 0 to 255
    """
    height, width = size
    rule = find_rule(resize)
    return make_views(
        Image.fromarray(pixels), views, lambda image: resized(image, (width, height), rule), digest
    )


def decode_whole(data: bytes, max_pixels: int = MAX_PIXELS, bit_depth: int = FULL) -> Pixels:
    """Return all pixels (height, width, 3), uint8, of one image file: upright, RGB, by Pillow.

    What a program without headstart sees of the file: a large JPEG is not scaled as it is
    decoded, as it is in :func:`decode_views`.

    Raises
    ------
    DecodeError
        If the bytes are not a whole image; the message is the reason.
    """
    return upright_rgb(open_image(data, max_pixels), data, bit_depth)


def upright_rgb(image: Image.Image, data: bytes = b"", bit_depth: int = FULL) -> Pixels:
    """Return an opened image's pixels (height, width, 3) as :func:`decode_views` sees them.

    Parameters
    ----------
    image : PIL.Image.Image
        Loaded or not.
    data : bytes
        Its file, which holds the lower half of 16 bits in colour; the image's own when empty, as
        long as that is not loaded.
    bit_depth : int
        As there.

    Raises
    ------
    DecodeError
        If it has no pixels that can be used; the message is the reason.
    """
    with _damage_named(image):
        deep = bit_depth < FULL and is_deep(image) and not is_stretched(image)
        data = data or (_own_file(image) if deep else b"")
        pixels = np.asarray(_to_rgb(image, data, bit_depth) if deep else _to_rgb(image))
        # Only now: Pillow turns some formats as it loads them, and then takes their tag away.
        return _turned(pixels, image)


def _own_file(image: Image.Image) -> bytes:
    """Return the bytes that an image, not loaded yet, was opened from."""
    file = getattr(image, "fp", None)
    if file is None:
        return b""
    position = file.tell()
    file.seek(0)
    data: bytes = file.read()
    file.seek(position)
    return data


@contextlib.contextmanager
def _damage_named(image: Image.Image) -> Iterator[None]:
    try:
        yield
    except DecodeError:
        raise
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise DecodeError(f"damaged {image.format} image: {first_line(error)}") from error


def _turned(pixels: Pixels, image: Image.Image) -> Pixels:
    """Put an image's pixels upright: the only place that looks at its orientation."""
    turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _to_rgb(image: Image.Image, data: bytes = b"", bit_depth: int = FULL) -> Image.Image:
    """Return any Pillow image as RGB: transparency on white, 16 bits as 8."""
    if is_deep_grey(image):
        return Image.fromarray(to_eight(np.asarray(image), bit_depth)).convert("RGB")
    if image.mode in ("I", "F"):
        raise DecodeError(
            f"{image.mode!r} pixels (32 bits a channel) have no known range: write them as 8 or 16 "
            "bits, scaled as you see fit"
        )
    if data and bit_depth < FULL and (values := deep_colours(data, np.asarray(image))) is not None:
        colours = to_eight(values[..., :3], bit_depth)
        image = Image.fromarray(np.dstack([colours, np.asarray(image)[..., 3:]]))
    if "A" in image.mode or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")
