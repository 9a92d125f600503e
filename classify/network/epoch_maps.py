"""Which boundary maps a training run sees: held out, in this epoch's view, at evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...cache.spec import FeatureSpec
from ...errors import unknown
from ...extract.images.addresses import Reference
from ...extract.source import FeatureSource
from ...progress import note
from ..data.split import Rows, Split
from .kept_maps import Boundary, Keeping, plan_boundary
from .stream import Stream, open_stream

AUGMENTS = ("none", "views", "on-the-fly")
ORIGINAL = "original"
TRAINING_SHARE = 0.6  # of the memory budget; the rest is for batches under way


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Which view of an image an epoch sees.

    Examples
    --------
    >>> [Augmentation("views", 2).view(epoch) for epoch in (1, 2, 3)]
    ['augment1', 'augment2', 'augment1']
    """

    # "none": the original; "views": a few seeded views in turn, cached;
    # "on-the-fly": a new one each epoch, computed from the image
    kind: str = "none"
    views: int = 4  # how many with "views"

    def __post_init__(self) -> None:
        if self.kind not in AUGMENTS:
            raise unknown("augmentation", self.kind, list(AUGMENTS))

    def view(self, epoch: int) -> str:
        """Return the view of an epoch, from 1."""
        if self.kind == "none":
            return ORIGINAL
        number = epoch if self.kind == "on-the-fly" else (epoch - 1) % self.views + 1
        return f"augment{number}"

    def cached(self, epochs: int) -> list[str]:
        """Return the views that are kept for the training images."""
        return [] if self.kind == "on-the-fly" else sorted({*map(self.view, range(1, epochs + 1))})


@dataclass(frozen=True, slots=True)
class Budget:
    """What boundary maps may take."""

    disk: int | None  # bytes in the cache; half of what is free there when None
    memory: int  # bytes held in memory


class EpochMaps:
    """The maps at one boundary that trainings of one kind of augmentation see.

    Parameters
    ----------
    source : FeatureSource
        Of the boundary.
    dimension : int
        Numbers a map.
    paths : sequence of Reference, digests : sequence of bytes
        All images of the table.
    split : Split
        Rows of these: those that train or are held out, and those that evaluate.
    augmentation : Augmentation
        Views of the training images; the others are seen as they are.
    epochs : int
        At most.
    budget : Budget
        Of disk and memory.
    """

    def __init__(
        self,
        source: FeatureSource,
        dimension: int,
        paths: Sequence[Reference],
        digests: Sequence[bytes],
        split: Split,
        augmentation: Augmentation,
        epochs: int,
        budget: Budget,
    ) -> None:
        self.source, self.dimension = source, dimension
        self._rows, self._evaluation = split.fitting, split.evaluation
        self._augmentation = augmentation
        every = np.concatenate([self._rows, self._evaluation])
        wanted: dict[str, Sequence[bytes]] = {ORIGINAL: [digests[row] for row in every]}
        for view in augmentation.cached(epochs):
            wanted.setdefault(view, [digests[row] for row in self._rows])
        self.keeping, line = plan_boundary(source, dimension, wanted, budget.disk)
        note(line)
        self._memory = int(TRAINING_SHARE * budget.memory / max(1, len(wanted) - 1))
        self._boundary = Boundary(source, paths, digests, self.keeping)
        self._passing = Boundary(source, paths, digests, Keeping(None, 0))
        self._views: dict[str, Stream] = {}
        self._prepare(every, ORIGINAL)  # one pass over the images

    def training(self, positions: Rows) -> Callable[[int], Stream]:
        """Return, by an epoch from 1, the maps in its view at positions among the training rows."""

        def stream(epoch: int) -> Stream:
            view = self._augmentation.view(epoch)
            if self._augmentation.kind == "on-the-fly":
                return Stream(self._passing, self._rows[positions], view, self.dimension)
            return self._view(view).select(positions)

        return stream

    def held_out(self, positions: Rows) -> Stream:
        """Return the maps of training images that judge an epoch, as they are."""
        if self._augmentation.kind == "none":
            return self._view(ORIGINAL).select(positions)
        return self._opened(self._rows[positions], ORIGINAL)

    def evaluation(self) -> Stream:
        """Return the maps of the evaluation split; training is over."""
        self._views.clear()
        return self._opened(self._evaluation, ORIGINAL)

    @property
    def spec(self) -> FeatureSpec:
        """What a saved network reads: the maps as they were kept."""
        spec = self.source.spec
        return replace(spec, storage=self.keeping.storage or spec.storage)

    def describe(self) -> dict[str, Any]:
        """Return how the maps were kept, for the record."""
        return {
            "layer": ", ".join(self.source.spec.layers),
            "dimension": self.dimension,
            "storage": self.keeping.storage,
            "bytes_written": self.keeping.new_bytes,
        }

    def _view(self, view: str) -> Stream:
        if view not in self._views:
            self._prepare(self._rows, view)
            self._views[view] = self._opened(self._rows, view)
        return self._views[view]

    def _prepare(self, rows: Rows, view: str) -> None:
        layer = self.source.spec.layers[0]
        name = f"activations of {layer}" + ("" if view == ORIGINAL else f", {view}")
        self._boundary.prepare(rows, view, name)

    def _opened(self, rows: Rows, view: str) -> Stream:
        return open_stream(self._boundary, rows, view, self.dimension, self._memory)
