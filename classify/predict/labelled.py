"""Labelled images with what a classifier says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...extract.images.images import Image
from ...extract.ledger import Failure
from ...extract.recipe import Execution
from ..saved.load import SavedModel
from ..statistics.sample import Labels
from .blocks import label_images
from .model_source import source_of


@dataclass(frozen=True)
class Labelled:
    """Labelled images with what the classifier says of them."""

    images: list[Image]  # (n,): those that could be read
    digests: list[bytes]  # (n,): SHA-256 of each
    truth: Labels  # (n,): index of each image's class
    probabilities: NDArray[np.float64]  # (n, k): predicted for each class
    # (n,): how usual each is among the training images; None where it was not asked for
    usual: NDArray[np.float64] | None
    failures: list[Failure]  # images that could not be read
    warnings: list[str]  # what went wrong without stopping the run


def label_dataset(
    model: SavedModel,
    images: Sequence[Image],
    execution: Execution,
    *,
    judging: bool = False,
    block: int | None = None,
) -> Labelled:
    """Label all images whose true classes the model knows; see :func:`.blocks.label_images`."""
    index = {name: column for column, name in enumerate(model.classes)}
    paths = [image.path for image in images]
    source = source_of(model, execution)
    blocks = list(label_images(model, source, paths, judging=judging, block=block))
    starts = np.cumsum([0, *(len(block.images) for block in blocks)]).tolist()
    kept = [
        images[start + position]
        for start, block in zip(starts, blocks, strict=False)
        for position in block.positions
    ]
    return Labelled(
        images=kept,
        digests=[digest for block in blocks for digest in block.digests],
        truth=np.array([index[image.label] for image in kept], dtype=np.intp),
        probabilities=np.concatenate([block.probabilities for block in blocks]),
        usual=np.concatenate([block.usual for block in blocks]) if judging else None,
        failures=[failure for block in blocks for failure in block.failures],
        warnings=list(dict.fromkeys(line for block in blocks for line in block.warnings)),
    )
