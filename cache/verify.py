"""Read every byte of a cache and name what is wrong."""

from __future__ import annotations

import functools
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CacheError
from ..progress import stage
from .catalogue import spec_folders
from .index.run import DamagedRunError, read_whole_run
from .mirror import remote_of
from .segment import DamagedSegmentError, read_whole
from .spec_folder import (
    damaged_segments,
    run_paths,
    segment_paths,
    set_aside,
    stale_temporaries,
)
from .statindex import StatIndex, stat_index_path


@dataclass(frozen=True)
class Problem:
    """A file of the cache that cannot be trusted."""

    path: Path  # the segment, or a run of the index
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


def verify(
    cache: Path, *, mend: bool = False, sample: int | None = None, seed: int = 0
) -> Verification:
    """Check every segment of a cache: its checksums, keys, spec and values; and its index.

    Parameters
    ----------
    cache : Path
        The cache's root; one that does not exist is clean. One behind a URL is fetched
        afresh: what is there is what is read.
    mend : bool
        Set damaged segments aside, so that the next run extracts their images again.
    sample : int, optional
        Read so many segments of each spec, drawn by ``seed``, and its index.
    seed : int
        Draws them.

    Returns
    -------
    Verification
    """
    result = Verification()
    remote = remote_of(cache)
    if remote is not None:
        remote.fetch_all(cache, afresh=True)
    folders = spec_folders(cache)
    total = sum(min(len(segment_paths(folder)), sample or sys.maxsize) for folder in folders)
    seen: set[Path] = set()
    tell = stage("verifying")
    for folder in folders:
        if sample is not None:
            paths = segment_paths(folder)
            # Of a segment that is merged meanwhile, another could be drawn: it is left out.
            drawn = random.Random(seed).sample(paths, min(sample, len(paths)))  # noqa: S311 - no secret
            seen.update(set(paths) - set(drawn))
        # Listed again until nothing is new: a compaction may merge segments meanwhile.
        while new := [path for path in segment_paths(folder) if path not in seen]:
            for path in new:
                seen.add(path)
                _check(path, result, mend=mend)
                tell(min(result.segments + len(result.problems), total), total)
        for path in run_paths(folder):
            _check_run(path, result, mend=mend)
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


def _check_run(path: Path, result: Verification, *, mend: bool) -> None:
    try:
        read_whole_run(path)
    except FileNotFoundError:
        return  # merged
    except DamagedRunError as error:
        result.problems.append(Problem(path, error.reason))
        if mend:
            path.unlink(missing_ok=True)


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
        what = "set aside where they were damaged: the next run makes again what was in them"
    else:
        what = "--mend sets the damaged ones aside, and the next run makes again what was in them"
    raise CacheError(f"{problems} of the cache's files cannot be trusted ({what})")
