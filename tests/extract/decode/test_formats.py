"""What is no photograph, or none that can be read here, is named with its remedy."""

import builtins
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from headstart.errors import DecodeError
from headstart.extract.decode.decode import decode_upright, decode_whole
from headstart.extract.decode.formats import KINDS, find_kind

FOUR = b"\0\0\0\x18"
NAMED = {
    "HEIC": (FOUR + b"ftypheicmif1", "a HEIC image"),
    "HEIF": (FOUR + b"ftypmif1heic", "a HEIC image"),
    "JPEG XL": (b"\xff\x0a\x00", "a JPEG XL image"),
    "JPEG XL in a box": (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    "DICOM": (bytes(128) + b"DICM", "a DICOM image"),
    "Canon": (FOUR + b"ftypcrx ", "a camera raw file"),
    "Fujifilm": (b"FUJIFILMCCD-RAW 0201", "a camera raw file"),
    "Olympus": (b"IIRO\x08\0\0\0", "a camera raw file"),
    "MP4": (FOUR + b"ftypisom", "a video"),
    "QuickTime": (FOUR + b"ftypqt  ", "a video"),
    "Matroska": (b"\x1aE\xdf\xa3", "a video"),
    "AVI": (b"RIFF\1\2\3\4AVI LIST", "a video"),
    "PDF": (b"%PDF-1.7", "a PDF document"),
    "SVG": (b'<?xml version="1.0"?>\n<svg xmlns="', "an SVG drawing"),
    "HTML": (b"<!DOCTYPE html>", "a web page"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
    "ZIP": (b"PK\x03\x04", "a ZIP archive"),
    "gzip": (b"\x1f\x8b\x08", "a compressed file"),
    "NumPy": (b"\x93NUMPY\x01", "a NumPy array"),
    "EPS": (b"%!PS-Adobe", "a PostScript file"),
    "FITS": (b"SIMPLE  =  T", "a FITS image"),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_file_is_named_by_its_first_bytes(name):
    data, expected = NAMED[name]
    kind = find_kind(data)
    assert expected in f"{kind.name}: {kind.remedy}"
    with pytest.raises(DecodeError, match=expected.rpartition(" ")[2]):
        decode_whole(data + b"cut short")


def test_every_kind_has_a_file_of_its_own_or_is_a_rare_one():
    matched = {find_kind(data).name for data, _ in NAMED.values()}
    assert len(matched) >= 14
    assert matched <= {kind.name for kind in KINDS}


@pytest.mark.parametrize(
    ("package", "data"),
    [
        ("pillow_heif", NAMED["HEIC"][0]),
        ("pillow_jxl", NAMED["JPEG XL"][0]),
        ("pydicom", NAMED["DICOM"][0]),
    ],
)
def test_a_missing_plug_in_names_its_command(package, data, monkeypatch):
    imported = builtins.__import__

    def without(name, *args, **options):
        if name == package:
            raise ImportError(name)
        return imported(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DecodeError, match=r"pip install 'headstart\[formats\]'"):
        decode_whole(data)


SMOOTH = np.dstack([np.tile(np.linspace(0, 255, 64), (48, 1))] * 3).astype(np.uint8)


def test_heic_is_read_by_its_plug_in():
    pytest.importorskip("pillow_heif").register_heif_opener()
    file = io.BytesIO()
    Image.fromarray(SMOOTH).save(file, "HEIF", quality=95)
    assert np.abs(decode_upright(file.getvalue(), 48).astype(int) - SMOOTH).mean() < 4


def test_jpeg_xl_is_read_by_its_plug_in():
    pytest.importorskip("pillow_jxl")
    file = io.BytesIO()
    Image.fromarray(SMOOTH).save(file, "JXL", lossless=True)
    assert np.array_equal(decode_upright(file.getvalue(), 48), SMOOTH)


def test_the_first_frame_of_an_avif_sequence_counts():
    file = io.BytesIO()
    frames = [Image.fromarray(SMOOTH), Image.fromarray(255 - SMOOTH)]
    frames[0].save(file, "AVIF", save_all=True, append_images=frames[1:], quality=95)
    assert file.getvalue()[4:12] == b"ftypavis"
    assert np.abs(decode_upright(file.getvalue(), 48).astype(int) - SMOOTH).mean() < 6


def dicom(values, bits=12, **tags):
    pydicom = pytest.importorskip("pydicom")
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = pydicom.Dataset()
    dataset.file_meta = meta
    dataset.Rows, dataset.Columns = values.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation = int(values.min() < 0)
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.PixelData = values.astype("<i2" if values.min() < 0 else "<u2").tobytes()
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


RAMP = np.tile(np.linspace(0, 4095, 64).astype(int), (48, 1))


def test_dicom_fills_the_bits_that_it_stores_or_the_window_that_it_names():
    stored = decode_whole(dicom(RAMP))[0, :, 0]
    assert (stored[0], stored[-1]) == (0, 255)
    assert np.abs(np.diff(stored.astype(int))).max() <= 5
    window = decode_whole(dicom(RAMP, WindowCenter=1000, WindowWidth=500))[0, :, 0]
    assert (window[:11] == 0).all()
    assert (window[20:] == 255).all()


def test_dicom_is_rescaled_and_may_be_turned_round():
    ct = dicom(
        RAMP - 1024, 16, RescaleSlope=1, RescaleIntercept=0, WindowCenter=40, WindowWidth=400
    )
    row = decode_whole(ct)[0, :, 0]
    assert row[0] == 0
    assert row[-1] == 255
    inverse = decode_whole(dicom(RAMP, PhotometricInterpretation="MONOCHROME1"))[0, :, 0]
    assert (inverse[0], inverse[-1]) == (255, 0)


def test_a_dicom_file_that_is_too_large_is_refused_before_its_pixels_are_read():
    with pytest.raises(DecodeError, match="too large: 64 x 48"):
        decode_whole(dicom(RAMP), max_pixels=1000)


def tiff(*entries, data=b""):
    """Return a TIFF of (tag, type, count, value) entries, little-endian."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + table + bytes(4) + data


def test_a_satellite_picture_of_many_bands_is_told_how_many():
    seven = tiff(
        (256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 200), (277, 3, 1, 7), (278, 4, 1, 8), (279, 4, 1, 896),
    )  # fmt: skip
    with pytest.raises(DecodeError, match=r"TIFF of 7 bands with 16 bits.*red, green and blue"):
        decode_whole(seven + bytes(2000))


def test_a_raw_file_whose_first_page_is_a_thumbnail_is_not_taken_for_it():
    file = io.BytesIO()
    Image.fromarray(SMOOTH).save(file, "TIFF", tiffinfo={254: 1, 330: (8,)})
    with pytest.raises(DecodeError, match="camera raw file, of which only the preview"):
        decode_whole(file.getvalue())


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_png_with_megabytes_of_text_is_an_image():
    file = io.BytesIO()
    Image.fromarray(SMOOTH).save(file, "PNG")
    head, rest = file.getvalue()[:33], file.getvalue()[33:]
    packed = chunk(b"zTXt", b"notes\0\0" + zlib.compress(b"a" * 3_000_000))
    plain = chunk(b"tEXt", b"more\0" + b"b" * 3_000_000)
    assert np.array_equal(decode_whole(head + packed + plain + rest), SMOOTH)
