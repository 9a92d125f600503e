"""A fine-tuned classifier: saved as arrays, rebuilt from the table of backbones."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ...cache.spec import FeatureSpec
from ...errors import ModelError
from ...extract.backbone.backbones import backbone_of
from ...extract.engine.network import computing_in
from ...version import __version__
from ..heads.formulas import softmax
from ..network.upper import Network, Upper
from . import trained_on as marks
from .model_file import write_parts

WEIGHTS = "network.npz"
BATCH = 32


@dataclass(frozen=True)
class TunedModel:
    """A network above a freeze boundary with all that is needed to label a new image."""

    keeps_features: ClassVar[bool] = False  # whole maps are large

    name: str  # such as "fine-tuned from block5"
    classes: list[str]  # class names, in the order of the probabilities' columns
    spec: FeatureSpec  # of the boundary: what is extracted from an image
    features: FeatureSpec  # of the features that the network makes of it, which the head sees
    weights: str  # "imagenet" or the weights file given at training
    arrays: list[NDArray[np.float32]]  # the network's weights above the boundary, in Keras' order
    temperature: float  # what logits are divided by
    record: dict[str, Any]  # what `fit finetune` reported
    # (n,): marks of the images that trained it or chose its epochs, see `trained_on`
    trained_on: marks.Marks | None = None

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return probabilities (n, k), float64, rows sum to 1, of boundary maps (n, d)."""
        parts = [self.upper.logits(X[low : low + BATCH]) for low in range(0, len(X), BATCH)]
        return softmax(np.concatenate(parts) / self.temperature)

    @functools.cached_property
    def upper(self) -> Upper:
        """The network from boundary maps to logits, built when it is first asked for.

        Raises
        ------
        ModelError
            If the arrays do not fit the backbone.
        """
        with computing_in(self.features.precision):
            backbone = backbone_of(self.features, Path(self.weights)).build()
        network = Network(self.features, backbone, len(self.classes))
        below = None if self.spec.pooling != "none" else self.spec.layers[0]
        upper = network.above(below)
        expected = [tuple(weight.shape) for weight in upper.model.weights]
        if expected != [array.shape for array in self.arrays]:
            raise ModelError(
                f"the model's arrays do not fit {self.features.backbone} above "
                f"{self.spec.layers[0]}: it was made by another version of Keras; train it again"
            )
        upper.model.set_weights(self.arrays)
        return upper

    def save(self, path: Path, also: Mapping[str, bytes] | None = None) -> None:
        """Write one file: a zip of JSON and an npz of plain arrays, each part checksummed.

        Parameters
        ----------
        path : Path
            The file.
        also : mapping, optional
            More parts, see :mod:`.embedded`.

        Raises
        ------
        ModelError
            If the file cannot be written; nothing half-written is left.
        """
        buffer = io.BytesIO()
        named: dict[str, Any] = {f"{index:04d}": array for index, array in enumerate(self.arrays)}
        np.savez(buffer, **named)
        manifest = {
            "created_by": f"headstart {__version__}",
            "network": self.name,
            "classes": self.classes,
            "spec": json.loads(self.spec.to_json()),
            "features": json.loads(self.features.to_json()),
            "weights": self.weights,
            "temperature": self.temperature,
            "record": self.record,
        }
        parts = {WEIGHTS: buffer.getvalue()}
        if self.trained_on is not None:
            parts[marks.PART] = marks.to_bytes(self.trained_on)
        write_parts(path, manifest, {**parts, **(also or {})})


def tuned_from(manifest: dict[str, Any], parts: dict[str, bytes], path: Path) -> TunedModel:
    """Return the classifier that :meth:`TunedModel.save` wrote; no code runs.

    Raises
    ------
    ModelError
        If it is damaged.
    """
    try:
        with np.load(io.BytesIO(parts[WEIGHTS]), allow_pickle=False) as file:
            arrays = [_numbers(file[name]) for name in sorted(file.files)]
        return TunedModel(
            name=manifest["network"],
            classes=list(manifest["classes"]),
            spec=FeatureSpec.from_json(json.dumps(manifest["spec"])),
            features=FeatureSpec.from_json(json.dumps(manifest["features"])),
            weights=manifest["weights"],
            arrays=arrays,
            temperature=float(manifest["temperature"]),
            record=manifest["record"],
            trained_on=marks.from_bytes(parts[marks.PART]) if marks.PART in parts else None,
        )
    except (KeyError, ValueError, TypeError, OSError, BadZipFile) as error:
        raise ModelError(f"{path} is not a headstart model, or damaged: {error}") from error


def _numbers(array: Any) -> NDArray[np.float32]:
    """Return an array; np.load gives the bytes of whatever else lies in the file."""
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise TypeError("it holds something else than arrays of numbers")
    return array
