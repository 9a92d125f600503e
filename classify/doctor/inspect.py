"""The data doctor: duplicates, leaks, likely label errors, outliers, class counts.

Everything comes from cached features. Nothing that is found here chooses or trains a
classifier, so training and evaluation images are looked at together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...extract.features import load_features
from ...extract.images.addresses import Reference
from ...extract.images.images import Dataset
from ...extract.images.remote import Remote
from ...extract.pipeline import Failure, Progress, check_failures
from ...extract.source import FeatureSource
from ...text import below, shown
from ..data.groups import connect, group_images, known_groups, same
from ..data.near_duplicates import Directions, NearPairs, Neighbours, find_neighbours, near_pairs
from ..data.split import name_parts
from ..data.table import IN_MEMORY, find_taps
from .label_errors import Doubts, doubt_labels

INSPECTION_VERSION = 1
SMALL = 20  # training images below which a class's figures are rough
FENCE = 1.5  # interquartile ranges above the upper quartile

_PARTS = ("train", "validation", "test", "held-out fifth")  # the order of print


@dataclass(frozen=True, slots=True)
class Seen:
    """One image of the dataset as it is told."""

    path: Reference
    label: str
    split: str


def _told(image: Seen) -> dict[str, Any]:
    return {"path": shown(image.path), "label": image.label, "split": image.split}


@dataclass(frozen=True)
class Copies:
    """Images that are the same, or nearly.

    Parameters
    ----------
    images : list of Seen
        At least two, training images first.
    score : float
        Cosine similarity of the two nearest (of their square-rooted features), at most 1;
        1 for the same bytes.
    """

    images: list[Seen]
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
        told = [
            words
            for holds, words in (
                (self.across_splits, "across splits"),
                (self.conflicting_labels, "labels differ"),
            )
            if holds
        ]
        return ", ".join(told) or "within a class"

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of the contract's ``duplicates`` or ``near_duplicates``."""
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
    """An image that a head, which had not seen it, labels otherwise.

    Parameters
    ----------
    image : Seen
        With the label given.
    suggested : str
        The most probable label.
    score : float
        Probability of the label given, 0 to 1: the lower, the likelier an error.
    suggested_probability : float
        Of the label suggested.
    likely : bool or None
        What confident learning decides; None where cleanlab is not installed.
    """

    image: Seen
    suggested: str
    score: float
    suggested_probability: float
    likely: bool | None

    @property
    def what(self) -> str:
        """Say it in words."""
        return "likely error" if self.likely else "doubted"

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of the contract's ``label_errors``."""
        return {
            **_told(self.image),
            "suggested": self.suggested,
            "score": self.score,
            "suggested_probability": self.suggested_probability,
            "likely": self.likely,
        }


@dataclass(frozen=True)
class Outlier:
    """An image unlike all others.

    Parameters
    ----------
    image : Seen
        The image.
    score : float
        Mean cosine distance of its square-rooted features to those of its ten nearest
        images, 0 to 2.
    nearest : Seen
        The least unlike.
    """

    image: Seen
    score: float
    nearest: Seen

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of the contract's ``outliers``."""
        return {**_told(self.image), "score": self.score, "nearest": shown(self.nearest.path)}


@dataclass(frozen=True)
class ClassCount:
    """Images of one class by split; ``small`` when fewer than 20 train."""

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

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of the contract's ``classes``."""
        return {
            "name": self.name,
            "images": self.images,
            "splits": self.splits,
            "small": self.small,
        }


@dataclass(frozen=True)
class Inspection:
    """What the doctor found; each list has the gravest first.

    Parameters
    ----------
    root : Path or Remote
        The dataset's folder, manifest or shard.
    images : int
        Of the dataset, with those that failed.
    splits : list of str
        Those that hold images, training first.
    classes : list of ClassCount
        By name.
    duplicates : list of Copies
        The same bytes: across splits first, then with different labels, then the rest.
    near_duplicates : list of Copies
        Nearly the same pictures, in the same order, the most similar first.
    label_errors : list of LabelError
        Those that confident learning calls errors first, then by the label's probability.
    outliers : list of Outlier
        The furthest first.
    failed : list of Failure
        Images that could not be read.
    remarks : list of str
        What was left out and why.
    """

    root: Path | Remote
    images: int
    splits: list[str]
    classes: list[ClassCount]
    duplicates: list[Copies]
    near_duplicates: list[Copies]
    label_errors: list[LabelError]
    outliers: list[Outlier]
    failed: list[Failure]
    remarks: list[str]

    def name(self, image: Seen) -> str:
        """Return an image's path below the dataset, fit for print."""
        return below(image.path, self.root)

    def summary(self) -> list[str]:
        """Return the counts in words, a line a kind of finding."""
        parts = ", ".join(
            f"{sum(one.splits[part] for one in self.classes):,} {part}" for part in self.splits
        )
        likely = sum(bool(one.likely) for one in self.label_errors)
        small = sum(one.small for one in self.classes)
        count = f"{self.images:,} images of {len(self.classes):,} classes"
        return [
            f"{count}: {parts}, {len(self.failed):,} failed",
            f"classes with fewer than {SMALL} training images: {small:,}",
            f"exact duplicates: {_summed(self.duplicates)}",
            f"near duplicates: {_summed(self.near_duplicates)}",
            f"label errors: {likely:,} likely, {len(self.label_errors) - likely:,} more doubted",
            f"outliers: {len(self.outliers):,}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the contract of ``headstart inspect --json``.

        Returns
        -------
        dict
            ``version``, ``dataset``, ``images`` and ``remarks``;
            ``classes``: ``name``, ``images``, ``splits`` (split to count), ``small``;
            ``duplicates`` and ``near_duplicates``: ``paths``, ``labels``, ``splits`` (one of
            each an image), ``score``, ``across_splits``, ``conflicting_labels``;
            ``label_errors``: ``path``, ``label``, ``split``, ``suggested``, ``score``,
            ``suggested_probability``, ``likely``;
            ``outliers``: ``path``, ``label``, ``split``, ``score``, ``nearest``;
            ``failed``: ``path``, ``reason``.
        """
        return {
            "version": INSPECTION_VERSION,
            "dataset": shown(self.root),
            "images": self.images,
            "classes": [one.to_dict() for one in self.classes],
            "duplicates": [one.to_dict() for one in self.duplicates],
            "near_duplicates": [one.to_dict() for one in self.near_duplicates],
            "label_errors": [one.to_dict() for one in self.label_errors],
            "outliers": [one.to_dict() for one in self.outliers],
            "failed": [{"path": shown(f.path), "reason": f.reason} for f in self.failed],
            "remarks": self.remarks,
        }


def inspect(
    dataset: Dataset,
    source: FeatureSource,
    seed: int,
    stage: Callable[[str], Progress],
    max_failures: str | None = None,
) -> Inspection:
    """Examine a dataset by its features, extracting what is missing.

    Parameters
    ----------
    dataset : Dataset
        With labels; one class or one image is enough.
    source : FeatureSource
        What to extract.
    seed : int
        Seeds the folds of the head that doubts labels.
    stage : callable
        Told what runs; returns where to tell its progress.
    max_failures : str, optional
        See :func:`headstart.extract.pipeline.check_failures`.

    Raises
    ------
    DataError
        If too many images failed.
    """
    paths = [image.path for image in dataset.images]
    features = load_features(paths, source, stage("extracting"), in_memory=IN_MEMORY)
    check_failures(features.extraction, max_failures)
    images = [dataset.images[at] for at in features.positions]
    parts = name_parts(images, features.digests)[1]
    seen = [Seen(image.path, image.label, part) for image, part in zip(images, parts, strict=True)]
    present = [part for part in _PARTS if part in parts]
    classes, y = np.unique([image.label for image in images], return_inverse=True)

    stage("comparing images")
    taps = find_taps(features.widths, len(source.spec.views))
    directions = Directions(features.X, taps)
    neighbours = find_neighbours(directions, features.digests)
    near = near_pairs(directions, neighbours, y)
    known = known_groups(images, features.digests)

    stage("doubting labels")
    known = known_groups(images, features.digests)
    groups, _ = group_images(known, near, y, np.arange(len(y)))
    doubts = doubt_labels(features.X, y, groups, classes.tolist(), seed, taps)
    return Inspection(
        root=dataset.root,
        images=len(dataset.images),
        splits=present,
        classes=_count(seen, present),
        duplicates=_exact_copies(seen, features.digests),
        near_duplicates=_near_copies(seen, features.digests, near),
        label_errors=_label_errors(seen, doubts, classes.tolist()),
        outliers=_outliers(seen, neighbours),
        failed=features.extraction.failures,
        remarks=[*dataset.warnings, *features.warnings, *doubts.remarks],
    )


def _exact_copies(seen: Sequence[Seen], digests: Sequence[bytes]) -> list[Copies]:
    members: dict[bytes, list[Seen]] = {}
    for image, digest in zip(seen, digests, strict=True):
        members.setdefault(digest, []).append(image)
    return _ranked([Copies(_ordered(some), 1.0) for some in members.values() if len(some) > 1])


def _near_copies(seen: Sequence[Seen], digests: Sequence[bytes], near: NearPairs) -> list[Copies]:
    groups = connect(len(seen), [same(digests), (near.first, near.second)])
    best: dict[int, float] = {}  # group to similarity; groups of exact copies alone are not here
    for group, similarity in zip(
        groups[near.first].tolist(), near.similarity.tolist(), strict=True
    ):
        best[group] = max(best.get(group, -1.0), similarity)
    members: dict[int, list[Seen]] = {group: [] for group in best}
    for image, group in zip(seen, groups.tolist(), strict=True):
        if group in members:
            members[group].append(image)
    return _ranked([Copies(_ordered(some), best[group]) for group, some in members.items()])


def _summed(groups: list[Copies]) -> str:
    across = sum(one.across_splits for one in groups)
    differ = sum(one.conflicting_labels for one in groups)
    return f"{len(groups):,} groups, {across:,} across splits, {differ:,} with different labels"


def _ordered(images: list[Seen]) -> list[Seen]:
    return sorted(images, key=lambda image: (_PARTS.index(image.split), str(image.path)))


def _ranked(found: list[Copies]) -> list[Copies]:
    """Order by what does most harm: leaks, then contradictions, then what weighs double."""
    return sorted(
        found,
        key=lambda one: (not one.across_splits, not one.conflicting_labels, -one.score),
    )


def _label_errors(seen: Sequence[Seen], doubts: Doubts, classes: list[str]) -> list[LabelError]:
    verdicts = [None] * len(doubts.rows) if doubts.likely is None else doubts.likely.tolist()
    return [
        LabelError(seen[row], classes[suggested], own, best, likely)
        for row, suggested, own, best, likely in zip(
            doubts.rows.tolist(),
            doubts.suggested.tolist(),
            doubts.own.tolist(),
            doubts.best.tolist(),
            verdicts,
            strict=True,
        )
    ]


def _outliers(seen: Sequence[Seen], neighbours: Neighbours) -> list[Outlier]:
    """Take those beyond Tukey's upper fence (Exploratory Data Analysis, 1977, section 2D)."""
    if not neighbours.distances.size:
        return []
    scores = (neighbours.distances**2 / 2).mean(axis=1)
    low, high = np.quantile(scores, [0.25, 0.75])
    beyond = np.flatnonzero(scores > high + FENCE * (high - low))
    return [
        Outlier(
            seen[neighbours.rows[at]],
            float(scores[at]),
            seen[neighbours.rows[neighbours.indices[at, 0]]],
        )
        for at in beyond[np.argsort(-scores[beyond], kind="stable")]
    ]


def _count(seen: Sequence[Seen], parts: list[str]) -> list[ClassCount]:
    counts = Counter((image.label, image.split) for image in seen)
    return [
        ClassCount(label, {part: counts[label, part] for part in parts})
        for label in sorted({image.label for image in seen})
    ]
