"""What is wrong with labels themselves, told before any figure is read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...extract.images.images import Image
from ...text import shown
from .split import Split

NAMED = 5  # classes in a line


def two_labels(images: Sequence[Image], digests: Sequence[bytes]) -> list[str]:
    """Tell of images with the same bytes and different labels: one of the labels is wrong."""
    first: dict[bytes, Image] = {}
    torn = [
        (known, image)
        for image, digest in zip(images, digests, strict=True)
        if (known := first.setdefault(digest, image)).label != image.label
    ]
    if not torn:
        return []
    known, image = torn[0]
    line = (
        f"{len(torn)} images are byte for byte the same as one of another class: no classifier "
        f"can be right of both (first: {shown(known.path)} is {known.label!r}, {shown(image.path)} "
        f"is {image.label!r}); 'headstart inspect' shows them all"
    )
    return [line]


def not_evaluated(y: NDArray[np.intp], split: Split, classes: list[str]) -> list[str]:
    """Tell of classes that the evaluation split lacks: the figures say nothing of them."""
    counts = np.bincount(y[split.evaluation], minlength=len(classes))
    lacking = [name for name, count in zip(classes, counts, strict=True) if not count]
    if not lacking:
        return []
    more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
    line = (
        f"the {split.name} split has no image of {len(lacking)} of {len(classes)} classes, so its "
        f"figures say nothing of them: {', '.join(shown(name) for name in lacking[:NAMED])}{more}"
    )
    return [line]
