"""Merge small segments and drop repeated rows, while others read and write.

The one rule that makes it safe without a lock: a segment is removed only once
all its rows stand in segments that this very compaction has committed. So a
kill leaves at worst rows twice, and so do two compactions at once.
"""

from __future__ import annotations

import contextlib
import functools
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..progress import stage
from ..storage import sync_folder
from .catalogue import specs
from .index.index import Index, Table, asked, write_as_one
from .index.run import to_digests
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

# A merged segment is put together in memory: its features' bytes, and its rows.
MERGED_BYTES, MERGED_ROWS = 128 << 20, 1 << 17
# As a run goes on, so many segments of a size become one of at most so many bytes.
FAN, ALIKE_BYTES = 8, 32 << 20


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

    def read_table(name: str) -> Table | None:
        try:
            with open_segment(folder / name) as segment:
                return read_digests(segment, spec)
        except DamagedSegmentError as error:
            set_aside(folder / name)
            result.damaged.append(error)
            return None

    held = asked(folder, read_table, _contents)
    result.before = len(held.rows)
    wasteful = _wasteful(folder, held)
    merge = _Merge(folder, spec, result, held.repeated)
    for name in wasteful:
        merge.take(folder / name)
    merge.commit()
    result.after = len(held.rows) - len(wasteful) + len(merge.written)
    result.rows = sum(held.rows.values()) - result.duplicates
    asked(folder, read_table, functools.partial(write_as_one, folder=folder))
    return result


def merge_alike(
    folder: Path,
    spec: FeatureSpec,
    rows: dict[str, int],
    row_bytes: int,
    damaged: list[DamagedSegmentError],
) -> dict[str, int]:
    """Merge segments of about the same number of rows, where there are many.

    Parameters
    ----------
    folder : Path
        The spec's.
    spec : FeatureSpec
        Whose features they hold.
    rows : dict of str to int
        Name to rows of the segments that may be merged.
    row_bytes : int
        Bytes of a row's features.
    damaged : list
        Takes in the segments that were set aside.

    Returns
    -------
    dict of str to int
        The segments that may be merged next time.
    """
    largest = min(MERGED_ROWS, ALIKE_BYTES // row_bytes) // FAN
    sizes: dict[int, list[str]] = {}
    for name, count in rows.items():
        if count <= largest:
            sizes.setdefault(int(math.log(count, FAN)), []).append(name)
    alike = next((names for names in sizes.values() if len(names) >= FAN), None)
    if alike is None:
        return {name: rows[name] for names in sizes.values() for name in names}
    result = Compaction(folder)
    merge = _Merge(folder, spec, result, set())
    for name in alike:
        merge.take(folder / name)
    merge.commit()
    damaged += result.damaged
    left = {name: count for name, count in rows.items() if name not in alike}
    return merge_alike(folder, spec, left | merge.written, row_bytes, damaged)


@dataclass(frozen=True, slots=True)
class _Contents:
    """What one spec's segments hold."""

    rows: dict[str, int]  # of each segment
    repeated: set[bytes]  # the images that stand in several rows
    repeating: set[str]  # the segments of these


def _contents(index: Index) -> _Contents:
    held = _Contents(index.covered, set(), set())
    for entries in index.repeated():
        held.repeated.update(to_digests(entries["digest"]))
        held.repeating.update(index.segments[n] for n in np.unique(entries["segment"]).tolist())
    return held


def _wasteful(folder: Path, held: _Contents) -> list[str]:
    """Choose the segments to rewrite: small ones, and those that repeat one another's rows."""
    small = set()
    for name, rows in held.rows.items():
        with contextlib.suppress(FileNotFoundError):
            size = (folder / name).stat().st_size
            if size < MERGED_BYTES // 2 and rows < MERGED_ROWS // 2:
                small.add(name)
    if len(small) == 1 and not held.repeating:
        return []
    return sorted(small | held.repeating)


class _Merge:
    """Rows on their way into merged segments, and the segments they came from."""

    def __init__(
        self, folder: Path, spec: FeatureSpec, result: Compaction, repeated: set[bytes]
    ) -> None:
        self._folder = folder
        self._spec = spec
        self._result = result
        self._repeated = repeated
        self._taken: set[bytes] = set()  # of these
        self._digests: list[bytes] = []
        self._blocks: list[Any] = []
        self._widths: tuple[int, ...] = ()
        self._emptied: list[Path] = []  # all their rows are taken, not all of them committed
        self.written: dict[str, int] = {}  # name to rows of the merged segments

    def take(self, path: Path) -> None:
        """Take one segment's rows, but for those taken before."""
        digests: list[bytes] = []
        try:
            with open_segment(path) as segment:
                digests += map(bytes, read_digests(segment, self._spec))
                first: dict[bytes, int] = {}
                for row, digest in enumerate(digests):
                    if digest not in self._taken:
                        first.setdefault(digest, row)
                rows = np.array(list(first.values()), dtype=np.intp)
                self._widths = read_widths(segment, self._spec)
                for low, high, block in read_blocks(segment, rows):
                    block_digests = [digests[row] for row in rows[low:high]]
                    self._digests += block_digests
                    self._taken.update(self._repeated.intersection(block_digests))
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
        size = sum(block.nbytes for block in self._blocks)
        if size >= MERGED_BYTES or len(self._digests) >= MERGED_ROWS:
            self.commit()

    def commit(self) -> None:
        """Write what has gathered as one segment, then remove those it came from."""
        if self._digests:
            rows = np.concatenate(self._blocks)
            path = write_segment(self._folder, self._spec, self._digests, rows, self._widths)
            self.written[path.name] = len(rows)
            self._digests, self._blocks = [], []
        if self._emptied:
            for path in self._emptied:
                path.unlink(missing_ok=True)
            sync_folder(self._folder)
            self._emptied = []
