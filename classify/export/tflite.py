"""A TensorFlow Lite file: built-in operations alone, class names in its metadata."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ExportError, first_line
from ...extract.backbone.loading import load_tensorflow, stderr_held_back
from ...extract.decode.views import Pixels
from .graph import INPUT, OUTPUTS, Graph
from .parity import Runtime
from .saved_model import ABOUT, LABELS, SIGNATURE, labels_text
from .tflite_metadata import standard_metadata

ENTRY = "headstart"  # of our own JSON among the metadata; the standard's is below
STANDARD = "TFLITE_METADATA"

# What stays in float32 with int8: resizing counts in 2**-22, preprocessing and head are few
# numbers. Convolutions, and what stands between two of them, are rounded.
IN_FLOAT = [
    *("ABS", "ADD", "ADD_N", "BATCH_MATMUL", "CAST", "CONCATENATION", "DIV", "EXP", "FLOOR"),
    *("FLOOR_DIV", "FULLY_CONNECTED", "GATHER", "GELU", "GREATER", "HARD_SWISH", "IF", "LOG"),
    *("LOGISTIC", "LOG_SOFTMAX", "MAXIMUM", "MEAN", "MINIMUM", "MUL", "NEG", "POW"),
    *("REDUCE_MAX", "RESHAPE", "RSQRT", "SELECT_V2", "SIGN", "SOFTMAX", "SQRT", "SQUARE"),
    *("SQUARED_DIFFERENCE", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TOPK_V2", "TRANSPOSE"),
]


def make(graph: Graph, quantize: str | None, pixels: Sequence[Pixels]) -> bytes:
    """Return the flatbuffer from images to labels, without metadata.

    Parameters
    ----------
    graph : Graph
        From images to labels.
    quantize : str or None
        ``"dynamic"``: weights in int8, activations rounded as they come; ``"int8"``:
        convolutions in int8; None: float32.
    pixels : sequence of ndarray (height, width, 3), uint8
        Images to calibrate on, for ``"int8"``.

    Raises
    ------
    ExportError
        If TensorFlow Lite has no operation for something in the graph.
    """
    tf = load_tensorflow()
    module = tf.Module()
    module.weights, module.classify = graph.variables, graph.run
    with _quietly():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.concrete], module)
        if quantize is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        try:
            if quantize == "int8":
                return _in_8_bits(tf, converter, pixels)
            data: bytes = converter.convert()
        except Exception as error:  # the converter raises whatever it stumbles over
            raise ExportError(
                f"it cannot be converted to TensorFlow Lite: {first_line(error)}"
            ) from error
    return data


def _in_8_bits(tf: Any, converter: Any, pixels: Sequence[Pixels]) -> bytes:
    def images() -> Iterator[list[Pixels]]:
        for image in pixels:
            yield [image[None]]

    converter.representative_dataset = images
    # The one public way to leave operations in float32.
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=images,
        debug_options=tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=IN_FLOAT),
    )
    data: bytes = debugger.get_nondebug_quantized_model()
    return data


def annotate(path: Path, about: dict[str, Any]) -> None:
    """Name inputs and outputs, and write what the file says of itself.

    As https://ai.google.dev/edge/litert/conversion/tensorflow/metadata asks: a metadata buffer,
    and the files it speaks of in a zip behind the flatbuffer. A buffer of our own holds all of
    ``about`` as JSON; ``headstart.json`` in the zip holds it, too.
    """
    load_tensorflow()
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    _name_tensors(model)
    entries = {ENTRY: json.dumps(about).encode(), STANDARD: standard_metadata(about)}
    model.metadata = list(model.metadata or [])
    for name, content in entries.items():
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = bytearray(content)
        entry.name, entry.buffer = name, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(entry)
    files = io.BytesIO(flatbuffer_utils.convert_object_to_bytearray(model))
    with zipfile.ZipFile(files, "a") as zipped:  # behind what is there
        zipped.writestr(LABELS, labels_text(about["classes"]))
        zipped.writestr(ABOUT, json.dumps(about, indent=1))
    path.unlink()  # an interpreter that has it open has mapped it into memory
    path.write_bytes(files.getvalue())


def _name_tensors(model: Any) -> None:
    """Give inputs and outputs the interface's names, probabilities first."""
    signature, graph = model.signatureDefs[0], model.subgraphs[0]
    tensors = {
        entry.name.decode(): entry.tensorIndex for entry in [*signature.inputs, *signature.outputs]
    }
    for name, index in tensors.items():
        graph.tensors[index].name = name
    graph.outputs = [tensors[name] for name in OUTPUTS]


def read_about(path: Path) -> dict[str, Any]:
    """Return what :func:`annotate` wrote."""
    with zipfile.ZipFile(path) as zipped:
        about: dict[str, Any] = json.loads(zipped.read(ABOUT))
    return about


def open_artefact(path: Path) -> Runtime:
    """Load it as a program without headstart does.

    Raises
    ------
    ExportError
        If the interpreter is not installed.
    """
    try:
        with _quietly():
            from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ExportError(
            "the TensorFlow Lite file cannot be tried out without its interpreter: pip install "
            "'headstart[export]'"
        ) from error
    with _quietly():
        run = Interpreter(model_path=str(path)).get_signature_runner(SIGNATURE)
        run(**{INPUT: np.zeros((1, 8, 8, 3), np.uint8)})  # says which delegate it has chosen

    def classify(images: Any) -> tuple[Any, Any]:
        told = run(**{INPUT: images})
        return told[OUTPUTS[0]], told[OUTPUTS[1]]

    return classify


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep the converter's and the interpreter's remarks off the terminal."""
    with stderr_held_back(), warnings.catch_warnings():
        # TensorFlow's own use of what it has deprecated.
        warnings.simplefilter("ignore")
        yield
