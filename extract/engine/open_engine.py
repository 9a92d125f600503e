"""The one place where an engine is made: the planned one, by the table of engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...cache.spec import FeatureSpec
from ...errors import EngineError
from ...progress import note
from ..backbone.backbones import PIXELS
from .choose import Plan
from .engine import Engine, PixelEngine
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
    from .onnx import kept_network, open_network

    if kept_network(wanted.spec, wanted.cache) is None:
        backbone = wanted.spec.backbone
        note(f"exporting {backbone} for ONNX Runtime: once, some 10 to 30 seconds")
    return open_network(wanted.spec, wanted.weights, wanted.cache)


# A plan's engine to what makes it. Tests put a stand-in here (``fakes.engines_made_by``).
MAKERS: dict[str, Callable[[EngineRequest], Engine]] = {
    "onnxruntime": _onnxruntime,
    "tensorflow": _tensorflow,
}


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
        If the engine cannot run this backbone or disagrees with TensorFlow.
    """
    if wanted.spec.layers == (PIXELS,):
        return PixelEngine(wanted.spec)
    try:
        return MAKERS[plan.engine](wanted)
    except EngineError as error:
        if fixed or plan.engine == "tensorflow":
            raise
        engine = MAKERS["tensorflow"](wanted)
        engine.notes.append(f"{error}; TensorFlow serves instead")
        return engine
