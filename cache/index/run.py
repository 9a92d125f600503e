"""One run of the index: the digests of some segments, sorted, in pages that are read one by one.

As ``FORMAT.md`` one folder up has it. Derived from the segments, never changed.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from ...errors import CacheError
from ..spec_folder import RUN

FORMAT_VERSION = 1
ENTRY = np.dtype([("digest", "<u8", (4,)), ("segment", "<u4"), ("row", "<u4")])
FILLING = (4096 - 16) // ENTRY.itemsize  # entries a block: it fills a page
BLOCK = np.dtype([("entries", ENTRY, (FILLING,)), ("crc", "<u4"), ("unused", "V12")])
FOOTER = np.dtype([("magic", "S8"), ("blocks", "<u8"), ("header", "<u4"), ("crc", "<u4")])
MAGIC = b"hs-index"

Keys = NDArray[np.uint64]  # (n, 4): SHA-256, eight bytes a number
Entries = NDArray[Any]  # (n,) of ENTRY


class DamagedRunError(CacheError):
    """A run does not read back as it was written; the segments that it covers are not concerned.

    Attributes
    ----------
    path : Path
        The run.
    reason : str
        How it is damaged.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"index {path} is damaged ({reason}): it is made again from the segments")


@dataclass(frozen=True, eq=False)
class Run:
    """The entries of some segments, sorted by the first eight bytes of their digests, in blocks."""

    segments: dict[str, int]  # name to rows; an entry says the segment's place among them
    fences: NDArray[np.uint64]  # (blocks,): the first eight bytes of the first digest of each
    read: Callable[[NDArray[np.intp]], Entries]  # numbers of blocks to entries (n, FILLING)
    path: Path | None = None  # None: in memory, or in a file that vanishes with the process

    @property
    def rows(self) -> int:
        """Rows of all its segments, whether they are still there or not."""
        return sum(self.segments.values())

    def find(self, wanted: Keys, alive: NDArray[np.bool_]) -> tuple[NDArray[np.intp], Entries]:
        """Return which of the keys stand in segments that are alive, and the entry of each."""
        order = np.argsort(wanted[:, 0])  # pages are read from front to back
        keys = wanted[order, 0]
        first = np.maximum(np.searchsorted(self.fences, keys, "left") - 1, 0)
        count = np.searchsorted(self.fences, keys, "right") - first  # one, but for equal keys
        query = np.repeat(order, count)
        block = np.repeat(first - np.cumsum(count) + count, count) + np.arange(len(query))
        numbers, place = np.unique(block, return_inverse=True)
        entries = self.read(numbers)
        pair, column = np.nonzero(entries["digest"][..., 0][place] == wanted[query, :1])
        found = entries[place[pair], column]
        right = (found["digest"] == wanted[query[pair]]).all(axis=1) & alive[found["segment"]]
        return query[pair[right]], found[right]

    def between(self, low: np.uint64, high: np.uint64 | None, alive: NDArray[np.bool_]) -> Entries:
        """Return the entries that are alive with keys from ``low`` to below ``high``."""
        first = max(int(np.searchsorted(self.fences, low, "left")) - 1, 0)
        end = len(self.fences) if high is None else int(np.searchsorted(self.fences, high, "left"))
        entries = self.read(np.arange(first, max(first, end))).reshape(-1)
        keys = entries["digest"][:, 0]
        inside = (keys >= low) & alive[entries["segment"]]
        part: Entries = entries[inside if high is None else inside & (keys < high)]
        return part


def to_keys(digests: Sequence[bytes]) -> Keys:
    """Return digests as numbers, (n, 4)."""
    return np.frombuffer(b"".join(digests), "<u8").reshape(-1, 4)


def to_digests(keys: Keys) -> list[bytes]:
    """Return numbers, (n, 4), as digests."""
    data = keys.tobytes()
    return [data[start : start + 32] for start in range(0, len(data), 32)]


def run_in_memory(tables: dict[str, NDArray[np.uint8]]) -> Run:
    """Return a run of segments whose digests, (n, 32) each, were just read."""
    segments = {name: len(table) for name, table in tables.items()}
    entries = np.empty(sum(segments.values()), ENTRY)
    entries["digest"] = np.concatenate([*tables.values()]).view("<u8")
    entries["segment"] = np.repeat(np.arange(len(tables)), [*segments.values()])
    entries["row"] = np.concatenate([np.arange(rows) for rows in segments.values()])
    blocks = _blocks(entries[np.argsort(entries["digest"][:, 0], kind="stable")], len(tables))
    return Run(segments, _fences(blocks), blocks["entries"].__getitem__)


def write_run(segments: dict[str, int], chunks: Iterable[Entries], file: BinaryIO) -> None:
    """Write a run.

    Parameters
    ----------
    segments : dict of str to int
        Name to rows.
    chunks : iterable of ndarray of ENTRY
        All entries, in order.
    file : binary file
    """
    fences, rest = [np.empty(0, np.uint64)], np.empty(0, ENTRY)

    def put(entries: Entries) -> None:
        blocks = _blocks(entries, len(segments))
        blocks["crc"] = [google_crc32c.value(page.tobytes()) for page in blocks["entries"]]
        fences.append(_fences(blocks))
        file.write(blocks.tobytes())

    for chunk in chunks:
        rest = np.concatenate([rest, chunk])
        whole = len(rest) // FILLING * FILLING
        put(rest[:whole])
        rest = rest[whole:]
    put(rest)
    edges = np.concatenate(fences).astype("<u8").tobytes()
    header = json.dumps({"version": FORMAT_VERSION, "segments": segments}).encode("ascii")
    footer = np.zeros(1, FOOTER)
    crc = google_crc32c.value(edges + header)
    footer[0] = (MAGIC, len(edges) // 8, len(header), crc)
    file.write(edges + header + footer.tobytes())


def _blocks(entries: Entries, segments: int) -> NDArray[Any]:
    """Return entries in blocks, the last filled up with such as are of no segment."""
    blocks = np.zeros(-(-len(entries) // FILLING), BLOCK)
    flat = np.zeros(len(blocks) * FILLING, ENTRY)
    flat["digest"], flat["segment"] = np.iinfo(np.uint64).max, segments
    flat[: len(entries)] = entries
    blocks["entries"] = flat.reshape(-1, FILLING)
    return blocks


def _fences(blocks: NDArray[Any]) -> NDArray[np.uint64]:
    return blocks["entries"]["digest"][:, 0, 0].astype(np.uint64)


class Pages:
    """An open file that is read at places, for threads share it; closed when nobody has it.

    Not mapped: pages would count as this process's memory, and a network disk's loss would end it.

    Parameters
    ----------
    descriptor : int
        Of the file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def read(self, size: int, offset: int) -> bytes:
        """Read so many bytes, fewer at the end of the file."""
        return os.pread(self._descriptor, size, max(0, offset))

    def __del__(self) -> None:
        os.close(self._descriptor)


def open_run(path: Path) -> Run:
    """Open a run: its blocks stay on the disk.

    Raises
    ------
    DamagedRunError
        If it is not as it was written, or may not be read.
    FileNotFoundError
        If there is none.
    """
    try:
        return opened_run(Pages(os.open(path, os.O_RDONLY)), path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedRunError(path, str(error.strerror)) from error


def opened_run(file: Pages, path: Path) -> Run:
    """Return the run in an open file; ``path`` is where it has a name, or what errors call it."""
    try:
        size = file.size
        (footer,) = np.frombuffer(file.read(FOOTER.itemsize, size - FOOTER.itemsize), FOOTER)
        blocks, length = int(footer["blocks"]), int(footer["header"])
        if footer["magic"] != MAGIC or size != (
            blocks * (BLOCK.itemsize + 8) + length + FOOTER.itemsize
        ):
            raise DamagedRunError(path, "its end is not as it was written")
        data = file.read(blocks * 8 + length, blocks * BLOCK.itemsize)
        if google_crc32c.value(data) != footer["crc"]:
            raise DamagedRunError(path, "a checksum fails")
        header = json.loads(data[blocks * 8 :])
    except ValueError as error:  # it is too short, or no JSON
        raise DamagedRunError(path, str(error)) from error
    if header["version"] != FORMAT_VERSION:
        raise DamagedRunError(path, f"it has format {header['version']}, not {FORMAT_VERSION}")
    return Run(
        header["segments"],
        np.frombuffer(data[: blocks * 8], "<u8").astype(np.uint64),
        functools.partial(_read_blocks, file, path),
        path if path.suffix == RUN else None,
    )


def read_whole_run(path: Path) -> int:
    """Read all of a run, a part at a time; return its rows.

    Raises
    ------
    DamagedRunError
        If anything in it is not as it was written.
    FileNotFoundError
        If there is none.
    """
    run = open_run(path)
    last = np.uint64(0)
    rows = 0
    for start in range(0, len(run.fences), 1024):
        numbers = np.arange(start, min(start + 1024, len(run.fences)))
        entries = run.read(numbers)
        keys = entries["digest"][..., 0]
        flat = np.append(last, keys)
        if (keys[:, 0] != run.fences[numbers]).any() or (flat[1:] < flat[:-1]).any():
            raise DamagedRunError(path, "it is not in order")
        last = flat[-1]
        rows += int((entries["segment"] < len(run.segments)).sum())
    if rows != run.rows:
        raise DamagedRunError(path, f"it holds {rows} of {run.rows} rows")
    return rows


def _read_blocks(file: Pages, path: Path, numbers: NDArray[np.intp]) -> Entries:
    pages = [file.read(BLOCK.itemsize, n * BLOCK.itemsize) for n in numbers.tolist()]
    blocks = np.frombuffer(b"".join(pages), BLOCK)
    entries = FILLING * ENTRY.itemsize
    if (
        len(blocks) != len(numbers)
        or (blocks["crc"] != [google_crc32c.value(page[:entries]) for page in pages]).any()
    ):
        raise DamagedRunError(path, "a checksum fails")
    return blocks["entries"]
