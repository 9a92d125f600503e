"""Digests of files, read no more often than must be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..cache import StatIndex
from ..errors import DecodeError
from .decode import MAX_PIXELS
from .read import read_image


def known_digest(path: Path, stat_index: StatIndex) -> bytes | None:
    """Return the digest of a file that has not changed since it was last read, else None."""
    try:
        return stat_index.look_up(path, path.stat())
    except OSError:
        return None  # reading it will say what is wrong


def digest_files(paths: Sequence[Path], stat_index: StatIndex) -> list[bytes | None]:
    """Return the SHA-256 of each file; None for one that cannot be read."""
    digests: list[bytes | None] = []
    sightings = []
    for path in paths:
        digest = known_digest(path, stat_index)
        if digest is None:
            try:
                sighting, _ = read_image(path, MAX_PIXELS)
            except DecodeError:
                digests.append(None)
                continue
            sightings.append(sighting)
            digest = sighting.digest
        digests.append(digest)
    stat_index.record(sightings)
    return digests
