"""One photograph: its pixels, and what the network sees of them."""

from __future__ import annotations

from dataclasses import dataclass

from ...cache.spec import FeatureSpec
from ...errors import DecodeError
from ...extract.decode.decode import decode_upright, resize_views
from ...extract.decode.frame import Frame, find_frame
from ...extract.decode.views import Pixels
from ...extract.images.addresses import Reference
from ...extract.images.read import read_image
from ...text import shown


@dataclass(frozen=True)
class Photograph:
    """An image file as training would have read it."""

    # (height, width, 3), uint8: whole and upright, as
    # decoded for the network: a large JPEG comes smaller
    pixels: Pixels
    digest: bytes  # SHA-256 of the file, which seeds its crops
    spec: FeatureSpec  # how the network looks at it

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in pixels as decoded."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def frames(self) -> list[Frame]:
        """What each view shows of it."""
        spec, (height, width) = self.spec, self.spec.input_size
        return [
            find_frame(view, self.size, (width, height), spec.resize, self.digest)
            for view in spec.views
        ]

    def views(self, pixels: Pixels) -> Pixels:
        """Return the views (v, height, width, 3) of these pixels, its own or changed ones."""
        spec = self.spec
        return resize_views(pixels, spec.input_size, spec.resize, spec.views, self.digest)


def open_photograph(path: Reference, spec: FeatureSpec, max_pixels: int) -> Photograph:
    """Read and decode one image.

    Raises
    ------
    DecodeError
        If it cannot be read; the message names it.
    """
    try:
        sighting, data = read_image(path, max_pixels)
        pixels = decode_upright(data, max(spec.input_size), max_pixels, spec.bit_depth)
    except DecodeError as error:
        raise DecodeError(f"{shown(path)}: {error}") from error
    return Photograph(pixels, sighting.digest, spec)
