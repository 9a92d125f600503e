"""What runs kept networks on the CPU: ONNX Runtime, and OpenVINO, which also computes in bfloat16."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from ...errors import EngineError, first_line
from .engine import Images
from .kept import ASKED, KeptEngine

HINTS = {"float32": "f32", "bfloat16": "bf16"}  # what a spec's precision asks of it


class OnnxEngine(KeptEngine):
    """ONNX Runtime on the CPU, one thread a call.

    Whole images side by side keep the cores busier than one image cut up: on
    two cores MobileNet ran 170 images/s with two calls of one thread each, 150
    with one call of two threads.
    """

    name = "onnxruntime"

    def _open(self, path: Path, precision: str) -> dict[str, str]:
        del precision  # it is in the graph
        self._session = _session(path)
        self._input = self._session.get_inputs()[0].name
        about: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return about

    def _run(self, images: Images) -> list[Any]:
        outputs: list[Any] = self._session.run(None, {self._input: images})
        return outputs


class OpenVinoEngine(KeptEngine):
    """OpenVINO on the CPU: a stream of one thread for each core, one of them a call.

    Its telemetry package, whose thread reports to its maker, is held back while it is imported.
    """

    name = "openvino"

    def _open(self, path: Path, precision: str) -> dict[str, str]:
        import joblib

        openvino = load_openvino()
        streams, hint = joblib.cpu_count(), HINTS[precision]
        settings = {
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            "ENABLE_CPU_PINNING": False,  # processes side by side would share one core
            "INFERENCE_PRECISION_HINT": hint,
        }
        core = openvino.Core()
        try:
            model = core.read_model(str(path))
            self._compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot load {path}: {first_line(error)}") from error
        computes = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        if computes != hint:
            raise EngineError(f"OpenVINO computes in {computes} on this processor, not in {hint}")
        self._of_thread = threading.local()
        return _metadata(model)

    def _run(self, images: Images) -> list[Any]:
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._compiled.create_infer_request()
        return [request.infer([images], share_inputs=True)[0]]


def load_openvino() -> Any:
    """Import OpenVINO without the package that reports to its maker; return the module."""
    name = "openvino_telemetry"
    absent = name not in sys.modules
    if absent:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it fails
    try:
        import openvino
    finally:
        if absent:
            del sys.modules[name]
    return openvino


def _metadata(model: Any) -> dict[str, str]:
    """Return what an ONNX file says of itself, as far as an engine asks."""
    paths = {key: ["framework", key] for key in ASKED}
    return {
        key: model.get_rt_info(path).astype(str)
        for key, path in paths.items()
        if model.has_rt_info(path)
    }


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the callers' threads are the parallelism
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal only: what goes wrong is raised as well
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a family of its own without a common parent
        raise EngineError(f"ONNX Runtime cannot load {path}: {error}") from error
