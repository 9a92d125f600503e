"""Some rows of a boundary, held in memory where they fit, else read as asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...extract.backbone.backbones import PIXELS
from ..data.split import Rows
from .kept_maps import Boundary, Maps

BLOCK_BYTES = 32 << 20  # read at once

Pixels = NDArray[np.uint8]  # (n, d): each row one image's red, green, blue, flattened


@dataclass(frozen=True)
class Stream:
    """Some rows of a boundary in one view, held in memory where they fit, else read as asked."""

    boundary: Boundary  # where they come from
    rows: Rows  # which images
    view: str  # which look at them
    dimension: int  # numbers a row
    held: Maps | Pixels | None = None  # the maps, float32, or pixels, uint8
    among: Rows | None = None  # where the rows stand among those held; the same when None

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, positions: Rows) -> Stream:
        """Return some of the rows, sharing what is held."""
        among = positions if self.among is None else self.among[positions]
        return replace(self, rows=self.rows[positions], among=among)

    def read(self, positions: Rows) -> Maps:
        """Return the maps at these positions among the rows."""
        if self.held is not None:
            among = positions if self.among is None else self.among[positions]
            return self.held[among].astype(np.float32, copy=False)
        return self.boundary.read(self.rows[positions], self.view)

    def batches(self, order: Rows, size: int) -> Iterator[tuple[Rows, Maps]]:
        """Yield positions and their maps, a batch at a time."""
        for low in range(0, len(order), size):
            positions = order[low : low + size]
            yield positions, self.read(positions)


def open_stream(boundary: Boundary, rows: Rows, view: str, dimension: int, memory: int) -> Stream:
    """Return some rows of a boundary, read now if they may take so many bytes of memory.

    Pixels are held as bytes: a quarter of what they take as numbers.
    """
    kind = np.uint8 if boundary.source.spec.layers == (PIXELS,) else np.float32
    width = dimension * np.dtype(kind).itemsize
    if len(rows) * width > memory:
        return Stream(boundary, rows, view, dimension)
    held = np.empty((len(rows), dimension), dtype=kind)
    step = max(1, BLOCK_BYTES // (dimension * 4))
    for low in range(0, len(rows), step):
        held[low : low + step] = boundary.read(rows[low : low + step], view)
    return Stream(boundary, rows, view, dimension, held)
