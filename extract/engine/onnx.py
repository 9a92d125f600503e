"""TensorFlow's functions as ONNX models."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np

from ...errors import EngineError, first_line

OPSET = 17  # what tf2onnx recommends and every ONNX Runtime since 1.12 runs


def to_onnx(run: Any, name: str) -> Any:
    """Convert a ``tf.function`` with an input signature to an ONNX model, its variables folded in.

    Parameters
    ----------
    run : tf.function
        With an input signature.
    name : str
        What it computes, for the message.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    EngineError
        If tf2onnx cannot convert it.
    """
    with warnings.catch_warnings():  # of the converter's own dependencies
        warnings.simplefilter("ignore")
        try:
            import tf2onnx
        except ImportError as error:
            raise EngineError(f"{name} is exported by tf2onnx: pip install tf2onnx") from error
        logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what fails is raised too
        try:
            model, _ = tf2onnx.convert.from_function(
                run, input_signature=run.input_signature, opset=OPSET
            )
        except Exception as error:  # the converter raises whatever it stumbles over
            raise EngineError(f"{name} cannot be exported to ONNX ({first_line(error)})") from error
        _bind_constants(model.graph, run.get_concrete_function())
        _replace_erfc(model.graph)
    return model


def add_metadata(model: Any, entries: dict[str, str]) -> None:
    """Add entries to the metadata of an ONNX model."""
    for key, value in entries.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value


def _replace_erfc(graph: Any) -> None:
    """Write erfc, which TensorFlow's GELU takes and ONNX lacks, as 1 - erf."""
    from onnx import helper, numpy_helper

    nodes = list(graph.node)
    if not any(node.op_type == "Erfc" for node in nodes):
        return
    graph.initializer.append(numpy_helper.from_array(np.asarray(1, np.float32), "one_less_erf"))
    del graph.node[:]
    for node in nodes:
        if node.op_type != "Erfc":
            graph.node.append(node)
            continue
        erf = f"{node.output[0]}/erf"
        graph.node.append(helper.make_node("Erf", list(node.input), [erf]))
        graph.node.append(helper.make_node("Sub", ["one_less_erf", erf], list(node.output)))


def _bind_constants(graph: Any, function: Any) -> None:
    """Put constants that Keras keeps outside the graph (VGG16's mean pixel) into it.

    The converter folds variables in, but makes inputs of these.
    """
    from onnx import numpy_helper

    captured = dict(
        zip(
            (
                tensor.name
                for tensor in function.inputs[len(function.structured_input_signature[0]) :]
            ),
            function.captured_inputs,
            strict=True,
        )
    )
    for entry in [entry for entry in graph.input if entry.name in captured]:
        graph.input.remove(entry)
        value = captured[entry.name].numpy()
        graph.initializer.append(numpy_helper.from_array(value, entry.name))
