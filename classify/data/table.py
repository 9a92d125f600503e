"""A dataset as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...extract.features import Features, load_dataset
from ...extract.images.addresses import Reference
from ...extract.images.images import Dataset, Image
from ...extract.images.remote import Remote
from ...extract.source import FeatureSource
from ...text import shown
from .columns import TapSelector
from .groups import group_images, known_groups
from .labels import not_evaluated, two_labels
from .near_duplicates import Alike, NearPairs, find_alike
from .split import Split, split_images

IN_MEMORY = 256 << 20  # bytes of features; more are read in blocks, by heads that can


@dataclass(frozen=True)
class Table:
    """A dataset as numbers."""

    X: Any  # (n, d), float32: features
    y: NDArray[np.intp]  # (n,): indices into `classes`
    groups: NDArray[np.intp]  # (n,): equal for images that must not be parted
    classes: list[str]  # class names, sorted
    paths: list[Reference]  # (n,)
    split: Split  # which rows train, which evaluate
    features: Features  # where they came from
    layers: list[str]  # those tapped, in column order
    taps: TapSelector | None  # what the columns are where there are several layers or views
    layers_open: bool  # whether each head chooses among the layers and views
    warnings: list[str]  # everything worth telling so far
    root: Path | Remote  # the folder or manifest of the dataset
    alike: Alike  # what looks like what, of all images

    def near_leaks(self) -> NearLeaks:
        """Return the training images that look nearly the same as one that evaluates."""
        return find_near_leaks(self.alike.pairs, self.split)


def load_table(
    dataset: Dataset,
    source: FeatureSource,
    max_failures: str | None = None,
    doing: str = "extracting",
    in_memory: int = IN_MEMORY,
) -> Table:
    """Extract what is missing, a stage named by ``doing``, and lay a dataset out as numbers.

    Raises
    ------
    DataError
        If too many images failed or the splits cannot be used.
    """
    features = load_dataset(dataset, source, max_failures, in_memory, doing)
    images = [dataset.images[i] for i in features.positions]
    split = split_images(images, features.digests)
    kept = np.concatenate([split.train, split.joining, split.evaluation])
    classes = sorted({images[i].label for i in kept})
    index = {name: i for i, name in enumerate(classes)}
    failures = features.extraction.failures
    failed = [f"{len(failures)} images could not be used and are left out"] if failures else []
    y = np.array([index[image.label] for image in images], dtype=np.intp)
    small = _small_classes(y[split.fitting], classes)
    taps = find_taps(features.widths, len(source.spec.views))
    alike = find_alike(features.X, taps, features.digests, y)
    groups, melted = group_images(
        known_groups(images, features.digests), alike.pairs, y, split.train
    )
    leaks = find_near_leaks(alike.pairs, split)
    return Table(
        X=features.X,
        y=y,
        groups=groups,
        classes=classes,
        paths=[image.path for image in images],
        split=split,
        features=features,
        layers=list(source.spec.layers),
        taps=taps,
        layers_open=source.recipe.layers == ("auto",),
        warnings=[
            *dataset.warnings,
            *features.warnings,
            *failed,
            *split.warnings,
            *_tell_leaks(leaks, split, images),
            *_melted(melted, classes),
            *small,
            *two_labels(images, features.digests),
            *not_evaluated(y, split, classes),
        ],
        root=dataset.root,
        alike=alike,
    )


def _small_classes(y: NDArray[np.intp], classes: list[str]) -> list[str]:
    counts = np.bincount(y, minlength=len(classes))
    small = [f"{name} ({count})" for name, count in zip(classes, counts, strict=True) if count < 20]
    if not small:
        return []
    line = f"{len(small)} of {len(classes)} classes have fewer than 20 training images"
    return [f"{line}, so their figures are rough: {', '.join(small)}"]


@dataclass(frozen=True)
class NearLeaks:
    """Training images that look nearly the same as images that evaluate."""

    # (p,): rows of the table, pair by pair
    training: NDArray[np.intp]
    evaluation: NDArray[np.intp]

    @property
    def images(self) -> int:
        """Training images among them."""
        return len(np.unique(self.training))


def find_near_leaks(near: NearPairs, split: Split) -> NearLeaks:
    """Find the near pairs of a training image and one that evaluates."""
    first = np.concatenate([near.first, near.second])
    second = np.concatenate([near.second, near.first])
    across = np.isin(first, split.fitting) & np.isin(second, split.evaluation)
    return NearLeaks(first[across], second[across])


def _tell_leaks(leaks: NearLeaks, split: Split, images: Sequence[Image]) -> list[str]:
    """Tell how many training images are nearly the same as one that evaluates."""
    if not leaks.images:
        return []
    training, evaluation = images[leaks.training[0]], images[leaks.evaluation[0]]
    line = (
        f"{leaks.images} training images look nearly the same as images of the {split.name} "
        f"split, which flatters its figures (first: {shown(training.path)} and "
        f"{shown(evaluation.path)}); 'headstart inspect' shows them all"
    )
    return [line]


def _melted(alike: NDArray[np.intp], classes: list[str]) -> list[str]:
    return [
        f"all images of class {classes[label]!r} look nearly the same, so folds keep only its exact "
        "copies and named groups together: give a 'group' column in a manifest if they belong to "
        "several films or bursts"
        for label in alike.tolist()
    ]


def find_taps(widths: tuple[int, ...], views: int) -> TapSelector | None:
    """Say what the columns are where there are several layers or views."""
    if len(widths) == views == 1:
        return None
    return TapSelector(widths, views)
