"""The one place where an engine is made: the planned one, by the table of engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ...cache.spec import FeatureSpec
from ...errors import EngineError
from ...progress import note
from ..backbone.backbones import PIXELS, backbone_of
from ..backbone.network_file import is_file
from .choose import Plan
from .engine import Engine, PixelEngine
from .golden import check_golden
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


def _has_keras(wanted: EngineRequest) -> bool:
    return backbone_of(wanted.spec, wanted.weights).graph == "keras"


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
    if is_file(wanted.spec.backbone):
        again = lambda spec: _make(plan, replace(wanted, spec=spec), fixed=fixed)  # noqa: E731
        check_golden(wanted.spec, engine, again)
    return engine


def _make(plan: Plan, wanted: EngineRequest, *, fixed: bool) -> Engine:
    try:
        return MAKERS[plan.engine](wanted)
    except EngineError as error:
        if fixed or plan.engine == "tensorflow" or not _has_keras(wanted):
            raise
        engine = MAKERS["tensorflow"](wanted)
        engine.notes.append(f"{error}; TensorFlow serves instead")
        return engine
