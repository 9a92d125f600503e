"""Networks kept beside the cache: made once, found by their spec, proven at each start.

A kept network is one ONNX file, ``<cache>/networks/<backbone>-<key>.<checksum>.onnx``:
its name carries the key of its spec and a checksum of its bytes; its metadata
carry the spec and what was computed of the probe images when it was made. So
each start checks the file, the graph and the engine on this machine against
the reference without loading TensorFlow.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...cache.spec import FeatureSpec
from ...errors import EngineError
from ...storage import replacing, user_folder
from ...version import __version__
from ..backbone.backbones import backbone_of
from .agreement import check_agreement, probe_images
from .engine import Features, Images
from .network import build_extractor, traced
from .onnx import add_metadata, to_onnx
from .onnx_extractor import build_onnx_extractor, run_in_batches
from .turns import taking_turns

FOLDER = "networks"
ASKED = ("spec", "probe", "widths", "batch")  # of a kept network's metadata, by an engine


class KeptEngine(ABC):
    """An engine that runs kept networks.

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
        was computed when it was made.
    """

    name: str
    device = "cpu"

    def __init__(self, path: Path, spec: FeatureSpec) -> None:
        self.notes: list[str] = []
        sha256 = _sha256(path.read_bytes())
        if not sha256.startswith(path.stem.rpartition(".")[2]):
            raise EngineError(f"the kept network {path} is damaged: its checksum differs")
        about = self._open(path, spec.precision)
        right = spec.precision != "int8" or spec.weights_sha256 == sha256
        if not right or about.get("spec") != _key(spec) or not {"probe", "widths"} <= set(about):
            raise EngineError(f"the kept network {path} computes other features than {spec.id}")
        images = probe_images(spec.input_size)
        reference = np.frombuffer(base64.b64decode(about["probe"]), dtype="<f4")
        self.widths = tuple(map(int, about["widths"].split()))
        self._batch = int(about["batch"]) if "batch" in about else None
        check_agreement(self.name, self(images), reference.reshape(len(images), -1), spec.precision)

    def __call__(self, images: Images) -> Features:
        """Map images (n, height, width, 3), uint8 RGB, to features (n, d), float32."""
        features: Features = run_in_batches(self._run, images, self._batch)[0]
        return features

    @abstractmethod
    def _open(self, path: Path, precision: str) -> dict[str, str]:
        """Load a network; return its metadata."""

    @abstractmethod
    def _run(self, images: Images) -> list[Any]:
        """Return the features of so many images as the network takes, as the only output."""


Kept = TypeVar("Kept", bound=KeptEngine)


def kept_network(spec: FeatureSpec, cache: Path) -> Path | None:
    """Return the kept network of this spec, or None."""
    int8 = spec.precision == "int8"  # its spec names it
    name = f"*.{spec.weights_sha256[:16]}" if int8 else f"{_graph(spec).folder}.*"
    kept = sorted((cache / FOLDER).glob(f"{name}.onnx"))
    return kept[0] if kept else None


def open_kept(make: type[Kept], spec: FeatureSpec, weights: Path, cache: Path) -> Kept:
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
            return make(path, spec)
        except EngineError as error:
            with contextlib.suppress(OSError):  # a read-only cache keeps it, and it stays refused
                path.unlink()
            engine = make(export(spec, weights, cache), spec)
            engine.notes.append(f"{error}; it was exported anew")
            return engine
    with taking_turns(user_folder() / "export"):  # a machine's workers start at once
        return make(kept_network(spec, cache) or export(spec, weights, cache), spec)


def export(spec: FeatureSpec, weights: Path, cache: Path) -> Path:
    """Export the network to ONNX beside the cache and return the file.

    Raises
    ------
    EngineError
        If tf2onnx cannot convert it, or the file cannot be written.
    """
    spec = replace(spec, precision=_graph(spec).precision)
    return keep(_MAKERS[backbone_of(spec, weights).graph](spec, weights), spec, cache)


def keep(data: bytes, spec: FeatureSpec, cache: Path) -> Path:
    """Write a network beside the cache and return the file.

    Raises
    ------
    EngineError
        If it cannot be written.
    """
    path = cache / FOLDER / f"{spec.network.folder}.{_sha256(data)[:16]}.onnx"
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
    return with_proof(to_onnx(run, spec.backbone), spec, reference, widths)


def _from_onnx(spec: FeatureSpec, weights: Path) -> bytes:
    made = build_onnx_extractor(spec, weights)
    return with_proof(made.model, spec, made.reference, made.widths, made.batch)


# A backbone's graph to what makes a kept network of it.
_MAKERS: dict[str, Callable[[FeatureSpec, Path], bytes]] = {
    "keras": _from_keras,
    "onnx": _from_onnx,
}


def with_proof(
    model: Any,
    spec: FeatureSpec,
    reference: Features,
    widths: tuple[int, ...],
    batch: int | None = None,
    **more: str,
) -> bytes:
    """Return a network (``onnx.ModelProto``) with what each start compares it with."""
    del model.metadata_props[:]
    add_metadata(
        model,
        {
            "spec": _key(spec),
            "probe": base64.b64encode(reference.astype("<f4").tobytes()).decode("ascii"),
            "widths": " ".join(map(str, widths)),
            "created_by": f"headstart {__version__}",
            **({} if batch is None else {"batch": str(batch)}),
            **more,
        },
    )
    data: bytes = model.SerializeToString()
    return data


def _graph(spec: FeatureSpec) -> FeatureSpec:
    """Return what is kept for a spec: bfloat16 is a way to compute the network of float32."""
    kept = "float32" if spec.precision == "bfloat16" else spec.precision
    return replace(spec.network, precision=kept)


def _key(spec: FeatureSpec) -> str:
    """Return what a network says that it computes; one in 8 bits cannot hold its own hash."""
    graph = _graph(spec)
    if spec.precision == "int8":
        graph = replace(graph, weights_sha256="")
    return graph.to_json()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
