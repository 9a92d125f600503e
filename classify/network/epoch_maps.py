"""Which boundary maps a training run sees: held out, in this epoch's view, at evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...cache.spec import FeatureSpec
from ...errors import unknown
from ...extract.images.addresses import Reference
from ...extract.source import FeatureSource
from ...progress import note
from ..data.split import Rows
from .kept_maps import Boundary, Keeping, Stream, plan_boundary

AUGMENTS = ("none", "views", "on-the-fly")
ORIGINAL = "original"
TRAINING_SHARE = 0.6  # of the memory budget; the rest is for batches under way
HELD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class Parts:
    """Rows of a table by what they are for.

    Parameters
    ----------
    training : ndarray of int
        Training moves weights by these.
    held_out : ndarray of int
        Training images that choose the number of epochs and the temperature.
    evaluation : ndarray of int
        Used once.
    """

    training: Rows
    held_out: Rows
    evaluation: Rows


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Which view of an image an epoch sees.

    Parameters
    ----------
    kind : str
        ``"none"``: the original; ``"views"``: a few seeded views in turn, cached;
        ``"on-the-fly"``: a new one each epoch, computed from the image.
    views : int
        How many with ``"views"``.

    Examples
    --------
    >>> [Augmentation("views", 2).view(epoch) for epoch in (1, 2, 3)]
    ['augment1', 'augment2', 'augment1']
    """

    kind: str = "none"
    views: int = 4

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
    """What boundary maps may take.

    Parameters
    ----------
    disk : int or None
        Bytes in the cache; half of what is free there when None.
    memory : int
        Bytes held in memory.
    """

    disk: int | None
    memory: int


class EpochMaps:
    """The maps of one stage of training.

    Parameters
    ----------
    source : FeatureSource
        Of the boundary.
    dimension : int
        Numbers a map.
    paths : sequence of Reference, digests : sequence of bytes
        All images of the table.
    parts : Parts
        Rows of these.
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
        parts: Parts,
        augmentation: Augmentation,
        epochs: int,
        budget: Budget,
    ) -> None:
        self.source, self.dimension = source, dimension
        self._parts, self._augmentation = parts, augmentation
        self._memory = budget.memory
        unchanged = [digests[row] for row in (*parts.held_out, *parts.evaluation)]
        wanted: dict[str, Sequence[bytes]] = {ORIGINAL: unchanged}
        for view in augmentation.cached(epochs):
            wanted[view] = [*wanted.get(view, []), *(digests[row] for row in parts.training)]
        self.keeping, line = plan_boundary(source, dimension, wanted, budget.disk)
        note(line)
        self._boundary = Boundary(source, paths, digests, self.keeping)
        self._passing = Boundary(source, paths, digests, Keeping(None, 0))
        self._last: tuple[str, Stream] | None = None
        # One pass over the images for all that see the original.
        always = [parts.held_out, parts.evaluation]
        always += [parts.training] if augmentation.kind == "none" else []
        self._prepare(np.concatenate(always), ORIGINAL)

    def training(self, epoch: int) -> Stream:
        """Return the training images' maps in the view of an epoch, from 1."""
        view = self._augmentation.view(epoch)
        if self._last is not None and self._last[0] == view:
            return self._last[1]
        self._last = None  # let its memory go before the next is read
        rows = self._parts.training
        if self._augmentation.kind == "on-the-fly":
            stream = Stream(self._passing, rows, view, self.dimension, 0)
        else:
            self._prepare(rows, view)
            stream = self._open(rows, view, TRAINING_SHARE)
        self._last = view, stream
        return stream

    def held_out(self) -> Stream:
        """Return the maps of the images that choose the number of epochs."""
        return self._open(self._parts.held_out, ORIGINAL, HELD_OUT_SHARE)

    def evaluation(self) -> Stream:
        """Return the maps of the evaluation split; training is over."""
        self._last = None
        return self._open(self._parts.evaluation, ORIGINAL, TRAINING_SHARE)

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

    def _prepare(self, rows: Rows, view: str) -> None:
        layer = self.source.spec.layers[0]
        name = f"activations of {layer}" + ("" if view == ORIGINAL else f", {view}")
        self._boundary.prepare(rows, view, name)

    def _open(self, rows: Rows, view: str, share: float) -> Stream:
        memory = int(share * self._memory)
        return Stream(self._boundary, rows, view, self.dimension, memory)
