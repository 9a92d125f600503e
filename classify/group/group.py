"""``headstart group``: groups, outliers and copies of photographs, and the document that tells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...extract.images.images import Image
from ...progress import stage
from ...text import shown
from ..data.collection import Collection, first_of_each
from ..data.groups import connect, same
from ..data.split import Rows
from ..predict.sorting import ClassFolders
from .clusters import OUTLIER, Clusters, find_clusters, k_means, project

OUTLIERS = "outliers"  # the folder of photographs unlike all others


class GroupOfPhotographs(TypedDict):
    """One group; the first path is its medoid, the others follow by closeness."""

    name: str
    images: int
    medoid: str
    paths: list[str]


class AgreementDocument(TypedDict):
    """How groups agree with labels."""

    groups: int
    adjusted_rand: float
    purity: float


class LabelledDocument(TypedDict):
    """Groups, and k-means that was told the number of classes, beside the labels given."""

    images: int
    classes: int
    found: AgreementDocument
    k_means: AgreementDocument


class GroupDocument(TypedDict):
    """The contract of ``headstart group --json``; the largest group first."""

    version: int
    dataset: str
    images: int
    groups: list[GroupOfPhotographs]
    outliers: list[str]
    copies: list[list[str]]
    silhouettes: dict[str, float]
    labels: LabelledDocument | None
    seed: int
    warnings: list[str]


@dataclass(frozen=True)
class Grouping:
    """Photographs in groups."""

    collection: Collection  # the photographs
    clusters: Clusters  # which group each is in
    copies: list[Rows]  # rows of photographs that are the same, or nearly, together
    # how the groups agree with labels; None where fewer than two classes are given
    labels: LabelledDocument | None
    seed: int  # of k-means

    def members(self, number: int) -> list[int]:
        """Return the rows of a group, the most typical first; -1 is the outliers."""
        rows = np.flatnonzero(self.clusters.group == number)
        order = np.argsort(-self.clusters.closeness[rows], kind="stable")
        return [int(row) for row in rows[order]]

    def folded(self, number: int) -> list[tuple[int, int]]:
        """Return the members of a group but copies of earlier ones, and how many copies each has."""
        of = np.arange(len(self.clusters.group))
        for rows in self.copies:
            of[rows] = rows[0]
        counts: dict[int, list[int]] = {}
        for row in self.members(number):
            counts.setdefault(int(of[row]), []).append(row)
        return [(rows[0], len(rows) - 1) for rows in counts.values()]

    @property
    def names(self) -> list[str]:
        """The groups' names: ``group-01`` is the largest."""
        count = len(self.clusters.medoids)
        return [f"group-{number:0{max(2, len(str(count)))}}" for number in range(1, count + 1)]

    def to_dict(self) -> GroupDocument:
        """Return the contract of ``headstart group --json``."""

        def paths(rows: Sequence[int]) -> list[str]:
            return [shown(self.collection.images[row].path) for row in rows]

        groups = [paths(self.members(number)) for number in range(len(self.names))]
        return {
            "version": 1,
            "dataset": shown(self.collection.root),
            "images": len(self.collection.images),
            "groups": [
                {"name": name, "images": len(own), "medoid": own[0], "paths": own}
                for name, own in zip(self.names, groups, strict=True)
            ],
            "outliers": paths(self.members(OUTLIER)),
            "copies": [paths(rows.tolist()) for rows in self.copies],
            "silhouettes": {str(count): s for count, s in self.clusters.silhouettes.items()},
            "labels": self.labels,
            "seed": self.seed,
            "warnings": self.collection.warnings,
        }


def group(collection: Collection, seed: int = 0) -> Grouping:
    """Group photographs; where they have labels, say how groups and labels agree.

    Parameters
    ----------
    collection : Collection
        From :func:`headstart.classify.data.collection.load_collection`.
    seed : int
        Of k-means.

    Raises
    ------
    DataError
        If there are fewer than two distinct photographs.
    """
    distinct = len(first_of_each(collection.digests)) if collection.digests else 0
    if distinct < 2:
        raise DataError(f"{shown(collection.root)} has {distinct} distinct photographs to group")
    stage("grouping")
    clusters = find_clusters(collection, seed)
    alike = connect(
        len(collection.images),
        [same(collection.digests), (clusters.pairs.first, clusters.pairs.second)],
    )
    order = np.argsort(alike, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(alike[order])) + 1)
    copies = [rows for rows in parts if len(rows) > 1]
    return Grouping(collection, clusters, copies, _agreement(collection, clusters, seed), seed)


def _agreement(collection: Collection, clusters: Clusters, seed: int) -> LabelledDocument | None:
    classes, y = collection.known()
    rows = np.flatnonzero(y >= 0)
    if len(classes) < 2:
        return None
    told = k_means(project(collection, seed), len(classes), seed)
    return {
        "images": len(rows),
        "classes": len(classes),
        "found": agree(y[rows], clusters.group[rows]),
        "k_means": agree(y[rows], told[rows]),
    }


def agree(y: NDArray[np.intp], group: NDArray[np.intp]) -> AgreementDocument:
    """Return how groups (n,) agree with classes (n,); outliers count as a group of their own.

    The adjusted Rand index is 1 where they are the same and about 0 by chance; purity is the
    share of photographs of the most frequent class in their group.

    Examples
    --------
    >>> agreement = agree(np.array([0, 0, 1, 1]), np.array([1, 1, 0, -1]))
    >>> agreement["groups"], round(agreement["adjusted_rand"], 3), agreement["purity"]
    (2, 0.571, 1.0)
    """
    from sklearn.metrics import adjusted_rand_score

    numbers = np.unique(group)
    most = sum(int(np.bincount(y[group == number]).max()) for number in numbers)
    return {
        "groups": int((numbers != OUTLIER).sum()),
        "adjusted_rand": float(adjusted_rand_score(y, group)),
        "purity": most / len(y),
    }


def link_groups(grouping: Grouping, folder: Path) -> str:
    """Link each photograph into a folder for its group; return how many lie where.

    Raises
    ------
    DataError
        If one cannot be written, or a photograph is no file here.
    """
    folders = ClassFolders(folder)
    images: list[Image] = grouping.collection.images
    for number, name in enumerate([*grouping.names, OUTLIERS]):
        for row in grouping.members(number if name != OUTLIERS else OUTLIER):
            folders.put_into(name, images[row].path, grouping.collection.digests[row])
    return folders.summary()
