"""Digests of files, read no more often than must be."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from ..cache import Sighting, StatIndex


def read_file(path: Path) -> tuple[Sighting, bytes]:
    """Read a whole file; return what the stat index remembers of it, and its bytes.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    now = time.time_ns()
    with open(path, "rb") as file:
        stat = os.fstat(file.fileno())
        data = file.read()
    return Sighting(path, stat, now, hashlib.sha256(data).digest()), data


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
                sighting, _ = read_file(path)
            except OSError:
                digests.append(None)
                continue
            sightings.append(sighting)
            digest = sighting.digest
        digests.append(digest)
    stat_index.record(sightings)
    return digests
