"""Write a classifier for another runtime, and make sure that it answers there as it does here."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ExportError, OptionError, unknown
from ...extract.source import FeatureOptions
from ...progress import stage
from ...storage import replacing, temporary_name
from ..predict.predict import source_of
from ..saved.card import add_export
from ..saved.head_model import Model
from ..saved.network_model import TunedModel
from .about import describe
from .accuracy import measure_accuracy
from .formats import FORMATS, QUANTIZATIONS, Format, Writing, find_format, size_of
from .graph import build_graph
from .heads import is_native
from .parity import Runtime, compare, our_answers, parity_record, tolerance_for
from .photographs import find_photographs, to_compare


@dataclass(frozen=True)
class ExportRun:
    """What ``export`` gives.

    Parameters
    ----------
    record : dict
        The contract: ``path``, ``format``, ``quantize``, ``bytes``, ``float32_bytes``, ``model``,
        ``classes``, ``parity``, ``accuracy`` (None without a dataset), ``abstention``, ``spec_id``,
        ``card`` (where it was noted, or None).
    warnings : list of str
        What is worth telling.
    """

    record: dict[str, Any]
    warnings: list[str]


def export_model(
    model: Model | TunedModel,
    out: Path,
    options: FeatureOptions,
    *,
    form: str | None = None,
    quantize: str | None = None,
    data: str | os.PathLike[str] | None = None,
    tolerance: float | None = None,
    card: Path | None = None,
) -> ExportRun:
    """Write one artefact from image to label: ONNX, TensorFlow Lite or SavedModel.

    Its input is ``images``, uint8, (n, height, width, 3), RGB, of any size; its outputs are
    ``probabilities``, float32, (n, k), and ``label_index``, int64, (n,). It is run on 64 images,
    and nothing is left at ``out`` if it answers otherwise than the model.

    Parameters
    ----------
    model : Model or TunedModel
        From :func:`headstart.classify.saved.load.load_model`.
    out : Path
        The file, or the folder of a SavedModel; replaced when it is one.
    options : FeatureOptions
        Where the cache is and how to run the comparison.
    form : str, optional
        ``"onnx"``, ``"tflite"`` or ``"saved-model"``; by the ending of ``out`` when None.
    quantize : str, optional
        ``"dynamic"``, or ``"int8"``, which calibrates on the dataset's training split.
    data : path or URL, optional
        A dataset with the model's classes: to calibrate on, to compare on, and to measure
        accuracy on its evaluation split.
    tolerance : float, optional
        Largest difference of a probability, 0 to 1, that is allowed; labels may then differ,
        too. When None: 1e-4, or 1e-2 for what is quantised, with equal labels.
    card : Path, optional
        JSON of the model's card; the export is noted there, if it exists.

    Raises
    ------
    ExportError
        If the model has no counterpart in the format, the artefact answers otherwise, or it
        cannot be written.
    OptionError
        If format or quantisation are unknown, or do not go together.
    """
    row = find_format(form, out)
    _check(model, row, quantize, data, tolerance)
    _check_place(out, row)
    source = source_of(model, options)
    photographs = (
        None if data is None else find_photographs(data, model.classes, options.max_pixels)
    )
    calibration = photographs.to_calibrate() if photographs and quantize == "int8" else []
    stage(f"writing {row.name}")
    graph = build_graph(model, source.weights)
    about = describe(model, quantize)
    # Every call of the comparison shares one engine.
    once = functools.cache(source.options.make_engine)
    source = replace(source, options=replace(source.options, make_engine=once))
    ours = functools.partial(our_answers, model, source)
    with _in_place_of(out) as temporary:
        exact = row.write(Writing(model, graph, quantize, calibration, about), temporary)
        runtime = row.open_artefact(temporary)
        stage("comparing")
        pixels, of = to_compare(photographs)
        allowed = tolerance_for(model, quantize) if tolerance is None else tolerance
        parity = compare(runtime, pixels, ours(pixels), of, allowed)
        parity.check(labels=tolerance is None)
        about["parity"] = parity_record(parity)
        about["accuracy"] = None
        if photographs is not None:
            about["accuracy"] = measure_accuracy(photographs, ours, runtime)
        row.annotate(temporary, about)
        _check_unchanged(runtime, row.open_artefact(temporary), pixels[0])
        size = size_of(temporary)
    kept = ("model", "quantize", "classes", "abstention", "spec_id", "parity", "accuracy")
    record = {
        "path": str(out),
        "format": row.name,
        "bytes": size,
        "float32_bytes": exact,
        **{key: about[key] for key in kept},
    }
    noted = card is not None and card.is_file()
    if card is not None and noted:
        add_export(card, card_entry(record))
    record["card"] = str(card) if noted else None
    return ExportRun(record, _warnings(parity.labels_equal, parity.images, quantize))


def card_entry(record: dict[str, Any]) -> dict[str, Any]:
    """Return what :func:`headstart.classify.saved.card.add_export` takes of an export's record."""
    parity, accuracy = record["parity"], record["accuracy"]
    measured = (
        {}
        if accuracy is None
        else {"accuracy": accuracy["accuracy"], "accuracy_lost": accuracy["lost"]}
    )
    return {
        "format": record["format"],
        "file": Path(record["path"]).name,
        "bytes": record["bytes"],
        "quantize": record["quantize"],
        "parity": {
            "images": parity["images"],
            "labels_equal": parity["labels_equal"] == parity["images"],
            "largest": parity["difference"],
            "tolerance": parity["tolerance"],
        },
        **measured,
    }


def _check(
    model: Model | TunedModel,
    row: Format,
    quantize: str | None,
    data: str | os.PathLike[str] | None,
    tolerance: float | None,
) -> None:
    """Refuse by name what cannot work, before anything is computed."""
    if quantize is not None and quantize not in QUANTIZATIONS:
        raise unknown("quantisation", quantize, list(QUANTIZATIONS))
    if tolerance is not None and not 0 < tolerance <= 1:
        raise OptionError(f"--tolerance is a difference of probabilities, over 0 to 1: {tolerance}")
    if quantize is not None and not row.quantizes:
        able = " or ".join(name for name, one in FORMATS.items() if one.quantizes)
        raise OptionError(f"--quantize does not work with --format {row.name}: take {able}")
    if quantize == "int8" and data is None:
        raise OptionError(
            "--quantize int8 measures the ranges of activations on training images: name the "
            "dataset with --data, or take --quantize dynamic, which needs none"
        )
    if isinstance(model, Model) and not is_native(model.estimator) and not row.trees:
        able = ", ".join(name for name, one in FORMATS.items() if one.trees)
        raise ExportError(
            f"a {model.name} head has no counterpart in {row.name}: take --format {able}, or "
            "train another head"
        )
    if row.needs is not None and importlib.util.find_spec(row.needs) is None:
        raise ExportError(
            f"--format {row.name} is tried out with {row.needs}, which is not installed: "
            "pip install 'headstart[export]'"
        )


def _check_place(out: Path, row: Format) -> None:
    """Refuse to replace what no export has made."""
    folder = row.ending == ""
    if out.is_dir() and not (
        folder and ((out / "saved_model.pb").is_file() or not any(out.iterdir()))
    ):
        raise ExportError(f"{out} is a folder, and no SavedModel: name another place")
    if folder and out.exists() and not out.is_dir():
        raise ExportError(f"{out} is a file: a SavedModel is a folder, name another place")


@contextlib.contextmanager
def _in_place_of(out: Path) -> Iterator[Path]:
    """Give a temporary path beside ``out``, which takes its place if the block succeeds."""
    old = out.with_name(temporary_name())
    try:
        with replacing(out) as temporary:
            yield temporary
            if out.is_dir():
                os.replace(out, old)  # a folder that holds something is in rename's way
    except OSError as error:
        raise ExportError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _check_unchanged(before: Runtime, after: Runtime, pixels: Any) -> None:
    """Make sure that naming things has changed no answer."""
    one, other = (run(pixels[None])[0] for run in (before, after))
    if not np.allclose(one, other, atol=1e-6):
        raise ExportError("the artefact answers otherwise with its metadata: nothing is written")


def _warnings(equal: int, images: int, quantize: str | None) -> list[str]:
    if equal == images:
        return []
    return [
        f"{images - equal} of {images} images have another label than headstart gives them"
        + (f": what --quantize {quantize} costs" if quantize else "")
    ]
