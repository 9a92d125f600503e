"""Digests of images, read no more often than must be."""

from __future__ import annotations

from collections.abc import Sequence

from ...cache import StatIndex
from ...errors import DecodeError
from ..decode.decode import MAX_PIXELS
from .addresses import Reference
from .read import read_image


def known_digest(image: Reference, stat_index: StatIndex) -> bytes | None:
    """Return the digest of an image whose file has not changed since it was last read, else None."""
    try:
        return stat_index.look_up(image, image.stat())
    except (OSError, DecodeError):
        return None  # reading it will say what is wrong


def digest_files(images: Sequence[Reference], stat_index: StatIndex) -> list[bytes | None]:
    """Return the SHA-256 of each image; None for one that cannot be read."""
    digests: list[bytes | None] = []
    sightings = []
    for image in images:
        digest = known_digest(image, stat_index)
        if digest is None:
            try:
                sighting, _ = read_image(image, MAX_PIXELS)
            except DecodeError:
                digests.append(None)
                continue
            sightings.append(sighting)
            digest = sighting.digest
        digests.append(digest)
    stat_index.record(sightings)
    return digests
