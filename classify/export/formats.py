"""The table of formats: a module each, and a row here; and what each refuses by name."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import ExportError, OptionError, unknown
from ..saved.head_model import Model
from ..saved.load import SavedModel
from . import keras, onnx, saved_model, tflite
from .artefact import Format
from .heads import is_native

QUANTIZATIONS = ("dynamic", "int8")
FORMATS = {
    row.name: row
    for row in (onnx.FORMAT, tflite.FORMAT, saved_model.FORMAT, tflite.TASKS, keras.FORMAT)
}


def find_format(name: str | None, out: Path) -> Format:
    """Return the row of this name, or of the file's ending when None.

    Raises
    ------
    OptionError
        If there is none; the message lists the valid names.

    Examples
    --------
    >>> find_format(None, Path("monkeys.onnx")).name
    'onnx'
    """
    if name is None:
        rows = [row for row in FORMATS.values() if row.ending and row.ending == out.suffix]
        if not rows:
            endings = [row.ending for row in FORMATS.values() if row.ending]
            folders = [row.name for row in FORMATS.values() if row.ending == ""]
            raise OptionError(
                f"{out} ends in neither {' nor '.join(endings)}: name the format with --format "
                f"{'|'.join(FORMATS)}; a folder is --format {' or '.join(folders)}"
            )
        return rows[0]
    if name not in FORMATS:
        raise unknown("format", name, list(FORMATS))
    return FORMATS[name]


def check_request(
    model: SavedModel,
    row: Format,
    quantize: str | None,
    data: str | os.PathLike[str] | None,
    tolerance: float | None,
) -> None:
    """Refuse what cannot work.

    Raises
    ------
    ExportError
        If the model has no counterpart in the format, or what it is tried in is not installed.
    OptionError
        If options are unknown or do not go together.
    """
    if quantize is not None and quantize not in QUANTIZATIONS:
        raise unknown("quantisation", quantize, list(QUANTIZATIONS))
    if tolerance is not None and not 0 < tolerance <= 1:
        raise OptionError(f"--tolerance is a difference of probabilities, over 0 to 1: {tolerance}")
    if quantize is not None and not row.quantizes:
        able = " or ".join(other.name for other in FORMATS.values() if other.quantizes)
        raise OptionError(f"--quantize does not work with --format {row.name}: take {able}")
    if quantize == "int8" and data is None:
        raise OptionError(
            "--quantize int8 measures the ranges of activations on training images: name the "
            "dataset with --data, or take --quantize dynamic, which needs none"
        )
    if isinstance(model, Model) and not is_native(model.estimator) and not row.trees:
        able = ", ".join(other.name for other in FORMATS.values() if other.trees)
        raise ExportError(
            f"a {model.name} head has no counterpart in {row.name}: take --format {able}, or "
            "train another head"
        )
    if model.spec.precision == "int8" and (row is not onnx.FORMAT or quantize is not None):
        raise ExportError(
            "the network of this model is in 8 bits already, which ONNX alone holds as it is: take "
            "--format onnx without --quantize"
        )
    runtime = row.runtimes[0]
    if not runtime.installed:
        raise ExportError(
            f"--format {row.name} is tried out with {runtime.package}, which is not installed: "
            "pip install 'headstart[export]'"
        )


def check_place(out: Path, row: Format) -> None:
    """Refuse to replace what no export has made.

    Raises
    ------
    ExportError
        If something else is there.
    """
    folder = row.ending == ""
    if out.is_dir() and not (
        folder and ((out / "saved_model.pb").is_file() or not any(out.iterdir()))
    ):
        raise ExportError(f"{out} is a folder, and no SavedModel: name another place")
    if folder and out.exists() and not out.is_dir():
        raise ExportError(f"{out} is a file: a SavedModel is a folder, name another place")
