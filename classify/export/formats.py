"""The table of formats: who writes them, who reads them, what they can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import OptionError, unknown
from ...extract.decode.views import Pixels
from . import onnx, saved_model, tflite
from .graph import Graph
from .onnx_quantize import in_8_bits, weights_in_8_bits
from .parity import Runtime

QUANTIZATIONS = ("dynamic", "int8")


@dataclass(frozen=True, slots=True)
class Writing:
    """What is to be written.

    Parameters
    ----------
    model : Model or TunedModel
        The classifier.
    graph : Graph
        Of it.
    quantize : str or None
        ``"dynamic"``, ``"int8"`` or None.
    pixels : sequence of ndarray (height, width, 3), uint8
        Images to calibrate on, for ``"int8"``.
    about : dict
        See :func:`headstart.classify.export.about.describe`.
    """

    model: Any
    graph: Graph
    quantize: str | None
    pixels: Sequence[Pixels]
    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table.

    Parameters
    ----------
    name : str
        What ``--format`` takes.
    ending : str
        Of files that are in it.
    write : callable
        Writing and path to the bytes that it takes in float32.
    annotate : callable
        Path and ``about``: says in the artefact what it is.
    open_artefact : callable
        Path to :data:`~headstart.classify.export.parity.Runtime`.
    read_about : callable
        Path to what ``annotate`` wrote.
    needs : str or None
        Module of the ``export`` extra without which it cannot be tried out.
    trees : bool
        Whether it can hold trees.
    quantizes : bool
        Whether ``--quantize`` works.
    """

    name: str
    ending: str
    write: Callable[[Writing, Path], int]
    annotate: Callable[[Path, dict[str, Any]], None]
    open_artefact: Callable[[Path], Runtime]
    read_about: Callable[[Path], dict[str, Any]]
    needs: str | None = None
    trees: bool = False
    quantizes: bool = True


def _write_onnx(writing: Writing, path: Path) -> int:
    model = onnx.make(writing.graph, writing.model)
    exact = len(model.SerializeToString())
    if writing.quantize == "dynamic":
        model = weights_in_8_bits(model)
    elif writing.quantize == "int8":
        model = in_8_bits(model, writing.pixels)
    path.write_bytes(model.SerializeToString())
    return exact


def _write_tflite(writing: Writing, path: Path) -> int:
    data = exact = tflite.make(writing.graph, None, ())
    if writing.quantize is not None:
        data = tflite.make(writing.graph, writing.quantize, writing.pixels)
    path.write_bytes(data)
    return len(exact)


def _write_saved_model(writing: Writing, path: Path) -> int:
    saved_model.write(writing.graph, writing.about, path)
    return size_of(path)


FORMATS = {
    row.name: row
    for row in (
        Format(
            "onnx",
            ".onnx",
            _write_onnx,
            onnx.annotate,
            onnx.open_artefact,
            onnx.read_about,
            trees=True,
        ),
        Format(
            "tflite",
            ".tflite",
            _write_tflite,
            tflite.annotate,
            tflite.open_artefact,
            tflite.read_about,
            needs="ai_edge_litert",
        ),
        Format(
            "saved-model",
            "",
            _write_saved_model,
            saved_model.annotate,
            saved_model.open_artefact,
            saved_model.read_about,
            quantizes=False,
        ),
    )
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
            raise OptionError(
                f"{out} ends in neither .onnx nor .tflite: name --format {'|'.join(FORMATS)}"
            )
        return rows[0]
    if name not in FORMATS:
        raise unknown("format", name, list(FORMATS))
    return FORMATS[name]


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size
