"""Images a second: timed on this machine, or scaled from another backbone's."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...cache.spec import FeatureSpec
from ...errors import EngineError
from ..backbone.backbone import Backbone
from ..backbone.backbones import find_backbone
from ..engine.agreement import probe_images
from ..engine.choose import Plan, choose, this_machine
from ..engine.engine import Engine
from ..engine.kept import kept_network
from ..engine.runtimes import OnnxEngine
from ..recipe import Execution, Recipe
from ..source import feature_source
from .stage_timer import timed

CALLS = 2  # of each worker, after one that warms it up


@dataclass(frozen=True, slots=True)
class Speed:
    """How quickly one backbone runs here, decoding left out."""

    backbone: str  # which one was timed
    images_per_second: float  # with all workers
    precision: str = "float32"

    def of(self, backbone: Backbone) -> float:
        """Return the images a second of another backbone: as its multiply-adds, a rough rule.

        Examples
        --------
        >>> round(Speed("vgg16", 7.0).of(find_backbone("mobilenet")))
        189
        """
        timed = find_backbone(self.backbone)
        return self.images_per_second * timed.multiply_adds / backbone.multiply_adds


def nearest_speed(
    speeds: Sequence[Speed], backbone: Backbone, precision: str = "float32"
) -> Speed | None:
    """Return the backbone timed in a precision whose multiply-adds are nearest, or None."""
    own = math.log(backbone.multiply_adds)
    return min(
        (speed for speed in speeds if speed.precision == precision),
        key=lambda speed: abs(math.log(find_backbone(speed.backbone).multiply_adds) - own),
        default=None,
    )


def time_engine(engine: Engine, size: tuple[int, int], plan: Plan) -> float:
    """Return the images a second of an engine on noise, all workers at once.

    Parameters
    ----------
    engine : Engine
        As made for extraction.
    size : tuple of int
        Height and width of its images.
    plan : Plan
        Workers and batch size.
    """
    batch = probe_images(size, plan.batch_size)
    _, seconds = timed(engine, [batch] * (CALLS * plan.workers), plan.workers, warm=True)
    return plan.workers * len(batch) / seconds


def time_kept(specs: Iterable[FeatureSpec], cache: Path) -> list[Speed]:
    """Time each backbone of these specs, in each precision, whose network is kept beside the cache.

    Takes a few images and loads no TensorFlow. Where the machine would run
    TensorFlow, such as on a GPU, kept networks tell nothing and none is timed.
    """
    speeds: dict[str, Speed] = {}
    machine = this_machine()
    for spec in specs:
        path, timed = kept_network(spec, cache), f"{spec.backbone} {spec.precision}"
        plan = choose(machine, find_backbone(spec.backbone).activation_mb << 20)
        if path is None or timed in speeds or plan.engine != OnnxEngine.name:
            continue
        with contextlib.suppress(EngineError):  # a damaged one is exported anew when it is needed
            rate = time_engine(OnnxEngine(path, spec), spec.input_size, plan)
            speeds[timed] = Speed(spec.backbone, rate, spec.precision)
    return list(speeds.values())


def time_backbone(recipe: Recipe, execution: Execution) -> Speed:
    """Make a backbone's engine, exporting it when need be, and time it.

    Raises
    ------
    WeightsError
        If its weights cannot be found.
    """
    source = feature_source(recipe, execution)
    rate = time_engine(source.engine(), source.spec.input_size, source.plan)
    return Speed(recipe.backbone, rate, recipe.precision)
