"""The metadata buffer that TensorFlow Lite's own tools read.

The schema is that of
https://github.com/google-ai-edge/LiteRT/blob/main/tflite/schema/metadata_schema.fbs (the package
that generates its classes is not on PyPI for current Pythons). The numbers below are the fields'
positions in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from .about import ABOUT, LABELS, About
from .graph import INPUT, OUTPUTS

IDENTIFIER = b"M001"
AXIS_LABELS = 2  # AssociatedFileType.TENSOR_AXIS_LABELS
INPUT_WORDS = "Photographs, uint8, (n, height, width, 3), RGB, upright, of any size."
OUTPUT_WORDS = {
    "probabilities": "float32, (n, classes), rows sum to 1; classes in the order of labels.txt.",
    "label_index": "int64, (n,), position of the highest probability.",
}


def standard_metadata(about: About, outputs: Sequence[str]) -> bytes:
    """Return a ``ModelMetadata`` flatbuffer: tensors in words, and which file has the labels.

    Parameters
    ----------
    about : dict
        See :func:`headstart.classify.export.about.describe`.
    outputs : sequence of str
        Those that the graph has.
    """
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
