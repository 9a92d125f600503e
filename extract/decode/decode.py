"""Bytes of an image file to pixels: one recipe for training and prediction."""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import simplejpeg
from PIL import Image, ImageOps, UnidentifiedImageError

from ...errors import DecodeError, first_line
from .resize_rules import find_rule, resized
from .views import Pixels, make_views

# Part of every feature spec. Raise it when a change here moves a pixel.
RECIPE = 1
MAX_PIXELS = 89_478_485  # Pillow's own limit against decompression bombs: 256 MB of RGB

# Of what Pillow reads. Left out are formats that it hands to other programs (EPS to Ghostscript,
# which runs what it is given) and those that hardly anything tells from text (TGA, PCX).
FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "PSD", "QOI", "TIFF"),
    "WEBP",
)

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


def decode(
    data: bytes,
    size: tuple[int, int] = (224, 224),
    resize: str = "crop",
    max_pixels: int = MAX_PIXELS,
) -> Pixels:
    """Decode one image file to RGB at the backbone's input size: its original view.

    See :func:`decode_views`, of whose result this is the first and only row.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (640, 480), "red").save(file, "PNG")
    >>> decode(file.getvalue())[0, 0].tolist()
    [255, 0, 0]
    """
    pixels: Pixels = decode_views(data, size, resize, max_pixels=max_pixels)[0]
    return pixels


def decode_views(
    data: bytes,
    size: tuple[int, int] = (224, 224),
    resize: str = "crop",
    views: Sequence[str] = ("original",),
    digest: bytes = b"",
    max_pixels: int = MAX_PIXELS,
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

    Returns
    -------
    ndarray, shape (views, height, width, 3), uint8, 0 to 255

    Raises
    ------
    DecodeError
        If the bytes are not a whole image; the message is the reason.
    """
    find_rule(resize)  # before anything is decoded for it
    return resize_views(decode_upright(data, max(size), max_pixels), size, resize, views, digest)


def decode_upright(data: bytes, shortest: int, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode one image file to RGB, upright and whole: the first step of :func:`decode_views`.

    Parameters
    ----------
    data : bytes
        The whole file.
    shortest : int
        Pixels that each side must keep: a JPEG comes at half, a quarter or an eighth of its
        size where that is still as large.
    max_pixels : int
        Refuse larger images before decoding them.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8, 0 to 255

    Raises
    ------
    DecodeError
        If the bytes are not a whole image; the message is the reason.
    """
    if not data:
        raise DecodeError("empty file (0 bytes)")
    header = _open(data, max_pixels)
    try:
        orientation = header.getexif().get(_ORIENTATION, 1)
        pixels = _pixels(data, header, shortest)
    except DecodeError:
        raise
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise DecodeError(f"damaged {header.format} image: {first_line(error)}") from error
    if orientation in _UPRIGHT:
        pixels = np.ascontiguousarray(_UPRIGHT[orientation](pixels))
    return pixels


def resize_views(
    pixels: Pixels,
    size: tuple[int, int],
    resize: str,
    views: Sequence[str],
    digest: bytes,
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


def decode_whole(data: bytes, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Return all pixels (height, width, 3), uint8, of one image file: upright, RGB, by Pillow.

    What a program without headstart sees of the file: a large JPEG is not scaled as it is
    decoded, as it is in :func:`decode_views`.

    Raises
    ------
    DecodeError
        If the bytes are not a whole image; the message is the reason.
    """
    if not data:
        raise DecodeError("empty file (0 bytes)")
    return upright_rgb(_open(data, max_pixels))


def upright_rgb(image: Image.Image) -> Pixels:
    """Return an opened image's pixels (height, width, 3) as :func:`decode_views` sees them.

    Raises
    ------
    DecodeError
        If it has no pixels that can be used; the message is the reason.
    """
    try:
        pixels: Pixels = np.asarray(to_rgb(ImageOps.exif_transpose(image)))
    except DecodeError:
        raise
    except Exception as error:  # Pillow decodes late, and raises what damaged bytes lead it to
        raise DecodeError(f"damaged {image.format} image: {first_line(error)}") from error
    return pixels


def _open(data: bytes, max_pixels: int) -> Image.Image:
    """Read the header alone: format, size, mode."""
    if max_pixels > MAX_PIXELS:
        # Pillow refuses twice its own limit by itself; it has one limit, for the whole process.
        Image.MAX_IMAGE_PIXELS = max(max_pixels, Image.MAX_IMAGE_PIXELS or 0)
    try:
        image = Image.open(io.BytesIO(data), formats=_readable())
    except UnidentifiedImageError as error:
        raise DecodeError(f"not an image (begins with {data[:8]!r})") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DecodeError(f"too large: {first_line(error)}") from error
    except Exception as error:
        raise DecodeError(f"damaged image: {first_line(error)}") from error
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise DecodeError(
            f"too large: {image.width} x {image.height} is {pixels:,} pixels, "
            f"the limit is {max_pixels:,}"
        )
    return image


@functools.cache
def _readable() -> tuple[str, ...]:
    """Return those of our formats that this build of Pillow reads."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _pixels(data: bytes, header: Image.Image, shortest: int) -> Pixels:
    if header.format in ("JPEG", "MPO") and header.mode in ("RGB", "L"):
        # strict refuses stray bytes that harm nothing, too: Pillow, which raises when data is
        # missing, has the last word.
        with contextlib.suppress(ValueError):
            # Scaling inside the inverse DCT is itself an average over each block.
            pixels: Pixels = simplejpeg.decode_jpeg(
                data, min_height=shortest, min_width=shortest, min_factor=2, strict=True
            )
            return pixels
    return np.asarray(to_rgb(header))


def to_rgb(image: Image.Image) -> Image.Image:
    """Return any Pillow image as RGB: transparency on white, 16 bits as 8.

    Raises
    ------
    DecodeError
        If its pixels have no known range.
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise DecodeError(f"{image.mode!r} pixels (32 bits a channel) have no known range")
    if "A" in image.mode or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


# Sizes between Pillow's warning and its error are judged by max_pixels above.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
