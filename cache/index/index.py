"""Which segment and row holds an image, without a table of all of them in memory.

Runs on the disk cover segments, each up to its day; they merge as those of a log-structured tree
do, so that there are few. What is newer is covered in memory. All of it is derived from the
segments: it can be deleted at any time, and whoever opens the cache next makes what is missing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import CacheError
from ...progress import note
from ...storage import replacing
from ..spec_folder import RUN, run_paths, segment_paths
from .run import (
    DamagedRunError,
    Entries,
    Pages,
    Run,
    open_run,
    opened_run,
    run_in_memory,
    to_digests,
    to_keys,
    write_run,
)

AT_ONCE = 4096  # digests looked up side by side: a page each in memory
SWEPT = 512  # blocks that are sorted together where all runs are swept through
TAIL_SEGMENTS, TAIL_ROWS = 64, 1 << 17  # covered in memory, before they become a run
FAN = 4  # runs of a size that become one
# A larger run is left to `compact`: of a thousand readers many might begin it at once.
MERGED_ROWS = 1 << 20

Table = NDArray[np.uint8]  # (n, 32): the digests of a segment
Answer = TypeVar("Answer")


class Index:
    """The rows of a set of segments. It never changes: :func:`grow` makes the next.

    Parameters
    ----------
    runs : sequence of Run
        The largest first. Where two cover a segment, the first counts.
    names : set of str
        The segments that are there.
    tables : dict of str to ndarray (n, 32)
        The digests of those that no run covers.

    Attributes
    ----------
    segments : list of str
        All that the runs tell of, in the order by which look-ups number them.
    covered : dict of str to int
        Name to rows of those that are there.
    """

    def __init__(
        self,
        runs: Sequence[Run] = (),
        names: Iterable[str] = (),
        tables: dict[str, Table] | None = None,
    ) -> None:
        self.runs, self.tables = list(runs), tables or {}
        self.segments: list[str] = []
        self.covered: dict[str, int] = {}
        self._parts: list[tuple[Run, NDArray[np.bool_], int]] = []
        there = set(names)
        for run in [*self.runs, *([run_in_memory(self.tables)] if self.tables else [])]:
            alive = [name in there and name not in self.covered for name in run.segments]
            if any(alive):
                # The last is for what fills a block up.
                self._parts.append((run, np.array([*alive, False]), len(self.segments)))
                self.segments += run.segments
                self.covered |= dict(itertools.compress(run.segments.items(), alive))

    @property
    def rows(self) -> int:
        """The rows of the segments, those that repeat an image too."""
        return sum(self.covered.values())

    @property
    def idle(self) -> list[Run]:
        """The runs that nothing is looked up in: others cover what they do."""
        return [run for run in self.runs if run not in [part[0] for part in self._parts]]

    def only(self, names: set[str]) -> Index:
        """Return the index of some of the segments."""
        tables = {name: table for name, table in self.tables.items() if name in names}
        return Index(self.runs, names, tables)

    def look_up(self, digests: Sequence[bytes]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return where images lie.

        Returns
        -------
        segments : ndarray, shape (n,)
            Numbers of ``segments``; -1 for an image that none holds.
        rows : ndarray, shape (n,)

        Raises
        ------
        DamagedRunError
            If a run is not as it was written.
        """
        segments, rows = np.full(len(digests), -1), np.zeros(len(digests), np.intp)
        for low in range(0, len(digests), AT_ONCE):
            wanted = to_keys(digests[low : low + AT_ONCE])
            left = np.arange(len(wanted))
            for run, alive, first in self._parts:
                found, entries = run.find(wanted[left], alive)
                segments[low + left[found]] = first + entries["segment"].astype(np.intp)
                rows[low + left[found]] = entries["row"]
                left = np.delete(left, found)
        return segments, rows

    def sweep(self) -> Iterator[Entries]:
        """Yield all entries, sorted by their digests, some blocks at a time.

        Their segments are numbers of ``segments``.
        """
        if not self._parts:
            return
        fences = np.sort(np.concatenate([run.fences for run, _, _ in self._parts]))
        for low, high in itertools.pairwise([*np.unique(fences[::SWEPT]), None]):
            parts = [run.between(low, high, alive) for run, alive, _ in self._parts]
            for part, (_, _, first) in zip(parts, self._parts, strict=True):
                part["segment"] += first
            entries = np.concatenate(parts)
            yield entries[np.lexsort(entries["digest"].T[::-1])]

    def all_keys(self) -> Iterator[NDArray[np.uint64]]:
        """Yield the keys (n, 4) of all rows."""
        return (entries["digest"] for entries in self.sweep())

    def digests(self) -> list[bytes]:
        """Return the digests of all rows: of a large cache more than the memory has room for."""
        return [digest for keys in self.all_keys() for digest in to_digests(keys)]

    def repeated(self) -> Iterator[Entries]:
        """Yield the entries of images that stand in several rows."""
        for entries in self.sweep():
            again = _again(entries["digest"])
            yield entries[again | np.append(again[1:], False)]

    def count(self) -> tuple[int, int]:
        """Return the rows, and the images that they hold."""
        return self.rows, self.rows - sum(int(_again(keys).sum()) for keys in self.all_keys())

    def write(self, folder: Path) -> Run:
        """Write all entries as one run.

        Where the folder cannot be written it lies in a file that vanishes with this process.

        Raises
        ------
        CacheError
            If there is no room for that either.
        """
        numbers = {name: number for number, name in enumerate(self.covered)}
        renumbered = np.array([numbers.get(name, 0) for name in self.segments], np.uint32)

        def chunks() -> Iterator[Entries]:
            for entries in self.sweep():
                entries["segment"] = renumbered[entries["segment"]]
                yield entries

        try:
            path = folder / f"{uuid.uuid4().hex}{RUN}"
            with replacing(path) as temporary, open(temporary, "xb") as file:
                write_run(self.covered, chunks(), file)
            return open_run(path)
        except OSError:
            pass
        try:
            with tempfile.TemporaryFile() as spool:
                write_run(self.covered, chunks(), spool)
                spool.flush()
                return opened_run(Pages(os.dup(spool.fileno())), folder)
        except OSError as error:
            raise CacheError(
                f"cannot write the index of {folder} ({error.strerror}), neither there nor in "
                f"{tempfile.gettempdir()}: free some space"
            ) from error


def _again(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which of sorted keys (n, 4) are the ones before them."""
    return np.append(np.zeros(min(len(keys), 1), np.bool_), (keys[1:] == keys[:-1]).all(axis=1))


def asked(
    folder: Path, read_table: Callable[[str], Table | None], question: Callable[[Index], Answer]
) -> Answer:
    """Return what a question about the index of a spec's folder is answered.

    It is asked again where the folder changes meanwhile, or a run turns out to be damaged.

    Parameters
    ----------
    folder : Path
        The spec's.
    read_table : callable
        See :func:`grow`.
    question : callable
        Takes the index.
    """
    damaged: set[Path] = set()
    while True:
        try:
            # In this order: what a run covers is then listed, too, unless it was merged.
            runs = [path for path in run_paths(folder) if path not in damaged]
            names = {path.name for path in segment_paths(folder)}
            return question(grow(Index(), folder, names, runs, read_table))
        except FileNotFoundError:
            continue
        except DamagedRunError as error:
            remove_damaged(error)
            damaged.add(error.path)


def remove_damaged(error: DamagedRunError) -> None:
    """Remove a damaged run, where that can be done, and tell."""
    note(str(error))
    with contextlib.suppress(OSError):  # a read-only cache
        error.path.unlink()


def grow(
    known: Index,
    folder: Path,
    names: set[str],
    listed: Iterable[Path],
    read_table: Callable[[str], Table | None],
) -> Index:
    """Return the index of the segments that are there; what no run covers is read.

    Parameters
    ----------
    known : Index
        What was there before.
    folder : Path
        The spec's.
    names : set of str
        The segments.
    listed : iterable of Path
        The runs.
    read_table : callable
        Returns the digests (n, 32) of a segment; None if it is damaged.

    Raises
    ------
    DamagedRunError
        If a run is not as it was written.
    FileNotFoundError
        If a segment or a run was merged meanwhile.
    """
    opened = {run.path: run for run in known.runs if run.path is not None}
    runs = [opened.get(path) or open_run(path) for path in listed]
    runs = _sorted([*runs, *(run for run in known.runs if run.path is None)])
    covered = Index(runs, names).covered
    tables = {n: t for n, t in known.tables.items() if n in names and n not in covered}
    for name in sorted(names - covered.keys() - tables.keys()):
        table = read_table(name)
        if table is not None:
            tables[name] = table
        if len(tables) >= TAIL_SEGMENTS or sum(map(len, tables.values())) >= TAIL_ROWS:
            runs = merge([*runs, Index((), tables, tables).write(folder)], names, folder)
            tables = {}
    return Index(runs, names, tables)


def merge(
    runs: Sequence[Run], names: set[str], folder: Path, limit: int | None = MERGED_ROWS
) -> list[Run]:
    """Merge runs of a size where there are many, and remove those that others stand for.

    Parameters
    ----------
    runs : sequence of Run
        All.
    names : set of str
        The segments that are there.
    folder : Path
        The spec's.
    limit : int, optional
        Rows that a merged run may have.

    Returns
    -------
    list of Run
        The largest first.
    """
    everything = Index(_sorted(runs), names)
    remove(everything.idle)
    runs = [run for run in everything.runs if run not in everything.idle]
    while small := _of_a_size(runs, limit):
        merged = Index(small, names).write(folder)
        runs = _sorted([*(run for run in runs if run not in small), merged])
        remove(small)
    return runs


def _sorted(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (-run.rows, str(run.path)))  # the same for all readers


def _of_a_size(runs: Sequence[Run], limit: int | None) -> list[Run]:
    """Return runs whose numbers of rows have the same logarithm, if there are enough."""
    sizes: dict[int, list[Run]] = {}
    for run in runs:
        sizes.setdefault(int(np.log(max(run.rows, 1)) / np.log(FAN)), []).append(run)
    for same in sizes.values():
        if len(same) >= FAN and (limit is None or sum(run.rows for run in same) <= limit):
            return same
    return []


def remove(runs: Iterable[Run]) -> None:
    """Remove runs that others stand for."""
    for run in runs:
        if run.path is not None:
            with contextlib.suppress(OSError):  # a read-only cache; a system that keeps open files
                run.path.unlink(missing_ok=True)


def write_as_one(index: Index, folder: Path) -> None:
    """Write the index of a large cache as one run, in which nothing is of segments that are gone."""
    if index.rows >= TAIL_ROWS and [run.rows for run in index.runs] != [index.rows]:
        written = index.write(folder)
        if written.path is not None:
            remove(index.runs)
