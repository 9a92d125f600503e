"""Batch of images to features, by TensorFlow or ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

from ...cache.spec import FeatureSpec
from ...errors import EngineError
from ...progress import note
from ..backbone.backbones import PIXELS
from .choose import Plan
from .engine import Engine, PixelEngine
from .tensorflow import _tensorflow


def open_engine(
    plan: Plan,
    spec: FeatureSpec,
    weights: Path,
    cache: Path,
    *,
    fixed: bool = False,
) -> Engine:
    """Return the planned engine.

    Parameters
    ----------
    plan : Plan
        From :func:`headstart.extract.engine.choose.choose`.
    spec : FeatureSpec
        What to compute.
    weights : Path
        The backbone's weights file.
    cache : Path
        Beside which exported networks are kept.
    fixed : bool
        Whether the user named the engine: then TensorFlow does not stand in.

    Raises
    ------
    EngineError
        If the engine cannot run this backbone or disagrees with TensorFlow.
    """
    if spec.layers == (PIXELS,):
        return PixelEngine(spec)
    if plan.engine == "tensorflow":
        return _tensorflow(spec, weights)
    from .onnx import kept_network, open_network

    try:
        if kept_network(spec, cache) is None:
            note(f"exporting {spec.backbone} for ONNX Runtime: once, some 10 to 30 seconds")
        return open_network(spec, weights, cache)
    except EngineError as error:
        if fixed:
            raise
        engine = _tensorflow(spec, weights)
        engine.notes.append(f"{error}; TensorFlow serves instead")
        return engine
