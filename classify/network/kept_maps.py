"""Activations at the freeze boundary: cached once, read in streams."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cache import DamagedSegmentError, FeatureStore, StatIndex, stat_index_path
from ...errors import DataError
from ...extract.backbone.backbones import PIXELS
from ...extract.engine.engine import Engine
from ...extract.features import ensure_features
from ...extract.images.addresses import Reference
from ...extract.images.in_memory import PixelImage
from ...extract.ledger import Extraction
from ...extract.pipeline import extract
from ...extract.source import FeatureSource
from ...progress import Tell, silent, stage
from ...text import shown, size
from ..data.split import Rows

DISK_SHARE = 0.5  # of what is free, unless --cache-budget says otherwise

Maps = NDArray[np.float32]  # (n, d): each row one image's activations, flattened


@dataclass(frozen=True, slots=True)
class Keeping:
    """How the activations at the boundary are kept."""

    # "float32" or "float16" in the cache; None computes them anew for each epoch
    storage: str | None
    new_bytes: int  # what will be written to the disk


def choose_keeping(rows: int, dimension: int, missing: dict[str, int], budget: int) -> Keeping:
    """Choose the most exact way of keeping activations that the budget allows.

    Parameters
    ----------
    rows : int
        Image views in all; 0 bytes are written for those that are cached.
    dimension : int
        Numbers a row.
    missing : dict
        Storage type, the most exact first, to the rows that the cache lacks in it.
    budget : int
        Bytes that all of them may take on the disk.

    Examples
    --------
    >>> choose_keeping(1000, 100_352, {"float32": 1000, "float16": 1000}, 300 << 20)
    Keeping(storage='float16', new_bytes=200704000)
    >>> choose_keeping(1000, 100_352, {"float32": 1000, "float16": 1000}, 100 << 20)
    Keeping(storage=None, new_bytes=0)
    """
    for storage, absent in missing.items():
        width = dimension * np.dtype(storage).itemsize
        if rows * width <= budget or not absent:
            return Keeping(storage, absent * width)
    return Keeping(None, 0)


class PassingStore(FeatureStore):
    """A store that reads what the cache holds and adds nothing to it.

    What is appended stays in memory until :meth:`forget`.
    """

    def __post_init__(self) -> None:
        self._passing: dict[bytes, Maps] = {}
        super().__post_init__()

    def holds(self, digests: Sequence[bytes]) -> NDArray[np.bool_]:
        """Tell which images are in memory or in segments."""
        passing = np.array([digest in self._passing for digest in digests], np.bool_)
        return passing | super().holds(digests)

    def append(
        self,
        digests: Sequence[bytes],
        features: NDArray[Any],
        widths: tuple[int, ...] | None = None,
    ) -> Path:
        """Hold rows (n, d) in memory."""
        self._widths = widths or (features.shape[1],)
        self._passing.update(zip(digests, features, strict=True))
        return self.folder

    def read(self, digests: Sequence[bytes]) -> Maps:
        """Read rows in this order, from memory or from segments."""
        held = [row for row, digest in enumerate(digests) if digest in self._passing]
        if not held:
            return super().read(digests)
        out = np.empty((len(digests), self.dimension or 0), dtype=np.float32)
        for row in held:
            out[row] = self._passing[digests[row]]
        stored = [row for row, digest in enumerate(digests) if digest not in self._passing]
        if stored:
            out[stored] = super().read([digests[row] for row in stored])
        return out

    def forget(self) -> None:
        """Let go of what is in memory."""
        self._passing.clear()


@dataclass
class Boundary:
    """The activations of some images at a freeze boundary, in any of their views."""

    source: FeatureSource  # which layer, from which weights, in which cache
    paths: Sequence[Reference]  # image files
    digests: Sequence[bytes]  # SHA-256 of each
    keeping: Keeping  # from `plan_boundary`
    _stores: dict[str, FeatureStore] = field(default_factory=dict)

    def prepare(self, rows: Rows, view: str, name: str) -> None:
        """Make sure that the cache holds these rows, where it is to hold them.

        The name is that of the stage which begins when something has to be computed.
        """
        store = self._store(view)
        if self.keeping.storage and not store.holds([self.digests[row] for row in rows]).all():
            self._extract(rows, view, stage(name))

    def read(self, rows: Rows, view: str = "original") -> Maps:
        """Return the maps (n, d) of some rows, reading or computing them.

        Raises
        ------
        DataError
            If an image has changed or is gone, and the cache lacks it.
        """
        store = self._store(view)
        digests = [self.digests[row] for row in rows]
        try:
            while True:
                missing = rows[~store.holds(digests)]
                if len(missing):
                    self._extract(missing, view, silent)
                try:
                    return store.read(digests)
                except DamagedSegmentError:
                    continue  # it is set aside, and its rows are missing now
        finally:
            if isinstance(store, PassingStore):
                store.forget()

    def _extract(self, rows: Rows, view: str, progress: Tell) -> None:
        source, store = self._source(view), self._store(view)
        paths = [self.paths[row] for row in rows]
        if isinstance(store, PassingStore):
            extraction = extract_passing(paths, source, store, lambda: self._engine)
        else:
            extraction, _ = ensure_features(paths, source, store, progress)
        reasons = {failure.path: failure.reason for failure in extraction.failures}
        held = store.holds([self.digests[row] for row in rows])
        for path, there in zip(paths, held, strict=True):
            if not there:
                why = reasons.get(path, "it has changed meanwhile")
                raise DataError(f"cannot read {shown(path)} again: {why}")

    def _source(self, view: str) -> FeatureSource:
        spec = self.source.spec
        return self.source.tapping(spec.layers, spec.pooling, view, self.keeping.storage)

    def _store(self, view: str) -> FeatureStore:
        if view not in self._stores:
            source = self._source(view)
            kind = FeatureStore if self.keeping.storage else PassingStore
            self._stores[view] = kind(source.cache, source.spec)
        return self._stores[view]

    @functools.cached_property
    def _engine(self) -> Engine:
        """The one engine: views differ in their pixels, not in the network."""
        return self.source.engine()


def extract_passing(
    paths: Sequence[Reference | PixelImage],
    source: FeatureSource,
    store: PassingStore,
    make_engine: Callable[[], Engine],
    progress: Tell = silent,
) -> Extraction:
    """Extract what neither the cache nor the memory holds into the memory."""
    with StatIndex(stat_index_path()) as stat_index:
        return extract(
            paths,
            store,
            make_engine,
            stat_index,
            batch_size=source.plan.batch_size,
            workers=source.plan.workers,
            max_pixels=source.execution.max_pixels,
            progress=progress,
        )


def plan_boundary(
    source: FeatureSource,
    dimension: int,
    wanted: dict[str, Sequence[bytes]],
    budget: int | None,
) -> tuple[Keeping, str]:
    """Decide how a boundary's activations are kept; say so before anything is written.

    Parameters
    ----------
    source : FeatureSource
        Of the boundary.
    dimension : int
        Numbers that one image takes there.
    wanted : dict
        View to the digests of the images that are seen in it.
    budget : int, optional
        Bytes on the disk at most; half of what is free there when None.

    Returns
    -------
    keeping : Keeping
    line : str
        The plan in words, with its size.
    """
    layer = source.spec.layers[0]
    rows = sum(len(set(digests)) for digests in wanted.values())
    if layer == PIXELS:
        return Keeping(
            None, 0
        ), f"no layer is frozen: {rows:,} images are decoded, no map is kept on the disk"
    if budget is None:
        budget = int(DISK_SHARE * shutil.disk_usage(_existing(source.cache)).free)
    storages = ("float32", "float16") if source.spec.storage == "float32" else ("float16",)
    missing = {
        storage: sum(
            int((~_open(source, view, storage).holds([*set(digests)])).sum())
            for view, digests in wanted.items()
        )
        for storage in storages
    }
    keeping = choose_keeping(rows, dimension, missing, budget)
    maps = f"{layer}: {rows:,} maps of {dimension:,} numbers, "
    if keeping.storage is None:
        least = rows * dimension * 2
        line = (
            f"{size(least)} in float16, more than the {size(budget)} of the cache budget: "
            "computed anew for each epoch"
        )
    else:
        whole = rows * dimension * np.dtype(keeping.storage).itemsize
        line = (
            f"{size(whole)} in {keeping.storage}, {size(keeping.new_bytes)} of it to be "
            f"written to {source.cache}"
        )
    return keeping, maps + line


def _open(source: FeatureSource, view: str, storage: str) -> FeatureStore:
    return source.tapping(source.spec.layers, source.spec.pooling, view, storage).store()


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.absolute().parent)


def boundary_source(source: FeatureSource, below: str | None) -> FeatureSource:
    """Return where the maps at a boundary lie: same weights, the original view.

    Parameters
    ----------
    source : FeatureSource
        Of the head's features.
    below : str or None
        A layer, whose whole maps they are; ``"pixels"``; None for the pooled features.
    """
    if below is None:
        return source.tapping(source.spec.layers, source.spec.pooling)
    tapped = source.tapping((below,), "none")
    if below != PIXELS:
        return tapped
    # Pixels are what they are, whatever the network makes of them.
    return replace(tapped, spec=replace(tapped.spec, precision="float32", storage="float32"))
