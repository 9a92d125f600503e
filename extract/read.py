"""One file, read once: its bytes and their digest."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from pathlib import Path

from ..cache import Sighting
from ..errors import DecodeError

# No image of so many pixels is larger: four channels of 16 bits, and a mebibyte for the rest.
BYTES_A_PIXEL = 8
BYTES_BESIDE = 1 << 20


def read_image(path: Path, max_pixels: int) -> tuple[Sighting, bytes]:
    """Read a file whole.

    Parameters
    ----------
    path : Path
        The file.
    max_pixels : int
        A file too large to be an image of so many pixels is refused unread.

    Returns
    -------
    sighting : Sighting
        How the file looked, and its digest.
    data : bytes

    Raises
    ------
    DecodeError
        If it cannot be read; the message is the reason.
    """
    limit = BYTES_A_PIXEL * max_pixels + BYTES_BESIDE
    try:
        now = time.time_ns()
        with open(path, "rb", opener=_open_at_once) as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                raise DecodeError("no plain file")
            if seen.st_size > limit:
                raise DecodeError(
                    f"too large: {seen.st_size:,} bytes, an image of {max_pixels:,} pixels has "
                    f"at most {limit:,}"
                )
            data = file.read()
    except OSError as error:
        raise DecodeError(f"cannot read: {error.strerror}") from error
    return Sighting(path, seen, now, hashlib.sha256(data).digest()), data


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting: a pipe would wait for its writer for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
