"""From options to a spec, with the weights, the folder and the plan that go with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..cache import (
    FeatureSpec,
    FeatureStore,
    cache_folder,
    default_cache,
    place_of,
)
from ..errors import OptionError, unknown
from .backbone.backbones import BACKBONES, Backbone, find_backbone
from .backbone.weights import file_sha256, find_weights
from .dataset_depth import find_bit_depth
from .decode.bit_depth import FULL
from .decode.decode import MAX_PIXELS, RECIPE
from .decode.proof import prove_decoder
from .decode.resize_rules import find_rule
from .decode.views import parse_views
from .engine.choose import Plan, choose, this_machine
from .engine.engine import POOLINGS, Engine
from .engine.open_engine import open_engine
from .images.images import Dataset

STORAGES = ("float32", "float16")


BACKENDS = ("local", "dask", "ray")


# Functions, not lambdas: options travel to other processes.
def _planned_engine(source: FeatureSource) -> Engine:
    return open_engine(
        source.plan,
        source.spec,
        source.weights,
        source.cache,
        fixed=source.options.engine != "auto",
    )


@dataclass(frozen=True)
class FeatureOptions:
    """What to extract, where to keep it and how hard to work.

    Parameters
    ----------
    backbone : str
        Name in the table of backbones.
    weights : str
        ``"imagenet"`` or a weights file.
    layers : tuple of str
        Layers to tap; the backbone's last when empty, its stages when ``("auto",)``.
    pooling : str
        ``"avg"``, ``"max"``, ``"avg+max"``, ``"flatten"`` or ``"none"``.
    input_size : int, optional
        Side in pixels that images are brought to; the backbone's own when None.
    resize : str
        ``"crop"``, ``"squash"`` or ``"pad"``. Cross-validated on training photographs,
        cropping beat squashing by 0.5 points on flowers and tied on monkeys.
    cache : Path, optional
        The cache's root; the user's cache folder when None.
    views : str
        Names with commas between, see :mod:`headstart.extract.decode.views`.
    precision : str
        ``"float32"``; ``"bfloat16"`` on processors that multiply it, ``"float16"`` on GPUs.
    storage : str
        ``"float32"``, or ``"float16"`` for half the disk and a relative error of 5e-4.
    bit_depth : int, optional
        Bits that hold the values of images of 16 bits a channel, 8 to 16; found when None.
    engine : str
        ``"auto"``, ``"tensorflow"`` or ``"onnxruntime"``.
    batch_size : int, optional
        Images a call of the engine; chosen from engine and memory when None.
    workers : int, optional
        Threads that read, decode and call the engine; chosen from cores and memory when None.
    max_pixels : int
        Larger images fail. Alters no feature, so it is no part of the spec.
    backend : str
        Who fills the cache: ``"local"``, this process; ``"dask"`` or ``"ray"``, worker processes.
    address : str, optional
        A running cluster's scheduler; one is started on this machine when None.
    shard_size : int, optional
        Images a task of a cluster; see :func:`headstart.extract.cluster.tasks.shard_size`.
    make_engine : callable
        FeatureSource to engine.
    """

    backbone: str = "mobilenet"
    weights: str = "imagenet"
    layers: tuple[str, ...] = ()
    pooling: str = "avg"
    resize: str = "crop"
    cache: Path | None = None
    views: str = "original"
    precision: str = "float32"
    storage: str = "float32"
    bit_depth: int | None = None
    engine: str = "auto"
    batch_size: int | None = None
    workers: int | None = None
    max_pixels: int = MAX_PIXELS
    backend: str = "local"
    address: str | None = None
    shard_size: int | None = None
    input_size: int | None = None
    make_engine: Callable[[FeatureSource], Engine] = _planned_engine

    def __getstate__(self) -> dict[str, Any]:
        """Let a cache behind a URL travel by that: each machine has a mirror of its own."""
        return {**self.__dict__, "cache": self.cache and place_of(self.cache)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        cache = state["cache"]
        self.__dict__.update(state, cache=None if cache is None else cache_folder(cache))

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise unknown("pooling", self.pooling, list(POOLINGS))
        find_rule(self.resize)
        if self.storage not in STORAGES:
            raise unknown("storage", self.storage, list(STORAGES))
        if self.backend not in BACKENDS:
            raise unknown("backend", self.backend, list(BACKENDS))
        if self.bit_depth is not None and not 8 <= self.bit_depth <= FULL:
            raise OptionError(f"--bit-depth must be 8 to 16, not {self.bit_depth}")
        if self.address is not None and self.backend == "local":
            raise OptionError("--address is a cluster's: add --backend dask or --backend ray")
        if any(number is not None and number < 1 for number in (self.batch_size, self.workers)):
            raise OptionError("--batch-size and --workers must be at least 1")

    @property
    def named_weights(self) -> str:
        """What a saved model remembers: ``"imagenet"``, or the file's whole path."""
        return self.weights if self.weights == "imagenet" else str(Path(self.weights).absolute())


@dataclass(frozen=True)
class FeatureSource:
    """A spec with the weights, the folder and the plan that go with it.

    Parameters
    ----------
    options : FeatureOptions
        As given.
    spec : FeatureSpec
        What they come to.
    weights : Path
        The weights file.
    cache : Path
        The cache's root.
    plan : Plan
        Engine, batch size and workers.
    """

    options: FeatureOptions
    spec: FeatureSpec
    weights: Path
    cache: Path
    plan: Plan

    def __getstate__(self) -> dict[str, Any]:
        """Let a cache behind a URL travel by that: each machine has a mirror of its own."""
        return {**self.__dict__, "cache": place_of(self.cache)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, cache=cache_folder(state["cache"]))

    def store(self) -> FeatureStore:
        """Open this spec's segments."""
        return FeatureStore(self.cache, self.spec)

    def tapping(
        self,
        layers: tuple[str, ...],
        pooling: str,
        view: str = "original",
        storage: str | None = None,
    ) -> FeatureSource:
        """Return the same source with other layers and pooling, of one view."""
        spec = replace(
            self.spec,
            layers=layers,
            pooling=pooling,
            views=(view,),
            storage=storage or self.spec.storage,
        )
        return replace(self, spec=spec)

    def sized(self, side: int) -> FeatureSource:
        """Return the same source for images brought to another size."""
        return replace(self, spec=replace(self.spec, input_size=(side, side)))


def feature_source(options: FeatureOptions, dataset: Dataset | None = None) -> FeatureSource:
    """Resolve options to a spec.

    Parameters
    ----------
    options : FeatureOptions
        As given.
    dataset : Dataset, optional
        What they are for: unless the options say, its images tell how many of 16 bits they use.
        Where they do not agree, its warnings say so.

    Raises
    ------
    EngineError
        If this machine decodes otherwise than caches were made.
    OptionError
        If the backbone is unknown, or this machine cannot do what was asked.
    WeightsError
        If its weights cannot be found.
    """
    prove_decoder()
    backbone = _sized(options)
    plan = plan_for(options)
    layers = _layers(backbone, options.layers)
    weights = find_weights(backbone.name, backbone.imagenet, options.weights)
    bit_depth = options.bit_depth
    if bit_depth is None and dataset is not None:
        depth = find_bit_depth([image.path for image in dataset.images], options.max_pixels)
        bit_depth = depth.bits
        dataset.warnings.extend(depth.warnings)
    spec = FeatureSpec(
        backbone=backbone.name,
        weights_sha256=file_sha256(weights),
        layers=layers,
        pooling=options.pooling,
        input_size=backbone.input_size,
        resize=options.resize,
        preprocessing=backbone.preprocessing,
        precision=options.precision,
        decoder=RECIPE,
        views=parse_views(options.views),
        storage=options.storage,
        bit_depth=bit_depth or FULL,
    )
    return FeatureSource(options, spec, weights, options.cache or default_cache(), plan)


def plan_for(options: FeatureOptions) -> Plan:
    """Choose engine, batch size and threads for the machine that this runs on.

    Raises
    ------
    OptionError
        If the backbone is unknown, or this machine cannot do what was asked.
    """
    return choose(
        this_machine(),
        _sized(options).activation_mb << 20,
        options.engine,
        options.precision,
        options.batch_size,
        options.workers,
    )


def _sized(options: FeatureOptions) -> Backbone:
    backbone = find_backbone(options.backbone)
    return backbone if options.input_size is None else backbone.sized(options.input_size)


def options_for(spec: FeatureSpec, options: FeatureOptions) -> FeatureOptions:
    """Return these options, but for what a spec decides: the way back from spec to options."""
    return replace(
        options,
        backbone=spec.backbone,
        layers=spec.layers,
        pooling=spec.pooling,
        resize=spec.resize,
        input_size=spec.input_size[0],
        views=",".join(spec.views),
        precision=spec.precision,
        storage=spec.storage,
        bit_depth=spec.bit_depth,
    )


def _layers(backbone: Backbone, wanted: tuple[str, ...]) -> tuple[str, ...]:
    if wanted != ("auto",):
        return wanted or (backbone.layer,)
    if not backbone.stages:
        known = ", ".join(row.name for row in BACKBONES.values() if row.stages)
        raise OptionError(
            f"--layer auto knows the stages of {known}, not of {backbone.name}: name layers "
            f"('headstart extract list {backbone.name}' has them)"
        )
    return backbone.stages
