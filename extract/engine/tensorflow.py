"""TensorFlow: the reference, and the GPU's engine."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from ...cache.spec import FeatureSpec
from ..backbone.loading import load_tensorflow
from .agreement import check_agreement, probe_images
from .engine import Features, Images
from .network import build_extractor, traced


class TensorFlowEngine:
    """The reference: TensorFlow, on a GPU where it sees one.

    One call runs at a time: TensorFlow itself spreads it over all cores, and a
    GPU holds one batch. Callers decode their next batch meanwhile.

    Parameters
    ----------
    spec : FeatureSpec
        What to compute, and in which precision.
    weights : Path
        The backbone's weights file.
    """

    name = "tensorflow"

    def __init__(self, spec: FeatureSpec, weights: Path) -> None:
        tensorflow = load_tensorflow()
        model, self.widths = build_extractor(spec, weights)
        self._run = traced(model, spec)
        self._turn = threading.Lock()
        self.device = "gpu" if tensorflow.config.list_physical_devices("GPU") else "cpu"
        self.notes: list[str] = []

    def __call__(self, images: Images) -> Features:
        """Map images (n, height, width, 3), uint8 RGB, to features (n, d), float32."""
        with self._turn:
            features: Features = self._run(images).numpy()
        return features


def open_tensorflow(spec: FeatureSpec, weights: Path) -> TensorFlowEngine:
    """Return the engine of this spec, of reduced precision once it is near float32.

    Raises
    ------
    EngineError
        If it does not.
    """
    engine = TensorFlowEngine(spec, weights)
    if spec.precision != "float32":
        images = probe_images(spec.input_size)
        reference = TensorFlowEngine(replace(spec, precision="float32"), weights)
        check_agreement("tensorflow", engine(images), reference(images), spec.precision)
    return engine
