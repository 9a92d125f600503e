"""Features that a head could learn from: those in the cache, and those that could be extracted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...cache import FeatureSpec, FeatureStore
from ...errors import OptionError, WeightsError
from ...extract.backbone.backbones import BACKBONES, backbone_of, find_backbone
from ...extract.backbone.network_file import is_file
from ...extract.backbone.weights import file_sha256
from ...extract.decode.decode import RECIPE
from ...extract.engine.quantize import exact_weights
from ...extract.recipe import Recipe
from ...extract.source import feature_source
from ..data.columns import TapSelector
from .screening import ScreeningSample


@dataclass(frozen=True)
class Candidate:
    """Features that a head could learn from."""

    spec: FeatureSpec  # what they are
    # where they lie: this spec's own segments, or those of one with more layers
    store: FeatureStore
    layers: tuple[int, ...] | None = None  # positions of the layers among the store's; None for all

    def read(self, digests: Sequence[bytes]) -> NDArray[np.floating]:
        """Return features (n, d): the mean over the views."""
        X = self.store.read(digests)
        taps = TapSelector(self.store.widths, len(self.spec.views), self.layers)
        selected: NDArray[np.floating] = taps.fit_transform(X)
        return selected


def is_current(spec: FeatureSpec) -> bool:
    """Tell whether this headstart would compute the same features for a head."""
    try:
        row = find_backbone(spec.backbone, side=spec.input_size[0])
    except (OptionError, WeightsError):  # an older row, or a file that is gone
        return False
    return (
        spec.preprocessing == row.preprocessing
        and spec.decoder == RECIPE
        and spec.pooling != "none"  # whole maps: fine-tuning's
    )


def cached_candidates(stores: Iterable[FeatureStore], sample: ScreeningSample) -> list[Candidate]:
    """Return each spec, and each of its layers alone, whose store has enough of the sample."""
    candidates: dict[FeatureSpec, Candidate] = {}
    usable = [store for store in stores if sample.suffices(sample.held(store))]
    for store in sorted(usable, key=lambda store: len(store.spec.layers)):  # own segments first
        candidates.setdefault(store.spec, Candidate(store.spec, store))
        for position, layer in enumerate(store.spec.layers):
            alone = replace(store.spec, layers=(layer,))
            candidates.setdefault(alone, Candidate(alone, store, (position,)))
    return list(candidates.values())


def is_scarce(store: FeatureStore, sample: ScreeningSample) -> bool:
    """Tell whether a store has some of the sample, but too little to be scored on."""
    held = sample.held(store)
    return len(held) > 0 and not sample.suffices(held)


def absent_specs(seen: Sequence[FeatureSpec]) -> list[FeatureSpec]:
    """Return what was never extracted from these images, of the backbones at hand."""
    wanted = []
    for name, row in BACKBONES.items():
        if row.imagenet.whereabouts() == "to download":
            continue
        own = [spec for spec in seen if spec.backbone == name]
        if not own:
            wanted.append(Recipe(name))
        if row.stages and not any(len(spec.layers) > 1 for spec in own):
            wanted.append(Recipe(name, layers=("auto",)))
    return [feature_source(recipe).spec for recipe in wanted]


def command_options(spec: FeatureSpec, cache: Path | None = None) -> list[str]:
    """Return the options of a command that ask for this spec, those at their defaults left out.

    What weights a network in 8 bits was made of is told beside the cache.

    Examples
    --------
    >>> spec = feature_source(Recipe(layers=("auto",), views="original,flip")).spec
    >>> command_options(spec)
    ['--layer', 'auto', '--views', 'original,flip']
    """
    if spec.precision == "int8" and cache is not None:
        spec = replace(spec, weights_sha256=exact_weights(spec, cache))
    backbone = backbone_of(spec)
    own, side = find_backbone(spec.backbone), spec.input_size[0]
    layers = ["auto"] if spec.layers == backbone.stages else list(spec.layers)
    asked: dict[str, list[str]] = {
        "backbone": [backbone.reference],
        "weights": [_weights(spec)],
        "layer": [] if spec.layers == (backbone.layer,) else layers,
        "pooling": [spec.pooling],
        "resize": [] if spec.resize == own.resize_rule("crop") else [spec.resize],
        "input-size": [] if side == own.input_size[0] else [str(side)],
        "views": [",".join(spec.views)],
        "precision": [spec.precision],
        "storage": [spec.storage],
    }
    defaults = Recipe()
    return [
        word
        for name, values in asked.items()
        if values != [getattr(defaults, name, None)]
        for value in values
        for word in (f"--{name}", value)
    ]


def _weights(spec: FeatureSpec) -> str:
    if is_file(spec.backbone):
        return "imagenet"  # it brings its own: nothing to be named
    local = BACKBONES[spec.backbone].imagenet.local()
    return "imagenet" if local.is_file() and file_sha256(local) == spec.weights_sha256 else "FILE"
