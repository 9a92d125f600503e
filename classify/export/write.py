"""Write a classifier for another runtime, and make sure that it answers there as it does here."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from ...errors import ExportError
from ...extract.decode.views import Pixels
from ...extract.recipe import Execution
from ...progress import stage
from ...storage import replacing, temporary_name
from ..predict.model_source import source_of
from ..saved.card import add_export
from ..saved.load import SavedModel
from .about import AccuracyDocument, ConfidenceRule, ParityDocument, TrialDocument, describe
from .artefact import Classify, Format, Writing, runtimes_of, size_of
from .formats import check_place, check_request, find_format
from .graph import build_graph
from .parity import (
    Probabilities,
    Trial,
    compare,
    measure_accuracy,
    our_answers,
    tolerance_for,
)
from .photographs import Photographs, find_photographs, probe_pixels, to_compare

PREPROCESS = "preprocess.py"


class ExportDocument(TypedDict):
    """The contract of ``headstart export --json``.

    ``accuracy`` is None without a dataset, ``preprocess`` where a file of that name, which is
    not ours, was left as it was, and ``card`` where there is none to note the export in.
    """

    version: int
    path: str
    format: str
    bytes: int
    float32_bytes: int
    model: str
    quantize: str | None
    classes: list[str]
    abstention: ConfidenceRule | None
    spec_id: str
    parity: ParityDocument
    runtimes: list[TrialDocument]
    accuracy: AccuracyDocument | None
    preprocess: str | None
    card: str | None


@dataclass(frozen=True)
class ExportRun:
    """What ``export`` gives: the contract, and what is worth telling."""

    record: ExportDocument
    warnings: list[str]


def export_model(
    model: SavedModel,
    out: Path,
    execution: Execution,
    *,
    form: str | None = None,
    quantize: str | None = None,
    data: str | os.PathLike[str] | None = None,
    tolerance: float | None = None,
    card: Path | None = None,
) -> ExportRun:
    """Write one artefact from image to label: ONNX, TensorFlow Lite, SavedModel, Keras.

    Its input is ``images``, uint8, (n, height, width, 3), RGB, of any size; its outputs are
    ``probabilities``, float32, (n, k), and ``label_index``, int64, (n,). It is run on 64 images
    in each of its runtimes that is installed, and nothing is left at ``out`` if it answers
    otherwise than the model.

    Parameters
    ----------
    model : Model or TunedModel
        From :func:`headstart.classify.saved.load.load_model`.
    out : Path
        The file, or the folder of a SavedModel; replaced when it is one.
    execution : Execution
        Where the cache is and how to run the comparison.
    form : str, optional
        A row of :data:`~headstart.classify.export.formats.FORMATS`; by the ending of ``out``
        when None.
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
    check_request(model, row, quantize, data, tolerance)
    check_place(out, row)
    # Every call of the comparison shares one engine.
    source = source_of(model, execution).keeping_engine()
    photographs = (
        None
        if data is None
        else find_photographs(data, model.classes, execution.max_pixels, source.spec.bit_depth)
    )
    calibration = photographs.to_calibrate() if photographs and quantize == "int8" else []
    stage(f"writing {row.name}")
    graph = build_graph(model, source.weights, fixed=row.fixed)
    about = describe(model, quantize)
    ours = functools.partial(our_answers, model, source)
    with _in_place_of(out) as temporary:
        exact = row.write(Writing(model, graph, quantize, calibration, about), temporary)
        row.annotate(temporary, about)
        wanted = tolerance_for(model, quantize) if tolerance is None else tolerance
        row = replace(row, runtimes=runtimes_of(row, graph))
        trials = _try_out(row, temporary, model, photographs, ours, wanted)
        for trial in trials:
            trial.check(labels=tolerance is None)
        classify = row.open(temporary, model.spec)
        accuracy = None if photographs is None else measure_accuracy(photographs, ours, classify)
        figures = _figures(trials, accuracy)
        row.annotate(temporary, {**about, **figures})
        _check_unchanged(classify, row.open(temporary, model.spec))
        size = size_of(temporary)
    beside, kept_out = write_preprocess(out.parent / PREPROCESS)
    record: ExportDocument = {
        "version": 1,
        "path": str(out),
        "format": row.name,
        "bytes": size,
        "float32_bytes": exact,
        "model": about["model"],
        "quantize": quantize,
        "classes": about["classes"],
        "abstention": about["abstention"],
        "spec_id": about["spec_id"],
        **figures,
        "preprocess": beside,
        "card": str(card) if card is not None and card.is_file() else None,
    }
    if record["card"] is not None:
        add_export(Path(record["card"]), card_entry(record))
    return ExportRun(record, [*_warnings(trials, quantize), *kept_out])


class _Figures(TypedDict):
    parity: ParityDocument
    runtimes: list[TrialDocument]
    accuracy: AccuracyDocument | None


def _try_out(
    row: Format,
    path: Path,
    model: SavedModel,
    photographs: Photographs | None,
    ours: Callable[[Sequence[Pixels]], Probabilities],
    tolerance: float,
) -> list[Trial]:
    """Run an artefact in each of its runtimes."""
    stage("comparing")
    pixels, of = to_compare(photographs)
    expected = ours(pixels)
    return [
        compare(row.open(path, model.spec, runtime), runtime, pixels, expected, of, tolerance)
        for runtime in row.runtimes
    ]


def _figures(trials: list[Trial], accuracy: AccuracyDocument | None) -> _Figures:
    first = trials[0]
    return {
        "parity": {
            "images": first.images,
            "of": first.of,
            "labels_equal": first.labels_equal,
            "difference": first.difference,
            "tolerance": first.tolerance,
        },
        "runtimes": [
            {
                "name": trial.runtime.name,
                "version": trial.runtime.version,
                "labels_equal": trial.labels_equal,
                "difference": trial.difference,
            }
            for trial in trials
        ],
        "accuracy": accuracy,
    }


def card_entry(record: ExportDocument) -> dict[str, Any]:
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


def _check_unchanged(before: Classify, after: Classify) -> None:
    """Make sure that naming things has changed no answer."""
    image = probe_pixels()[0]
    named, unnamed = (classify(image[None])[0] for classify in (before, after))
    if not np.allclose(named, unnamed, atol=1e-6):
        raise ExportError("the artefact answers otherwise with its metadata: nothing is written")


def write_preprocess(path: Path) -> tuple[str | None, list[str]]:
    """Write the function that reads photographs; return where, and a warning if it was not."""
    source = resources.files(__package__).joinpath(PREPROCESS)
    text = source.read_text(encoding="utf-8")
    ours = text.partition("\n")[0]
    try:
        if path.exists() and not path.read_bytes().startswith(ours.encode()):
            return None, [f"{path} is not of headstart's making and stays as it is"]
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from error
    return str(path), []


def _warnings(trials: list[Trial], quantize: str | None) -> list[str]:
    cost = f": what --quantize {quantize} costs" if quantize else ""
    return [
        f"in {trial.runtime} {trial.images - trial.labels_equal} of {trial.images} images have "
        f"another label than headstart gives them{cost}"
        for trial in trials
        if trial.labels_equal < trial.images
    ]
