"""A TensorFlow Lite file for MediaPipe Tasks: images of one size, probabilities alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...extract.backbone.loading import stderr_held_back
from ...extract.decode.views import Pixels
from .artefact import Classify, Format, Runtime
from .tflite import annotate, open_in_litert, read_about, write


def open_in_tasks(path: Path) -> Classify:
    """Load it as a program without headstart does, into an ``ImageClassifier``."""
    import mediapipe
    from mediapipe.tasks import python as tasks

    options = tasks.vision.ImageClassifierOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(path))
    )

    def classify(images: Pixels) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        (pixels,) = images
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
        with (
            stderr_held_back(),  # it says which delegate it chose
            tasks.vision.ImageClassifier.create_from_options(options) as classifier,
        ):
            categories = classifier.classify(image).classifications[0].categories
        probabilities = np.zeros((1, len(categories)), np.float32)
        for category in categories:
            probabilities[0, category.index] = category.score
        return probabilities, np.array([categories[0].index])

    return classify


FORMAT = Format(
    "mediapipe",
    None,
    write,
    annotate,
    read_about,
    (
        Runtime("TensorFlow Lite", "ai-edge-litert", open_in_litert),
        Runtime("MediaPipe Tasks", "mediapipe", open_in_tasks),
    ),
    fixed=True,
)
