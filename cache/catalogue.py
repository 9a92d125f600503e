"""What a cache holds: its specs, and the room that each takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import CacheError
from .segment import (
    DAMAGED,
    DamagedSegmentError,
    open_segment,
    read_digests,
    segment_paths,
    stale_temporaries,
)
from .spec import FeatureSpec

_FOLDER = re.compile(r".+-[0-9a-f]{12}")


@dataclass(frozen=True)
class Holding:
    """One spec's folder.

    Parameters
    ----------
    folder : Path
        Where its segments lie.
    spec : FeatureSpec
        What they hold.
    segments, rows, images : int
        Files; rows in them; different images among those.
    damaged, unfinished : int
        Segments set aside; files of killed runs, which the next run removes.
    bytes : int
        Size of all of it on the disk.
    """

    folder: Path
    spec: FeatureSpec
    segments: int
    rows: int
    images: int
    damaged: int
    unfinished: int
    bytes: int


def spec_folders(cache: Path) -> list[Path]:
    """List the folders that are named as a spec's folder is, sorted."""
    try:
        return sorted(p for p in cache.iterdir() if _FOLDER.fullmatch(p.name) and p.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CacheError(
            f"cannot read the cache {cache} ({error.strerror}); "
            "mend its permissions or give another place with --cache DIR"
        ) from error


def specs(cache: Path) -> list[tuple[FeatureSpec, Path]]:
    """List the specs that a cache holds features of, each with its folder.

    Parameters
    ----------
    cache : Path
        The cache's root.

    Returns
    -------
    list of (FeatureSpec, Path)
        Sorted by folder. Folders whose segments are all unreadable are left out.
    """
    found = []
    for folder in spec_folders(cache):
        spec = read_spec(folder)
        if spec is not None:
            found.append((spec, folder))
    return found


def read_spec(folder: Path) -> FeatureSpec | None:
    """Return what a folder's segments hold; None when none of them can say."""
    for path in segment_paths(folder):
        try:
            with open_segment(path) as segment:
                spec = FeatureSpec.from_json(np.bytes_(segment.attrs["spec"]).decode("ascii"))
        except (FileNotFoundError, DamagedSegmentError, KeyError, TypeError, ValueError):
            continue
        if spec.folder == folder.name:
            return spec
    return None


def holdings(cache: Path) -> list[Holding]:
    """Measure what a cache holds, spec by spec; unreadable segments count by their size alone."""
    return [_measure(spec, folder) for spec, folder in specs(cache)]


def _measure(spec: FeatureSpec, folder: Path) -> Holding:
    paths = segment_paths(folder)
    rows, images = 0, set[bytes]()
    for path in paths:
        try:
            with open_segment(path) as segment:
                digests = read_digests(segment, spec)
        except (FileNotFoundError, DamagedSegmentError):
            continue  # merged meanwhile, or for 'verify' to tell
        rows += len(digests)
        images.update(digests)
    return Holding(
        folder=folder,
        spec=spec,
        segments=len(paths),
        rows=rows,
        images=len(images),
        damaged=len(list(folder.glob(f"*{DAMAGED}"))),
        unfinished=len(stale_temporaries(folder)),
        bytes=sum(_size(path) for path in folder.iterdir()),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
