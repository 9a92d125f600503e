"""Photographs that an export needs: to calibrate on, to compare on, to evaluate on."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...cache import StatIndex, stat_index_path
from ...errors import DecodeError
from ...extract.decode.bit_depth import FULL
from ...extract.decode.decode import MAX_PIXELS, decode_whole
from ...extract.decode.views import Pixels
from ...extract.engine.agreement import probe_images
from ...extract.images.addresses import Reference
from ...extract.images.dataset import read_dataset
from ...extract.images.read import digest_files, read_image
from ...text import shown
from ..data.class_map import map_classes
from ..data.split import Rows, split_images
from ..statistics.sample import Labels

IMAGES = 64  # to compare on
CALIBRATION = 128  # images of the training split

# Of the probe images, height and width: both ways up, both sides of any backbone's input size.
SHAPES = (
    (480, 640),
    (640, 480),
    (224, 224),
    (97, 131),
    (331, 250),
    (120, 500),
    (500, 120),
    (64, 64),
)


@dataclass(frozen=True)
class Photographs:
    """What a dataset gives an export."""

    name: str  # the dataset's, in words
    split: str  # name of the evaluation split
    # images of either part, in a fixed order of their own
    training: list[Reference]
    evaluation: list[Reference]
    truth: Labels  # (n evaluation,): index of each evaluation image's class
    max_pixels: int  # larger images are left out
    bit_depth: int = FULL  # of images of 16 bits a channel

    def to_calibrate(self) -> list[Pixels]:
        """Return up to :data:`CALIBRATION` images of the training split."""
        return _first(self.training, CALIBRATION, self.max_pixels, self.bit_depth)

    def to_compare(self) -> list[Pixels]:
        """Return :data:`IMAGES` images of the evaluation split; of training, too, if it is small."""
        return _first([*self.evaluation, *self.training], IMAGES, self.max_pixels, self.bit_depth)


def find_photographs(
    data: str | os.PathLike[str],
    classes: Sequence[str],
    max_pixels: int = MAX_PIXELS,
    bit_depth: int = FULL,
) -> Photographs:
    """Read a dataset and split it as training did.

    Raises
    ------
    DataError
        If it has classes that the model does not know, or a part of it would be empty.
    """
    dataset = read_dataset(data)
    images = map_classes(dataset.images, list(classes), {}, shown(dataset.root)).images
    with StatIndex(stat_index_path()) as stat_index:
        read = digest_files([image.path for image in images], stat_index)
    digests = [digest for digest in read if digest is not None]
    images = [image for image, digest in zip(images, read, strict=True) if digest is not None]
    split = split_images(images, digests)

    def mixed(rows: Rows) -> list[int]:
        return [int(row) for row in np.random.RandomState(0).permutation(rows)]

    evaluation = mixed(split.evaluation)
    return Photographs(
        name=shown(dataset.root),
        split=split.name,
        training=[images[row].path for row in mixed(split.train)],
        evaluation=[images[row].path for row in evaluation],
        truth=np.array([classes.index(images[row].label) for row in evaluation], dtype=np.intp),
        max_pixels=max_pixels,
        bit_depth=bit_depth,
    )


def to_compare(photographs: Photographs | None) -> tuple[list[Pixels], str]:
    """Return the images of the parity check and what they are; made-up ones without a dataset."""
    if photographs is None:
        return probe_pixels(), "probe images"
    return photographs.to_compare(), f"images of {photographs.name}"


def probe_pixels() -> list[Pixels]:
    """Return :data:`IMAGES` made-up images of several shapes, the same at every call."""
    each = IMAGES // len(SHAPES)
    return [np.ascontiguousarray(image) for shape in SHAPES for image in probe_images(shape, each)]


def whole_pixels(path: Reference, max_pixels: int, bit_depth: int = FULL) -> Pixels:
    """Return an image's pixels as a program without headstart decodes them, at full size.

    Raises
    ------
    DecodeError
        If it is not a whole image.
    """
    return decode_whole(read_image(path, max_pixels)[1], max_pixels, bit_depth)


def _first(paths: Sequence[Reference], count: int, max_pixels: int, bit_depth: int) -> list[Pixels]:
    """Return the first images that can be read."""
    return list(itertools.islice(_readable(paths, max_pixels, bit_depth), count))


def _readable(paths: Sequence[Reference], max_pixels: int, bit_depth: int) -> Iterator[Pixels]:
    for path in paths:
        try:
            yield whole_pixels(path, max_pixels, bit_depth)
        except DecodeError:
            continue  # 'extract features' and 'inspect' list what is damaged
