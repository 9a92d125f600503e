"""A part of very many training images, class by class, before anything is extracted."""

from __future__ import annotations

from dataclasses import replace

from ...errors import OptionError
from ...extract.images.images import Dataset, Sampled


def draw_sample(dataset: Dataset, size: int | None, seed: int) -> Dataset:
    """Return a dataset with at most ``size`` training images; the evaluation images stay.

    Classes keep their shares. Where the dataset has no splits, the sample is drawn from all its
    images, and a fifth of it evaluates.

    Parameters
    ----------
    dataset : Dataset
        As it was read.
    size : int or None
        Training images, at least one a class; None takes all.
    seed : int
        Draws.

    Raises
    ------
    OptionError
        If a class would lose all its images.

    Examples
    --------
    >>> from pathlib import Path
    >>> from headstart.extract.images.images import Image
    >>> images = [Image(Path(f"{n}.jpg"), "ab"[n % 2]) for n in range(100)]
    >>> sampled = draw_sample(Dataset(Path("photographs"), images), 10, seed=0)
    >>> len(sampled.images), sampled.counts()["a"], sampled.sampled
    (10, 5, Sampled(images=10, of=100, seed=0))
    """
    from sklearn.utils import resample

    pool = [row for row, image in enumerate(dataset.images) if image.split in {None, "train"}]
    if size is None or size >= len(pool):
        return dataset
    labels = [dataset.images[row].label for row in pool]
    drawn = set(resample(pool, replace=False, n_samples=size, stratify=labels, random_state=seed))
    lost = sorted(set(labels) - {dataset.images[row].label for row in drawn})
    if lost:
        raise OptionError(
            f"--sample {size} leaves no image of {len(lost)} of {len(set(labels))} classes "
            f"({lost[0]}, …): take more"
        )
    left_out = set(pool) - drawn
    kept = [image for row, image in enumerate(dataset.images) if row not in left_out]
    kind = "training images" if dataset.splits else "images"
    line = (
        f"--sample: {size:,} of {len(pool):,} {kind}, each class by its share (seed {seed}); the "
        "others are neither extracted nor trained on"
    )
    return replace(
        dataset,
        images=kept,
        warnings=[*dataset.warnings, line],
        sampled=Sampled(size, len(pool), seed),
    )
