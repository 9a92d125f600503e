"""Which features first: what is cached scored on a few images, the rest priced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ...cache import DamagedSegmentError, FeatureSpec, FeatureStore
from ...cache.catalogue import specs
from ...extract.backbone.backbones import backbone_of
from ...extract.features import load_features
from ...extract.images.images import Dataset
from ...extract.recipe import Execution, Recipe
from ...extract.source import FeatureSource
from ...extract.speed.engine_speed import (
    Speed,
    nearest_speed,
    time_backbone,
    time_engine,
    time_kept,
)
from ...progress import stage
from ..data.folds import make_folds
from ..heads.fits import open_fits
from ..heads.search import fit_calibrated, tune
from ..heads.table import HEADS
from ..heads.training_rows import Training
from ..statistics.intervals import wilson
from .candidates import (
    Candidate,
    absent_specs,
    cached_candidates,
    command_options,
    is_current,
    is_scarce,
)
from .screening import ScreeningSample, draw_screening_sample

HEAD = HEADS["logreg"]  # whose accuracy is the score: what 'fit head' trains by default


class FeatureDocument(TypedDict):
    """Features, and the options of a command that ask for them."""

    backbone: str
    layers: list[str]
    pooling: str
    resize: str
    input_size: int
    views: list[str]
    precision: str
    weights_sha256: str
    options: list[str]


class PriceDocument(TypedDict):
    """What having these features of all images takes; no seconds where nothing was timed."""

    missing_images: int
    multiply_adds: float
    seconds: float | None
    seconds_an_image: float | None
    timed: str | None


class PricedFeatures(FeatureDocument, PriceDocument):
    """Features that are not cached."""


class Scores(TypedDict):
    """How well a head tells the classes apart by these features, out of fold."""

    cached_in: str
    dimension: int
    images: int
    share: float
    accuracy: float
    ci95: list[float]


class RankedFeatures(FeatureDocument, Scores, PriceDocument):
    """Features that are cached."""


class RankDocument(TypedDict):
    """The ``fit rank`` contract: ``ranked``, the best first; ``not_cached``, the cheapest first."""

    version: int
    images: int
    training_images: int
    classes: int
    seed: int
    head: str
    ranked: list[RankedFeatures]
    not_cached: list[PricedFeatures]
    warnings: list[str]
    cache: str


@dataclass(frozen=True)
class Timing:
    """How backbones are timed on this machine."""

    # from specs and the cache's root to the speeds of networks that are at hand
    kept: Callable[[Iterable[FeatureSpec], Path], list[Speed]] = time_kept
    # from a backbone's recipe and execution to its speed, however long it takes
    one: Callable[[Recipe, Execution], Speed] = time_backbone


def rank(
    dataset: Dataset,
    cache: Path,
    images: int,
    seed: int,
    *,
    measure: bool = False,
    timing: Timing = Timing(),
    sources: Sequence[FeatureSource] = (),
) -> RankDocument:
    """Run ``fit rank``: score what is cached, price what is not.

    The score is the accuracy of ``logreg`` on images of the sample that it was not fitted on:
    the very figure that ``fit head`` chooses by, on fewer images. A screening all the same:
    among candidates whose intervals overlap it can be wrong. Of equals the cheapest and
    the smallest comes first.

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
    timing : Timing
        How they are timed.
    sources : sequence of FeatureSource
        Rank these alone, by any backbone: what the cache lacks of the sample is extracted, nothing
        else.

    Raises
    ------
    DataError
        If the splits cannot be used.
    """
    stage("looking at the images and the cache")
    sample = draw_screening_sample(dataset, images, seed)
    if sources:
        known = [source.spec for source in sources]
        speeds = [_extract_sample(source, sample) for source in sources]
    else:
        known = [spec for spec, _ in specs(cache) if is_current(spec)]
        speeds = timing.kept(known, cache)
    stores = [FeatureStore(cache, spec) for spec in known]
    candidates = cached_candidates(stores, sample)
    partly = [store.spec for store in stores if is_scarce(store, sample)]
    seen = [*(candidate.spec for candidate in candidates), *partly]
    absent = [] if sources else absent_specs(seen)
    if measure:
        stage("timing backbones")
        missing = {spec.backbone for spec in absent} - {speed.backbone for speed in speeds}
        speeds += [timing.one(Recipe(n), Execution(cache=cache)) for n in sorted(missing)]
    ranked: list[RankedFeatures] = []
    tell = stage("scoring")
    for number, candidate in enumerate(candidates):
        scores = _score(candidate, sample, seed)
        if scores is not None:
            price = _price(cache, sample.dataset, speeds, candidate.spec)
            ranked.append({**_describe(candidate.spec, cache), **scores, **price})
        tell(number + 1, len(candidates))
    priced: list[PricedFeatures] = [
        {**_describe(spec, cache), **_price(cache, sample.dataset, speeds, spec)}
        for spec in (*partly, *absent)
    ]
    return {
        "version": 2,
        "images": len(sample.digests),
        "training_images": sample.training,
        "classes": int(sample.y.max()) + 1,
        "seed": seed,
        "head": HEAD.name,
        "ranked": sorted(
            ranked, key=lambda row: (-row["accuracy"], row["multiply_adds"], row["dimension"])
        ),
        "not_cached": sorted(
            priced, key=lambda row: (row["seconds"] is None, row["seconds"], row["multiply_adds"])
        ),
        "warnings": [*dataset.warnings, *(str(d) for store in stores for d in store.damaged)],
        "cache": str(cache),
    }


def _extract_sample(source: FeatureSource, sample: ScreeningSample) -> Speed:
    """Extract what the cache lacks of a sample; return the speed of the engine."""
    stage(f"features of {source.label}")
    source = source.keeping_engine()
    load_features(sample.paths, source)
    rate = time_engine(source.engine(), source.spec.input_size, source.plan)
    return Speed(source.spec.backbone, rate, source.spec.precision)


def _score(candidate: Candidate, sample: ScreeningSample, seed: int) -> Scores | None:
    """Score one candidate on the images that its store holds; None when damage leaves too few."""
    held = sample.held(candidate.store)
    try:
        X = candidate.read([sample.digests[row] for row in held])
    except DamagedSegmentError:  # its rows are no longer held
        left = sample.suffices(sample.held(candidate.store))
        return _score(candidate, sample, seed) if left else None
    y, n = sample.y[held], len(held)
    probabilities = out_of_fold(X, y, sample.groups[held], seed)
    hits = int((probabilities.argmax(axis=1) == y).sum())
    return {
        "cached_in": candidate.store.spec.id,
        "dimension": X.shape[1],
        "images": n,
        "share": n / len(sample.y),
        "accuracy": hits / n,
        "ci95": list(wilson(hits, n)),
    }


def out_of_fold(
    X: NDArray[np.floating], y: NDArray[np.intp], groups: NDArray[np.intp], seed: int
) -> NDArray[np.float64]:
    """Return what ``logreg``, at its best, says of images when fitted on the folds without them.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Features.
    y : ndarray of int, shape (n,)
        Class indices, 0 to k - 1, two of each at least.
    groups : ndarray of int, shape (n,)
        Equal for images that no fold may part.
    seed : int
        Shuffles the folds.

    Returns
    -------
    ndarray, shape (n, k)
        Calibrated probabilities.
    """
    training = Training(X.astype(np.float32, copy=False), y, make_folds(y, groups, seed))
    fits = open_fits(HEAD, training)
    return fit_calibrated(tune(HEAD, fits, seed), fits).out_of_fold


def _price(
    cache: Path, digests: set[bytes], speeds: Sequence[Speed], spec: FeatureSpec
) -> PriceDocument:
    """Say how long it takes to have these features of all images."""
    store = FeatureStore(cache, spec)
    missing = int((~store.holds([*digests])).sum())
    backbone = backbone_of(spec)
    speed = nearest_speed(speeds, backbone, spec.precision)
    each = None if speed is None else len(spec.views) / speed.of(backbone)
    seconds = None if each is None else missing * each
    return {
        "missing_images": missing,
        "multiply_adds": backbone.multiply_adds,
        "seconds": 0.0 if not missing else seconds,
        "seconds_an_image": each,
        "timed": speed.backbone if speed and missing else None,
    }


def _describe(spec: FeatureSpec, cache: Path) -> FeatureDocument:
    return {
        "backbone": spec.backbone,
        "layers": list(spec.layers),
        "pooling": spec.pooling,
        "resize": spec.resize,
        "input_size": spec.input_size[0],
        "views": list(spec.views),
        "precision": spec.precision,
        "weights_sha256": spec.weights_sha256,
        "options": command_options(spec, cache),
    }
