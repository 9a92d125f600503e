"""Which features first: what is cached scored on a few images, the rest priced."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cache import DamagedSegmentError, FeatureSpec, FeatureStore, StatIndex, stat_index_path
from ...cache.catalogue import specs
from ...errors import DataError
from ...extract.backbone.backbones import BACKBONES, find_backbone
from ...extract.backbone.weights import file_sha256
from ...extract.decode.decode import RECIPE
from ...extract.images.digests import digest_files
from ...extract.images.images import Dataset
from ...extract.source import FeatureOptions, feature_source
from ...extract.speed.engine_speed import Speed, nearest_speed, time_backbone, time_kept
from ...progress import stage
from ..data.columns import TapSelector
from ..data.folds import make_folds
from ..data.split import split_images
from ..statistics.intervals import wilson
from .transferability import centroid_hits, log_me

LEAST_SHARE = 0.5  # of the sample: with less, two rows would be about different images


@dataclass(frozen=True)
class Sample:
    """A stratified part of the training split, each image once.

    Parameters
    ----------
    digests : list of bytes, length n
        SHA-256 of each image.
    y : ndarray of int, shape (n,)
        Class indices, 0 to k - 1.
    groups : ndarray of int, shape (n,)
        Equal for images that must not be parted.
    training : int
        Images that it was drawn from.
    dataset : set of bytes
        Digests of all of the dataset's images, in every split.
    """

    digests: list[bytes]
    y: NDArray[np.intp]
    groups: NDArray[np.intp]
    training: int
    dataset: set[bytes]

    def held(self, store: FeatureStore) -> NDArray[np.intp]:
        """Return the positions of the images that a store has."""
        return np.flatnonzero([digest in store for digest in self.digests])

    def suffices(self, held: NDArray[np.intp]) -> bool:
        """Tell whether these images are enough to be scored on."""
        counts = np.bincount(self.y[held], minlength=int(self.y.max()) + 1)
        return len(held) >= LEAST_SHARE * len(self.y) and int(counts.min()) >= 2


@dataclass(frozen=True)
class Candidate:
    """Features that a head could learn from.

    Parameters
    ----------
    spec : FeatureSpec
        What they are.
    store : FeatureStore
        Where they lie: this spec's own segments, or those of one with more layers.
    layers : tuple of int or None
        Positions of the layers among the store's; None for all.
    """

    spec: FeatureSpec
    store: FeatureStore
    layers: tuple[int, ...] | None = None

    def read(self, digests: Sequence[bytes]) -> NDArray[np.floating]:
        """Return features (n, d): the mean over the views."""
        X = self.store.read(digests)
        taps = TapSelector(self.store.widths, len(self.spec.views), self.layers)
        selected: NDArray[np.floating] = taps.fit_transform(X)
        return selected


def rank(
    dataset: Dataset,
    cache: Path,
    images: int,
    seed: int,
    *,
    measure: bool = False,
) -> dict[str, Any]:
    """Run ``fit rank``: score what is cached, price what is not.

    The order is LogME's: on two sets of photographs and 9 to 14 candidates each it
    agreed better than nearest centroids with the cross-validated accuracy of logreg
    on all training images (Spearman 0.90 to 0.98 against 0.78 to 0.97). A screening
    all the same: among candidates within a few points it can be wrong.

    Parameters
    ----------
    dataset : Dataset
        With labels; its evaluation split is left alone.
    cache : Path
        The cache's root.
    images : int
        Training images to score on, at most.
    seed : int
        Draws them, and the folds.
    measure : bool
        Time the backbones that are not cached instead of scaling by multiply-adds.

    Returns
    -------
    dict
        The contract: ``ranked``, the best first; ``not_cached``, the cheapest first.

    Raises
    ------
    DataError
        If the splits cannot be used.
    """
    stage("looking at the images and the cache")
    sample = draw_sample(dataset, images, seed)
    known = [spec for spec, _ in specs(cache) if _is_current(spec)]
    stores = [FeatureStore(cache, spec) for spec in known]
    candidates = _candidates(stores, sample)
    partly = [store.spec for store in stores if _is_scarce(store, sample)]
    absent = _absent([*(one.spec for one in candidates), *partly])
    speeds = time_kept(known, cache)
    if measure:
        stage("timing backbones")
        for name in sorted({spec.backbone for spec in absent} - {one.backbone for one in speeds}):
            speeds.append(time_backbone(FeatureOptions(backbone=name, cache=cache)))
    price = functools.partial(_price, cache, sample.dataset, speeds)
    tell = stage("scoring")
    ranked = []
    for number, candidate in enumerate(candidates):
        scores = _scores(candidate, sample, seed)
        if scores is not None:
            ranked.append({**scores, **price(candidate.spec)})
        tell(number + 1, len(candidates))
    return {
        "version": 1,
        "images": len(sample.digests),
        "training_images": sample.training,
        "classes": int(sample.y.max()) + 1,
        "seed": seed,
        "ranked": sorted(ranked, key=lambda row: -row["log_me"]),
        "not_cached": sorted(
            ({**_describe(spec), **price(spec)} for spec in (*partly, *absent)),
            key=lambda row: (row["seconds"] is None, row["seconds"], row["multiply_adds"]),
        ),
        "warnings": [*dataset.warnings, *(str(d) for store in stores for d in store.damaged)],
        "cache": str(cache),
    }


def draw_sample(dataset: Dataset, images: int, seed: int) -> Sample:
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
        found = digest_files([image.path for image in dataset.images], stat_index)
    rows = [
        (image, digest)
        for image, digest in zip(dataset.images, found, strict=True)
        if digest is not None
    ]
    if not rows:
        raise DataError(f"none of the {len(found)} images can be read")
    digests = [digest for _, digest in rows]
    train = split_images([image for image, _ in rows], digests).train
    once = np.array(sorted({digests[row]: row for row in reversed(train)}.values()))
    labels, y = np.unique([rows[row][0].label for row in once], return_inverse=True)
    del labels  # only what is equal matters
    chosen = stratified(y, images, seed)
    members = [rows[row] for row in once[chosen]]
    keys = [image.group or digest.hex() for image, digest in members]
    return Sample(
        digests=[digest for _, digest in members],
        y=y[chosen],
        groups=np.unique(keys, return_inverse=True)[1],
        training=len(once),
        dataset=set(digests),
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


def _is_current(spec: FeatureSpec) -> bool:
    """Tell whether this headstart would compute the same features for a head."""
    row = BACKBONES.get(spec.backbone)
    return (
        row is not None
        and (spec.preprocessing, spec.input_size) == (row.preprocessing, row.input_size)
        and spec.decoder == RECIPE
        and spec.pooling != "none"  # whole maps: fine-tuning's
    )


def _candidates(stores: Iterable[FeatureStore], sample: Sample) -> list[Candidate]:
    """Return each spec, and each of its layers alone, whose store has enough of the sample."""
    found: dict[FeatureSpec, Candidate] = {}
    usable = [store for store in stores if sample.suffices(sample.held(store))]
    for store in sorted(usable, key=lambda store: len(store.spec.layers)):  # own segments first
        found.setdefault(store.spec, Candidate(store.spec, store))
        for position, layer in enumerate(store.spec.layers):
            alone = replace(store.spec, layers=(layer,))
            found.setdefault(alone, Candidate(alone, store, (position,)))
    return list(found.values())


def _is_scarce(store: FeatureStore, sample: Sample) -> bool:
    """Tell whether a store has some of the sample, but too little to be scored on."""
    held = sample.held(store)
    return len(held) > 0 and not sample.suffices(held)


def _absent(seen: Sequence[FeatureSpec]) -> list[FeatureSpec]:
    """Return what was never extracted from these images, of the backbones at hand."""
    wanted = []
    for name, row in BACKBONES.items():
        if row.imagenet.whereabouts() == "to download":
            continue
        own = [spec for spec in seen if spec.backbone == name]
        if not own:
            wanted.append(FeatureOptions(backbone=name))
        if row.stages and not any(len(spec.layers) > 1 for spec in own):
            wanted.append(FeatureOptions(backbone=name, layers=("auto",)))
    return [feature_source(options).spec for options in wanted]


def _scores(candidate: Candidate, sample: Sample, seed: int) -> dict[str, Any] | None:
    """Score one candidate on the images that its store holds; None when damage leaves too few."""
    held = sample.held(candidate.store)
    try:
        X = candidate.read([sample.digests[row] for row in held])
    except DamagedSegmentError:  # its rows are no longer held
        left = sample.suffices(sample.held(candidate.store))
        return _scores(candidate, sample, seed) if left else None
    y = sample.y[held]
    hits = centroid_hits(X, y, make_folds(y, sample.groups[held], seed))
    return {
        **_describe(candidate.spec),
        "cached_in": candidate.store.spec.id,
        "dimension": X.shape[1],
        "images": len(y),
        "share": len(y) / len(sample.y),
        # Centred, as the paper does not: heads have an intercept, LogME has none.
        "log_me": log_me(X - X.mean(axis=0), y),
        "nearest_centroid": {"accuracy": hits / len(y), "ci95": list(wilson(hits, len(y)))},
    }


def _price(
    cache: Path, digests: set[bytes], speeds: Sequence[Speed], spec: FeatureSpec
) -> dict[str, Any]:
    """Say how long it takes to have these features of all images; None where nothing was timed."""
    store = FeatureStore(cache, spec)
    missing = sum(digest not in store for digest in digests)
    backbone = find_backbone(spec.backbone)
    speed = nearest_speed(speeds, backbone)
    seconds = None if speed is None else missing * len(spec.views) / speed.of(backbone)
    return {
        "missing_images": missing,
        "multiply_adds": backbone.multiply_adds,
        "seconds": 0.0 if not missing else seconds,
        "timed": speed.backbone if speed and missing else None,
    }


def _describe(spec: FeatureSpec) -> dict[str, Any]:
    return {
        "backbone": spec.backbone,
        "layers": list(spec.layers),
        "pooling": spec.pooling,
        "resize": spec.resize,
        "views": list(spec.views),
        "precision": spec.precision,
        "weights_sha256": spec.weights_sha256,
        "options": command_options(spec),
    }


def command_options(spec: FeatureSpec) -> list[str]:
    """Return the options of a command that ask for this spec, those at their defaults left out.

    Examples
    --------
    >>> spec = feature_source(FeatureOptions(layers=("auto",), views="original,flip")).spec
    >>> command_options(spec)
    ['--layer', 'auto', '--views', 'original,flip']
    """
    backbone = find_backbone(spec.backbone)
    layers = ["auto"] if spec.layers == backbone.stages else list(spec.layers)
    asked: dict[str, list[str]] = {
        "backbone": [spec.backbone],
        "weights": [_weights(spec)],
        "layer": [] if spec.layers == (backbone.layer,) else layers,
        "pooling": [spec.pooling],
        "resize": [spec.resize],
        "views": [",".join(spec.views)],
        "precision": [spec.precision],
        "storage": [spec.storage],
    }
    defaults = FeatureOptions()
    return [
        word
        for name, values in asked.items()
        if values != [getattr(defaults, name, None)]
        for value in values
        for word in (f"--{name}", value)
    ]


def _weights(spec: FeatureSpec) -> str:
    local = find_backbone(spec.backbone).imagenet.local()
    return "imagenet" if local.is_file() and file_sha256(local) == spec.weights_sha256 else "FILE"
