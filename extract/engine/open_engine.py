"""The one place where an engine is made: the planned one, by the table of engines."""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from ...cache.spec import FeatureSpec
from ...errors import EngineError
from ...progress import note
from ..backbone.backbones import PIXELS, backbone_of
from .agreement import probe_images
from .choose import Plan, cpu_says
from .engine import Engine, PixelEngine
from .golden import check_golden
from .kept import FOLDER, KeptEngine, kept_network, open_kept
from .quickest import quickest
from .tensorflow import open_tensorflow


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What an engine is made from.

    Parameters
    ----------
    spec : FeatureSpec
        What to compute.
    weights : Path
        The backbone's weights file.
    cache : Path
        Beside which exported networks are kept.
    """

    spec: FeatureSpec
    weights: Path
    cache: Path


def _tensorflow(wanted: EngineRequest) -> Engine:
    return open_tensorflow(wanted.spec, wanted.weights)


def _onnxruntime(wanted: EngineRequest) -> Engine:
    from .runtimes import OnnxEngine

    if wanted.spec.precision == "int8":
        return OnnxEngine(wanted.weights, wanted.spec)
    return _kept(OnnxEngine, wanted)


def _openvino(wanted: EngineRequest) -> Engine:
    from .runtimes import OpenVinoEngine

    return _kept(OpenVinoEngine, wanted)


def _kept(make: type[KeptEngine], wanted: EngineRequest) -> Engine:
    if kept_network(wanted.spec, wanted.cache) is None:
        note(f"exporting {wanted.spec.backbone} to ONNX: once, some 10 to 30 seconds")
    return open_kept(make, wanted.spec, wanted.weights, wanted.cache)


# A plan's engine to what makes it. Tests put a stand-in here (``fakes.engines_made_by``).
MAKERS: dict[str, Callable[[EngineRequest], Engine]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "tensorflow": _tensorflow,
}


def has_keras(spec: FeatureSpec, weights: Path) -> bool:
    """Tell whether there is a Keras graph of what a spec asks for: to train, or for TensorFlow."""
    return spec.precision != "int8" and backbone_of(spec, weights).graph == "keras"


def open_engine(plan: Plan, wanted: EngineRequest, *, fixed: bool = False) -> Engine:
    """Return the planned engine.

    Parameters
    ----------
    plan : Plan
        From :func:`headstart.extract.engine.choose.choose`.
    wanted : EngineRequest
        What to make it from.
    fixed : bool
        Whether the user named the engine: then TensorFlow does not stand in.

    Raises
    ------
    EngineError
        If the engine cannot run this backbone or disagrees with TensorFlow, or a golden feature
        comes out another.
    """
    if wanted.spec.layers == (PIXELS,):
        return PixelEngine(wanted.spec)
    engine = _make(plan, wanted, fixed=fixed)

    def made(spec: FeatureSpec) -> Engine:
        if spec.network == wanted.spec.network:
            return engine
        return _make(plan, replace(wanted, spec=spec), fixed=fixed)

    check_golden(wanted.spec, made)
    return engine


def _make(plan: Plan, wanted: EngineRequest, *, fixed: bool) -> Engine:
    names = (plan.engine, *plan.rivals)
    makers = {name: functools.partial(MAKERS[name], wanted) for name in names}
    try:
        if not plan.rivals:
            return makers[plan.engine]()
        batch = probe_images(wanted.spec.input_size, plan.batch_size)
        record = wanted.cache / FOLDER / "speeds.json"
        return quickest(makers, batch, plan.workers, record, _conditions(plan, wanted.spec))
    except EngineError as error:
        if fixed or plan.engine == "tensorflow" or not has_keras(wanted.spec, wanted.weights):
            raise
        engine = MAKERS["tensorflow"](wanted)
        engine.notes.append(f"{error}; TensorFlow serves instead")
        return engine


def _conditions(plan: Plan, spec: FeatureSpec) -> str:
    """Return what a speed holds for."""
    versions = (f"{name} {metadata.version(name)}" for name in (plan.engine, *plan.rivals))
    threads = f"{plan.workers} threads of {cpu_says('model name') or platform.machine()}"
    return ", ".join((spec.network.folder, threads, *versions))
