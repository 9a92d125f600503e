"""What a file is by its first bytes, and how it is opened: the table of image formats.

Most are Pillow's. Some need a plug-in of the extra ``formats``; others are no photographs, or none
that can be read here, and get their name and a remedy.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from ...errors import DecodeError, first_line

# Of what Pillow reads. Left out are formats that it hands to other programs (EPS to Ghostscript,
# which runs what it is given) and those that hardly anything tells from text (TGA, PCX).
FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "PSD", "QOI", "TIFF"),
    "WEBP",
)
EXTRA = "pip install 'headstart[formats]' to read it"
TEXT_BYTES = 64 << 20  # of a PNG's descriptions; Pillow's own limit, 1 MB, refuses good files


CheckSize = Callable[[int, int], None]  # (width, height); raises when that is too large


def _heif(data: bytes, check_size: CheckSize) -> Image.Image:
    del check_size  # the header tells the size
    import pillow_heif

    pillow_heif.register_heif_opener()
    return Image.open(io.BytesIO(data), formats=("HEIF",))


def _jpeg_xl(data: bytes, check_size: CheckSize) -> Image.Image:
    del check_size
    import pillow_jxl  # noqa: F401 - registers itself

    return Image.open(io.BytesIO(data), formats=("JXL",))


def _dicom(data: bytes, check_size: CheckSize) -> Image.Image:
    from .dicom import open_dicom

    return open_dicom(data, check_size)


@dataclass(frozen=True, slots=True)
class Kind:
    """Files that Pillow alone does not read."""

    name: str  # what a person calls them
    begins: str  # a regular expression of their first bytes
    remedy: str  # what to do about one
    # (bytes, check of the size) to image, by a package that may be missing
    open: Callable[[bytes, CheckSize], Image.Image] | None = None


_CONVERT = "convert it to JPEG or PNG first"
_DEVELOP = "develop it to JPEG, TIFF or PNG first, for example with darktable or rawpy"
_FRAMES = "take frames out of it first, for example with ffmpeg"
_UNPACK = "unpack it first"

# fmt: off
KINDS = (
    Kind("a HEIC image", r"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", EXTRA, _heif),
    Kind("a JPEG XL image", r"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", EXTRA, _jpeg_xl),
    Kind("a DICOM image", r".{128}DICM", EXTRA, _dicom),
    Kind("a camera raw file (CR3)", r"....ftypcrx ", _DEVELOP),
    Kind("a camera raw file (RAF)", r"FUJIFILMCCD-RAW", _DEVELOP),
    Kind("a camera raw file (ORF)", r"II(?:RO|RS|U\0)|MMOR", _DEVELOP),
    Kind("a camera raw file (X3F)", r"FOVb", _DEVELOP),
    Kind("an AVIF sequence", r"....ftypavi[fs]", _CONVERT),
    Kind("not an image but a video", r"....(?:ftyp|moov|mdat|wide|free)|\x1aE\xdf\xa3|FLV\x01", _FRAMES),
    Kind("not an image but a video", r"RIFF....AVI |\0\0\x01[\xb3\xba]|\x30\x26\xb2\x75|OggS", _FRAMES),
    Kind("not an image but a sound", r"RIFF....WAVE|ID3|fLaC", "leave it out"),
    Kind("not an image but a PDF document", r"%PDF",
         "take the images out of it first, for example with pdfimages"),
    Kind("not an image but a PostScript file", r"%!PS|\xc5\xd0\xd3\xc6", _CONVERT),
    Kind("not an image but an SVG drawing",
         r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!DOCTYPE )?<?svg", _CONVERT),
    Kind("not an image but a web page", r"\s*<(?:!doctype html|html|head)", "download the image itself"),
    Kind("not an image but an XML document", r"\s*<\?xml", "leave it out"),
    Kind("not an image but a pointer of Git LFS", r"version https://git-lfs",
         "git lfs pull fetches the image"),
    Kind("not an image but a ZIP archive", r"PK(?:\x03\x04|\x05\x06)", _UNPACK),
    Kind("not an image but a compressed file",
         r"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd", _UNPACK),
    Kind("not an image but a NumPy array", r"\x93NUMPY", "give arrays in Python, or " + _CONVERT),
    Kind("not an image but an HDF5 file", r"\x89HDF", _CONVERT),
    Kind("a FITS image", r"SIMPLE  =", _CONVERT),
    Kind("an OpenEXR image", r"\x76\x2f\x31\x01", _CONVERT),
    Kind("a Radiance image", r"#\?R(?:ADIANCE|GBE)", _CONVERT),
    Kind("not an image but a DjVu document", r"AT&TFORM", _CONVERT),
    Kind("a GIMP image", r"gimp xcf", _CONVERT),
)
# fmt: on
_HEAD = 1024  # bytes that tell a kind

_DNG_VERSION, _SUBFILE, _SUB_IFDS, _BANDS, _BITS = 50706, 254, 330, 277, 258
_REDUCED = 1  # of _SUBFILE: a smaller version of another image in the file


def find_kind(data: bytes) -> Kind | None:
    """Return the row of a file's first bytes.

    Examples
    --------
    >>> find_kind(b"%PDF-1.7 ...").name
    'not an image but a PDF document'
    >>> find_kind(b"nothing known")
    """
    head = data[:_HEAD].decode("latin-1")
    return next((k for k in KINDS if re.match(k.begins, head, re.DOTALL | re.IGNORECASE)), None)


def open_image(data: bytes, max_pixels: int) -> Image.Image:
    """Read an image's header: format, size, mode. Only plug-ins without a header of their own decode.

    Raises
    ------
    DecodeError
        If it is no image, none that can be read here, or larger than ``max_pixels``; the message
        names what it is and the remedy.
    """
    if not data:
        raise DecodeError("empty file (0 bytes)")
    if max_pixels > (Image.MAX_IMAGE_PIXELS or max_pixels):
        # Pillow refuses twice its own limit by itself; it has one limit, for the whole process.
        Image.MAX_IMAGE_PIXELS = max_pixels

    def check_size(width: int, height: int) -> None:
        if width * height > max_pixels:
            raise DecodeError(
                f"too large: {width} x {height} is {width * height:,} pixels, "
                f"the limit is {max_pixels:,}"
            )

    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
        _refuse_previews(image)
    except UnidentifiedImageError:
        image = _by_another(data, check_size)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DecodeError(f"too large: {first_line(error)}") from error
    except DecodeError:
        raise
    except Exception as error:
        raise DecodeError(f"damaged image: {first_line(error)}") from error
    check_size(image.width, image.height)
    return image


def _told(data: bytes) -> str:
    """Return bytes as a person reads them: as text where they are, else as hexadecimal digits.

    Examples
    --------
    >>> print(_told(b"hello"), _told(bytes([0, 255])))
    'hello' the bytes 00 ff
    """
    if data.isascii() and data.decode().isprintable():
        return f"'{data.decode()}'"
    return f"the bytes {data.hex(' ')}"


def _by_another(data: bytes, check_size: CheckSize) -> Image.Image:
    """Open what Pillow alone does not know, or say what it is."""
    kind = find_kind(data)
    if kind is None:
        raise DecodeError(_bands(data) or f"not an image (begins with {_told(data[:8])})")
    if kind.open is None:
        raise DecodeError(f"{kind.name}: {kind.remedy}")
    try:
        image = kind.open(data, check_size)
    except ImportError as error:
        raise DecodeError(f"{kind.name}: {kind.remedy}") from error
    except DecodeError:
        raise
    except Exception as error:  # every plug-in has its own
        raise DecodeError(f"damaged: {kind.name}, {first_line(error)}") from error
    return image


def _refuse_previews(image: Image.Image) -> None:
    """Refuse a camera's raw file, whose first page is a thumbnail of what it really holds."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    tags = image.tag_v2
    preview = tags.get(_SUBFILE, 0) & _REDUCED and _SUB_IFDS in tags
    if preview or _DNG_VERSION in tags:
        raise DecodeError(f"a camera raw file, of which only the preview is an image: {_DEVELOP}")


def _bands(data: bytes) -> str | None:
    """Say why Pillow knows no mode for a TIFF."""
    if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return None
    try:
        file = io.BytesIO(data)
        tags = TiffImagePlugin.ImageFileDirectory_v2(
            file.read(16 if data[2] in b"+" or data[3] in b"+" else 8)
        )
        file.seek(tags.next)
        tags.load(file)
        bands, bits = tags.get(_BANDS, 1), tags.get(_BITS, (1,))
    except Exception:  # damaged: its first bytes are all that can be told
        return None
    return (
        f"a TIFF of {bands} bands with {max(bits)} bits each: write the three that shall count as "
        "red, green and blue into a file of 8 bits first, for example with gdal_translate -b"
    )


PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = TEXT_BYTES
# Sizes between Pillow's warning and its error are judged by max_pixels above.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
