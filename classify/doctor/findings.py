"""What the doctor finds, and the document of ``headstart inspect --json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from ...extract.images.addresses import Reference
from ...extract.images.remote import Remote
from ...extract.ledger import Failure
from ...text import below, shown
from ..predict.predict import FailureDocument, describe_failure

VERSION = 1  # of the document
SMALL = 20  # training images below which a class's figures are rough


class ClassDocument(TypedDict):
    """Images of one class by split; ``small`` when fewer than 20 train."""

    name: str
    images: int
    splits: dict[str, int]
    small: bool


class CopiesDocument(TypedDict):
    """Images that are the same, or nearly: path, label and split of each."""

    paths: list[str]
    labels: list[str]
    splits: list[str]
    score: float
    across_splits: bool
    conflicting_labels: bool


class LabelErrorDocument(TypedDict):
    """An image that a head, which had not seen it, labels otherwise."""

    path: str
    label: str
    split: str
    suggested: str
    score: float
    suggested_probability: float
    likely: bool | None


class OutlierDocument(TypedDict):
    """An image unlike all others."""

    path: str
    label: str
    split: str
    score: float
    nearest: str


class InspectionDocument(TypedDict):
    """The contract of ``headstart inspect --json``; each list has the gravest first."""

    version: int
    dataset: str
    images: int
    classes: list[ClassDocument]
    duplicates: list[CopiesDocument]
    near_duplicates: list[CopiesDocument]
    label_errors: list[LabelErrorDocument]
    outliers: list[OutlierDocument]
    failed: list[FailureDocument]
    remarks: list[str]


@dataclass(frozen=True, slots=True)
class Seen:
    """One image of the dataset as it is told."""

    path: Reference
    label: str
    split: str


@dataclass(frozen=True)
class Copies:
    """Images that are the same, or nearly."""

    images: list[Seen]  # at least two, training images first
    # cosine similarity of the two nearest (of their
    # square-rooted features), at most 1; 1 for the same bytes
    score: float

    @property
    def across_splits(self) -> bool:
        """Whether they straddle splits: what trains also evaluates."""
        return len({image.split for image in self.images}) > 1

    @property
    def conflicting_labels(self) -> bool:
        """Whether the same picture has several labels: at least one is wrong."""
        return len({image.label for image in self.images}) > 1

    @property
    def what(self) -> str:
        """Say it in words."""
        ailments = ["across splits"] * self.across_splits
        ailments += ["labels differ"] * self.conflicting_labels
        return ", ".join(ailments) or "within a class"

    def to_dict(self) -> CopiesDocument:
        """Return one entry of ``duplicates`` or ``near_duplicates``."""
        return {
            "paths": [shown(image.path) for image in self.images],
            "labels": [image.label for image in self.images],
            "splits": [image.split for image in self.images],
            "score": self.score,
            "across_splits": self.across_splits,
            "conflicting_labels": self.conflicting_labels,
        }


@dataclass(frozen=True)
class LabelError:
    """An image that a head, which had not seen it, labels otherwise."""

    image: Seen  # with the label given
    suggested: str  # the most probable label
    score: float  # probability of the label given, 0 to 1: the lower, the likelier an error
    suggested_probability: float  # of the label suggested
    likely: bool | None  # what confident learning decides; None where cleanlab is not installed

    @property
    def what(self) -> str:
        """Say it in words."""
        return "likely error" if self.likely else "doubted"

    def to_dict(self) -> LabelErrorDocument:
        """Return one entry of ``label_errors``."""
        return {
            "path": shown(self.image.path),
            "label": self.image.label,
            "split": self.image.split,
            "suggested": self.suggested,
            "score": self.score,
            "suggested_probability": self.suggested_probability,
            "likely": self.likely,
        }


@dataclass(frozen=True)
class Outlier:
    """An image unlike all others."""

    image: Seen
    # mean cosine distance of its square-rooted features to those of its ten nearest images, 0 to 2
    score: float
    nearest: Seen  # the least unlike

    def to_dict(self) -> OutlierDocument:
        """Return one entry of ``outliers``."""
        return {
            "path": shown(self.image.path),
            "label": self.image.label,
            "split": self.image.split,
            "score": self.score,
            "nearest": shown(self.nearest.path),
        }


@dataclass(frozen=True)
class ClassCount:
    """Images of one class by split."""

    name: str
    splits: dict[str, int]

    @property
    def images(self) -> int:
        """Images in all splits."""
        return sum(self.splits.values())

    @property
    def small(self) -> bool:
        """Whether its figures will be rough."""
        return self.splits.get("train", 0) < SMALL

    def to_dict(self) -> ClassDocument:
        """Return one entry of ``classes``."""
        return {
            "name": self.name,
            "images": self.images,
            "splits": self.splits,
            "small": self.small,
        }


@dataclass(frozen=True)
class Inspection:
    """What the doctor found; each list has the gravest first."""

    root: Path | Remote  # the dataset's folder, manifest or shard
    images: int  # of the dataset, with those that failed
    splits: list[str]  # those that hold images, training first
    classes: list[ClassCount]  # by name
    # the same bytes: across splits first, then with different labels, then the rest
    duplicates: list[Copies]
    # nearly the same pictures, in the same order, the most similar first
    near_duplicates: list[Copies]
    # those that confident learning calls errors first, then by the label's probability
    label_errors: list[LabelError]
    outliers: list[Outlier]  # the furthest first
    failed: list[Failure]  # images that could not be read
    remarks: list[str]  # what was left out and why

    def name(self, image: Seen) -> str:
        """Return an image's path below the dataset, fit for print."""
        return below(image.path, self.root)

    def smallest(self, top: int) -> list[ClassCount]:
        """Return the classes with the fewest images."""
        return sorted(self.classes, key=lambda count: count.images)[:top]

    def summary(self) -> list[str]:
        """Return the counts in words, a line a kind of finding."""
        parts = ", ".join(
            f"{sum(count.splits[part] for count in self.classes):,} {part}" for part in self.splits
        )
        likely = sum(bool(error.likely) for error in self.label_errors)
        small = sum(counts.small for counts in self.classes)
        count = f"{self.images:,} images of {len(self.classes):,} classes"
        return [
            f"{count}: {parts}, {len(self.failed):,} failed",
            f"classes with fewer than {SMALL} training images: {small:,}",
            f"exact duplicates: {_summed(self.duplicates)}",
            f"near duplicates: {_summed(self.near_duplicates)}",
            f"label errors: {likely:,} likely, {len(self.label_errors) - likely:,} more doubted",
            f"outliers: {len(self.outliers):,}",
        ]

    def to_dict(self) -> InspectionDocument:
        """Return the contract of ``headstart inspect --json``."""
        return {
            "version": VERSION,
            "dataset": shown(self.root),
            "images": self.images,
            "classes": [count.to_dict() for count in self.classes],
            "duplicates": [copies.to_dict() for copies in self.duplicates],
            "near_duplicates": [copies.to_dict() for copies in self.near_duplicates],
            "label_errors": [error.to_dict() for error in self.label_errors],
            "outliers": [outlier.to_dict() for outlier in self.outliers],
            "failed": [describe_failure(failure) for failure in self.failed],
            "remarks": self.remarks,
        }


def _summed(groups: Sequence[Copies]) -> str:
    across = sum(copies.across_splits for copies in groups)
    differ = sum(copies.conflicting_labels for copies in groups)
    return f"{len(groups):,} groups, {across:,} across splits, {differ:,} with different labels"
