"""What the order of photographs to label needs to know of how they look: computed once."""

from __future__ import annotations

import numpy as np

from ..data.collection import Collection
from ..data.groups import connect, same
from ..data.near_duplicates import find_neighbours, near_pairs
from ..group.clusters import k_means, project
from .order import Looks

MOST_CLUSTERS = 100  # of as many photographs each, up to 10,000


def look(collection: Collection, seed: int = 0) -> Looks:
    """Compare photographs with one another; their labels are not looked at.

    Parameters
    ----------
    collection : Collection
        At least one photograph.
    seed : int
        Of the clusters that stand in for classes in what counts as nearly the same.
    """
    n = len(collection.images)
    points = project(collection, seed)
    clusters = k_means(points, min(MOST_CLUSTERS, round(n**0.5)), seed)
    neighbours = find_neighbours(collection.directions, collection.digests)
    pairs = near_pairs(collection.directions, neighbours, clusters)
    alike = connect(n, [same(collection.digests), (pairs.first, pairs.second)])
    density = np.zeros(n)
    if neighbours.distances.size:
        density[neighbours.rows] = -neighbours.distances.mean(axis=1)
    return Looks(points, density, alike)
