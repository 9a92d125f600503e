"""Photographs as rows of features, whether they have labels or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cache.rows import take
from ...extract.features import load_dataset
from ...extract.images.images import Dataset, Image
from ...extract.images.remote import Remote
from ...extract.ledger import Failure
from ...extract.source import FeatureSource
from .columns import TapSelector
from .near_duplicates import Directions
from .split import Rows
from .table import IN_MEMORY, find_taps

FITS = 1 << 30  # bytes of directions that are kept; those of more are made block by block


@dataclass(frozen=True)
class Collection:
    """Photographs and what they look like.

    Parameters
    ----------
    root : Path or Remote
        What they were read from.
    images : list of Image, length n
        Those that have features; a label may be missing.
    directions : ndarray or Directions, shape (n, d), float32
        Unit vectors of their square-rooted features: products are cosines.
    X : ndarray or StoredRows, shape (n, d), float32
        The features themselves.
    taps : TapSelector or None
        What the columns of ``X`` are where there are several layers or views.
    digests : list of bytes, length n
        SHA-256 of each.
    failed : list of Failure
        Images that could not be read.
    warnings : list of str
        What is worth telling.
    """

    root: Path | Remote
    images: list[Image]
    directions: NDArray[np.float32] | Directions
    X: Any
    taps: TapSelector | None
    digests: list[bytes]
    failed: list[Failure]
    warnings: list[str]

    def some(self, rows: Rows) -> Collection:
        """Return some of the photographs, in the order of their rows."""
        directions = self.directions
        if isinstance(directions, Directions):
            directions = Directions(take(self.X, rows), self.taps)
        else:
            directions = directions[rows]
        return replace(
            self,
            images=[self.images[row] for row in rows],
            directions=directions,
            X=take(self.X, rows),
            digests=[self.digests[row] for row in rows],
        )

    def known(self) -> tuple[list[str], NDArray[np.intp]]:
        """Return the classes, and the class index of each row: -1 where it has no label."""
        classes = sorted({image.label for image in self.images} - {""})
        index = {name: number for number, name in enumerate(classes)}
        return classes, np.array([index.get(image.label, -1) for image in self.images], np.intp)


def load_collection(
    dataset: Dataset, source: FeatureSource, max_failures: str | None = None
) -> Collection:
    """Extract what is missing, and lay photographs out as rows.

    Raises
    ------
    DataError
        If too many images failed.
    """
    features = load_dataset(dataset, source, max_failures, IN_MEMORY)
    taps = find_taps(features.widths, len(source.spec.views))
    directions = Directions(features.X, taps)
    n, d = features.X.shape
    return Collection(
        root=dataset.root,
        images=[dataset.images[position] for position in features.positions],
        directions=directions[np.arange(n)] if 4 * n * d <= FITS else directions,
        X=features.X,
        taps=taps,
        digests=features.digests,
        failed=features.extraction.failures,
        warnings=[*dataset.warnings, *features.warnings],
    )


def first_of_each(digests: Sequence[bytes]) -> NDArray[np.intp]:
    """Return the first row of each distinct image, ascending.

    Examples
    --------
    >>> first_of_each([b"b", b"a", b"b"]).tolist()
    [0, 1]
    """
    return np.sort(np.unique(np.array(digests), return_index=True)[1])
