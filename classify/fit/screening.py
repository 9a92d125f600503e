"""The images that features are ranked on: a stratified part of the training split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...cache import FeatureStore, StatIndex, stat_index_path
from ...errors import DataError
from ...extract.images.addresses import Reference
from ...extract.images.images import Dataset
from ...extract.images.read import digest_files
from ..data.split import split_images

LEAST_SHARE = 0.5  # of the sample: with less, two rows would be about different images


@dataclass(frozen=True)
class ScreeningSample:
    """A stratified part of the training split, each image once."""

    digests: list[bytes]  # (n,): SHA-256 of each image
    y: NDArray[np.intp]  # (n,): class indices, 0 to k - 1
    groups: NDArray[np.intp]  # (n,): equal for images that must not be parted
    training: int  # images that it was drawn from
    dataset: set[bytes]  # digests of all of the dataset's images, in every split
    paths: list[Reference]  # (n,): where each image is

    def held(self, store: FeatureStore) -> NDArray[np.intp]:
        """Return the positions of the images that a store has."""
        return np.flatnonzero(store.holds(self.digests))

    def suffices(self, held: NDArray[np.intp]) -> bool:
        """Tell whether these images are enough to be scored on."""
        counts = np.bincount(self.y[held], minlength=int(self.y.max()) + 1)
        return len(held) >= LEAST_SHARE * len(self.y) and int(counts.min()) >= 2


def draw_screening_sample(dataset: Dataset, images: int, seed: int) -> ScreeningSample:
    """Draw images of the training split, of each class in proportion, at least two.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    images : int
        How many, at most; two a class where that is more.
    seed : int
        Draws them.

    Raises
    ------
    DataError
        If no image can be read or the splits cannot be used.
    """
    with StatIndex(stat_index_path()) as stat_index:
        digest_of_each = digest_files(dataset.paths, stat_index)
    rows = [
        (image, digest)
        for image, digest in zip(dataset.images, digest_of_each, strict=True)
        if digest is not None
    ]
    if not rows:
        raise DataError(f"none of the {len(digest_of_each)} images can be read")
    digests = [digest for _, digest in rows]
    train = split_images([image for image, _ in rows], digests).train
    once = np.array(sorted({digests[row]: row for row in reversed(train)}.values()))
    labels, y = np.unique([rows[row][0].label for row in once], return_inverse=True)
    del labels  # only what is equal matters
    chosen = stratified(y, images, seed)
    members = [rows[row] for row in once[chosen]]
    keys = [image.group or digest.hex() for image, digest in members]
    return ScreeningSample(
        digests=[digest for _, digest in members],
        y=y[chosen],
        groups=np.unique(keys, return_inverse=True)[1],
        training=len(once),
        dataset=set(digests),
        paths=[image.path for image, _ in members],
    )


def stratified(y: NDArray[np.intp], count: int, seed: int) -> NDArray[np.intp]:
    """Return the positions of ``count`` rows: each class in proportion, two of each at least.

    Examples
    --------
    >>> y = np.repeat([0, 1, 2], [60, 30, 3])
    >>> np.bincount(y[stratified(y, 31, seed=0)]).tolist()
    [19, 10, 2]
    """
    order = np.random.default_rng(seed).permutation(len(y))
    sizes = np.bincount(y)
    drawn = np.empty(len(y))  # a class's own rows lie evenly in 0 to 1; its first two come first
    for label, size in enumerate(sizes):
        places = (np.arange(size) + 0.5) / size
        places[:2] = -1
        drawn[order[y[order] == label]] = places
    count = max(count, int(np.minimum(sizes, 2).sum()))
    return np.sort(np.argsort(drawn, kind="stable")[:count])
