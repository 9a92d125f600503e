"""Groups of photographs that look alike, as many as there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from ..data.collection import Collection, first_of_each
from ..data.near_duplicates import NearPairs, beyond_fence, find_neighbours, near_pairs
from ..data.split import Rows

DIMENSIONS = 32  # of the principal components that are clustered
SAMPLE = 20_000  # rows that components and centres are found on, at most
JUDGED = 2_000  # rows that judge a number of groups, whose distances are n × n
FEWEST, MOST = 2, 100  # groups that are tried …
STEP = 1.15  # … each number so much above the one before
A_GROUP = 4  # photographs a group, on average, at least
OUTLIER = -1


@dataclass(frozen=True)
class Clusters:
    """Which group each photograph is in."""

    # (n,): 0 is the largest group; -1 is unlike all others. Copies are in one group
    group: NDArray[np.intp]
    medoids: Rows  # (k,): the row nearest to the middle of each group
    # (n,), float32: cosine of each row with the middle of its group, of principal components
    closeness: NDArray[np.float32]
    pairs: NearPairs  # photographs that are nearly the same
    # the mean silhouette of each number of groups that was tried, -1 to 1
    silhouettes: dict[int, float]


def project(collection: Collection, seed: int) -> NDArray[np.float32]:
    """Return the first principal components (n, 32) of photographs, each of length 1."""
    n = len(collection.images)
    sample = np.sort(np.random.default_rng(seed).permutation(n)[:SAMPLE])
    directions = collection.directions
    rows = directions[sample]
    components = PCA(min(DIMENSIONS, *rows.shape), random_state=seed).fit(rows)
    blocks = [
        components.transform(directions[start : start + SAMPLE]) for start in range(0, n, SAMPLE)
    ]
    projected = np.concatenate(blocks)
    lengths = np.linalg.norm(projected, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (projected / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return unit


def k_means(points: NDArray[np.float32], count: int, seed: int) -> NDArray[np.intp]:
    """Divide points (n, d) into so many groups; of very many, by mini-batches."""
    kind = KMeans if len(points) <= SAMPLE else MiniBatchKMeans
    labels: NDArray[np.intp] = kind(count, n_init=4, random_state=seed).fit_predict(points)
    return labels


def find_clusters(collection: Collection, seed: int = 0) -> Clusters:
    """Group photographs by k-means on principal components; the silhouette finds the number.

    Rousseeuw 1987, https://doi.org/10.1016/0377-0427(87)90125-7: the number of groups whose
    members are nearest to their own group and furthest from the next. Numbers from 2 on are
    tried, each about a seventh above the one before. Photographs far from all others (beyond
    Tukey's upper fence, as ``inspect`` has it) are in no group.

    Parameters
    ----------
    collection : Collection
        At least two distinct photographs.
    seed : int
        Of k-means.
    """
    distinct = first_of_each(collection.digests)
    points = project(collection, seed)
    tried = {}
    divided = {}
    for count in numbers(len(distinct)):
        divided[count] = k_means(points[distinct], count, seed)
        size = min(JUDGED, len(distinct))
        tried[count] = float(
            silhouette_score(points[distinct], divided[count], sample_size=size, random_state=seed)
        )
    best = max(tried, key=lambda count: (tried[count], -count), default=1)
    labels = divided.get(best, np.zeros(len(distinct), np.intp))
    place = {collection.digests[row]: number for number, row in enumerate(distinct.tolist())}
    own = np.array([place[digest] for digest in collection.digests])
    neighbours = find_neighbours(collection.directions, collection.digests)
    pairs = near_pairs(collection.directions, neighbours, labels[own])
    labels = labels.copy()
    labels[beyond_fence(neighbours)[0]] = OUTLIER
    group = _by_size(labels)[own]
    closeness, medoids = _middles(points, group)
    return Clusters(group, medoids, closeness, pairs, tried)


def numbers(distinct: int) -> list[int]:
    """Return the numbers of groups to try for so many distinct photographs.

    Examples
    --------
    >>> numbers(60)
    [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    """
    most = min(MOST, distinct // A_GROUP, distinct - 1)
    tried, count = [], FEWEST
    while count <= most:
        tried.append(count)
        count = max(count + 1, int(count * STEP))
    return tried


def _by_size(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return groups numbered anew, the largest 0; outliers stay."""
    kept, sizes = np.unique(labels[labels != OUTLIER], return_counts=True)
    rank = np.empty(int(labels.max(initial=0)) + 1, np.intp)
    rank[kept[np.argsort(-sizes, kind="stable")]] = np.arange(len(kept))
    return np.where(labels == OUTLIER, OUTLIER, rank[labels])


def _middles(
    points: NDArray[np.float32], group: NDArray[np.intp]
) -> tuple[NDArray[np.float32], Rows]:
    """Return each row's cosine with the middle of its group, and each group's nearest row."""
    closeness = np.zeros(len(group), np.float32)
    medoids = []
    for number in range(int(group.max(initial=OUTLIER)) + 1):
        rows = np.flatnonzero(group == number)
        middle = points[rows].mean(axis=0)
        closeness[rows] = points[rows] @ (middle / (np.linalg.norm(middle) or 1))
        medoids.append(rows[closeness[rows].argmax()])
    return closeness, np.array(medoids, dtype=np.intp)
