"""Read every byte of a cache and name what is wrong."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CacheError
from ..progress import stage
from .catalogue import spec_folders
from .mirror import remote_of
from .segment import DamagedSegmentError, read_whole
from .spec_folder import damaged_segments, segment_paths, set_aside, stale_temporaries
from .statindex import StatIndex, stat_index_path


@dataclass(frozen=True)
class Problem:
    """A file of the cache that cannot be trusted."""

    path: Path  # the segment or folder
    reason: str  # what is wrong
    # the images whose features are concerned, where its index could still be read
    digests: list[bytes] = field(default_factory=list)

    @functools.cached_property
    def images(self) -> list[str]:
        """Addresses that had one of these digests when this machine last read them, sorted."""
        with StatIndex(stat_index_path()) as index:
            return index.paths(self.digests)


@dataclass
class Verification:
    """What was read, and what is wrong."""

    # read whole and found good
    segments: int = 0
    rows: int = 0
    problems: list[Problem] = field(default_factory=list)  # empty when the cache is clean
    # not problems: segments set aside earlier, and files of killed runs, which the next run
    # removes. Neither is ever read.
    damaged: list[Path] = field(default_factory=list)
    unfinished: list[Path] = field(default_factory=list)


def verify(cache: Path, *, mend: bool = False) -> Verification:
    """Check every segment of a cache: its checksums, index, spec and values.

    Parameters
    ----------
    cache : Path
        The cache's root; one that does not exist is clean. One behind a URL is fetched
        afresh: what is there is what is read.
    mend : bool
        Set damaged segments aside, so that the next run extracts their images again.

    Returns
    -------
    Verification
    """
    result = Verification()
    remote = remote_of(cache)
    if remote is not None:
        remote.fetch_all(cache, afresh=True)
    folders = spec_folders(cache)
    total = sum(len(segment_paths(folder)) for folder in folders)
    seen: set[Path] = set()
    tell = stage("verifying")
    for folder in folders:
        # Listed again until nothing is new: a compaction may merge segments meanwhile.
        while new := [path for path in segment_paths(folder) if path not in seen]:
            for path in new:
                seen.add(path)
                _check(path, result, mend=mend)
                tell(min(len(seen), total), total)
        result.damaged += damaged_segments(folder)
        result.unfinished += stale_temporaries(folder)
    return result


def _check(path: Path, result: Verification, *, mend: bool) -> None:
    digests: list[bytes] = []
    try:
        read_whole(path, digests)
    except FileNotFoundError:
        return  # compacted away: its rows are in a segment that is still to be read
    except DamagedSegmentError as error:
        result.problems.append(Problem(path, error.reason, digests))
        if mend:
            set_aside(path)
            remote = remote_of(path.parents[1])
            if remote is not None:
                remote.remove(path.parent, [path.name])
        return
    except CacheError as error:  # a newer format, or no permission
        result.problems.append(Problem(path, str(error)))
        return
    result.segments += 1
    result.rows += len(digests)


def check_clean(verification: Verification, *, mended: bool) -> None:
    """Raise when something was found.

    Raises
    ------
    CacheError
        The message has the remedy.
    """
    problems = len(verification.problems)
    if not problems:
        return
    if mended:
        what = "set aside where they were damaged: the next run extracts their images again"
    else:
        what = "--mend sets the damaged ones aside, and the next run extracts their images again"
    raise CacheError(f"{problems} of the cache's segments cannot be trusted ({what})")
