"""The images of a dataset with their labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

from ...text import shown
from .addresses import Reference
from .remote import Remote

UNLABELLED = ""  # the label of an image that has none yet
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Image:
    """One row of a dataset."""

    path: Reference  # where its bytes are: see `addresses`
    label: str  # name of its class; `UNLABELLED` where it has none yet
    # `"train"`, `"validation"` or `"test"`; None when the dataset has no splits
    split: str | None = None
    # images of one group (a person, a camera, a burst) never straddle splits or folds
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Sampled:
    """What part of the images a dataset holds."""

    images: int  # drawn
    of: int  # from so many
    seed: int  # by it


class ClassCount(TypedDict):
    """Images of a class; by split, where there are splits."""

    name: str
    images: int
    splits: dict[str, int]


class ReadAs(TypedDict):
    """How DATA was understood: what ``headstart inspect --dry-run --json`` prints."""

    version: int
    root: str
    read_as: str
    images: int
    splits: dict[str, int]
    classes: list[ClassCount]
    groups: int
    warnings: list[str]


@dataclass(frozen=True)
class Dataset:
    """Images with their labels."""

    root: Path | Remote  # the folder, manifest or shard that it was read from
    images: list[Image]  # sorted by path for a folder, in the file's order for a manifest or shards
    warnings: list[str] = field(default_factory=list)  # what was left out, in words
    sampled: Sampled | None = None  # of the training images, where these are a part of them

    @property
    def paths(self) -> list[Reference]:
        """Where the images are."""
        return [image.path for image in self.images]

    @property
    def classes(self) -> list[str]:
        """Class names, sorted."""
        return sorted({image.label for image in self.images} - {UNLABELLED})

    @property
    def splits(self) -> list[str]:
        """The given splits that hold images: empty when there are none."""
        held = {image.split for image in self.images}
        return [name for name in SPLITS if name in held]

    @property
    def read_as(self) -> str:
        """What was understood, in a line.

        Examples
        --------
        >>> images = [Image(Path("1.jpg"), "cat", "train"), Image(Path("2.jpg"), "cat", "test")]
        >>> Dataset(Path("pets"), images).read_as
        'read as: 1 class, splits train (1) and test (1)'
        """
        return read_as(Counter((image.label, image.split) for image in self.images))

    def read_as_document(self) -> ReadAs:
        """Return what was understood, with the counts of each class and split."""
        cells = Counter((image.label, image.split) for image in self.images)
        splits = self.splits
        return {
            "version": 1,
            "root": shown(self.root),
            "read_as": self.read_as,
            "images": len(self.images),
            "splits": {
                split: sum(cells[label, split] for label in self.classes) for split in splits
            },
            "classes": [
                {
                    "name": shown(label),
                    "images": count,
                    "splits": {split: cells[label, split] for split in splits},
                }
                for label, count in sorted(self.counts().items())
            ],
            "groups": len({image.group for image in self.images} - {None}),
            "warnings": self.warnings,
        }

    def without_labels(self) -> Dataset:
        """Return the same images, none of which has a label, a split or a group."""
        images = [Image(image.path, UNLABELLED) for image in self.images]
        return replace(self, images=images)

    def counts(self) -> Counter[str]:
        """Images a class."""
        return Counter(image.label for image in self.images)


def read_as(cells: Counter[tuple[str, str | None]]) -> str:
    """Say what was understood, in a line, of the images of each label and split.

    Examples
    --------
    >>> read_as(Counter({("cat", None): 3, ("dog", None): 2}))
    'read as: 2 classes, 5 images, no splits'
    """
    labels = Counter[str]()
    sizes = Counter[str | None]()
    for (label, split), count in cells.items():
        labels[label] += count
        sizes[split] += count
    without = labels.pop(UNLABELLED, 0)
    count = len(labels)
    if without:
        named = f"{count:,} classes, {without:,} " if count else f"{without:,} "
        return f"read as: {named}{'image' if without == 1 else 'images'} without labels"
    classes = f"read as: {count:,} {'class' if count == 1 else 'classes'}"
    splits = [f"{split} ({sizes[split]:,})" for split in SPLITS if sizes[split]]
    if not splits:
        return f"{classes}, {sizes.total():,} images, no splits"
    *first, last = splits
    return f"{classes}, {'splits ' + ', '.join(first) + ' and ' if first else 'split '}{last}"
