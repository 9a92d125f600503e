"""A linear head as plain arrays: it labels without scikit-learn, whose import takes seconds."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ...cache.spec import FeatureSpec
from ...errors import ModelError
from ..heads.abstention import ABSTENTION, Abstainer
from ..heads.formulas import raised, softmax
from . import trained_on as marks
from .model_file import not_a_model

LINEAR = "linear.npz"  # of the model's file, beside the same head as scikit-learn has it


@dataclass(frozen=True)
class LinearArrays:
    """Scaler, linear head and temperature."""

    power: float  # of the features, see `PowerScaler`
    mean: NDArray[np.floating[Any]]  # (d,): taken from them
    scale: float  # what they are divided by, over 0
    coef: NDArray[np.floating[Any]]  # (k, d), or (1, d) for two classes: weights
    intercept: NDArray[np.floating[Any]]  # (k,) or (1,): added to the scores
    temperature: float  # what scores are divided by, over 0

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what scikit-learn's pipeline does, (n, k), to the bit: the same steps."""
        scaled = (raised(X, self.power) - self.mean) / self.scale
        scores = np.asarray(scaled @ self.coef.T + self.intercept, dtype=np.float64)
        if scores.shape[1] == 1:  # two classes: scikit-learn keeps the second's row
            scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        return softmax(scores / self.temperature)

    def to_bytes(self) -> bytes:
        """Return the arrays as an ``.npz`` file."""
        file = io.BytesIO()
        np.savez(file, **{part.name: getattr(self, part.name) for part in fields(self)})
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, classes: int) -> LinearArrays:
        """Read what :meth:`to_bytes` made; no code in it is run.

        Raises
        ------
        ValueError
            If the arrays do not fit together or hold something else than numbers.
        """
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {part.name: file[part.name] for part in fields(cls)}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
                raise ValueError(f"{name} is no array of numbers")
        rows = 1 if classes == 2 else classes
        wanted = {"mean": arrays["mean"].shape[:1], "coef": (rows, *arrays["mean"].shape)}
        wanted |= {"intercept": (rows,), "power": (), "scale": (), "temperature": ()}
        odd = [name for name, shape in wanted.items() if arrays[name].shape != shape]
        if odd:
            raise ValueError(f"{odd[0]} does not fit {classes} classes")
        return cls(
            power=float(arrays["power"]),
            mean=arrays["mean"],
            scale=float(arrays["scale"]),
            coef=arrays["coef"],
            intercept=arrays["intercept"],
            temperature=float(arrays["temperature"]),
        )


@dataclass(frozen=True)
class LinearModel:
    """A linear head with all that is needed to label a new image; no more.

    The parameters are those of :class:`headstart.classify.saved.head_model.Model`, but for ``arrays``
    in place of its estimator.
    """

    keeps_features: ClassVar[bool] = True

    name: str
    arrays: LinearArrays
    classes: list[str]
    spec: FeatureSpec
    weights: str
    record: dict[str, Any]
    abstainer: Abstainer | None
    trained_on: marks.Marks | None

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return probabilities (n, k), float64, rows sum to 1, of features (n, d)."""
        return self.arrays.predict_proba(X)


def linear_from(manifest: dict[str, Any], parts: dict[str, bytes], path: Path) -> LinearModel:
    """Return the linear head that lies in a file beside scikit-learn's form of it.

    Raises
    ------
    ModelError
        If it is damaged.
    """
    try:
        classes = [str(name) for name in manifest["classes"]]
        return LinearModel(
            name=str(manifest["head"]),
            arrays=LinearArrays.from_bytes(parts[LINEAR], len(classes)),
            classes=classes,
            spec=FeatureSpec.from_json(json.dumps(manifest["spec"])),
            weights=str(manifest["weights"]),
            record=dict(manifest["record"]),
            abstainer=Abstainer.from_bytes(parts[ABSTENTION]) if ABSTENTION in parts else None,
            trained_on=marks.from_bytes(parts[marks.PART]) if marks.PART in parts else None,
        )
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, OSError, EOFError, BadZipFile) as error:
        raise not_a_model(path, error) from error
