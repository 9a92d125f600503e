"""``headstart.group``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from ..classify.data.collection import load_collection
from ..classify.group.clusters import OUTLIER
from ..classify.group.group import GroupDocument, Grouping, link_groups
from ..classify.group.group import group as group_collection
from ..classify.group.page import write_sheets
from ..extract.images.images import Dataset
from ..progress import note
from ..tables import TextTable
from ..text import below, shown
from .data import open_data, path_of
from .options import FeatureOptions, Place, source_of
from .result import Block, Result


@dataclass(frozen=True, repr=False)
class Grouped(Result):
    """Photographs that look alike, together."""

    grouping: Grouping
    page: Path | None  # where one was written

    def to_dict(self) -> GroupDocument:
        """Return the contract of ``group --json``."""
        return self.grouping.to_dict()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the photographs, each with its group; None is an outlier."""
        grouping, images = self.grouping, self.grouping.collection.images
        return [
            {"path": shown(images[row].path), "group": name}
            for number, name in [*enumerate(grouping.names), (OUTLIER, None)]
            for row in grouping.members(number)
        ]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        grouping, document, root = self.grouping, self.to_dict(), self.grouping.collection.root
        images = grouping.collection.images
        medoids = grouping.clusters.medoids.tolist()
        yield TextTable(
            ["group", "photographs", "medoid"],
            [
                [name, f"{len(grouping.members(number)):,}", below(images[medoid].path, root)]
                for number, (name, medoid) in enumerate(zip(grouping.names, medoids, strict=True))
            ],
            paths=["medoid"],
        )
        yield (
            f"{len(grouping.names):,} groups, {len(document['outliers']):,} outliers, "
            f"{len(document['copies']):,} sets of copies"
        )
        labels = document["labels"]
        for kind, agreement in (
            () if labels is None else (("groups", labels["found"]), ("k-means", labels["k_means"]))
        ):
            yield (
                f"against the labels, {kind} ({agreement['groups']}): adjusted Rand index "
                f"{agreement['adjusted_rand']:.3f}, purity {agreement['purity']:.3f}"
            )
        if self.page is not None:
            yield f"\npage: {self.page}"


def group(
    data: Place | Dataset,
    *,
    seed: int = 0,
    out: Place | None = None,
    columns: str | None = None,
    max_failures: str | None = None,
    **options: Unpack[FeatureOptions],
) -> Grouped:
    """Put photographs that look alike together; how many groups there are is found.

    Parameters
    ----------
    data, columns, max_failures, **options
        As those of :func:`headstart.fit_head`; labels may be missing.
    seed : int
        Of k-means.
    out : path, optional
        Folder for ``group.html``, contact sheets, and a folder of links for each group.

    Returns
    -------
    Grouped
        Prints as a table; ``to_frame()`` has a row for each photograph.

    Raises
    ------
    DataError, OptionError
        As :func:`headstart.fit_head`.

    Examples
    --------
    >>> import headstart
    >>> grouped = headstart.group("photographs")
    >>> grouped.to_frame()["group"].nunique()
    3
    """
    dataset = open_data(data, columns, needs_labels=False)
    collection = load_collection(dataset, source_of(options, dataset), max_failures)
    grouping, folder = group_collection(collection, seed), path_of(out)
    if folder is None:
        return Grouped(grouping, None)
    page = write_sheets(grouping, folder)
    note(link_groups(grouping, folder))
    return Grouped(grouping, page)
