"""What a cache holds: its specs, and the room that each takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CacheError
from .segment import (
    DAMAGED,
    DamagedSegmentError,
    open_segment,
    read_digests,
    reason,
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
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CacheError(
            f"cannot list the cache {cache} ({error.strerror}); mend its permissions or give "
            "another place with --cache DIR"
        ) from error


def specs(cache: Path) -> list[tuple[FeatureSpec, Path]]:
    """List the specs that a cache holds features of, each with its folder.

    Nothing is changed on the disk. A segment that cannot be read, or that names another spec
    than its folder does, is passed over; a folder without a readable segment is not listed.

    Parameters
    ----------
    cache : Path
        The cache's root folder; one that does not exist holds nothing.

    Returns
    -------
    list of (FeatureSpec, Path)
        Sorted by folder.

    Raises
    ------
    CacheError
        If the folder cannot be listed, or a newer headstart wrote a segment.

    Examples
    --------
    >>> specs(Path("no such cache"))
    []
    """
    found = ((_folder_spec(folder), folder) for folder in spec_folders(cache))
    return [(spec, folder) for spec, folder in found if spec is not None]


def _folder_spec(folder: Path) -> FeatureSpec | None:
    for path in segment_paths(folder):
        try:
            with open_segment(path) as segment:
                return read_spec(segment, path)
        except (FileNotFoundError, DamagedSegmentError):
            continue  # compacted away meanwhile, or the store's to set aside
    return None


def read_spec(segment: Any, path: Path) -> FeatureSpec:
    """Return the spec that an open segment names, which must be its folder's.

    Raises
    ------
    CacheError
        If a newer headstart wrote it.
    DamagedSegmentError
        If it cannot be read, or is another folder's.
    """
    try:
        text = np.bytes_(segment.attrs["spec"]).decode("ascii")
        spec = FeatureSpec.from_json(text)
    except TypeError as error:
        raise CacheError(
            f"segment {path} names a feature spec that this headstart does not know "
            f"({error}); upgrade headstart or give another place with --cache DIR"
        ) from error
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        raise DamagedSegmentError(path, f"its spec cannot be read: {reason(error)}") from error
    if spec.folder != path.parent.name:
        raise DamagedSegmentError(path, "it holds features of another spec")
    return spec


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
