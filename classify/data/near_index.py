"""The nearest of millions of rows, nearly always: usearch's graph of neighbours, kept in a file.

HNSW (Malkov and Yashunin 2018, https://arxiv.org/abs/1603.09320) walks from neighbour to neighbour
towards a query instead of comparing all; what share of the nearest it finds is measured whenever
the file is written. Photographs are known by their bytes, so that it grows with the dataset.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, OptionError
from ...progress import note, stage
from ...storage import replacing
from ...text import shown
from .near_duplicates import Directions
from .split import Rows

if TYPE_CHECKING:
    from usearch.index import Index

BLOCK = 4_096  # rows added at a time
TOP, SAMPLE = 20, 200  # recall is that of the 20 nearest of 200 photographs


class NearIndex:
    """Finds the nearest of rows, but for some that it misses.

    Parameters
    ----------
    graph : usearch.index.Index
        Holds a row for each distinct image.
    digests : sequence of bytes, length n
        SHA-256 of the image of each row.
    """

    def __init__(self, graph: Index, digests: Sequence[bytes]) -> None:
        self._graph = graph
        self._keys, self._rows = _distinct(digests)

    def nearest(self, queries: NDArray[np.float32], count: int, *, exact: bool = False) -> Rows:
        """Return the rows (q, m) nearest to queries (q, d), the nearest first.

        Of copies of an image the first row is found; -1 stands where fewer than m, at most
        ``count``, were found. ``exact`` compares all.
        """
        keys = np.atleast_2d(self._graph.search(queries, count, exact=exact).keys)
        places = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        return np.where(self._keys[places] == keys, self._rows[places], -1)

    def recall(self, queries: NDArray[np.float32]) -> float:
        """Return what share of the 20 nearest of rows of its own (q, d) it finds, 0 to 1."""
        top, own = min(TOP, len(self._keys) - 1), 1  # each finds itself, which does not count
        near, all_ = (self.nearest(queries, top + own, exact=exact) for exact in (False, True))
        found = [len(np.intersect1d(a, b)) - own for a, b in zip(near, all_, strict=True)]
        return float(np.mean(found)) / top


def open_index(
    path: Path, directions: NDArray[np.float32] | Directions, digests: Sequence[bytes]
) -> NearIndex:
    """Return the index of a file, which is made when missing and takes in what it lacks.

    It is made anew where it knows images that are gone.

    Parameters
    ----------
    path : Path
        Of one kind of features: its name says which.
    directions : ndarray or Directions, shape (n, d), float32
        Unit vectors, or what makes them of rows.
    digests : sequence of bytes, length n
        SHA-256 of each image.

    Raises
    ------
    DataError
        If the file is no index, or cannot be written.
    OptionError
        If usearch is not installed.
    """
    keys, rows = _distinct(digests)
    graph, known = _kept(path, directions[:1].shape[1], keys)
    index, missing = NearIndex(graph, digests), np.flatnonzero(~known)
    if not len(missing):
        return index
    tell = stage("indexing")
    for start in range(0, len(missing), BLOCK):
        block = missing[start : start + BLOCK]
        graph.add(keys[block], directions[rows[block]])
        tell(start + len(block), len(missing))
    try:
        with replacing(path) as temporary:
            graph.save(temporary)
    except (OSError, RuntimeError) as error:
        raise DataError(f"cannot write the index {shown(path)}: {error}") from error
    if len(keys) > 1:
        some = np.random.default_rng(0).permutation(rows)[:SAMPLE]
        found = index.recall(directions[some])
        note(f"indexed in {shown(path)}: {100 * found:.1f} % of the {TOP} nearest are found")
    return index


def _kept(path: Path, columns: int, keys: NDArray[np.uint64]) -> tuple[Index, NDArray[np.bool_]]:
    """Return the graph of a file, and which keys it has; an empty one where it has others."""
    try:
        from usearch.index import Index
    except ModuleNotFoundError as error:
        raise OptionError(
            "an index needs usearch, not installed: pip install 'headstart[index]'"
        ) from error

    empty = Index(ndim=columns, metric="cos", dtype="f16"), np.zeros(len(keys), bool)
    if not path.exists():
        return empty
    graph = Index(ndim=columns, metric="cos", dtype="f16")
    try:
        graph.view(path)
        known = np.asarray(graph.contains(keys))
        if known.sum() < len(graph):
            return empty
        if not known.all():
            graph.load(path)  # to be added to
    except RuntimeError as error:
        raise DataError(f"{shown(path)} is no index of these features: delete it") from error
    return graph, known


def _distinct(digests: Sequence[bytes]) -> tuple[NDArray[np.uint64], Rows]:
    """Return a number for each distinct image, ascending, and the first row of each."""
    numbers = np.frombuffer(b"".join(digest[:8] for digest in digests), np.uint64)
    return np.unique(numbers, return_index=True)
