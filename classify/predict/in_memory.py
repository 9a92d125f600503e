"""One model, opened once, that labels images as they come: nothing is written to the cache."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...extract.decode.decode import decode_for
from ...extract.engine.engine import Images
from ...extract.recipe import Execution
from ..saved.head_model import Model
from ..saved.load import SavedModel
from .model_source import abstainer_of, source_of


@dataclass(frozen=True, slots=True)
class Labels:
    """What the classifier says of some images."""

    # (n, k): rows sum to 1; columns in the order of the model's classes
    probabilities: NDArray[np.float64]
    abstained: NDArray[np.bool_]  # (n,): which images had better be left to a person


class Labeller:
    """Labels images in memory exactly as ``predict`` labels files.

    Source and engine are opened once. Any number of threads may call it at once.

    Parameters
    ----------
    model : Model or TunedModel
        From :func:`headstart.classify.saved.load.load_model`.
    execution : Execution
        How to run; what is extracted is the model's.
    abstain : float, optional
        Share of images like the training images to label, over 0 and up to 1. None labels all.

    Attributes
    ----------
    model : Model or TunedModel
        As given.
    source : FeatureSource
        What is extracted, and the plan: batch size, workers.
    calls : int
        Calls of :meth:`label` that are worth making at once.
    notes : list of str
        What is worth telling about the engine.

    Raises
    ------
    ModelError
        If the backbone's weights here are not those of training, or the model cannot abstain.
    EngineError
        If the engine cannot run this backbone.
    OptionError
        If the share to label is out of range.
    """

    def __init__(
        self, model: SavedModel, execution: Execution, abstain: float | None = None
    ) -> None:
        self.model = model
        self._threshold = None if abstain is None else abstainer_of(model).threshold(abstain)
        self.source = source_of(model, execution)
        self._engine = self.source.engine()
        self.notes = list(self._engine.notes)
        # TensorFlow spreads one call over all cores, the others are one thread a call.
        self.calls = 1 if self._engine.name == "tensorflow" else self.source.plan.workers
        # Whatever is built at the first call is built now, in one thread.
        height, width = model.spec.input_size
        self.label(np.zeros((1, len(model.spec.views), height, width, 3), dtype=np.uint8))

    def decode(self, data: bytes) -> Images:
        """Return the views (V, height, width, 3), uint8, of one image file's bytes.

        Raises
        ------
        DecodeError
            If the bytes are not a whole image; the message is the reason.
        """
        spec = self.model.spec
        digest = hashlib.sha256(data).digest()
        limit = self.source.execution.max_pixels
        return decode_for(spec, data, digest, limit)

    def label(self, images: NDArray[np.uint8]) -> Labels:
        """Return the labels of images (n, V, height, width, 3), uint8, n at least 1."""
        n, views = images.shape[:2]
        features = self._engine(images.reshape(n * views, *images.shape[2:])).reshape(n, -1)
        if isinstance(self.model, Model):
            # What predict reads back from the cache was rounded when it was stored.
            features = features.astype(self.model.spec.storage).astype(np.float32)
        probabilities = self.model.predict_proba(features)
        abstained = np.zeros(n, dtype=bool)
        if self._threshold is not None:
            scores = abstainer_of(self.model).judge(features, probabilities)
            abstained = scores < self._threshold
        return Labels(probabilities, abstained)
