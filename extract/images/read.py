"""One image, read once: its bytes and their digest; and no more often than must be."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from ...cache import Sighting, StatIndex
from ...errors import DecodeError
from ..decode.decode import MAX_PIXELS
from .addresses import Reference
from .in_memory import PixelImage
from .remote import check_size

# No image of so many pixels is larger: four channels of 16 bits, and a mebibyte for the rest.
BYTES_A_PIXEL = 8
BYTES_BESIDE = 1 << 20


def read_image(image: Reference, max_pixels: int) -> tuple[Sighting, bytes]:
    """Read an image's bytes, wherever they are.

    Parameters
    ----------
    image : Path, Remote, Member or Row
        See :mod:`headstart.extract.images.addresses`.
    max_pixels : int
        What is too large to be an image of so many pixels is refused unread.

    Returns
    -------
    sighting : Sighting
        How its file looked, and the digest of its bytes.
    data : bytes

    Raises
    ------
    DecodeError
        If it cannot be read; the message is the reason.
    """
    limit = BYTES_A_PIXEL * max_pixels + BYTES_BESIDE
    now = time.time_ns()
    seen, data = _read_file(image, limit) if isinstance(image, Path) else image.read(limit)
    return Sighting(image, seen, now, hashlib.sha256(data).digest()), data


def _read_file(path: Path, limit: int) -> tuple[os.stat_result, bytes]:
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                raise DecodeError("no plain file")
            check_size(seen.st_size, limit)
            return seen, file.read()
    except OSError as error:
        raise DecodeError(f"cannot read: {error.strerror}") from error


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting: a pipe would wait for its writer for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def known_digests(
    images: Sequence[Reference | PixelImage], stat_index: StatIndex
) -> list[bytes | None]:
    """Return the digest of each image that is in memory or in a file as it was last read, else None."""
    digests: list[bytes | None] = [None] * len(images)
    seen = {}
    for place, image in enumerate(images):
        if isinstance(image, PixelImage):
            digests[place] = image.digest
            continue
        with contextlib.suppress(OSError, DecodeError):  # reading it will say what is wrong
            seen[place] = image, image.stat()
    for place, digest in zip(seen, stat_index.look_up([*seen.values()]), strict=True):
        digests[place] = digest
    return digests


def digest_files(images: Sequence[Reference], stat_index: StatIndex) -> list[bytes | None]:
    """Return the SHA-256 of each image; None for one that cannot be read."""
    digests = known_digests(images, stat_index)
    sightings = []
    for place, image in enumerate(images):
        if digests[place] is None:
            with contextlib.suppress(DecodeError):
                sighting, _ = read_image(image, MAX_PIXELS)
                sightings.append(sighting)
                digests[place] = sighting.digest
    stat_index.record(sightings)
    return digests
