"""A head with all that is needed to label a new image, and its parts of a model's file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from ...cache.spec import FeatureSpec
from ...errors import ModelError
from ...version import __version__
from ..heads.abstention import ABSTENTION, Abstainer
from ..heads.table import HEADS, find_head, row_of
from . import trained_on as marks
from .linear_model import LINEAR, LinearArrays
from .model_file import not_a_model, write_parts

if TYPE_CHECKING:
    from .records import HeadRecord

SKOPS, JOBLIB = "head.skops", "head.joblib"


@dataclass(frozen=True)
class Model:
    """A head with all that is needed to label a new image."""

    keeps_features: ClassVar[bool] = True  # what is extracted is worth its place in the cache

    name: str  # the head's name
    # features (n, d) to probabilities (n, k): a `TemperatureScaled`, or loaded to label alone
    estimator: Any
    classes: list[str]  # class names, in the order of the probabilities' columns
    spec: FeatureSpec  # the features it was trained on
    weights: str  # "imagenet" or the weights file given at training
    record: HeadRecord  # what `fit head` reported
    abstainer: Abstainer | None = None  # what `predict --abstain` needs
    # (n,): marks of the images that it was fitted on, see `trained_on`
    trained_on: marks.Marks | None = None

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return probabilities (n, k), float64, rows sum to 1, of features (n, d)."""
        probabilities: NDArray[np.float64] = self.estimator.predict_proba(X)
        return probabilities

    def save(self, path: Path, also: Mapping[str, bytes] | None = None) -> None:
        """Write one file: a zip of JSON and the head, each part checksummed.

        The head is written by skops, which holds data alone. Trees are written by joblib,
        whose files can hold code: they load only where they are trusted.

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
        from .type_names import to_plain  # scikit-learn takes seconds to import

        part = SKOPS if find_head(self.name).saved == "skops" else JOBLIB
        parts = {part: _WRITERS[part](to_plain(self.estimator))}
        arrays = linear_arrays(self.estimator)
        if arrays is not None:
            parts[LINEAR] = arrays.to_bytes()
        if self.abstainer is not None:
            parts[ABSTENTION] = self.abstainer.to_bytes()
        if self.trained_on is not None:
            parts[marks.PART] = marks.to_bytes(self.trained_on)
        manifest = {
            "created_by": f"headstart {__version__}",
            "head": self.name,
            "classes": self.classes,
            "spec": json.loads(self.spec.to_json()),
            "weights": self.weights,
            "record": self.record,
        }
        write_parts(path, manifest, {**parts, **(also or {})})


def head_from(
    manifest: dict[str, Any],
    parts: dict[str, bytes],
    path: Path,
    *,
    trust_joblib: bool = False,
    to_label: bool = False,
) -> Model:
    """Return the classifier that :meth:`Model.save` wrote; see :func:`.load.load_model`.

    Raises
    ------
    ModelError
        If it is damaged, holds types that headstart does not put there, or was written by
        joblib and is not trusted.
    """
    if JOBLIB in parts and not trust_joblib:
        raise ModelError(
            f"{path} was written by joblib, whose files can run code when they are loaded: "
            "--trust-joblib loads it, if you know who made it"
        )
    try:
        classes = [str(name) for name in manifest["classes"]]
        if to_label and LINEAR in parts:
            estimator: Any = LinearArrays.from_bytes(parts[LINEAR], len(classes))
            labels = len(classes)
        else:
            estimator = _read_estimator(parts)
            labels = len(estimator.classes_)
        model = Model(
            name=str(manifest["head"]),
            estimator=estimator,
            classes=classes,
            spec=FeatureSpec.from_json(json.dumps(manifest["spec"])),
            weights=str(manifest["weights"]),
            record=cast("HeadRecord", dict(manifest["record"])),
            abstainer=Abstainer.from_bytes(parts[ABSTENTION]) if ABSTENTION in parts else None,
            trained_on=marks.from_bytes(parts[marks.PART]) if marks.PART in parts else None,
        )
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:  # skops raises whatever crafted bytes lead it to
        raise not_a_model(path, error) from error
    if labels != len(classes):
        raise ModelError(f"{path} is damaged: {len(classes)} names for {labels} classes")
    return model


def _read_estimator(parts: dict[str, bytes]) -> Any:
    from .type_names import from_plain

    return from_plain(_read_joblib(parts[JOBLIB]) if JOBLIB in parts else _read_skops(parts[SKOPS]))


def _write_skops(plain: Any) -> bytes:
    import skops.io

    head: bytes = skops.io.dumps(plain)
    return head


def _read_skops(head: bytes) -> Any:
    import skops.io

    trusted = [name for row in HEADS.values() for name in row.trusted]
    unknown = sorted(set(skops.io.get_untrusted_types(data=head)) - set(trusted))
    if unknown:
        raise ModelError(f"holds types that no headstart model has: {', '.join(unknown)}")
    return skops.io.loads(head, trusted=trusted)


def _write_joblib(plain: Any) -> bytes:
    import joblib

    buffer = io.BytesIO()
    joblib.dump(plain, buffer)
    return buffer.getvalue()


def _read_joblib(head: bytes) -> Any:
    import joblib

    return joblib.load(io.BytesIO(head))


_WRITERS = {SKOPS: _write_skops, JOBLIB: _write_joblib}


def linear_arrays(estimator: Any) -> LinearArrays | None:
    """Return what labels without scikit-learn; None for a head that is not linear in one view."""
    row = row_of(estimator)
    if row is None or row.layers != "linear" or "taps" in estimator.estimator_.named_steps:
        return None
    steps = estimator.estimator_.named_steps
    scaler, head = steps["scale"], steps["head"]
    return LinearArrays(
        power=float(scaler.power),
        mean=scaler.mean_,
        scale=float(scaler.scale_),
        coef=head.coef_,
        intercept=head.intercept_,
        temperature=float(estimator.temperature_),
    )


def trained_parameters(estimator: Any) -> int:
    """Count the numbers that training a head has set: weights, intercepts, means.

    Nearest neighbours and trees have none that could be counted alike: 0.
    """
    head = estimator.estimator_["head"]
    single = ("coef_", "intercept_", "dual_coef_", "theta_", "var_")
    arrays = [getattr(head, name, None) for name in single]
    for several in ("weights_", "coefs_", "intercepts_"):
        arrays += getattr(head, several, [])
    return sum(int(np.size(array)) for array in arrays if array is not None)
