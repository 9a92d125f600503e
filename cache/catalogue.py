"""What a cache holds: its specs, and the room that each takes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

from ..errors import CacheError
from .index.index import Index, Table, asked
from .mirror import place_of, remote_of
from .segment import DamagedSegmentError, open_segment, read_digests, read_spec
from .spec import SPEC_FOLDER, FeatureSpec
from .spec_folder import damaged_segments, segment_paths, stale_temporaries


class SpecHoldings(TypedDict):
    """What a cache holds of one spec; ``rows`` may repeat images, ``bytes`` are all on the disk."""

    id: str
    spec: dict[str, Any]
    folder: str
    images: int
    rows: int
    segments: int
    damaged: int
    unfinished: int
    bytes: int


def spec_folders(cache: Path) -> list[Path]:
    """List the folders that are named as a spec's folder is, sorted.

    Of a cache behind a URL, they are brought up to date.
    """
    remote = remote_of(cache)
    if remote is not None:
        remote.fetch_all(cache)
    return local_folders(cache)


def local_folders(cache: Path) -> list[Path]:
    """List the folders that are named as a spec's folder is and are on this machine, sorted."""
    try:
        return sorted(p for p in cache.iterdir() if SPEC_FOLDER.fullmatch(p.name) and p.is_dir())
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
    pairs = ((_folder_spec(folder), folder) for folder in spec_folders(cache))
    return [(spec, folder) for spec, folder in pairs if spec is not None]


def _folder_spec(folder: Path) -> FeatureSpec | None:
    for path in segment_paths(folder):
        try:
            with open_segment(path) as segment:
                return read_spec(segment, path)
        except (FileNotFoundError, DamagedSegmentError):
            continue  # compacted away meanwhile, or the store's to set aside
    return None


def holdings(cache: Path) -> list[SpecHoldings]:
    """Measure what a cache holds, spec by spec; unreadable segments count by their size alone."""
    return [_measure(spec, folder) for spec, folder in specs(cache)]


def _measure(spec: FeatureSpec, folder: Path) -> SpecHoldings:
    paths = segment_paths(folder)

    def read_table(name: str) -> Table | None:
        try:
            with open_segment(folder / name) as segment:
                return read_digests(segment, spec)
        except DamagedSegmentError:
            return None  # for 'verify' to tell

    rows, images = asked(folder, read_table, Index.count)
    return {
        "id": spec.id,
        "spec": asdict(spec),
        "folder": place_of(folder),
        "images": images,
        "rows": rows,
        "segments": len(paths),
        "damaged": len(damaged_segments(folder)),
        "unfinished": len(stale_temporaries(folder)),
        "bytes": sum(_size(path) for path in folder.iterdir()),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
