"""Near-identical images, from their features: copies re-saved, resized, brightened, cropped.

Two images are near-identical when their distance is less than half of what is usual in their
class. The distance is that of unit vectors of square-rooted features; what is usual is an
image's median distance to its class, and of the two images the smaller counts. An absolute
threshold fits one dataset: handwritten digits, enlarged, have 22,719 pairs with a cosine
similarity over 0.96, and this rule finds 12, all of them the same strokes.

Measured on MobileNet's features of 250 photographs each of 10 Monkey Species and 17 Flowers
and of copies made of them: all of those re-saved as JPEG at quality 90, 60 and 40, resized by
0.7, brightened and darkened by a tenth, cropped by 3 and 5 % are nearer than half; of those
cropped by 10 %, 97 and 94 %; mirrored, 100 and 99 %; halved in size, 76 and 100 %; in grey, 1
and 2 %. Of the 186 pairs of given photographs that it finds in the two sets, each was looked
at: all show the same photograph or the same scene, and so do the next 60 beyond the half.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .split import Rows

CLOSE = 0.5  # share of the usual distance
NEIGHBOURS = 10
FEW = 5  # a smaller class does not tell what is usual: all images do
REFERENCES = 256  # images of a class that stand for it
ROUNDING = 1e-6  # distances below are noise of float32


@dataclass(frozen=True)
class Neighbours:
    """The nearest images of each distinct image; exact copies count once.

    Parameters
    ----------
    rows : ndarray of int, shape (m,)
        First row of each distinct image.
    directions : ndarray, shape (m, d), float32
        Square-rooted features, of length 1.
    indices : ndarray of int, shape (m, k)
        Positions in ``rows``, the nearest first.
    distances : ndarray, shape (m, k), float32
        Euclidean distances of directions, 0 to 2; ``distances ** 2 / 2`` is the cosine's.
    """

    rows: Rows
    directions: NDArray[np.float32]
    indices: Rows
    distances: NDArray[np.float32]


@dataclass(frozen=True)
class NearPairs:
    """Near-identical images, each pair once.

    Parameters
    ----------
    first, second : ndarray of int, shape (p,)
        Rows of features; first < second.
    similarity : ndarray, shape (p,)
        Cosine similarity of their square-rooted features, at most 1.
    """

    first: Rows
    second: Rows
    similarity: NDArray[np.floating]


def find_neighbours(X: NDArray[np.float32], digests: Sequence[bytes]) -> Neighbours:
    """Find the ten nearest images of each image.

    Works in blocks: memory is that of the features, once more. Time grows with
    n²: 50,000 images of 1,024 features take half a minute on two cores.

    Parameters
    ----------
    X : ndarray, shape (n, d), float32
        Features.
    digests : sequence of bytes, length n
        SHA-256 of each image.
    """
    from sklearn.neighbors import NearestNeighbors

    # Sorted by first appearance: which image stands for its copies follows from the order.
    rows = np.sort(np.unique(np.array(digests), return_index=True)[1])
    directions = _directions(X[rows])
    count = min(NEIGHBOURS, len(rows) - 1)
    if count < 1:
        nobody = np.empty((len(rows), 0))
        return Neighbours(rows, directions, nobody.astype(np.intp), nobody.astype(np.float32))
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(directions)
    distances, indices = search.kneighbors()
    return Neighbours(rows, directions, indices.astype(np.intp), distances.astype(np.float32))


def near_pairs(neighbours: Neighbours, y: NDArray[np.intp]) -> NearPairs:
    """Return the pairs less than half as far apart as their classes usually are.

    Parameters
    ----------
    neighbours : Neighbours
        From :func:`find_neighbours`.
    y : ndarray of int, shape (n,)
        Class indices of all rows, copies too.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((20, 64), dtype=np.float32)
    >>> X[7] = X[3] + 0.01
    >>> pairs = near_pairs(find_neighbours(X, [bytes([i]) for i in range(20)]), np.arange(20) % 2)
    >>> pairs.first.tolist(), pairs.second.tolist()
    ([3], [7])
    """
    usual = _usual_distances(neighbours.directions, y[neighbours.rows])
    reach = CLOSE * np.minimum(usual[:, None], usual[neighbours.indices])
    # Strictly: where all features are the same, nothing is nearer than anything else.
    one, place = np.nonzero(neighbours.distances < reach)
    other = neighbours.indices[one, place]
    similarity = 1 - neighbours.distances[one, place] ** 2 / 2
    ends = np.sort(neighbours.rows[np.stack([one, other], axis=1)], axis=1)
    pairs, at = np.unique(ends, axis=0, return_index=True)
    return NearPairs(pairs[:, 0], pairs[:, 1], similarity[at])


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
    first = np.concatenate([np.empty(0, np.intp), *(one for one, _ in ends)])
    second = np.concatenate([np.empty(0, np.intp), *(other for _, other in ends)])
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


def _directions(X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Square-root features, which keeps a few strong ones from deciding alone; then length 1."""
    rooted = np.copysign(np.sqrt(np.abs(X)), X)
    length = np.linalg.norm(rooted, axis=1, keepdims=True)
    return (rooted / np.where(length > 0, length, 1)).astype(np.float32, copy=False)


def _usual_distances(directions: NDArray[np.float32], y: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return each image's median distance to the others of its class."""
    from sklearn.metrics.pairwise import euclidean_distances

    rng = np.random.default_rng(0)
    usual = np.zeros(len(y), dtype=np.float32)
    everyone = np.arange(len(y))
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        others = members if len(members) >= FEW else everyone
        if len(others) > REFERENCES:
            others = rng.choice(others, REFERENCES, replace=False)
        if len(others) == 1:
            continue
        distances = euclidean_distances(directions[members], directions[others])
        distances[members[:, None] == others] = np.nan  # an image itself
        usual[members] = np.nanmedian(distances, axis=1)
    return np.where(usual > ROUNDING, usual, 0)


def _groups_by_class(groups: Rows, y: NDArray[np.intp], rows: Rows) -> Rows:
    distinct = np.unique(np.stack([y[rows], groups[rows]], axis=1), axis=0)
    return np.bincount(distinct[:, 0], minlength=int(y.max(initial=-1)) + 1)
