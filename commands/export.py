"""``headstart export``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import MACHINE, Json, Quiet, TrustJoblib, takes

if TYPE_CHECKING:
    from ..classify.export.write import ExportDocument
    from ..extract.recipe import Execution


@takes(MACHINE)
def export_classifier(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="What 'fit head --out' or 'fit finetune --out' wrote."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file, or the folder of a SavedModel.")
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="onnx, tflite, saved-model or mediapipe (a TensorFlow Lite file for MediaPipe "
            "Tasks: images of one size). Default: by the ending of OUT.",
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
    weights: str | None,
    execution: "Execution",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a saved classifier for ONNX Runtime, TensorFlow Lite or TensorFlow.

    Photographs of any size go in, labels come out; resizing, backbone and head are inside. The
    artefact is run on 64 images and written only if it answers as headstart does.

    Example: headstart export photographs.headstart photographs.onnx --data photographs/
    """
    from ..classify.export.write import export_model
    from ..classify.saved.card import card_paths
    from ..classify.saved.load import load_model
    from ..console import print_json, stages, warn

    classifier = load_model(model, weights=weights, trust_joblib=trust_joblib)
    with stages(quiet=quiet):
        run = export_model(
            classifier,
            out,
            execution,
            form=form,
            quantize=quantize,
            data=data,
            tolerance=tolerance,
            card=card_paths(model)[1],
        )
    if as_json:
        print_json(run.record)
    else:
        _print(run.record)
    if not quiet:
        for line in run.warnings:
            warn(line)


def _print(record: "ExportDocument") -> None:
    from ..console import interval, say, size

    smaller = f" ({size(record['float32_bytes'])} in float32)" if record["quantize"] else ""
    say(f"{record['path']}: {record['format']}, {size(record['bytes'])}{smaller}")
    parity = record["parity"]
    for trial in record["runtimes"]:
        say(
            f"{trial['labels_equal']} of {parity['images']} labels as headstart's, probabilities "
            f"within {trial['difference']:.2g} ({parity['of']}, {trial['name']} {trial['version']})"
        )
    accuracy = record["accuracy"]
    if accuracy is not None:
        say(
            f"accuracy {100 * accuracy['accuracy']:.1f} % on {accuracy['n']:,} images of the "
            f"{accuracy['split']} split (95 % interval {interval(accuracy['ci95'])}), headstart's "
            f"{100 * accuracy['headstart']:.1f} %: {100 * accuracy['lost']:.1f} points lost "
            f"(95 % interval {100 * accuracy['lost_ci95'][0]:.1f} to "
            f"{100 * accuracy['lost_ci95'][1]:.1f})"
        )
    if record["preprocess"] is not None:
        say(f"{record['preprocess']} reads photographs for it as headstart does")
    if record["card"] is not None:
        say(f"noted in the model card {record['card']}")
    if record["abstention"] is not None:
        rule = record["abstention"]
        say(
            f"abstention: {100 * rule['coverage']:.0f} % of the training images have a highest "
            f"probability of at least {rule['threshold']:.3f}"
        )
