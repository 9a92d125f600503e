"""A TensorFlow Lite file: built-in operations alone, class names in its metadata.

MediaPipe Tasks take one for images of one size, and probabilities alone.
"""

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
from numpy.typing import NDArray

from ...errors import ExportError, first_line
from ...extract.backbone.loading import load_tensorflow, stderr_held_back
from ...extract.decode.views import Pixels
from .about import ABOUT, LABELS, About, labels_text
from .artefact import Classify, Format, Runtime, Writing
from .graph import INPUT, OUTPUTS, Graph
from .saved_model import SIGNATURE

ENTRY = "headstart"  # of our own JSON among the metadata; the standard's is below
STANDARD = "TFLITE_METADATA"

# Of the metadata that TensorFlow Lite's own tools read. Its schema is
# https://github.com/google-ai-edge/LiteRT/blob/main/tflite/schema/metadata_schema.fbs (the package
# that generates its classes is not on PyPI for current Pythons).
IDENTIFIER = b"M001"
AXIS_LABELS = 2  # AssociatedFileType.TENSOR_AXIS_LABELS
INPUT_WORDS = "Photographs, uint8, (n, height, width, 3), RGB, upright, of any size."
OUTPUT_WORDS = {
    "probabilities": "float32, (n, classes), rows sum to 1; classes in the order of labels.txt.",
    "label_index": "int64, (n,), position of the highest probability.",
}

# What stays in float32 with int8: resizing counts in 2**-22, preprocessing and head are few
# numbers. Convolutions, and what stands between two of them, are rounded.
IN_FLOAT = [
    *("ABS", "ADD", "ADD_N", "BATCH_MATMUL", "CAST", "CONCATENATION", "DIV", "EXP", "FLOOR"),
    *("FLOOR_DIV", "FULLY_CONNECTED", "GATHER", "GELU", "GREATER", "HARD_SWISH", "LOG"),
    *("LOGISTIC", "LOG_SOFTMAX", "MAXIMUM", "MEAN", "MINIMUM", "MUL", "NEG", "POW"),
    *("REDUCE_MAX", "RESHAPE", "RSQRT", "SELECT_V2", "SIGN", "SOFTMAX", "SQRT", "SQUARE"),
    *("SQUARED_DIFFERENCE", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TOPK_V2", "TRANSPOSE"),
]


def write(writing: Writing, path: Path) -> int:
    """Write the file; return what it takes in float32, in bytes."""
    data = exact = make(writing.graph, None, ())
    if writing.quantize is not None:
        data = make(writing.graph, writing.quantize, writing.pixels)
    path.write_bytes(data)
    return len(exact)


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


def annotate(path: Path, about: About) -> None:
    """Name inputs and outputs, and write what the file says of itself.

    As https://ai.google.dev/edge/litert/conversion/tensorflow/metadata asks: a metadata buffer,
    and the files it speaks of in a zip behind the flatbuffer. A buffer of our own holds all of
    ``about`` as JSON; ``headstart.json`` in the zip holds it, too.
    """
    load_tensorflow()
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    outputs = _name_tensors(model)
    entries = {ENTRY: json.dumps(about).encode(), STANDARD: standard_metadata(about, outputs)}
    model.metadata = [entry for entry in model.metadata or [] if entry.name.decode() not in entries]
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


def standard_metadata(about: About, outputs: Sequence[str]) -> bytes:
    """Return a ``ModelMetadata`` flatbuffer: tensors in words, and which file has the labels."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)

    def table(*fields: int | None) -> int:
        """Write a table of offsets, in the schema's order."""
        builder.StartObject(len(fields))
        for position, offset in enumerate(fields):
            if offset is not None:
                builder.PrependUOffsetTRelativeSlot(position, offset, 0)
        written: int = builder.EndObject()
        return written

    def vector(offsets: list[int]) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        written: int = builder.EndVector()
        return written

    text = builder.CreateString

    def file(name: str, words: str, kind: int | None = None) -> int:
        named, described = text(name), text(words)
        builder.StartObject(3)
        builder.PrependUOffsetTRelativeSlot(0, named, 0)
        builder.PrependUOffsetTRelativeSlot(1, described, 0)
        if kind is not None:
            builder.PrependInt8Slot(2, kind, 0)
        written: int = builder.EndObject()
        return written

    def tensor(name: str, words: str, files: list[int]) -> int:
        attached = vector(files) if files else None
        return table(text(name), text(words), None, None, None, None, attached)

    labels = file(LABELS, "Class names, a line each.", AXIS_LABELS)
    inputs = vector([tensor(INPUT, INPUT_WORDS, [])])
    described = [
        tensor(name, OUTPUT_WORDS[name], [labels] * (name == OUTPUTS[0])) for name in outputs
    ]
    graph = table(text("image to label"), None, inputs, vector(described))
    whole = file(ABOUT, "Classes, abstention, feature spec and parity, as JSON.")
    words = f"{about['model']} on {about['spec']['backbone']}, by {about['created_by']}"
    root = table(
        text("headstart"),
        text(json.dumps(words)[1:-1]),
        text(str(about["version"])),
        vector([graph]),
        None,
        None,
        vector([whole]),
    )
    builder.Finish(root, file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _name_tensors(model: Any) -> list[str]:
    """Give inputs and outputs the interface's names, probabilities first; return the outputs'."""
    signature, graph = model.signatureDefs[0], model.subgraphs[0]
    tensors = {
        entry.name.decode(): entry.tensorIndex for entry in [*signature.inputs, *signature.outputs]
    }
    for name, index in tensors.items():
        graph.tensors[index].name = name
    outputs = [name for name in OUTPUTS if name in tensors]
    graph.outputs = [tensors[name] for name in outputs]
    return outputs


def read_about(path: Path) -> About:
    """Return what :func:`annotate` wrote."""
    with zipfile.ZipFile(path) as zipped:
        about: About = json.loads(zipped.read(ABOUT))
    return about


def open_in_litert(path: Path) -> Classify:
    """Load it as a program without headstart does."""
    with _quietly():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path))
        run = interpreter.get_signature_runner(SIGNATURE)
        _, *size, channels = interpreter.get_input_details()[0]["shape"]
        size = size if min(size) > 1 else [8, 8]  # where any will do
        run(**{INPUT: np.zeros((1, *size, channels), np.uint8)})  # says which delegate it chose

    def classify(images: Any) -> tuple[Any, Any]:
        answers = run(**{INPUT: images})
        probabilities = answers[OUTPUTS[0]]
        return probabilities, answers.get(OUTPUTS[1], probabilities.argmax(axis=1))

    return classify


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


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep the converter's and the interpreter's remarks off the terminal."""
    with stderr_held_back(), warnings.catch_warnings():
        # TensorFlow's own use of what it has deprecated.
        warnings.simplefilter("ignore")
        yield


RUNTIME = Runtime("TensorFlow Lite", "ai-edge-litert", open_in_litert)
FORMAT = Format("tflite", ".tflite", write, annotate, read_about, (RUNTIME,))
TASKS = Format(
    "mediapipe",
    None,
    write,
    annotate,
    read_about,
    (RUNTIME, Runtime("MediaPipe Tasks", "mediapipe", open_in_tasks)),
    fixed=True,
)
