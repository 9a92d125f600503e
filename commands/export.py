"""``headstart export``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .asking import asks
from .options import MACHINE, Json, Model, Quiet, TrustJoblib


@asks("export", MACHINE)
def export_classifier(
    model: Model,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file, or the folder of a SavedModel.")
    ],
    format: Annotated[
        str | None,
        typer.Option(
            help="onnx, tflite, saved-model, mediapipe (a TensorFlow Lite file for MediaPipe Tasks: "
            "images of one size) or keras (to train further: images of one size). Default: by the "
            "ending of OUT.",
        ),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(
            help="dynamic: weights in 8 bits; int8: convolutions in 8 bits, calibrated on the "
            "training split of --data. Default: float32."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="A dataset with the model's classes, to compare on, to measure accuracy on and "
            "to calibrate on. Default: probe images, no accuracy.",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Largest difference of a probability from headstart's; labels may then differ, "
            "too. Default: 0.0001, quantised 0.01, all labels equal."
        ),
    ] = None,
    *,
    trust_joblib: TrustJoblib = False,
    options: dict[str, Any],
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a saved classifier for ONNX Runtime, TensorFlow Lite, TensorFlow or Keras.

    Photographs of any size go in, labels come out; resizing, backbone and head are inside. The
    artefact is run on 64 images and written only if it answers as headstart does.

    Example: headstart export photographs.headstart photographs.onnx --data photographs/
    """
