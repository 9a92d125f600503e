"""Matrices whose rows lie on the disk: read a block at a time, never whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .store import FeatureStore

BLOCK_BYTES = 32 << 20

Index: TypeAlias = "slice | NDArray[np.intp]"


class StoredRows:
    """The features of some images, read from the store where they are indexed.

    Parameters
    ----------
    store : FeatureStore
        Holds all of them.
    digests : sequence of bytes, length n
        One a row; may repeat.

    Examples
    --------
    >>> from headstart.cache import FeatureSpec
    >>> spec = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "squash", "none",
    ...                    "float32", 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = FeatureStore(Path(folder), spec)
    ...     _ = store.append([b"a" * 32, b"b" * 32], np.eye(2, 3, dtype=np.float32))
    ...     StoredRows(store, [b"b" * 32, b"a" * 32])[:1]
    array([[0., 1., 0.]], dtype=float32)
    """

    dtype = np.dtype(np.float32)

    def __init__(self, store: FeatureStore, digests: Sequence[bytes]) -> None:
        self._store = store
        self._digests = digests
        self.folder = store.folder

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self._digests), self._store.dimension or 0

    def __len__(self) -> int:
        return len(self._digests)

    def __getitem__(self, rows: Index) -> NDArray[np.float32]:
        return self._store.read(self._pick(rows))

    def take(self, rows: Index) -> StoredRows:
        """Return some of the rows, unread."""
        return StoredRows(self._store, self._pick(rows))

    def _pick(self, rows: Index) -> Sequence[bytes]:
        if isinstance(rows, slice):
            return self._digests[rows]
        return [self._digests[row] for row in np.asarray(rows).tolist()]


class Spool:
    """A float32 matrix in a temporary file that vanishes with the process.

    Read through the page cache into fresh arrays, not mapped: mapped pages would count
    as this process's memory.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    folder : Path
        On a disk with room for them.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, int], folder: Path) -> None:
        self.shape = shape
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # as long as the matrix

    def __len__(self) -> int:
        return self.shape[0]

    def append(self, block: NDArray[np.float32]) -> None:
        """Write the next rows."""
        np.ascontiguousarray(block, dtype=self.dtype).tofile(self._file)

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        start, stop, _ = rows.indices(len(self))
        self._file.flush()
        width = self.shape[1] * self.dtype.itemsize
        # Reads at a place, not from where the last one ended: threads share the file.
        data = os.pread(self._file.fileno(), (stop - start) * width, start * width)
        return np.frombuffer(data, self.dtype).reshape(stop - start, self.shape[1])

    def __del__(self) -> None:
        self._file.close()


def take(X: Any, rows: Index) -> Any:
    """Return some rows of a matrix in memory or, unread, of one on the disk."""
    return X.take(rows) if isinstance(X, StoredRows) else X[rows]


def blocks(X: Any, limit: int | None = None) -> Iterator[slice]:
    """Cut the rows of a matrix into blocks of at most so many bytes, some 32 MB when None."""
    n, d = X.shape
    step = max(1, (limit or BLOCK_BYTES) // max(1, d * 4))
    for start in range(0, n, step):
        yield slice(start, min(n, start + step))
