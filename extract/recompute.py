"""Compute a sample of cached features again and compare."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cache import FeatureSpec, default_cache
from ..cache.catalogue import specs
from ..cache.documents import RecomputedDocument
from ..errors import CacheError, DecodeError, EngineError, OptionError, WeightsError
from ..text import shown
from .decode.decode import decode_for
from .engine.agreement import TOLERANCES, relative_error
from .engine.kept import kept_network
from .images.addresses import Reference
from .images.dataset import read_dataset
from .images.read import read_image
from .recipe import Execution, Recipe
from .source import FeatureSource, feature_source

STORED = {"float32": 0.0, "float16": 5e-4}  # largest relative error of the storage itself


@dataclass(frozen=True)
class Recomputation:
    """How one spec's sample came out."""

    spec: FeatureSpec  # whose features
    images: int  # recomputed
    # largest relative error of an image's features; None when there was none to compare
    error: float | None
    allowed: float  # what counts as equal
    differing: list[Reference]  # images whose cached features are further away than that
    skipped: str | None = None  # why this spec cannot be recomputed here

    def to_document(self) -> RecomputedDocument:
        """Return what ``cache verify`` says of it in JSON."""
        return {
            "id": self.spec.id,
            "images": self.images,
            "error": self.error,
            "allowed": self.allowed,
            "differing": [shown(path) for path in self.differing],
            "skipped": self.skipped,
        }


def recompute_specs(
    data: str, cache: Path, weights: str, execution: Execution, count: int, seed: int
) -> list[Recomputation]:
    """Recompute a sample of a dataset's images for every spec that a cache holds."""
    paths = [image.path for image in read_dataset(data).images]
    return [recompute(paths, spec, weights, execution, count, seed) for spec, _ in specs(cache)]


def check_equal(recomputations: list[Recomputation]) -> None:
    """Raise when cached features are not what is computed now.

    Raises
    ------
    CacheError
        The message has the remedy.
    """
    for recomputation in recomputations:
        if recomputation.differing:
            raise CacheError(
                f"{len(recomputation.differing)} of {recomputation.images} images have other features "
                f"in the cache than are computed now (relative error {recomputation.error:.1e}, "
                f"{recomputation.allowed:g} is allowed): 'headstart cache clear --spec "
                f"{recomputation.spec.id}' and extract again"
            )


def recompute(
    paths: Sequence[Reference],
    spec: FeatureSpec,
    weights: str,
    execution: Execution,
    count: int,
    seed: int,
) -> Recomputation:
    """Draw images that one spec's cache holds, extract them afresh and compare.

    Parameters
    ----------
    paths : sequence of Reference
        The images to draw from.
    spec : FeatureSpec
        Whose features to check.
    weights : str
        ``"imagenet"``, or the file of the spec's weights.
    execution : Execution
        Where the cache is and how to run.
    count : int
        Images to draw.
    seed : int
        Decides the draw.

    Returns
    -------
    Recomputation
    """
    allowed = TOLERANCES[spec.precision] + STORED[spec.storage]
    try:
        source = _source(spec, weights, execution)
        drawn = _draw(paths, source, count, seed)
        engine = source.engine()
    except (EngineError, OptionError, WeightsError) as error:
        return Recomputation(spec, 0, None, allowed, [], skipped=str(error))
    if not drawn:
        why = "it holds none of these images"
        return Recomputation(spec, 0, None, allowed, [], skipped=why)
    held = source.store().read([digest for _, digest, _ in drawn])
    errors = [
        relative_error(held[index : index + 1], engine(pixels).reshape(1, -1))
        for index, (_, _, pixels) in enumerate(drawn)
    ]
    differing = [drawn[i][0] for i, error in enumerate(errors) if not error <= allowed]
    return Recomputation(spec, len(drawn), max(errors), allowed, differing)


def _source(spec: FeatureSpec, weights: str, execution: Execution) -> FeatureSource:
    cache = execution.cache or default_cache()
    kept = kept_network(spec, cache) if spec.precision == "int8" else None
    source = feature_source(Recipe.of(spec, str(kept or weights)), execution)
    if source.spec != spec:
        raise OptionError(
            "skipped: it was made with other weights, or another version of decoding, than are at "
            "hand; name the weights with --weights FILE"
        )
    return source


def _draw(
    paths: Sequence[Reference], source: FeatureSource, count: int, seed: int
) -> list[tuple[Reference, bytes, NDArray[np.uint8]]]:
    """Return up to ``count`` images that the store holds: path, digest, pixels of each view."""
    store, spec, limit = source.store(), source.spec, source.execution.max_pixels
    drawn: list[tuple[Reference, bytes, NDArray[np.uint8]]] = []
    for path in random.Random(seed).sample(list(paths), len(paths)):  # noqa: S311 - no secret
        if len(drawn) == count:
            break
        try:
            sighting, data = read_image(path, limit)
            if sighting.digest in store:
                views = decode_for(spec, data, sighting.digest, limit)
                drawn.append((path, sighting.digest, views))
        except DecodeError:
            continue
    return drawn
