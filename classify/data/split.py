"""Which images train, which evaluate."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...extract.images.images import Image

EVALUATION_SHARE = 0.2

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """Rows of a feature matrix by what they are for.

    Parameters
    ----------
    train : ndarray of int
        Everything is chosen on these.
    joining : ndarray of int
        Join the training data once everything is chosen: the validation split
        of a dataset that has a test split too.
    evaluation : ndarray of int
        Used once.
    name : str
        ``"test"`` or ``"validation"`` as given, else ``"held-out fifth"``.
    warnings : list of str
        What was left out, in words.
    """

    train: Rows
    joining: Rows
    evaluation: Rows
    name: str
    warnings: list[str] = field(default_factory=list)

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
    _check(images, train, evaluation, name)
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
    return "held-out fifth", _hashed(images, digests, "held-out fifth", salt)


def _rows(indices: list[int]) -> Rows:
    return np.array(indices, dtype=np.intp)


def _hashed(images: Sequence[Image], digests: Sequence[bytes], name: str, salt: str) -> list[str]:
    scores = [_score(image, digest, salt) for image, digest in zip(images, digests, strict=True)]
    parts = [name if score < EVALUATION_SHARE else "train" for score in scores]
    members = defaultdict(list)
    for i, image in enumerate(images):
        members[image.label].append(i)
    for rows in members.values():  # a small class may have drawn none: its lowest score evaluates
        lowest = min(scores[i] for i in rows)
        if lowest >= EVALUATION_SHARE and lowest < max(scores[i] for i in rows):
            for i, score in enumerate(scores):
                if score == lowest:
                    parts[i] = name
    return parts


def _score(image: Image, digest: bytes, salt: str) -> float:
    """Map what must stay together to one number in [0, 1), the same for ever."""
    key = image.group.encode("utf-8", "surrogateescape") if image.group else digest
    return int.from_bytes(hashlib.sha256(salt.encode() + key).digest()[:8], "big") / 2**64


def _check(images: Sequence[Image], train: list[int], evaluation: list[int], name: str) -> None:
    if not train or not evaluation:
        empty = "training" if not train else name
        raise DataError(f"no images left for the {empty} split: add some, or give splits")
    counts: dict[str, int] = defaultdict(int)
    for i in train:
        counts[images[i].label] += 1
    classes = {image.label for image in images}  # of those left out, too
    if len(classes) < 2:
        raise DataError(
            f"all images are of the one class {next(iter(classes))!r}: a classifier needs two"
        )
    few = sorted(label for label in classes if counts[label] < 2)
    if few:
        raise DataError(
            f"class {few[0]!r} has {counts[few[0]]} training images; choosing by "
            "cross-validation needs at least 2 a class: add images or take the class out"
        )
