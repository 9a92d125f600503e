"""``headstart.export``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from ..classify.export.about import AccuracyDocument
from ..classify.export.write import ExportDocument, ExportRun, export_model
from ..classify.predict.classifier import Classifier
from ..classify.saved.card import card_paths
from ..classify.statistics.metrics import METRICS
from ..text import size
from .data import open_model
from .options import ModelOptions, Place, execution_of
from .result import Block, Result


@dataclass(frozen=True, repr=False)
class Exported(Result):
    """What was written, and how closely it answers as headstart does."""

    run: ExportRun

    @property
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each."""
        return self.run.warnings

    def to_dict(self) -> ExportDocument:
        """Return the contract of ``export --json``."""
        return self.run.record

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the runtimes that it was run in."""
        record = self.run.record
        what = {key: record[key] for key in ("path", "format", "bytes")}
        return [{**what, **trial} for trial in record["runtimes"]]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        record = self.run.record
        whole = f" ({size(record['float32_bytes'])} in float32)" if record["quantize"] else ""
        yield f"{record['path']}: {record['format']}, {size(record['bytes'])}{whole}"
        parity = record["parity"]
        for trial in record["runtimes"]:
            yield (
                f"{trial['labels_equal']} of {parity['images']} labels as headstart's, "
                f"probabilities within {trial['difference']:.2g} ({parity['of']}, {trial['name']} "
                f"{trial['version']})"
            )
        if record["accuracy"] is not None:
            yield _accuracy(record["accuracy"])
        if record["preprocess"] is not None:
            yield f"{record['preprocess']} reads photographs for it as headstart does"
        if record["card"] is not None:
            yield f"noted in the model card {record['card']}"
        if record["abstention"] is not None:
            rule = record["abstention"]
            yield (
                f"abstention: {100 * rule['coverage']:.0f} % of the training images have a highest "
                f"probability of at least {rule['threshold']:.3f}"
            )


def _accuracy(accuracy: AccuracyDocument) -> str:
    low, high = (100 * bound for bound in accuracy["lost_ci95"])
    return (
        f"accuracy {100 * accuracy['accuracy']:.1f} % on {accuracy['n']:,} images of the "
        f"{accuracy['split']} split (95 % interval {METRICS['accuracy'].range(accuracy['ci95'])}), "
        f"headstart's {100 * accuracy['headstart']:.1f} %: {100 * accuracy['lost']:.1f} points "
        f"lost (95 % interval {low:.1f} to {high:.1f})"
    )


def export(
    model: Place | Classifier,
    out: Place,
    *,
    format: str | None = None,
    quantize: str | None = None,
    data: Place | None = None,
    tolerance: float | None = None,
    trust_joblib: bool = False,
    **options: Unpack[ModelOptions],
) -> Exported:
    """Write a saved classifier for ONNX Runtime, TensorFlow Lite, TensorFlow or Keras.

    The artefact is run on 64 images and written only if it answers as headstart does.

    Parameters
    ----------
    model, trust_joblib, **options
        As those of :func:`headstart.evaluate`.
    out : path
        The file, or the folder of a SavedModel.
    format : str, optional
        ``"onnx"``, ``"tflite"``, ``"saved-model"``, ``"mediapipe"`` or ``"keras"``; by the ending
        when None.
    quantize : str, optional
        ``"dynamic"`` or ``"int8"``, which needs ``data``.
    data : path or URL, optional
        A dataset with the model's classes: to compare, to measure and to calibrate on.
    tolerance : float, optional
        Largest difference of a probability; see
        :func:`headstart.classify.export.write.export_model`.

    Returns
    -------
    Exported
        Prints what was written and how closely it answers.

    Raises
    ------
    ExportError
        If the model has no counterpart in the format, or the artefact answers otherwise.
    ModelError
        If the model cannot be used here.
    OptionError
        If a name or value is unknown.

    Examples
    --------
    >>> import headstart
    >>> headstart.export(
    ...     "photographs.headstart", "photographs.gguf"
    ... )  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ...
    headstart.errors.OptionError: unknown format '.gguf'
    """
    card = None if isinstance(model, Classifier) else card_paths(Path(model))[1]
    run = export_model(
        open_model(model, options.get("weights"), trust_joblib=trust_joblib),
        Path(out),
        execution_of(options),
        form=format,
        quantize=quantize,
        data=data,
        tolerance=tolerance,
        card=card,
    )
    return Exported(run)
