"""ONNX Runtime: the CPU's engine, from the Keras model or an ONNX file, made once and kept.

A kept network is one file, ``<cache>/networks/<backbone>-<key>.<checksum>.onnx``:
its name carries the key of its spec and a checksum of its bytes; its metadata
carry the spec and what TensorFlow made of the probe images. So each start
checks the file, the graph and this machine's ONNX Runtime against TensorFlow
without loading TensorFlow.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...cache.spec import FeatureSpec
from ...errors import EngineError, first_line
from ...storage import replacing, user_folder
from ...version import __version__
from ..backbone.backbones import backbone_of
from .agreement import check_agreement, probe_images
from .engine import Features, Images
from .network import build_extractor, traced
from .onnx_extractor import build_onnx_extractor, run_in_batches
from .turns import taking_turns

OPSET = 17  # what tf2onnx recommends and every ONNX Runtime since 1.12 runs
FOLDER = "networks"


class OnnxEngine:
    """ONNX Runtime on the CPU, in float32, one thread a call.

    Whole images side by side keep the cores busier than one image cut up: on
    two cores MobileNet ran 170 images/s with two calls of one thread each, 150
    with one call of two threads.

    Parameters
    ----------
    path : Path
        A kept network.
    spec : FeatureSpec
        What it must compute.

    Raises
    ------
    EngineError
        If the file is damaged, computes something else, or disagrees with what
        TensorFlow computed when it was exported.
    """

    name = "onnxruntime"
    device = "cpu"

    def __init__(self, path: Path, spec: FeatureSpec) -> None:
        self.notes: list[str] = []
        data = path.read_bytes()
        if _checksum(data) != path.stem.rpartition(".")[2]:
            raise EngineError(f"the kept network {path} is damaged: its checksum differs")
        self._session = _session(data, path)
        self._input = self._session.get_inputs()[0].name
        about = self._session.get_modelmeta().custom_metadata_map
        if about.get("spec") != spec.network.to_json() or not {"probe", "widths"} <= set(about):
            raise EngineError(f"the kept network {path} computes other features than {spec.id}")
        images = probe_images(spec.input_size)
        reference = np.frombuffer(base64.b64decode(about["probe"]), dtype="<f4")
        self.widths = tuple(map(int, about["widths"].split()))
        self._batch = int(about["batch"]) if "batch" in about else None
        check_agreement(self.name, self(images), reference.reshape(len(images), -1), spec.precision)

    def __call__(self, images: Images) -> Features:
        """Map images (n, height, width, 3), uint8 RGB, to features (n, d), float32."""
        features: Features = run_in_batches(self._session, self._input, images, self._batch)[0]
        return features


def kept_network(spec: FeatureSpec, cache: Path) -> Path | None:
    """Return the kept network of this spec, or None."""
    kept = sorted((cache / FOLDER).glob(f"{spec.network.folder}.*.onnx"))
    return kept[0] if kept else None


def open_network(spec: FeatureSpec, weights: Path, cache: Path) -> OnnxEngine:
    """Return the engine of this spec, exporting the network when none is kept.

    A kept file that is damaged is removed and exported anew.

    Raises
    ------
    EngineError
        If the network cannot be exported or kept, or disagrees with TensorFlow.
    """
    path = kept_network(spec, cache)
    if path is not None:
        try:
            return OnnxEngine(path, spec)
        except EngineError as error:
            with contextlib.suppress(OSError):  # a read-only cache keeps it, and it stays refused
                path.unlink()
            engine = OnnxEngine(export(spec, weights, cache), spec)
            engine.notes.append(f"{error}; it was exported anew")
            return engine
    with taking_turns(user_folder() / "export"):  # a machine's workers start at once
        return OnnxEngine(kept_network(spec, cache) or export(spec, weights, cache), spec)


def export(spec: FeatureSpec, weights: Path, cache: Path) -> Path:
    """Export the Keras model to ONNX beside the cache and return the file.

    Raises
    ------
    EngineError
        If tf2onnx cannot convert it, or the file cannot be written.
    """
    data = _MAKERS[backbone_of(spec, weights).graph](spec, weights)
    path = cache / FOLDER / f"{spec.network.folder}.{_checksum(data)}.onnx"
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise EngineError(f"cannot keep the network {path}: {error.strerror}") from error
    return path


def _from_keras(spec: FeatureSpec, weights: Path) -> bytes:
    model, widths = build_extractor(spec, weights)
    run = traced(model, spec)
    reference = run(probe_images(spec.input_size)).numpy()
    return _with_proof(to_onnx(run, spec.backbone), spec, reference, widths)


def _from_onnx(spec: FeatureSpec, weights: Path) -> bytes:
    made = build_onnx_extractor(spec, weights)
    return _with_proof(made.model, spec, made.reference, made.widths, made.batch)


# A backbone's graph to what makes a kept network of it.
_MAKERS: dict[str, Callable[[FeatureSpec, Path], bytes]] = {
    "keras": _from_keras,
    "onnx": _from_onnx,
}


def _with_proof(
    model: Any,
    spec: FeatureSpec,
    reference: Features,
    widths: tuple[int, ...],
    batch: int | None = None,
) -> bytes:
    """Return a network with what each start compares it with."""
    add_metadata(
        model,
        {
            "spec": spec.network.to_json(),
            "probe": base64.b64encode(reference.astype("<f4").tobytes()).decode("ascii"),
            "widths": " ".join(map(str, widths)),
            "created_by": f"headstart {__version__}",
            **({} if batch is None else {"batch": str(batch)}),
        },
    )
    data: bytes = model.SerializeToString()
    return data


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
        import tf2onnx

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


def _session(data: bytes, path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the callers' threads are the parallelism
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal only: what goes wrong is raised as well
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a family of its own without a common parent
        raise EngineError(f"ONNX Runtime cannot load {path}: {error}") from error


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
