"""What a cache holds: its specs, and the room that each takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import CacheError
from .mirror import remote_of
from .segment import DamagedSegmentError, open_segment, read_digests, read_spec
from .spec import SPEC_FOLDER, FeatureSpec
from .spec_folder import damaged_segments, segment_paths, stale_temporaries


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
        damaged=len(damaged_segments(folder)),
        unfinished=len(stale_temporaries(folder)),
        bytes=sum(_size(path) for path in folder.iterdir()),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
