"""DICOM, the format of X-rays and scanners: its own rules say what is black and what is white."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from ...errors import DecodeError


def open_dicom(data: bytes, check_size: Callable[[int, int], None]) -> Image.Image:
    """Return the first frame of a DICOM file as 8 bits.

    Grey values go through the file's own rescaling and window (DICOM PS3.3, C.11.1 and C.11.2);
    without a window the bits that it says are stored are the range. MONOCHROME1 is turned round.

    Raises
    ------
    DecodeError
        If it holds no image, or ``check_size`` refuses its width and height.
    ImportError
        If pydicom is missing.
    """
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data))
    if "PixelData" not in dataset:
        raise DecodeError("a DICOM file without an image: leave it out")
    check_size(int(dataset.Columns), int(dataset.Rows))
    pixels = dataset.pixel_array
    if int(dataset.get("NumberOfFrames", 1) or 1) > 1:
        pixels = pixels[0]
    if int(dataset.get("SamplesPerPixel", 1)) > 1:
        image = Image.fromarray(_colours(pixels, dataset))
    else:
        image = Image.fromarray(_grey(pixels, dataset))
    image.format = "DICOM"
    return image


def _colours(pixels: Any, dataset: Any) -> Any:
    from pydicom.pixels.processing import convert_color_space

    kind = dataset.PhotometricInterpretation
    if kind.startswith("YBR"):
        pixels = convert_color_space(pixels, kind, "RGB")
    return (pixels >> max(0, int(dataset.BitsStored) - 8)).astype(np.uint8)


def _grey(pixels: Any, dataset: Any) -> Any:
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    values = np.asarray(apply_modality_lut(pixels, dataset), dtype=np.float64)
    low, high = (float(end) for end in apply_modality_lut(_stored_range(dataset), dataset))
    if "WindowCenter" in dataset and "WindowWidth" in dataset:
        centre, width = (_first(dataset[name].value) for name in ("WindowCenter", "WindowWidth"))
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    elif "VOILUTSequence" in dataset:
        values = np.asarray(apply_voi_lut(pixels, dataset), dtype=np.float64)
        low, high = 0.0, float(2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1)
    share = np.clip((values - low) / max(high - low, 1.0), 0.0, 1.0)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        share = 1.0 - share
    return np.rint(255 * share).astype(np.uint8)


def _stored_range(dataset: Any) -> Any:
    """Return the least and the largest value that the stored bits can have."""
    bits = int(dataset.BitsStored)
    if int(dataset.get("PixelRepresentation", 0)):
        return np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1])
    return np.array([0, 2**bits - 1])


def _first(value: Any) -> float:
    """Return a number, or the first of several: a file may offer more than one window."""
    return float(value if isinstance(value, str | float | int) else value[0])
