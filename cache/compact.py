"""Merge small segments and drop repeated rows, while others read and write.

The one rule that makes it safe without a lock: a segment is removed only once
all its rows stand in segments that this very compaction has committed. So a
kill leaves at worst rows twice, and so do two compactions at once.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..progress import stage
from ..storage import sync_folder
from .catalogue import specs
from .mirror import remote_of
from .segment import (
    DamagedSegmentError,
    open_segment,
    read_blocks,
    read_digests,
    read_widths,
    write_segment,
)
from .spec import FeatureSpec
from .spec_folder import remove_stale_temporaries, segment_paths, set_aside

MERGED_BYTES = 128 << 20  # a merged segment's features; it is put together in memory


@dataclass
class Compaction:
    """What became of one spec's segments."""

    folder: Path  # the spec's
    # segments, before and after
    before: int = 0
    after: int = 0
    rows: int = 0  # rows that are left
    duplicates: int = 0  # rows dropped because another segment held the same image
    # segments found damaged and set aside
    damaged: list[DamagedSegmentError] = field(default_factory=list)


def compact(cache: Path) -> list[Compaction]:
    """Compact every spec's segments.

    Parameters
    ----------
    cache : Path
        The cache's root.

    Raises
    ------
    CacheError
        If the cache cannot be written or the disk is full; nothing is lost.
    """
    held = specs(cache)
    results = []
    remote = remote_of(cache)
    tell = stage("compacting")
    for done, (spec, folder) in enumerate(held):
        tell(done, len(held))
        before = set(segment_paths(folder))
        results.append(compact_spec(folder, spec))
        if remote is not None:
            # What is damaged here may be whole there.
            damaged = {error.path for error in results[-1].damaged}
            gone = before - damaged - set(segment_paths(folder))
            remote.replace(folder, sorted(path.name for path in gone))
    tell(len(held), len(held))
    return results


def compact_spec(folder: Path, spec: FeatureSpec) -> Compaction:
    """Compact one spec's segments: see :func:`compact`."""
    remove_stale_temporaries(folder)
    result = Compaction(folder)
    contents = _read_contents(folder, spec, result)
    result.before = len(contents)
    wasteful = _wasteful(contents)
    merge = _Merge(folder, spec, result)
    for path in wasteful:
        merge.take(path, contents[path])
    merge.commit()
    result.after = len(contents) - len(wasteful) + merge.written
    result.rows = sum(map(len, contents.values())) - result.duplicates
    return result


def _read_contents(folder: Path, spec: FeatureSpec, result: Compaction) -> dict[Path, list[bytes]]:
    contents = {}
    for path in segment_paths(folder):
        try:
            with open_segment(path) as segment:
                contents[path] = read_digests(segment, spec)
        except FileNotFoundError:
            continue  # another compaction merged it
        except DamagedSegmentError as error:
            set_aside(path)
            result.damaged.append(error)
    return contents


def _wasteful(contents: dict[Path, list[bytes]]) -> list[Path]:
    """Choose the segments to rewrite: small ones, and those that repeat one another's rows."""
    times = Counter(digest for digests in contents.values() for digest in digests)
    repeating = {p for p, digests in contents.items() if any(times[d] > 1 for d in digests)}
    small = set()
    for path in contents:
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size < MERGED_BYTES // 2:
                small.add(path)
    if len(small) == 1 and not repeating:
        return []
    return sorted(small | repeating)


class _Merge:
    """Rows on their way into merged segments, and the segments they came from."""

    def __init__(self, folder: Path, spec: FeatureSpec, result: Compaction) -> None:
        self._folder = folder
        self._spec = spec
        self._result = result
        self._taken: set[bytes] = set()
        self._digests: list[bytes] = []
        self._blocks: list[Any] = []
        self._widths: tuple[int, ...] = ()
        self._emptied: list[Path] = []  # all their rows are taken, not all of them committed
        self.written = 0

    def take(self, path: Path, digests: list[bytes]) -> None:
        """Take one segment's rows, but for those taken before."""
        first: dict[bytes, int] = {}
        for row, digest in enumerate(digests):
            if digest not in self._taken:
                first.setdefault(digest, row)
        rows = np.array(list(first.values()), dtype=np.intp)
        try:
            with open_segment(path) as segment:
                self._widths = read_widths(segment, self._spec)
                for low, high, block in read_blocks(segment, rows):
                    self._digests += [digests[row] for row in rows[low:high]]
                    self._taken.update(self._digests[len(self._digests) - len(block) :])
                    self._blocks.append(block)
                    self._commit_if_full()
        except FileNotFoundError:
            return  # another compaction merged it
        except DamagedSegmentError as error:
            set_aside(path)
            self._result.damaged.append(DamagedSegmentError(path, error.reason, digests))
            return
        self._result.duplicates += len(digests) - len(rows)
        self._emptied.append(path)

    def _commit_if_full(self) -> None:
        if sum(block.nbytes for block in self._blocks) >= MERGED_BYTES:
            self.commit()

    def commit(self) -> None:
        """Write what has gathered as one segment, then remove those it came from."""
        if self._digests:
            write_segment(
                self._folder, self._spec, self._digests, np.concatenate(self._blocks), self._widths
            )
            self.written += 1
            self._digests, self._blocks = [], []
        if self._emptied:
            for path in self._emptied:
                path.unlink(missing_ok=True)
            sync_folder(self._folder)
            self._emptied = []
