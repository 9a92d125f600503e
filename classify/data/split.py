"""Which images train, which evaluate."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...cache import StatIndex, stat_index_path
from ...errors import DataError
from ...extract.images.addresses import Reference
from ...extract.images.images import Dataset, Image
from ...extract.images.read import digest_files
from ...text import shown

EVALUATION_SHARE = 0.2
HELD_OUT = "held-out fifth"  # where no splits are given
LEAST_TRAINING = 2  # images of each class: cross-validation holds out the one, trains on the other

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """Rows of a feature matrix by what they are for."""

    train: Rows  # everything is chosen on these
    # join the training data once everything is chosen: the
    # validation split of a dataset that has a test split too
    joining: Rows
    evaluation: Rows  # used once
    name: str  # "test" or "validation" as given, else "held-out fifth"
    warnings: list[str] = field(default_factory=list)  # what was left out, in words

    @property
    def fitting(self) -> Rows:
        """Rows of the final fit."""
        return np.concatenate([self.train, self.joining])


def split_images(images: Sequence[Image], digests: Sequence[bytes], salt: str = "") -> Split:
    """Split images as given, else by a stable hash of what is in them.

    Without given splits an image's digest (or its group) decides alone, about a
    fifth of each class evaluates, and adding images moves no old one. Images
    with the same bytes never straddle: one that evaluates is left out of training.

    Parameters
    ----------
    images : sequence of Image
        With labels and perhaps splits and groups.
    digests : sequence of bytes
        SHA-256 of each.
    salt : str
        Goes into the hash: another one draws another fifth.

    Raises
    ------
    DataError
        If a part would be empty, or a class has fewer than two training images.
    """
    name, parts = name_parts(images, digests, salt)
    evaluation = [i for i, part in enumerate(parts) if part == name]
    joining = [i for i, part in enumerate(parts) if part == "validation" and name == "test"]
    train = [i for i, part in enumerate(parts) if part == "train"]
    warnings = []
    evaluated = {digests[i] for i in evaluation}
    leaking = [i for i in (*train, *joining) if digests[i] in evaluated]
    if leaking:
        warnings.append(
            f"{len(leaking)} training images are byte for byte in the {name} split too: "
            f"left out of training (first: {images[leaking[0]].path})"
        )
        train = [i for i in train if digests[i] not in evaluated]
        joining = [i for i in joining if digests[i] not in evaluated]
    _check(images, parts, train, name)
    return Split(_rows(train), _rows(joining), _rows(evaluation), name, warnings)


def resplit(images: Sequence[Image], digests: Sequence[bytes], number: int) -> Split:
    """Split images anew, whatever splits were given: a stable fifth for each number.

    Raises
    ------
    DataError
        As :func:`split_images`.
    """
    pooled = [replace(image, split=None) for image in images]
    return split_images(pooled, digests, salt=f"resplit {number}:")


def name_parts(
    images: Sequence[Image], digests: Sequence[bytes], salt: str = ""
) -> tuple[str, list[str]]:
    """Name the part that evaluates and the part of each image, before copies are left out.

    Returns
    -------
    name : str
        ``"test"``, ``"validation"`` or ``"held-out fifth"``.
    parts : list of str
        ``"train"``, ``"validation"``, ``"test"`` or ``"held-out fifth"`` for each image.
    """
    given = {image.split for image in images} - {None}
    if given - {"train"}:
        name = "test" if "test" in given else "validation"
        return name, [image.split or "train" for image in images]
    return HELD_OUT, _hashed(images, digests, HELD_OUT, salt)


def training_images(dataset: Dataset) -> dict[bytes, Reference]:
    """Return the images that train, by their digests; what cannot be read is left out.

    Labels may be missing.
    """
    with StatIndex(stat_index_path()) as stat_index:
        found = digest_files([image.path for image in dataset.images], stat_index)
    held = [
        (image, digest)
        for image, digest in zip(dataset.images, found, strict=True)
        if digest is not None
    ]
    images, digests = [image for image, _ in held], [digest for _, digest in held]
    parts = name_parts(images, digests)[1] if held else []
    rows = list(zip(held, parts, strict=True))
    evaluated = {digest for (_, digest), part in rows if part != "train"}
    return {
        digest: image.path
        for (image, digest), part in rows
        if part == "train" and digest not in evaluated
    }


def _rows(indices: list[int]) -> Rows:
    return np.array(indices, dtype=np.intp)


def _hashed(images: Sequence[Image], digests: Sequence[bytes], name: str, salt: str) -> list[str]:
    scores = [_score(image, digest, salt) for image, digest in zip(images, digests, strict=True)]
    members = defaultdict(list)
    for image, score in zip(images, scores, strict=True):
        members[image.label].append(score)
    held = {score for score in scores if score < EVALUATION_SHARE}
    for own in members.values():  # a small class may have drawn none: its lowest score evaluates
        if min(own) >= EVALUATION_SHARE:
            held.add(min(own))
    for own in members.values():  # … or all: the highest train
        trains = sum(score not in held for score in own)
        for score in sorted(held.intersection(own), reverse=True):
            if trains >= LEAST_TRAINING:
                break
            held.remove(score)
            trains += own.count(score)
    return [name if score in held else "train" for score in scores]


def _score(image: Image, digest: bytes, salt: str) -> float:
    """Map what must stay together to one number in [0, 1), the same for ever."""
    key = image.group.encode("utf-8", "surrogateescape") if image.group else digest
    return int.from_bytes(hashlib.sha256(salt.encode() + key).digest()[:8], "big") / 2**64


def _check(images: Sequence[Image], parts: list[str], train: list[int], name: str) -> None:
    """Refuse what cannot be trained on or evaluated."""
    if name == HELD_OUT and name not in parts:
        raise DataError(
            f"no image is left to evaluate: each class keeps {LEAST_TRAINING} for training, and "
            f"none of these has a third that is no copy or group of them; add images, or give splits"
        )
    if not train or name not in parts:
        empty = "training" if not train else name
        raise DataError(f"no images left for the {empty} split: add some, or give splits")
    counts = Counter(images[i].label for i in train)
    classes = {image.label for image in images}  # of those left out, too
    if len(classes) < 2:
        raise DataError(
            f"all images are of the one class {next(iter(classes))!r}: a classifier needs two"
        )
    few = sorted(label for label in classes if counts[label] < LEAST_TRAINING)
    if few:
        went = Counter(
            part for image, part in zip(images, parts, strict=True) if image.label == few[0]
        )
        copies = went.pop("train", 0) - counts[few[0]]
        places = [f"{count} in the {part} split" for part, count in sorted(went.items())]
        places += [f"{copies} left out as copies of images that evaluate"] if copies else []
        raise DataError(
            f"class {shown(few[0])!r} has {counts[few[0]]} training images "
            f"({', '.join(places) or 'and no others'}); choosing by cross-validation needs at "
            f"least {LEAST_TRAINING} a class: add images or take the class out"
        )
