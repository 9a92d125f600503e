"""The training images that an image resembles, as the head sees them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...extract.backbone.loading import load_keras
from ...extract.engine.network import pool
from ...extract.features import load_features
from ...extract.images.addresses import Reference
from ...extract.images.images import Dataset
from ...extract.pipeline import read_features
from ...extract.source import FeatureSource
from ...progress import stage
from ..data.split import split_images
from ..network.kept_maps import PassingStore, extract_passing
from ..saved.load import SavedModel
from ..saved.network_model import TunedModel

BLOCK = 64  # images whose whole maps are in memory at once


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training image, and how like it the image is."""

    path: Reference
    label: str  # its class
    similarity: float  # cosine of the two images' features as the head sees them, -1 to 1


@dataclass(frozen=True)
class HeadView:
    """Images as the head sees them."""

    directions: NDArray[np.float32]  # (n, d), float32: features of length 1
    positions: list[int]  # (n,): which of the images each row belongs to
    digests: list[bytes]  # (n,): SHA-256 of each


def see(
    model: SavedModel,
    files: Sequence[Reference],
    source: FeatureSource,
    doing: str = "features",
) -> HeadView:
    """Return what the head sees of images, from the cache where they are there.

    For a head on frozen features that is what its scaler makes of them; for a fine-tuned
    network, its own pooled features. The stage is named by ``doing``.
    """
    if isinstance(model, TunedModel):
        return _through_network(model, files, source, doing)
    features = load_features(files, source, doing=doing)
    rows = features.X
    if len(features.positions):
        rows = model.estimator.estimator_[:-1].transform(rows)
    return HeadView(_unit(rows), features.positions, features.digests)


def _through_network(
    model: TunedModel, files: Sequence[Reference], source: FeatureSource, doing: str
) -> HeadView:
    tell = stage(doing)
    store = PassingStore(source.cache, source.spec)
    make_engine = source.keeping_engine().engine
    rows: list[NDArray[np.float32]] = []
    positions: list[int] = []
    digests: list[bytes] = []
    for low in range(0, len(files), BLOCK):
        block = files[low : low + BLOCK]
        run = functools.partial(extract_passing, block, source, store, make_engine)
        extraction, maps, ready = read_features(store, run)
        if ready:
            rows.append(_pooled(model, maps[:]))
        positions += [low + position for position in ready]
        digests += [digest for digest in extraction.digests if digest is not None]
        store.forget()
        tell(low + len(block), len(files))
    return HeadView(_unit(np.concatenate(rows) if rows else np.empty((0, 1))), positions, digests)


def _pooled(model: TunedModel, maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the features (n, d) that the network's head gets, of boundary maps."""
    if model.upper.mapper is None:
        return maps
    keras = load_keras()
    tapped = model.upper.mapper(maps, training=False)
    layers = tapped if isinstance(tapped, list) else [tapped]
    pooled = [np.asarray(pool(keras, layer, model.features.pooling)) for layer in layers]
    return np.concatenate(pooled, axis=1)


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (rows / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit


@dataclass(frozen=True)
class TrainingImages:
    """The training split as the head sees it."""

    seen: HeadView  # one row an image
    paths: list[Reference]  # of each row
    labels: list[str]

    def nearest(self, direction: NDArray[np.float32], digest: bytes, count: int) -> list[Neighbour]:
        """Return the most similar training images, the nearest first.

        Parameters
        ----------
        direction : ndarray, shape (d,)
            Features of length 1.
        digest : bytes
            Of the image: itself and its copies are left out, and of copies among the others
            one stays.
        count : int
            At most.
        """
        similarities = self.seen.directions @ direction
        nearest: list[Neighbour] = []
        named = {digest}
        for row in np.argsort(-similarities, kind="stable"):
            if len(nearest) == count:
                break
            if self.seen.digests[row] not in named:
                named.add(self.seen.digests[row])
                similarity = float(np.clip(similarities[row], -1, 1))
                nearest.append(Neighbour(self.paths[row], self.labels[row], similarity))
        return nearest


def training_images(model: SavedModel, dataset: Dataset, source: FeatureSource) -> TrainingImages:
    """Return the training split of a dataset, as the fit had it.

    Raises
    ------
    DataError
        If it has no training images.
    """
    seen = see(model, dataset.paths, source, "training images")
    images = [dataset.images[position] for position in seen.positions]
    rows = split_images(images, seen.digests).fitting
    kept = HeadView(
        seen.directions[rows],
        [seen.positions[row] for row in rows],
        [seen.digests[row] for row in rows],
    )
    return TrainingImages(
        kept, [images[row].path for row in rows], [images[row].label for row in rows]
    )
