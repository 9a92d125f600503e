"""From a recipe to a spec, with the weights, the folder, the plan and the engine that go with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..cache import FeatureSpec, FeatureStore, cache_folder, default_cache, place_of
from ..errors import OptionError
from .backbone.backbone import Backbone
from .backbone.backbones import BACKBONES, find_backbone
from .backbone.network_file import is_file
from .backbone.weights import file_sha256
from .dataset_depth import find_bit_depth
from .decode.bit_depth import FULL
from .decode.decode import RECIPE
from .decode.proof import prove_decoder
from .decode.views import parse_views
from .engine.choose import Plan, check_engine, choose, this_machine
from .engine.engine import Engine
from .engine.golden import keep_golden
from .engine.gpus import visible_gpus
from .engine.open_engine import EngineRequest, has_keras, open_engine
from .engine.quantize import quantized_network
from .images.addresses import Reference
from .images.images import Dataset
from .photographs import Photographs
from .recipe import Execution, Recipe

_opening = threading.Lock()


@dataclass(frozen=True)
class FeatureSource:
    """A spec with the weights, the folder, the plan and the engine that go with it.

    Parameters
    ----------
    recipe : Recipe
        What was asked for.
    execution : Execution
        How to run.
    spec : FeatureSpec
        What the recipe comes to.
    weights : Path
        The weights file.
    cache : Path
        The cache's root.
    plan : Plan
        Engine, batch size and workers.
    keeps_engine : bool
        Whether :meth:`engine` makes one and returns it again; another process makes its own.
    """

    recipe: Recipe
    execution: Execution
    spec: FeatureSpec
    weights: Path
    cache: Path
    plan: Plan
    keeps_engine: bool = False
    _kept: list[Engine] = field(default_factory=list, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Let a cache behind a URL travel by that: each machine has a mirror of its own."""
        return {**self.__dict__, "cache": place_of(self.cache), "_kept": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, cache=cache_folder(state["cache"]))

    @property
    def label(self) -> str:
        """What people call the backbone: its name in the table, or its file's."""
        in_file = is_file(self.spec.backbone)
        return Path(self.recipe.backbone).name if in_file else self.spec.backbone

    def store(self) -> FeatureStore:
        """Open this spec's segments."""
        return FeatureStore(self.cache, self.spec)

    @property
    def runs_here(self) -> bool:
        """Whether this process extracts, not processes of a cluster or one for each of several GPUs."""
        several = self.plan.device == "gpu" and len(visible_gpus()) > 1
        return self.execution.backend == "local" and not several

    def engine(self) -> Engine:
        """Make the planned engine; see :func:`headstart.extract.engine.open_engine.open_engine`."""
        if not self.keeps_engine:
            return self._open()
        with _opening:  # several threads may come at once
            if not self._kept:
                self._kept.append(self._open())
            return self._kept[0]

    def keeping_engine(self) -> FeatureSource:
        """Return this source, if it keeps its engine, or the same one that does."""
        return self if self.keeps_engine else replace(self, keeps_engine=True)

    def _open(self) -> Engine:
        wanted = EngineRequest(self.spec, self.weights, self.cache)
        return open_engine(self.plan, wanted, fixed=self.execution.engine != "auto")

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

    def exact(self) -> FeatureSource:
        """Return the source of the same features in float32."""
        recipe = replace(self.recipe, precision="float32", bit_depth=self.spec.bit_depth)
        return feature_source(recipe, self.execution)

    @property
    def trainable(self) -> bool:
        """Whether the network can be trained: in an ONNX file, or in 8 bits, it only runs."""
        return has_keras(self.spec, self.weights)

    def sized(self, side: int) -> FeatureSource:
        """Return the same source for images brought to another size."""
        return replace(self, spec=replace(self.spec, input_size=(side, side)))


def feature_source(
    recipe: Recipe | None = None,
    execution: Execution | None = None,
    dataset: Dataset | Photographs | None = None,
    training: Callable[[], Mapping[bytes, Reference]] = dict,
) -> FeatureSource:
    """Resolve a recipe to a spec; the defaults of both are those of the command line.

    Parameters
    ----------
    recipe : Recipe, optional
        What to compute.
    execution : Execution, optional
        How to run.
    dataset : Dataset or Photographs, optional
        What it is for: unless the recipe says, its images tell how many of 16 bits they use.
        Where they do not agree, its warnings say so.
    training : callable
        Returns its training images by their digests, to calibrate a network in 8 bits on.

    Raises
    ------
    EngineError
        If this machine decodes otherwise than caches were made.
    OptionError
        If the backbone is unknown, or this machine cannot do what was asked.
    WeightsError
        If its weights cannot be found.
    """
    recipe, execution = recipe or Recipe(), execution or Execution()
    prove_decoder()
    backbone = _sized(recipe)
    plan = plan_for(recipe, execution)
    layers = _layers(backbone, recipe.layers)
    weights = backbone.find_weights(recipe.weights)
    bit_depth = recipe.bit_depth
    if bit_depth is None and dataset is not None:
        depth = find_bit_depth(dataset.paths, execution.max_pixels)
        bit_depth = depth.bits
        dataset.warnings.extend(depth.warnings)
    spec = FeatureSpec(
        backbone=backbone.name,
        weights_sha256=backbone.digest(weights),
        layers=layers,
        pooling=recipe.pooling,
        input_size=backbone.input_size,
        resize=backbone.resize_rule(recipe.resize),
        preprocessing=backbone.preprocessing,
        precision=recipe.precision,
        decoder=RECIPE,
        views=parse_views(recipe.views),
        storage=recipe.storage,
        bit_depth=bit_depth or FULL,
    )
    cache = execution.cache or default_cache()
    if recipe.declared is not None and recipe.declared.golden is not None:
        keep_golden(spec, *recipe.declared.golden)
    if recipe.precision == "int8":
        if not recipe.weights.endswith(".onnx"):  # a saved classifier's own, in 8 bits already
            exact = replace(spec, precision="float32")
            weights = quantized_network(exact, weights, cache, training(), execution.max_pixels)
        spec = replace(spec, weights_sha256=file_sha256(weights))
    return FeatureSource(recipe, execution, spec, weights, cache, plan)


def plan_for(recipe: Recipe, execution: Execution) -> Plan:
    """Choose engine, batch size and threads for the machine that this runs on.

    Raises
    ------
    OptionError
        If the backbone is unknown, or this machine cannot do what was asked.
    """
    backbone = _sized(recipe)
    machine = this_machine(gpus=backbone.graph == "keras")
    check_engine(backbone, execution.engine, recipe.precision, machine)
    return choose(
        machine,
        backbone.activation_mb << 20,
        execution.engine,
        recipe.precision,
        execution.batch_size,
        execution.workers,
    )


def _sized(recipe: Recipe) -> Backbone:
    return find_backbone(recipe.backbone, recipe.weights, recipe.declared, recipe.input_size)


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
