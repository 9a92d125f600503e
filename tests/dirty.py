"""Files as people really have them: each has its expected outcome in one table."""

import contextlib
import io
import os
import struct
import zlib

import numpy as np
from PIL import Image

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
RGB = Image.fromarray(NOISE)
RAMP = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (48, 1))


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def distinct(number):
    """Return a picture that no other row of the table has."""
    return Image.fromarray(np.roll(NOISE, number, axis=1))


def turned(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return encoded(distinct(orientation), "JPEG", exif=exif)


def ycck():
    """Return a CMYK JPEG whose Adobe marker says YCCK."""
    data = bytearray(encoded(distinct(20).convert("CMYK"), "JPEG"))
    data[data.find(b"Adobe") + 11] = 2
    return bytes(data)


def bomb(side):
    """Return a PNG of side x side black pixels in a few kilobytes, without ever holding them."""

    row = b"\0" * (1 + side // 8)
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def frames(kind):
    others = [distinct(n) for n in (31, 32)]
    return encoded(
        distinct(33 + len(kind) + (kind == "MPO") * 9), kind, save_all=True, append_images=others
    )


JPEG = encoded(RGB, "JPEG", quality=95)
PNG = encoded(distinct(2), "PNG")
GREY_ALPHA = Image.merge("LA", [distinct(3).convert("L"), distinct(4).convert("L")])
RGBA = Image.merge("RGBA", [*distinct(5).split(), distinct(6).convert("L")])
PALETTE = distinct(7).convert("P", palette=Image.Palette.ADAPTIVE)
BAD_CRC = PNG[:40] + bytes([PNG[40] ^ 1]) + PNG[41:]
LENGTHS = np.linspace(2, len(JPEG) - 40, 20).astype(int)

EXTRACTED, FAILED, DUPLICATE, LEFT_OUT = "extracted", "failed", "duplicate", "left out"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def sideways(kind, orientation, **options):
    exif = Image.Exif()
    exif[274] = orientation
    return encoded(distinct(40 + orientation), kind, exif=exif, **options)


def bands(count):
    """Return the header of a TIFF of so many bands, as satellites send them."""
    entries = [
        *((256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1)),
        *((273, 4, 1, 200), (277, 3, 1, count), (278, 4, 1, 8), (279, 4, 1, 128 * count)),
    ]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + table + bytes(4)
    return head.ljust(200 + 128 * count, b"\0")


TEXT_BOMB = chunk(b"zTXt", b"notes\0\0" + zlib.compress(b"a" * 3_000_000))
RAW = encoded(RGB, "TIFF", tiffinfo={254: 1, 330: (8,)})
BOX = b"\0\0\0\x18ftyp"
NAMED = [
    ("canon.cr3", BOX + b"crx ", "camera raw file"),
    ("fuji.raf", b"FUJIFILMCCD-RAW 0201", "camera raw file"),
    ("olympus.orf", b"IIRO\x08\0\0\0", "camera raw file"),
    ("film.mp4", BOX + b"isom", "a video"),
    ("film.mov", BOX + b"qt  ", "a video"),
    ("film.mkv", b"\x1aE\xdf\xa3", "a video"),
    ("film.avi", b"RIFF\1\2\3\4AVI LIST", "a video"),
    ("sound.wav", b"RIFF\1\2\3\4WAVEfmt ", "a sound"),
    ("folder.zip", b"PK\x03\x04", "a ZIP archive: unpack"),
    ("folder.gz", b"\x1f\x8b\x08", "a compressed file: unpack"),
    ("pointer.jpg", b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
    ("array.npy", b"\x93NUMPY\x01", "a NumPy array"),
    ("stack.h5", b"\x89HDF\r\n", "an HDF5 file"),
    ("sky.fits", b"SIMPLE  =                    T", "a FITS image"),
    ("render.exr", b"\x76\x2f\x31\x01", "an OpenEXR image"),
    ("render.hdr", b"#?RADIANCE\n", "a Radiance image"),
    ("scan.djvu", b"AT&TFORM", "a DjVu document"),
    ("edit.xcf", b"gimp xcf v011", "a GIMP image"),
    ("boxes.xml", b'<?xml version="1.0"?>\n<annotation>', "an XML document"),
    ("torn.heic", BOX + b"heic" + bytes(40), "HEIC"),
    ("torn.jxl", b"\xff\x0a" + bytes(40), "JPEG XL"),
    ("torn.dcm", bytes(128) + b"DICM" + bytes(4), "DICOM"),
]


def plugged():
    """Return files of formats whose plug-ins are here."""
    files = []
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
        heic = encoded(distinct(50), "HEIF", quality=90)
        files += [("phone.heic", heic, EXTRACTED, None)]
        files += [("renamed.heic.jpg", encoded(distinct(51), "HEIF"), EXTRACTED, None)]
    with contextlib.suppress(ImportError):
        import pillow_jxl  # noqa: F401 - registers itself

        files += [("new.jxl", encoded(distinct(52), "JXL"), EXTRACTED, None)]
    return files


PLUGGED = plugged()

# name, content, outcome, reason (of a failure, a duplicate, or the warning of what is left out)
FILES = [
    ("plain.jpg", JPEG, EXTRACTED, None),
    ("empty.jpg", b"", FAILED, r"empty file \(0 bytes\)"),
    *((f"torn{n}.jpg", JPEG[:n], FAILED, "not an image|truncated|damaged") for n in LENGTHS),
    ("text.jpg", b"holiday notes, not a picture", FAILED, "not an image"),
    ("page.jpg", b"<!DOCTYPE html><html><body>404</body></html>", FAILED, "not an image"),
    ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", FAILED, "not an image"),
    ("paper.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", FAILED, "not an image"),
    ("program.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", FAILED, "not an image"),
    ("wrong.png", encoded(distinct(8), "JPEG"), EXTRACTED, None),
    ("no ending", encoded(distinct(9), "JPEG"), EXTRACTED, None),
    ("CAPITALS.JPG", encoded(distinct(10), "JPEG"), EXTRACTED, None),
    ("progressive.jpg", encoded(distinct(11), "JPEG", progressive=True), EXTRACTED, None),
    ("grey.jpg", encoded(distinct(12).convert("L"), "JPEG"), EXTRACTED, None),
    ("appended.jpg", encoded(distinct(13), "JPEG") + b"more" * 99, EXTRACTED, None),
    ("cmyk.jpg", encoded(distinct(14).convert("CMYK"), "JPEG"), EXTRACTED, None),
    ("ycck.jpg", ycck(), EXTRACTED, None),
    ("sixteen.png", encoded(Image.fromarray(RAMP), "PNG"), EXTRACTED, None),
    ("palette.png", encoded(PALETTE, "PNG"), EXTRACTED, None),
    ("clear palette.png", encoded(PALETTE, "PNG", transparency=0), EXTRACTED, None),
    ("alpha.png", encoded(RGBA, "PNG"), EXTRACTED, None),
    ("grey alpha.png", encoded(GREY_ALPHA, "PNG"), EXTRACTED, None),
    ("one bit.png", encoded(distinct(15).convert("1"), "PNG"), EXTRACTED, None),
    ("bad checksum.png", BAD_CRC, FAILED, "damaged|not an image"),
    ("torn.png", PNG[: len(PNG) // 2], FAILED, "truncated|damaged"),
    ("animated.gif", frames("GIF"), EXTRACTED, None),
    ("animated.webp", frames("WEBP"), EXTRACTED, None),
    ("torn.webp", frames("WEBP")[:200], FAILED, "damaged|truncated|not an image"),
    ("bitmap.bmp", encoded(distinct(16), "BMP"), EXTRACTED, None),
    ("torn.bmp", encoded(distinct(16), "BMP")[:500], FAILED, "truncated|damaged"),
    ("scan.tiff", encoded(distinct(17), "TIFF"), EXTRACTED, None),
    ("cmyk.tiff", encoded(distinct(18).convert("CMYK"), "TIFF"), EXTRACTED, None),
    ("sixteen.tiff", encoded(Image.fromarray(RAMP[::-1].copy() ^ 1), "TIFF"), EXTRACTED, None),
    ("float.tiff", encoded(Image.new("F", (9, 9)), "TIFF"), FAILED, "no known range"),
    ("icon.ico", encoded(distinct(19), "ICO"), EXTRACTED, None),
    ("phone.mpo", frames("MPO"), EXTRACTED, None),
    ("portable.ppm", encoded(distinct(21), "PPM"), EXTRACTED, None),
    *((f"turned{n}.jpg", turned(n), EXTRACTED, None) for n in range(1, 9)),
    ("dot.png", encoded(Image.new("RGB", (1, 1), "red"), "PNG"), EXTRACTED, None),
    ("thread.png", encoded(Image.new("RGB", (1, 5000), "red"), "PNG"), EXTRACTED, None),
    ("wide thread.png", encoded(Image.new("RGB", (5000, 1), "red"), "PNG"), EXTRACTED, None),
    ("bomb.png", bomb(9_504), FAILED, "too large: .*90,?326,?016 pixels"),
    ("larger bomb.png", bomb(20_000), FAILED, "too large: .*400000000 pixels"),
    *((f"turned{n}.tiff", sideways("TIFF", n), EXTRACTED, None) for n in range(2, 9)),
    ("turned6.lzw.tiff", sideways("TIFF", 6, compression="tiff_lzw"), EXTRACTED, None),
    ("turned6.png", sideways("PNG", 6), EXTRACTED, None),
    ("turned6.webp", sideways("WEBP", 6), EXTRACTED, None),
    ("turned6.avif", sideways("AVIF", 6), EXTRACTED, None),
    ("sequence.avif", frames("AVIF"), EXTRACTED, None),
    ("twelve bits.png", encoded(Image.fromarray(RAMP // 16), "PNG"), EXTRACTED, None),
    ("ten bits.tiff", encoded(Image.fromarray(RAMP // 64), "TIFF"), EXTRACTED, None),
    ("sixteen.pgm", b"P5 64 48 65535\n" + (RAMP ^ 3).astype(">u2").tobytes(), EXTRACTED, None),
    ("twelve.pgm", b"P5 64 48 4095\n" + (RAMP // 16).astype(">u2").tobytes(), EXTRACTED, None),
    (
        "long text.png",
        PNG[:33] + chunk(b"tEXt", b"notes\0" + b"a" * 3_000_000) + PNG[33:],
        EXTRACTED,
        None,
    ),
    ("packed text.png", PNG[:33] + TEXT_BOMB + PNG[33:], EXTRACTED, None),
    ("satellite.tiff", bands(7), FAILED, "TIFF of 7 bands with 16 bits"),
    ("thermal.tiff", encoded(Image.new("I", (9, 9)), "TIFF"), FAILED, "no known range"),
    ("raw.nef", RAW, FAILED, "camera raw file"),
    *((f"{name}", data, FAILED, reason) for name, data, reason in NAMED),
    *PLUGGED,
    ("two\nlines.jpg", encoded(distinct(22), "JPEG"), EXTRACTED, None),
    ("\"quotes' `and` $HOME.jpg", encoded(distinct(23), "JPEG"), EXTRACTED, None),
    ("<script>alert(1)<.jpg", encoded(distinct(24), "JPEG"), EXTRACTED, None),
    ("x" * 251 + ".jpg", encoded(distinct(25), "JPEG"), EXTRACTED, None),
    (os.fsdecode(b"caf\xe9.jpg"), encoded(distinct(26), "JPEG"), EXTRACTED, None),
    ("-rf.jpg", encoded(distinct(27), "JPEG"), EXTRACTED, None),
    ("\u65e5\u672c \U0001f412.jpg", encoded(distinct(28), "JPEG"), EXTRACTED, None),
    ("zz copy.jpg", JPEG, DUPLICATE, "same bytes as .*plain.jpg"),
    (".hidden.jpg", JPEG, LEFT_OUT, None),
    ("Thumbs.db", b"litter", LEFT_OUT, None),
]
