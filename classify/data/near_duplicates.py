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
and 2 %. The pairs of given photographs that it finds in the two sets were looked at, but for
those nearer than a similarity of 0.999 and 0.9999, and so were the next 60 beyond the half:
all show the same photograph or the same scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import TapSelector, last_layer
from .split import Rows

CLOSE = 0.5  # share of the usual distance
FENCE = 1.5  # interquartile ranges above the upper quartile
NEIGHBOURS = 10
FEW = 5  # a smaller class does not tell what is usual: all images do
REFERENCES = 256  # images of a class that stand for it
ALL_COMPARED = 20_000  # distinct images; more are compared in buckets …
BUCKET = 5_000  # … of this many on average
PROBES = 4  # buckets that an image is compared with
BLOCK = 4_096  # images at a time
ROUNDING = 1e-6  # distances below are noise of float32


class Directions:
    """Images as unit vectors of square-rooted features, made where they are indexed.

    The root keeps a few strong features from deciding alone; of several layers the last
    counts, of several views the first.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, d)
        Features.
    taps : TapSelector, optional
        What the columns are where there are several layers or views.

    Examples
    --------
    >>> Directions(np.array([[9.0, 16.0]], dtype=np.float32))[np.array([0])]
    array([[0.6, 0.8]], dtype=float32)
    """

    def __init__(self, X: Any, taps: TapSelector | None = None) -> None:
        self._X = X
        self._taps = taps

    def __getitem__(self, rows: Rows | slice) -> NDArray[np.float32]:
        features = last_layer(self._X[rows], self._taps)
        rooted = np.copysign(np.sqrt(np.abs(features)), features)
        length = np.linalg.norm(rooted, axis=1, keepdims=True)
        return (rooted / np.where(length > 0, length, 1)).astype(np.float32, copy=False)


@dataclass(frozen=True)
class Neighbours:
    """The nearest images of each distinct image; exact copies count once."""

    rows: Rows  # (m,): first row of each distinct image
    indices: Rows  # (m, k): positions in `rows`, the nearest first
    # (m, k), float32: Euclidean distances of directions, 0 to 2, of which half the square is the
    # cosine's; 2 where there was none left to compare with
    distances: NDArray[np.float32]


@dataclass(frozen=True)
class NearPairs:
    """Near-identical images, each pair once."""

    # (p,): rows of features; first < second
    first: Rows
    second: Rows
    # (p,): cosine similarity of their square-rooted features, at most 1
    similarity: NDArray[np.floating]


@dataclass(frozen=True)
class Alike:
    """What looks like what among the images of a dataset: neighbours and near pairs."""

    neighbours: Neighbours
    pairs: NearPairs


def find_alike(
    X: Any, taps: TapSelector | None, digests: Sequence[bytes], y: NDArray[np.intp]
) -> Alike:
    """Find each image's neighbours and the near-identical pairs."""
    directions = Directions(X, taps)
    neighbours = find_neighbours(directions, digests)
    return Alike(neighbours, near_pairs(directions, neighbours, y))


def find_neighbours(
    directions: Directions | NDArray[np.float32],
    digests: Sequence[bytes],
    all_compared: int = ALL_COMPARED,
    bucket: int = BUCKET,
) -> Neighbours:
    """Find the ten nearest images of each distinct image.

    Up to ``all_compared`` distinct images are all compared, in blocks. More are first put into
    buckets of some ``bucket`` that look alike (k-means), and each is compared with those of the
    ``PROBES`` buckets whose centres are nearest, so that time grows with n and memory is that of
    the largest bucket.
    """
    from sklearn.neighbors import NearestNeighbors

    rows = np.sort(np.unique(np.array(digests), return_index=True)[1])
    count = min(NEIGHBOURS, len(rows) - 1)
    indices = np.repeat(np.arange(len(rows))[:, None], count, axis=1)
    distances = np.full(indices.shape, 2, dtype=np.float32)
    buckets = _nearest_buckets(directions, rows, all_compared, bucket)
    for number in np.unique(buckets[:, 0]):
        members = np.flatnonzero(buckets[:, 0] == number)
        search = NearestNeighbors(n_neighbors=min(count + 1, len(members)), algorithm="brute")
        search.fit(directions[rows[members]])
        for asking in _blocks(np.flatnonzero((buckets == number).any(axis=1))):
            far, places = search.kneighbors(directions[rows[asking]])
            near = members[places]
            far[near == asking[:, None]] = np.inf  # an image itself
            far = np.concatenate([distances[asking], far], axis=1)
            near = np.concatenate([indices[asking], near], axis=1)
            first = np.argsort(far, axis=1, kind="stable")[:, :count]
            distances[asking] = np.take_along_axis(far, first, axis=1)
            indices[asking] = np.take_along_axis(near, first, axis=1)
    return Neighbours(rows, indices, distances)


def near_pairs(
    directions: Directions | NDArray[np.float32], neighbours: Neighbours, y: NDArray[np.intp]
) -> NearPairs:
    """Return the pairs less than half as far apart as their classes usually are.

    Parameters
    ----------
    directions : Directions
        Of n images.
    neighbours : Neighbours
        From :func:`find_neighbours`.
    y : ndarray of int, shape (n,)
        Class indices of all rows, copies too.

    Examples
    --------
    >>> X = np.random.default_rng(0).random((20, 64), dtype=np.float32)
    >>> X[7] = X[3] + 0.01
    >>> directions = Directions(X)
    >>> neighbours = find_neighbours(directions, [bytes([i]) for i in range(20)])
    >>> pairs = near_pairs(directions, neighbours, np.arange(20) % 2)
    >>> pairs.first.tolist(), pairs.second.tolist()
    ([3], [7])
    """
    rows = neighbours.rows
    usual = _usual_distances(directions, rows, y[rows])
    reach = CLOSE * np.minimum(usual[:, None], usual[neighbours.indices])
    # Strictly: where all features are the same, nothing is nearer than anything else.
    image, place = np.nonzero(neighbours.distances < reach)
    neighbour = neighbours.indices[image, place]
    similarity = 1 - neighbours.distances[image, place] ** 2 / 2
    ends = np.sort(rows[np.stack([image, neighbour], axis=1)], axis=1)
    pairs, first = np.unique(ends, axis=0, return_index=True)
    return NearPairs(pairs[:, 0], pairs[:, 1], similarity[first])


def beyond_fence(neighbours: Neighbours) -> tuple[Rows, NDArray[np.floating]]:
    """Return the distinct images that are far from all others, and how far each image is.

    Far is beyond Tukey's upper fence (Exploratory Data Analysis, 1977, section 2D) of the mean
    cosine distance to the ten nearest.

    Returns
    -------
    beyond : ndarray of int
        Positions in ``neighbours.rows``, the furthest first.
    distances : ndarray, shape (m,)
        Of each distinct image, 0 to 2.
    """
    if not neighbours.distances.size:
        return np.empty(0, np.intp), np.empty(0)
    distances = (neighbours.distances**2 / 2).mean(axis=1)
    low, high = np.quantile(distances, [0.25, 0.75])
    beyond = np.flatnonzero(distances > high + FENCE * (high - low))
    return beyond[np.argsort(-distances[beyond], kind="stable")], distances


def _nearest_buckets(
    directions: Directions | NDArray[np.float32], rows: Rows, most: int, size: int
) -> Rows:
    """Return each distinct image's own bucket, then the next nearest, (m, PROBES); one of few."""
    from sklearn.cluster import MiniBatchKMeans

    if len(rows) <= most:
        return np.zeros((len(rows), 1), dtype=np.intp)
    rng = np.random.default_rng(0)
    sample = np.sort(rng.choice(rows, most, replace=False))
    clusters = MiniBatchKMeans(-(-len(rows) // size), n_init=1, random_state=0)
    clusters.fit(directions[sample])
    return np.concatenate(
        [
            np.argsort(clusters.transform(directions[block]), axis=1, kind="stable")[:, :PROBES]
            for block in _blocks(rows)
        ]
    )


def _usual_distances(
    directions: Directions | NDArray[np.float32], rows: Rows, y: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return each distinct image's median distance to the others of its class."""
    from sklearn.metrics.pairwise import euclidean_distances

    rng = np.random.default_rng(0)
    usual = np.zeros(len(rows), dtype=np.float32)
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        others = members if len(members) >= FEW else np.arange(len(rows))
        if len(others) > REFERENCES:
            others = rng.choice(others, REFERENCES, replace=False)
        if len(others) == 1:
            continue
        references = directions[rows[others]]
        for block in _blocks(members):
            distances = euclidean_distances(directions[rows[block]], references)
            distances[block[:, None] == others] = np.nan  # an image itself
            usual[block] = np.nanmedian(distances, axis=1)
    return np.where(usual > ROUNDING, usual, 0)


def _blocks(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]
