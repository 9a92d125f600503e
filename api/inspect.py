"""``headstart.inspect``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from ..classify.doctor.findings import Copies, Inspection, InspectionDocument
from ..classify.doctor.inspect import inspect as examine
from ..classify.doctor.page import write_page
from ..extract.images.images import Dataset, ReadAs
from ..tables import TextTable
from ..text import shown
from .data import open_data, path_of
from .options import FeatureOptions, Place, source_of
from .result import Block, Result


@dataclass(frozen=True, repr=False)
class Inspected(Result):
    """What the data doctor found, the gravest of each kind first."""

    inspection: Inspection
    top: int  # findings of a kind to print
    page: Path | None  # where one was written

    @property
    def warnings(self) -> Sequence[str]:
        """What was left out and why, a line each."""
        return self.inspection.remarks

    def to_dict(self) -> InspectionDocument:
        """Return the contract of ``inspect --json``."""
        return self.inspection.to_dict()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return a finding and an image each."""
        found = self.to_dict()
        single = (("label error", found["label_errors"]), ("outlier", found["outliers"]))
        rows: list[Mapping[str, Any]] = []
        for kind, copies in (
            ("duplicate", found["duplicates"]),
            ("near duplicate", found["near_duplicates"]),
        ):
            for number, group in enumerate(copies):
                images = zip(group["paths"], group["labels"], group["splits"], strict=True)
                rows += [
                    {"finding": kind, "group": number, "score": group["score"]}
                    | {"path": path, "label": label, "split": split}
                    for path, label, split in images
                ]
        return [*rows, *({"finding": kind, **row} for kind, all_ in single for row in all_)]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        inspection, top = self.inspection, self.top
        yield from inspection.summary()
        yield ""
        yield TextTable(
            ["class", *inspection.splits, "images", ""],
            [
                [
                    shown(count.name),
                    *(f"{count.splits[part]:,}" for part in inspection.splits),
                    f"{count.images:,}",
                    "few" if count.small else "",
                ]
                for count in inspection.smallest(top)
            ],
        )
        yield from _more(len(inspection.classes), top)
        yield from _copies("exact duplicates", inspection, inspection.duplicates, top)
        yield from _copies("near duplicates", inspection, inspection.near_duplicates, top)
        yield from _label_errors(inspection, top)
        yield from _outliers(inspection, top)
        for failure in inspection.failed:
            yield f"failed: {failure}"
        if self.page is not None:
            yield f"\npage: {self.page}"


@dataclass(frozen=True, repr=False)
class Reading(Result):
    """How a dataset was understood, class by class."""

    document: ReadAs

    def to_dict(self) -> ReadAs:
        """Return the contract of ``inspect --dry-run --json``."""
        return self.document

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the classes."""
        return self.document["classes"]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        reading = self.document
        yield reading["read_as"]
        yield TextTable(
            ["class", *reading["splits"], "images"],
            [
                [row["name"], *(f"{n:,}" for n in (*row["splits"].values(), row["images"]))]
                for row in reading["classes"]
            ],
        )


def _label_errors(inspection: Inspection, top: int) -> Iterator[Block]:
    if not inspection.label_errors:
        return
    yield "\nlabel errors"
    yield TextTable(
        ["what", "image", "split", "label", "suggested", "P(suggested)", "P(label)"],
        [
            [
                error.what,
                inspection.name(error.image),
                error.image.split,
                shown(error.image.label),
                shown(error.suggested),
                f"{error.suggested_probability:.3f}",
                f"{error.score:.3f}",
            ]
            for error in inspection.label_errors[:top]
        ],
        texts=5,
        paths=["image"],
    )
    yield from _more(len(inspection.label_errors), top)


def _outliers(inspection: Inspection, top: int) -> Iterator[Block]:
    if not inspection.outliers:
        return
    yield "\noutliers"
    yield TextTable(
        ["image", "split", "label", "nearest", "distance"],
        [
            [
                inspection.name(outlier.image),
                outlier.image.split,
                shown(outlier.image.label),
                inspection.name(outlier.nearest),
                f"{outlier.score:.3f}",
            ]
            for outlier in inspection.outliers[:top]
        ],
        texts=4,
        paths=["image", "nearest"],
    )
    yield from _more(len(inspection.outliers), top)


def _copies(
    title: str, inspection: Inspection, groups: Sequence[Copies], top: int
) -> Iterator[Block]:
    if not groups:
        return
    yield f"\n{title}"
    yield TextTable(
        ["what", "image", "split", "label", "copy", "split", "label", "similarity"],
        [
            [
                group.what,
                inspection.name(group.images[0]),
                group.images[0].split,
                shown(group.images[0].label),
                inspection.name(copy),
                copy.split,
                shown(copy.label),
                f"{group.score:.3f}",
            ]
            for group in groups[:top]
            for copy in group.images[1:]
        ],
        texts=7,
        paths=["image", "copy"],
    )
    yield from _more(len(groups), top)


def _more(count: int, top: int) -> Iterator[Block]:
    if count > top:
        yield f"… and {count - top:,} more: --top {count} or --json shows all"


def inspect(
    data: Place | Dataset,
    *,
    top: int = 40,
    dry_run: bool = False,
    seed: int = 0,
    out: Place | None = None,
    columns: str | None = None,
    max_failures: str | None = None,
    **options: Unpack[FeatureOptions],
) -> Inspected | Reading:
    """Find duplicates, leaks between splits, likely label errors and outliers.

    Parameters
    ----------
    data, columns, max_failures, **options
        As those of :func:`headstart.fit_head`.
    top : int
        Findings of a kind to print.
    dry_run : bool
        Only say how ``data`` is read; no image is opened.
    seed : int
        Seeds the folds of the head that doubts labels.
    out : path, optional
        Folder for ``inspect.html``; none is written when None.

    Returns
    -------
    Inspected, or Reading
        Prints as tables; ``to_frame()`` has a row for each finding's images.

    Raises
    ------
    DataError, OptionError
        As :func:`headstart.fit_head`.

    Examples
    --------
    >>> import headstart
    >>> print(headstart.inspect("photographs"))
    30 images of 3 classes: 24 train, 6 held-out fifth, 0 failed
    classes with fewer than 20 training images: 3
    exact duplicates: 0 groups, 0 across splits, 0 with different labels
    near duplicates: 0 groups, 0 across splits, 0 with different labels
    label errors: 0 likely, 0 more doubted
    outliers: 0
    <BLANKLINE>
    class  train  held-out fifth  images
    blue       9               1      10  few
    green      7               3      10  few
    red        8               2      10  few
    """
    dataset = open_data(data, columns, tell=not dry_run)
    if dry_run:
        return Reading(dataset.read_as_document())
    inspection = examine(dataset, source_of(options, dataset), seed, max_failures)
    folder = path_of(out)
    return Inspected(
        inspection, top, None if folder is None else write_page(inspection, folder, top)
    )
