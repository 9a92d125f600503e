"""Which images must not be parted: the same bytes, the same group, nearly the same look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...extract.images.images import Image
from .near_duplicates import NearPairs
from .split import Rows


def connect(n: int, relations: Iterable[tuple[Rows, Rows]]) -> Rows:
    """Return a number for each of n rows, equal where a chain of relations connects them.

    Parameters
    ----------
    n : int
        Rows.
    relations : iterable of (rows, rows)
        Each row of the first belongs with that of the second.

    Examples
    --------
    >>> connect(4, [(np.array([0]), np.array([2])), (np.array([2]), np.array([3]))]).tolist()
    [0, 1, 0, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = [*relations]
    first = np.concatenate([np.empty(0, np.intp), *(rows for rows, _ in ends)])
    second = np.concatenate([np.empty(0, np.intp), *(rows for _, rows in ends)])
    edges = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(n, n))
    numbers = connected_components(edges.tocsr(), directed=False)[1]
    return np.asarray(numbers, dtype=np.intp)


def same(keys: ArrayLike) -> tuple[Rows, Rows]:
    """Return the relation of each row to the first with the same key."""
    _, first, inverse = np.unique(np.asarray(keys), return_index=True, return_inverse=True)
    return np.arange(len(inverse)), np.asarray(first[inverse], dtype=np.intp)


def group_images(
    known: Iterable[tuple[Rows, Rows]],
    pairs: NearPairs,
    y: NDArray[np.intp],
    folding: Rows,
) -> tuple[Rows, Rows]:
    """Group images that folds must not part: known relations and near-identity together.

    Near-identity never makes folds impossible: a class that it would melt into one
    group, such as the frames of one film, is grouped by what is known alone.

    Parameters
    ----------
    known : iterable of (rows, rows)
        The same bytes, the same group of the manifest.
    pairs : NearPairs
        From :func:`near_pairs`.
    y : ndarray of int, shape (n,)
        Class indices.
    folding : ndarray of int
        Rows that cross-validation divides into folds.

    Returns
    -------
    groups : ndarray of int, shape (n,)
        Equal for images that stay together.
    loosened : ndarray of int
        Classes where near-identity was left out.
    """
    known = [*known]
    groups = connect(len(y), [*known, (pairs.first, pairs.second)])
    before = _groups_by_class(connect(len(y), known), y, folding)
    after = _groups_by_class(groups, y, folding)
    loosened = np.flatnonzero((after < 2) & (before >= 2))
    if len(loosened):
        kept = ~(np.isin(y[pairs.first], loosened) | np.isin(y[pairs.second], loosened))
        groups = connect(len(y), [*known, (pairs.first[kept], pairs.second[kept])])
    return groups, loosened


def known_groups(images: Sequence[Image], digests: Sequence[bytes]) -> list[tuple[Rows, Rows]]:
    """Return what is known to belong together: the same bytes, the same group of the manifest."""
    named = [image.group or digest.hex() for image, digest in zip(images, digests, strict=True)]
    return [same(digests), same(named)]


def _groups_by_class(groups: Rows, y: NDArray[np.intp], rows: Rows) -> Rows:
    distinct = np.unique(np.stack([y[rows], groups[rows]], axis=1), axis=0)
    return np.bincount(distinct[:, 0], minlength=int(y.max(initial=-1)) + 1)
