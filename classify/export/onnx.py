"""An ONNX file: what tf2onnx makes of the graph, and skl2onnx of trees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np

from ...errors import ExportError, first_line
from ...extract.engine.onnx import OPSET, add_metadata, to_onnx
from ...extract.engine.runtimes import load_openvino
from ..saved.head_model import Model
from ..saved.load import SavedModel
from .about import About
from .artefact import Classify, Format, Runtime, Writing
from .graph import FEATURES, INPUT, OUTPUTS, Below, Graph
from .heads import TINY
from .onnx_quantize import activations_in_8_bits, weights_in_8_bits

TREES = "trees_"  # before every name of skl2onnx's graph
TREES_OPSET = (
    3  # of the ai.onnx.ml domain: TreeEnsembleClassifier as every runtime since 1.10 has it
)


def write(writing: Writing, path: Path) -> int:
    """Write the file; return what it takes in float32, in bytes."""
    model = make(writing.graph, writing.model)
    exact = len(model.SerializeToString())
    if writing.quantize == "dynamic":
        model = weights_in_8_bits(model)
    elif writing.quantize == "int8":
        model = activations_in_8_bits(model, writing.pixels)
    path.write_bytes(model.SerializeToString())
    return exact


def make(graph: Graph, model: SavedModel) -> Any:
    """Return the ONNX model from images to labels, without metadata.

    Raises
    ------
    ExportError
        If the trees need a package that is not installed, or have no counterpart in ONNX.
    EngineError
        If tf2onnx cannot convert the graph.
    """
    whole = to_onnx(graph.run, model.name)
    if graph.below is not None:
        whole = _upon(graph.below, whole, model.name)
    if isinstance(model, Model) and not graph.whole:
        whole = _with_trees(whole, model)
    outputs = {output.name: output for output in whole.graph.output}
    del whole.graph.output[:]
    whole.graph.output.extend(outputs[name] for name in OUTPUTS)
    return whole


def _upon(below: Below, head: Any, name: str) -> Any:
    """Put a head upon the network in 8 bits as it is, and that upon what is done to pixels."""
    import onnx

    network = onnx.load(str(below.network))
    parts = (to_onnx(below.run, name), network, head)
    for part in parts:
        part.ir_version = network.ir_version
        used = [opset for opset in part.opset_import if not opset.domain]
        del part.opset_import[:], part.metadata_props[:]
        part.opset_import.extend(used)
    prefix = onnx.compose.add_prefix
    whole = prefix(parts[0], "pixels_", rename_inputs=False)
    for part in (prefix(network, "network_"), head):
        ends = [(whole.graph.output[0].name, part.graph.input[0].name)]
        whole = onnx.compose.merge_models(whole, part, io_map=ends)
    return whole


def _with_trees(features: Any, model: Model) -> Any:
    """Append the head that skl2onnx converts, and the temperature."""
    import onnx

    head = model.estimator.estimator_["head"]
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError as error:
        raise ExportError(
            f"a {model.name} head needs skl2onnx: pip install 'headstart[export]'"
        ) from error
    try:
        trees = convert_sklearn(
            head,
            initial_types=[(FEATURES, FloatTensorType([None, head.n_features_in_]))],
            options={id(head): {"zipmap": False}},
            target_opset={"": OPSET, "ai.onnx.ml": TREES_OPSET},
        )
    except Exception as error:  # the converter raises whatever it stumbles over
        cause = error.__cause__ or error  # of which the message quotes all the numbers
        raise ExportError(
            f"skl2onnx cannot convert a {model.name} head ({first_line(cause)}): train another head"
        ) from error
    trees.ir_version = features.ir_version
    used = [opset for opset in features.opset_import if not opset.domain]
    del features.opset_import[:]  # tf2onnx declares the trees' domain, too, and in another version
    features.opset_import.extend(used)
    votes = trees.graph.output[1].name
    whole = onnx.compose.merge_models(
        features,
        onnx.compose.add_prefix(trees, TREES),
        io_map=[(FEATURES, TREES + FEATURES)],
        outputs=[TREES + votes],
    )
    _append_temperature(whole, TREES + votes, model.estimator.temperature_, len(model.classes))
    return whole


def _append_temperature(whole: Any, votes: str, temperature: float, k: int) -> None:
    """Turn probabilities into calibrated ones: softmax(log(p) / temperature)."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {"tiny": TINY, "temperature": temperature}
    whole.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in constants.items()
    )
    probabilities, label = OUTPUTS
    whole.graph.node.extend(
        [
            helper.make_node("Max", [votes, "tiny"], ["floored"]),
            helper.make_node("Log", ["floored"], ["logarithms"]),
            helper.make_node("Div", ["logarithms", "temperature"], ["scores"]),
            helper.make_node("Softmax", ["scores"], [probabilities], axis=1),
            helper.make_node("ArgMax", [probabilities], [label], axis=1, keepdims=0),
        ]
    )
    del whole.graph.output[:]
    whole.graph.output.extend(
        [
            helper.make_tensor_value_info(probabilities, TensorProto.FLOAT, [None, k]),
            helper.make_tensor_value_info(label, TensorProto.INT64, [None]),
        ]
    )


def annotate(path: Path, about: About) -> None:
    """Write what the file says of itself: text as it is, everything else as JSON."""
    import onnx

    model = onnx.load(str(path))
    del model.metadata_props[:]
    entries = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in about.items()
    }
    add_metadata(model, entries)
    onnx.save(model, str(path))


def read_about(path: Path) -> About:
    """Return what :func:`annotate` wrote."""
    import onnx

    about: dict[str, Any] = {}
    for entry in onnx.load(str(path)).metadata_props:
        try:
            about[entry.key] = json.loads(entry.value)
        except ValueError:
            about[entry.key] = entry.value
    return cast("About", about)


def open_in_onnxruntime(path: Path) -> Classify:
    """Load it as a program without headstart does."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal only: what goes wrong is raised as well
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def classify(images: Any) -> tuple[Any, Any]:
        probabilities, labels = session.run(list(OUTPUTS), {INPUT: images})
        return probabilities, labels

    return classify


def open_in_openvino(path: Path) -> Classify:
    """Load it as a program without headstart does, in float32.

    Where the processor has bfloat16, that is OpenVINO's own choice.
    """
    run = (
        load_openvino().Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    )

    def classify(images: Any) -> tuple[Any, Any]:
        answers = run({INPUT: images})
        return answers[OUTPUTS[0]], answers[OUTPUTS[1]]

    return classify


FORMAT = Format(
    "onnx",
    ".onnx",
    write,
    annotate,
    read_about,
    (
        Runtime("ONNX Runtime", "onnxruntime", open_in_onnxruntime),
        Runtime("OpenVINO", "openvino", open_in_openvino, trees=False, integers=False),
    ),
    trees=True,
)
